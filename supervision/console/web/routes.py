"""The routes of the console's two servers: the API, and on the console's port also the web pages."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

from protocol import HttpError, Request, Response
from supervision.console.api.encoding import json_answer, to_json
from supervision.console.api.principals import DELAY, OWNER, Access, Principal
from supervision.console.api.routing import Router
from supervision.console.web.gate import SECURITY_HEADERS, Gate, Throttled, token_of_form
from supervision.console.web.static_files import StaticPages
from supervision.server import Answer, Sockets, WebSocket

_OWNER = Principal(Access.ADMINISTER, "owner of the admin socket", "owner", grant=OWNER)
_SAFE = ("GET", "HEAD")


class AdminRoutes:
    """Serves the API on the admin socket. A client that may open the socket file may do everything.

    Args:
        router: the API
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        return _answered(self._router, request, _OWNER)


class WebRoutes:
    """Serves the web console and the API on the console's port, to the principals that the gate authenticates.

    Args:
        router: the API
        gate: authenticates the requests
        pages: the files of the web console
        sockets: the connections of the port
    """

    def __init__(self, router: Router, gate: Gate, pages: StaticPages, sockets: Sockets) -> None:
        self._router = router
        self._gate = gate
        self._pages = pages
        self._sockets = sockets

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        try:
            return self._serve(request)
        except Throttled as error:
            return _after_delay(_refusal(error))
        except HttpError as error:
            return _refusal(error)

    def _serve(self, request: Request) -> Answer | Awaitable[Answer]:
        gate = self._gate
        gate.check_host(request)
        page = self._pages.find(request) if request.method in _SAFE else None
        if page is not None and request.path != "/":
            return _with_headers(page)  # the login page needs some of these files
        if page is None and (request.method, request.path) != ("GET", "/login"):
            gate.check_site(request)
        if request.method not in _SAFE or "upgrade" in request.headers:
            gate.check_origin(request)
        match request.method, request.path:
            case "POST", "/login":
                return self._login(request)
            case "GET", "/login":
                return _with_headers(self._pages.login(200))
            case "POST", "/logout":
                return _with_headers(Response(303, (("Location", "./"), gate.logout(request))))
        principal = gate.authenticate(request)
        self._recognize(request, principal)
        if principal is None:
            return self._require_login(request)
        return _answered(self._router, request, principal) if page is None else _with_headers(page)

    def _recognize(self, request: Request, principal: Principal | None) -> None:
        """Count a connection as one of its principal. Some connections are reserved for administrators.

        Beyond the limit, a connection still counts as one without a credential, since a proxy may open many for one
        page. A WebSocket is refused, since it would stay for long.

        Raises:
            HttpError: for a WebSocket, 429 if its principal has too many connections, 503 if all principals together
                have.
        """
        if principal is None:
            return
        spare = 0 if principal.access is Access.ADMINISTER else self._sockets.policy.max_per_holder or 0
        refusal = self._sockets.recognize(request.connection, principal.name, spare=spare)
        if refusal is not None and "upgrade" in request.headers:
            raise refusal.error

    def _login(self, request: Request) -> Answer | Awaitable[Answer]:
        """Begin a session."""
        try:
            cookie = self._gate.login(token_of_form(request.body), request)
        except HttpError as error:
            page = _with_headers(self._pages.login(error.status, error.headers, error.message))
            return _after_delay(page) if isinstance(error, Throttled) else page
        return _with_headers(Response(303, (("Location", "./"), cookie)))

    def _require_login(self, request: Request) -> Response:
        if request.path == "/" and request.method in _SAFE:
            return _with_headers(self._pages.login(401))
        raise HttpError(401, "a token is required", (("WWW-Authenticate", 'Bearer realm="canopy"'),))


async def _after_delay(answer: Answer) -> Answer:
    """Delay the response to a wrong token. Meanwhile its connection may still be closed in favour of a new one."""
    await asyncio.sleep(DELAY)
    return answer


def _answered(router: Router, request: Request, principal: Principal) -> Answer | Awaitable[Answer]:
    try:
        route, path = router.find(request)
        value = router.ask(route, path, request, principal)
    except HttpError as error:
        return _refusal(error)
    return _awaited(value) if inspect.isawaitable(value) else _encoded(value)


async def _awaited(value: Awaitable[Any]) -> Answer:
    try:
        return _encoded(await value)
    except HttpError as error:
        return _refusal(error)


def _encoded(value: Any) -> Answer:
    return value if isinstance(value, WebSocket) else _with_headers(json_answer(value))


def _refusal(error: HttpError) -> Response:
    headers = (("Content-Type", "application/json"), *error.headers)
    return _with_headers(Response(error.status, headers, to_json({"error": error.message}) + b"\n"))


def _with_headers(response: Response) -> Response:
    return Response(response.status, (*response.headers, *SECURITY_HEADERS), response.body)
