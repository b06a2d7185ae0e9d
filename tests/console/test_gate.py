"""The gate behind TLS and proxies. What it does over plain HTTP is tried from outside, in `test_web`."""

from pathlib import Path

import pytest

from protocol import HttpError, Request
from protocol.headers import Headers
from supervision.console.api.audit import Audit
from supervision.console.api.principals import FREE_FAILURES, PROXY_LIFE, SESSION_LIFE, Access
from supervision.console.api.tokens import Tokens, create_plain_tokens
from supervision.console.web.gate import Front, Gate
from supervision.server import Proxies
from tests.support.console import plain_token
from tests.support.scenarios import simulated

PLAIN = "canopy_console_8001"
COOKIE = f"__Host-{PLAIN}"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def gate(data: Path, clock: Clock | None = None, **front: object) -> Gate:
    create_plain_tokens(data)
    clock = clock or Clock()
    audit = Audit(data / "audit.log", clock)
    front = {"names": ("console.example",), **front}
    return Gate(
        Tokens(data, clock), Front(**front), port=8001, audit=audit, new_id=lambda: "an-id", clock=clock  # type: ignore[arg-type]
    )  # fmt: skip


def request(
    method: str = "POST", *, remote: str = "10.0.0.1", is_secure: bool = True, is_proxied: bool = False, **headers: str
) -> Request:
    fields = {"Host": "console.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request(method, "/api/v1/drain", (1, 1), Headers(fields.items()), b"", remote, is_secure, is_proxied)


def lines(*fields: tuple[str, str]) -> Request:
    return Request("POST", "/", (1, 1), Headers([("Host", "console.example"), *fields]), is_secure=True)


@simulated
async def test_cookie_under_tls_is_secure_and_for_this_host_alone(tmp_path: Path) -> None:
    name, value = gate(tmp_path).login(plain_token(tmp_path, "console-token"), request())
    assert (name, value) == ("Set-Cookie", f"{COOKIE}=an-id; Path=/; HttpOnly; SameSite=Strict; Secure")


def test_origin_has_to_be_https_under_tls(tmp_path: Path) -> None:
    guard = gate(tmp_path)
    guard.check_origin(request(Origin="https://console.example"))
    for origin in ("http://console.example", "https://console.example:8443", "https://other.example", "null", ""):
        with pytest.raises(HttpError, match="403"):
            guard.check_origin(request(Origin=origin))


@simulated
async def test_page_behind_a_proxy_that_speaks_tls_may_log_in_if_its_origin_is_named(tmp_path: Path) -> None:
    guard = gate(tmp_path, origins=("https://console.example.org", "https://other.example.org:8443"))
    for origin in ("https://console.example.org", "HTTPS://console.example.org", "https://other.example.org:8443"):
        asked = request(Origin=origin, is_secure=False)
        guard.check_origin(asked)
        cookie = guard.login(plain_token(tmp_path, "console-token"), asked)[1]
        assert cookie.startswith(f"{COOKIE}=")
        assert cookie.endswith("; Secure")
    for origin in ("http://console.example.org", "https://example.org", "https://other.example.org", "null"):
        with pytest.raises(HttpError, match="--console-origin"):
            guard.check_origin(request(Origin=origin, is_secure=False))
    for host in ("console.example.org", "console.example.org:443", "other.example.org:8443"):
        guard.check_host(request(Host=host))


def test_script_without_an_origin_is_let_through_by_its_token_alone(tmp_path: Path) -> None:
    guard = gate(tmp_path)
    guard.check_origin(request(Authorization=f"Bearer {plain_token(tmp_path, 'console-token')}"))
    for cookie, is_secure in ((f"{COOKIE}=an-id", True), (f"{COOKIE}=an-id", False), (f"{PLAIN}=an-id", False)):
        with pytest.raises(HttpError, match="403"):
            guard.check_origin(request(Cookie=cookie, is_secure=is_secure))


@simulated
async def test_cookie_without_the_prefix_means_nothing_under_tls(tmp_path: Path) -> None:
    guard = gate(tmp_path)
    guard.login(plain_token(tmp_path, "console-token"), request())
    for cookie, is_secure in ((COOKIE, True), (COOKIE, False), (PLAIN, False)):  # False: a proxy may not tell
        assert guard.session(request(Cookie=f"{cookie}=an-id", is_secure=is_secure)) is not None
    assert guard.session(request(Cookie=f"{PLAIN}=an-id")) is None, "any page of the host may have set it"


def test_of_two_lines_that_say_where_a_request_is_from_none_is_believed(tmp_path: Path) -> None:
    guard, ours = gate(tmp_path), "https://console.example"
    for origins in ((ours, "https://evil.example"), ("https://evil.example", ours), (ours, ours)):
        with pytest.raises(HttpError, match="403"):
            guard.check_origin(lines(*(("Origin", origin) for origin in origins)))
    for sites in (("same-origin", "cross-site"), ("same-site", "none")):
        with pytest.raises(HttpError, match="403"):
            guard.check_site(lines(*(("Sec-Fetch-Site", site) for site in sites)))
    guard.check_site(lines(("Sec-Fetch-Site", "same-origin")))


@simulated
async def test_all_of_one_household_are_throttled_together_and_who_has_a_token_never(tmp_path: Path) -> None:
    guard, token = gate(tmp_path), plain_token(tmp_path, "console-token")
    for number in range(FREE_FAILURES):
        with pytest.raises(HttpError, match="401"):
            guard.login("wrong", request(remote=f"2001:db8:1:2::{number}"))
    with pytest.raises(HttpError, match="429"):
        guard.login("wrong", request(remote="2001:db8:1:2:ffff::1"))
    with pytest.raises(HttpError, match="401"):
        guard.login("wrong", request(remote="2001:db8:1:3::1"))
    guard.login(token, request(remote="2001:db8:1:2:ffff::1"))


@simulated
async def test_visitor_of_a_session_is_welcome_until_it_is_over_and_one_with_a_token_for_good(tmp_path: Path) -> None:
    clock = Clock()
    guard = gate(tmp_path, clock)
    token = plain_token(tmp_path, "console-token")
    guard.login(token, request())
    by_token = guard.authenticate(request(Authorization=f"Bearer {token}"))
    by_cookie = guard.authenticate(request(Cookie=f"{COOKIE}=an-id"))
    assert by_token is not None
    assert by_cookie is not None
    assert by_cookie.is_welcome()
    clock.now = SESSION_LIFE
    assert not by_cookie.is_welcome()
    assert by_token.is_welcome()


@simulated
async def test_session_opens_until_it_is_over(tmp_path: Path) -> None:
    clock = Clock()
    guard = gate(tmp_path, clock)
    guard.login(plain_token(tmp_path, "console-token-read"), request())
    visitor = guard.authenticate(request(Cookie=f"{COOKIE}=an-id"))
    assert visitor is not None
    assert (visitor.access, visitor.who) == (Access.LOOK, "session of console-token-read (look) from 10.0.0.1")
    clock.now = SESSION_LIFE
    assert guard.authenticate(request(Cookie=f"{COOKIE}=an-id")) is None
    assert guard.authenticate(request(Cookie=f"{COOKIE}=")) is None


def test_user_of_a_trusted_proxy_has_the_role_that_was_given_and_nobody_else(tmp_path: Path) -> None:
    roles = (("ann", Access.ADMINISTER), ("*", Access.LOOK))
    guard = gate(tmp_path, proxies=Proxies.parse(["10.0.0.1"]), user_header="X-Remote-User", roles=roles)
    for user, role in (("ann", Access.ADMINISTER), ("bob", Access.LOOK)):
        visitor = guard.authenticate(request(X_Remote_User=user, is_proxied=True, remote="192.0.2.1"))
        assert visitor is not None
        assert (visitor.access, visitor.who) == (role, f"user {user} ({role.value}) from 192.0.2.1")
    assert guard.authenticate(request(X_Remote_User="ann")) is None, "no proxy says so"
    assert guard.authenticate(request(X_Remote_User="", is_proxied=True)) is None
    twice = Headers([("Host", "console.example"), ("X-Remote-User", "bob"), ("X-Remote-User", "ann")])
    assert guard.authenticate(Request("GET", "/", (1, 1), twice, is_proxied=True)) is None
    with pytest.raises(HttpError, match="403"):  # a browser sends the proxy's cookie along, whoever wrote the page
        guard.check_origin(request(X_Remote_User="ann", is_proxied=True))
    closed = gate(tmp_path, proxies=Proxies.parse(["10.0.0.1"]), user_header="X-Remote-User", roles=roles[:1])
    assert closed.authenticate(request(X_Remote_User="bob", is_proxied=True)) is None


def test_user_of_a_trusted_proxy_is_welcome_for_a_while_and_then_has_to_come_through_it_again(tmp_path: Path) -> None:
    clock = Clock()
    roles = (("*", Access.ADMINISTER),)
    guard = gate(tmp_path, clock, proxies=Proxies.parse(["10.0.0.1"]), user_header="X-Remote-User", roles=roles)
    asked = request(X_Remote_User="ann", is_proxied=True)
    first = guard.authenticate(asked)
    assert first is not None
    clock.now = PROXY_LIFE - 1
    second = guard.authenticate(asked)
    assert second is not None
    assert first.is_welcome()
    clock.now = PROXY_LIFE
    assert not first.is_welcome()
    assert second.is_welcome()


def test_header_of_a_user_means_nothing_by_default(tmp_path: Path) -> None:
    assert gate(tmp_path).authenticate(request(X_Remote_User="ann", is_proxied=True)) is None
