"""Who is let in to the console's port. Pure but for what it remembers of sessions and failures.

In this order: the Host must be ours (no DNS rebinding); the Origin must be ours for all that is not GET or HEAD, and
for a WebSocket (no cross-site requests); then a Bearer token or the cookie of a session says who it is. What a proxy
says of the client's address counts for nothing here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs

from protocol import HttpError, Request
from supervision.console.sessions import Access, Sessions, Throttle, Tokens, Visitor
from supervision.console.sources import Clock
from supervision.server.addresses import household

COOKIE = "canopy_console"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SECURITY_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),  # with no-referrer the Origin of a form is null
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""On every answer."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/@\s]+)(?::(\d{1,5}))?")


class Gate:
    """Judges requests to one port.

    Args:
        tokens: what opens it
        hosts: names that the console is reached under, beside those of loopback
        is_secure: it is reached over TLS
        path: where browsers send its cookie
        new_id: makes the ids of sessions
        clock: tells the time, in seconds
    """

    def __init__(
        self,
        tokens: Tokens,
        hosts: Iterable[str],
        *,
        is_secure: bool,
        path: str = "/",
        new_id: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._hosts = LOOPBACK_NAMES | {host.lower() for host in hosts}
        self._is_secure = is_secure
        self._path = path
        self._clock = clock
        self._sessions = Sessions(new_id)
        self._throttle = Throttle()

    def check_host(self, request: Request) -> None:
        """Refuse a request for a name that is not ours. An address cannot be rebound, so any will do.

        Raises:
            HttpError: 403.
        """
        match = _HOST.fullmatch(request.host)
        if match is None or not (match[1].lower() in self._hosts or _is_address(match[1])):
            raise HttpError(403, "this console is not reached under that name")

    def check_origin(self, request: Request) -> None:
        """Refuse what a page of another site had the browser send.

        Raises:
            HttpError: 403.
        """
        origin = request.headers.get("origin")
        if origin is None:
            if not _bearer(request) and _cookie(request):
                raise HttpError(403, "a request with a cookie needs an Origin")
            return
        ours = f"{'https' if self._is_secure else 'http'}://{request.host}"
        if origin.lower() != ours.lower():
            raise HttpError(403, "requests of other sites are refused")

    def visitor(self, request: Request, address: str) -> Visitor | None:
        """Who asks; None if they have not said so.

        Raises:
            HttpError: 401 for a wrong token, 429 after too many of them.
        """
        token = _bearer(request)
        if token:
            granted = self._try(token, address)
            return Visitor(granted, f"{granted.value} token from {address}")
        id = _cookie(request)
        access = self._sessions.access(id, self._clock())
        if access is None:
            return None
        who = f"{access.value} session from {address}"
        return Visitor(access, who, lambda: self._sessions.access(id, self._clock()) is not None)

    def login(self, token: str, address: str) -> tuple[tuple[str, str], Access]:
        """Begin a session; returns the header that gives its cookie to the browser.

        Raises:
            HttpError: 401 for a wrong token, 429 after too many of them.
        """
        access = self._try(token, address)
        id = self._sessions.begin(access, self._clock())
        return ("Set-Cookie", self._set_cookie(id)), access

    def logout(self, request: Request) -> tuple[str, str]:
        """End the session of a request; returns the header that takes the cookie away."""
        self._sessions.end(_cookie(request))
        return ("Set-Cookie", self._set_cookie("") + "; Max-Age=0")

    def _try(self, token: str, address: str) -> Access:
        now, peer = self._clock(), household(address)
        wait = self._throttle.wait(peer, now)
        if wait > 0:
            raise HttpError(429, "too many failed logins, try again later", (("Retry-After", str(int(wait) + 1)),))
        access = self._tokens.access(token)
        if access is None:
            self._throttle.fail(peer, now)
            raise HttpError(401, "the token is wrong", (("WWW-Authenticate", 'Bearer realm="canopy"'),))
        return access

    def _set_cookie(self, id: str) -> str:
        secure = "; Secure" if self._is_secure else ""
        return f"{COOKIE}={id}; Path={self._path}; HttpOnly; SameSite=Strict{secure}"


def token_of_form(body: bytes) -> str:
    """What the login page's form sends; empty if it is another form."""
    try:
        fields = parse_qs(body.decode("latin-1"), max_num_fields=10)
    except ValueError:
        return ""
    return fields.get("token", [""])[0]


def _bearer(request: Request) -> str:
    scheme, _, token = (request.headers.get("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(request: Request) -> str:
    for line in request.headers.get_all("cookie"):
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE:
                return value
    return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
