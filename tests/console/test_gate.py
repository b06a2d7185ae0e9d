"""The gate under TLS. What it does over plain HTTP is tried from outside, in `test_web`."""

import pytest

from protocol import HttpError, Request
from protocol.headers import Headers
from supervision.console.gate import Gate
from supervision.console.sessions import FREE_FAILURES, SESSION_LIFE, Access, Tokens


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def gate(clock: Clock) -> Gate:
    tokens = Tokens("a" * 43, "r" * 43)
    return Gate(tokens, ("console.example",), is_secure=True, new_id=lambda: "an-id", clock=clock)


def post(**headers: str) -> Request:
    fields = {"Host": "console.example", **headers}
    return Request("POST", "/api/v1/drain", (1, 1), Headers(fields.items()))


def test_cookie_is_secure_under_tls() -> None:
    (name, value), access = gate(Clock()).login("a" * 43, "10.0.0.1")
    assert access is Access.ADMINISTER
    assert (name, value) == ("Set-Cookie", "canopy_console=an-id; Path=/; HttpOnly; SameSite=Strict; Secure")


def test_origin_has_to_be_https_under_tls() -> None:
    guard = gate(Clock())
    guard.check_origin(post(Origin="https://console.example"))
    for origin in ("http://console.example", "https://console.example:8443", "https://other.example", "null", ""):
        with pytest.raises(HttpError, match="403"):
            guard.check_origin(post(Origin=origin))


def test_script_without_an_origin_is_let_through_by_its_token_alone() -> None:
    guard = gate(Clock())
    guard.check_origin(post(Authorization=f"Bearer {'a' * 43}"))
    with pytest.raises(HttpError, match="403"):
        guard.check_origin(post(Cookie="canopy_console=an-id"))


def test_all_of_one_household_are_throttled_together_and_no_other() -> None:
    guard = gate(Clock())
    for number in range(FREE_FAILURES):
        with pytest.raises(HttpError, match="401"):
            guard.login("wrong", f"2001:db8:1:2::{number}")
    with pytest.raises(HttpError, match="429"):
        guard.login("a" * 43, "2001:db8:1:2:ffff::1")
    guard.login("a" * 43, "2001:db8:1:3::1")
    guard.login("a" * 43, "10.0.0.1")


def test_visitor_of_a_session_is_welcome_until_it_is_over_and_one_with_a_token_for_good() -> None:
    clock = Clock()
    guard = gate(clock)
    guard.login("a" * 43, "10.0.0.1")
    by_token = guard.visitor(post(Authorization=f"Bearer {'a' * 43}"), "10.0.0.1")
    by_cookie = guard.visitor(post(Cookie="canopy_console=an-id"), "10.0.0.1")
    assert by_token is not None
    assert by_cookie is not None
    assert by_cookie.is_welcome()
    clock.now = SESSION_LIFE
    assert not by_cookie.is_welcome()
    assert by_token.is_welcome()


def test_session_opens_until_it_is_over() -> None:
    clock = Clock()
    guard = gate(clock)
    guard.login("r" * 43, "10.0.0.1")
    visitor = guard.visitor(post(Cookie="canopy_console=an-id"), "10.0.0.1")
    assert visitor is not None
    assert (visitor.access, visitor.who) == (Access.LOOK, "look session from 10.0.0.1")
    clock.now = SESSION_LIFE
    assert guard.visitor(post(Cookie="canopy_console=an-id"), "10.0.0.1") is None
    assert guard.visitor(post(Cookie="canopy_console="), "10.0.0.1") is None
