"""The gate under TLS. What it does over plain HTTP is tried from outside, in `test_web`."""

import pytest

from protocol import HttpError, Request
from protocol.headers import Headers
from supervision.console.gate import Gate
from supervision.console.sessions import SESSION_LIFE, Access, Tokens


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
    assert access is Access.ADMIN
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


def test_session_opens_until_it_is_over() -> None:
    clock = Clock()
    guard = gate(clock)
    guard.login("r" * 43, "10.0.0.1")
    visitor = guard.visitor(post(Cookie="canopy_console=an-id"), "10.0.0.1")
    assert visitor is not None
    assert (visitor.access, visitor.who) == (Access.READ, "read session from 10.0.0.1")
    clock.now = SESSION_LIFE
    assert guard.visitor(post(Cookie="canopy_console=an-id"), "10.0.0.1") is None
    assert guard.visitor(post(Cookie="canopy_console="), "10.0.0.1") is None
