"""Authentication at the console's port. Pure, except for the sessions, codes and failed logins that it keeps.

The checks run in this order:

1. The Host must be ours, against DNS rebinding.
2. Requests that a page of another origin made the browser send are refused: by `Sec-Fetch-Site`, and by the Origin of
   every WebSocket and of every request that is not GET or HEAD.
3. A bearer token, a session cookie or the header of a trusted proxy identifies the principal.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlsplit

from protocol import HttpError, Request
from supervision.console.api.audit import Audit
from supervision.console.api.principals import PROXY_LIFE, Access, Codes, Grant, Principal, Sessions, Throttle
from supervision.console.api.tokens import Token, Tokens
from supervision.console.inspection.sources import Clock
from supervision.server import Origins, Proxies, cookie_prefix
from supervision.server.addresses import client_network

COOKIE = "canopy_console"
"""Prefix of the cookie's name. The port follows, since browsers share cookies between the ports of a host."""
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SECURITY_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),  # with no-referrer, browsers send a form with the Origin null
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""The headers of every response."""


@dataclass(frozen=True, slots=True)
class Front:
    """The console's public address, and the users that a login proxy in front of it lets in.

    Attributes:
        names: host names of the console, in addition to those of loopback
        base_path: the path under which a proxy serves it, such as /console; "" for the root
        origins: the page's origins if a proxy makes them differ from the Host, such as `https://example.org`
        proxies: trusted to report a client's address, TLS and `user_header`
        user_header: the header in which such a proxy names the user who has logged in to it; None for no such login
        roles: user -> role; `*` stands for all other users
    """

    names: tuple[str, ...] = ()
    base_path: str = ""
    origins: tuple[str, ...] = ()
    proxies: Proxies = field(default_factory=Proxies)
    user_header: str | None = None
    roles: tuple[tuple[str, Access], ...] = ()


class Throttled(HttpError):
    """Too many wrong tokens from one network; the response is delayed by `DELAY` seconds."""


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/@\s]+)(?::(\d{1,5}))?")
_FOREIGN = ("same-site", "cross-site")  # another port of this host is same-site, but not same-origin


class Gate:
    """Checks and authenticates the requests to one port.

    Args:
        tokens: the valid tokens
        front: the public address, and the users of a login proxy
        port: the port that it listens on
        audit: records logins
        new_id: returns unguessable ids for sessions, and one-time codes
        clock: returns seconds of a monotonic clock
    """

    def __init__(
        self, tokens: Tokens, front: Front, *, port: int, audit: Audit, new_id: Callable[[], str], clock: Clock
    ) -> None:
        self._tokens = tokens
        self._front = front
        self._origins = Origins.parse(front.origins)
        hosts = (re.sub(r":\d*$", "", urlsplit(origin).netloc) for origin in front.origins)
        self._hosts = LOOPBACK_NAMES | {name.lower() for name in (*front.names, *hosts)}
        self._roles = dict(front.roles)
        self._path = f"{front.base_path}/"
        self._cookies = (f"{cookie_prefix(self._path)}{COOKIE}_{port}", f"{COOKIE}_{port}")
        self._audit = audit
        self._clock = clock
        self._sessions = Sessions(new_id)
        self._codes = Codes(new_id)
        self._throttle = Throttle()

    def check_host(self, request: Request) -> None:
        """Refuse a request for a host name that is not ours. Any IP address passes, since it cannot be rebound.

        Raises:
            HttpError: 403.
        """
        match = _HOST.fullmatch(request.host)
        if match is None or not (match[1].lower() in self._hosts or _is_address(match[1])):
            raise HttpError(403, "this console does not serve that host name")

    def check_site(self, request: Request) -> None:
        """Refuse any request that a page of another origin made the browser send.

        Raises:
            HttpError: 403.
        """
        if any(site.lower() in _FOREIGN for site in request.headers.get_all("sec-fetch-site")):
            raise HttpError(403, "requests from other sites are refused")

    def check_origin(self, request: Request) -> None:
        """Refuse a request that may have an effect, unless our own page or a client other than a browser sent it.

        Raises:
            HttpError: 403.
        """
        origins = request.headers.get_all("origin")
        if not origins:
            if not _bearer(request) and (any(self._ids(request)) or self._named_user(request) is not None):
                raise HttpError(403, "a request with a cookie requires an Origin")
            return
        ours = f"{'https' if request.is_secure else 'http'}://{request.host}"
        if len(origins) > 1 or (origins[0].lower() != ours.lower() and not self._origins.permit(origins[0], "")):
            raise HttpError(403, f"the Origin of this page is not {ours}; behind a proxy, --console-origin names it")

    def authenticate(self, request: Request) -> Principal | None:
        """Return the principal of a request; None if it carries no credential.

        Raises:
            HttpError: 401 for a wrong token.
            Throttled: 429 after too many wrong tokens.
        """
        secret = _bearer(request)
        if not secret:
            return self.session(request) or self._user_of_proxy(request)
        token = self._tokens.find(secret)
        if token is None:
            raise self._failed(request)
        who, grant = f"{token.name} ({token.access.value}) from {request.remote}", self._grant_of(token)
        return Principal(token.access, who, token.name, grant.is_good, grant)

    def session(self, request: Request) -> Principal | None:
        """Return the principal of a session cookie. Tries all cookies of the name, since other ports can set some."""
        for id in self._ids(request):
            grant = self._sessions.find(id, self._clock())
            if grant is not None:
                who = f"session of {grant.name} ({grant.access.value}) from {request.remote}"
                return Principal(grant.access, who, grant.name, partial(self._is_session, id))
        return None

    def login(self, secret: str, request: Request) -> tuple[str, str]:
        """Begin a session with a token or a one-time code; returns the header that sets its cookie.

        Raises:
            HttpError: 401 if the token or code is wrong.
            Throttled: 429 after too many wrong ones.
        """
        grant = self._grant(secret)
        if grant is None:
            raise self._failed(request)
        who = f"{grant.name} ({grant.access.value}) from {request.remote}"
        self._audit.count(who, "login", "done", kind=f"login of {grant.name}")
        return self._set_cookie(request, self._sessions.begin(grant, self._clock()))

    def logout(self, request: Request) -> tuple[str, str]:
        """End the sessions of a request; returns the header that deletes the cookie."""
        for id in self._ids(request):
            self._sessions.end(id)
        name, value = self._set_cookie(request, "")
        return name, f"{value}; Max-Age=0"

    def make_code(self, grant: Grant) -> str:
        """Create a code that begins one session."""
        return self._codes.make(grant, self._clock())

    def _grant(self, secret: str) -> Grant | None:
        token = self._tokens.find(secret)
        return self._codes.take(secret, self._clock()) if token is None else self._grant_of(token)

    def _grant_of(self, token: Token) -> Grant:
        return Grant(token.access, token.name, partial(self._tokens.holds, token))

    def _failed(self, request: Request) -> HttpError:
        """Count a wrong token, and return its error. Valid tokens never get here, so no address is locked out."""
        now, peer = self._clock(), client_network(request.remote)
        wait = self._throttle.wait(peer, now)
        if wait > 0:
            self._audit.count("anonymous", "login", "refused: too many failed logins")
            return Throttled(429, "too many failed logins, try again later", (("Retry-After", str(int(wait) + 1)),))
        self._throttle.fail(peer, now)
        self._audit.count(f"anonymous from {request.remote}", "login", "refused: the token is wrong")
        return HttpError(401, "the token is wrong", (("WWW-Authenticate", 'Bearer realm="canopy"'),))

    def _is_session(self, id: str) -> bool:
        return self._sessions.find(id, self._clock()) is not None

    def _user_of_proxy(self, request: Request) -> Principal | None:
        user = self._named_user(request)
        access = None if user is None else self._roles.get(user, self._roles.get("*"))
        if access is None:
            return None
        end, clock = self._clock() + PROXY_LIFE, self._clock
        who = f"user {user} ({access.value}) from {request.remote}"
        return Principal(access, who, f"user {user}", lambda: clock() < end)

    def _named_user(self, request: Request) -> str | None:
        """Return the user who has logged in to a trusted proxy; None without one."""
        if self._front.user_header is None or not request.is_proxied:
            return None
        users = request.headers.get_all(self._front.user_header)
        return users[0] if len(users) == 1 and users[0] else None

    def _ids(self, request: Request) -> Iterator[str]:
        """Return the session ids in a request's cookies.

        Under TLS a cookie without a prefix does not count, since pages of other origins could have set it.
        """
        pairs = [pair.strip().partition("=") for line in request.headers.get_all("cookie") for pair in line.split(";")]
        names = self._cookies[:1] if request.is_secure else self._cookies
        return (value for name in names for its, _, value in pairs if its == name and value)

    def _set_cookie(self, request: Request, id: str) -> tuple[str, str]:
        origin = request.headers.get("origin") or ""
        is_secure = request.is_secure or origin.lower().startswith("https://")  # it has been checked
        name, secure = (self._cookies[0], "; Secure") if is_secure else (self._cookies[1], "")
        return "Set-Cookie", f"{name}={id}; Path={self._path}; HttpOnly; SameSite=Strict{secure}"


def token_of_form(body: bytes) -> str:
    """Return the token that the login page's form sends; empty if the form has none."""
    try:
        fields = parse_qs(body.decode("latin-1"), max_num_fields=10)
    except ValueError:
        return ""
    return fields.get("token", [""])[0]


def _bearer(request: Request) -> str:
    scheme, _, token = (request.headers.get("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
