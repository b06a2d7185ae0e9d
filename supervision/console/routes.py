"""What the console answers: the API to all that may, and on its own port the pages of the web console."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import Any

from actors.log import get_logger
from protocol import HttpError, Request, Response
from supervision.console.encoding import to_json
from supervision.console.gate import SECURITY_HEADERS, Gate, token_of_form
from supervision.console.pages import StaticPages
from supervision.console.routing import Router
from supervision.console.sessions import Access, Visitor
from supervision.server import Answer, WebSocket

log = get_logger("canopy.console")

_OWNER = Visitor(Access.ADMINISTER, "owner of the admin socket")
_SAFE = ("GET", "HEAD")


class AdminRoutes:
    """Answers the API on the admin socket: whoever may open that file may do everything.

    Args:
        router: the API
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        return _answered(self._router, request, _OWNER)


class WebRoutes:
    """Answers on the port of the console, to those whom the gate lets in.

    Args:
        router: the API
        gate: who is let in
        pages: the web console
    """

    def __init__(self, router: Router, gate: Gate, pages: StaticPages) -> None:
        self._router = router
        self._gate = gate
        self._pages = pages

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        try:
            return self._serve(request)
        except HttpError as error:
            return _refusal(error)

    def _serve(self, request: Request) -> Answer | Awaitable[Answer]:
        gate, address = self._gate, request.remote
        gate.check_host(request)
        if request.method not in _SAFE or "upgrade" in request.headers:
            gate.check_origin(request)
        match request.method, request.path:
            case "POST", "/login":
                return self._login(token_of_form(request.body), address)
            case (("GET" | "HEAD"), "/") if request.query.startswith("token="):
                return self._login(token_of_form(request.query.encode()), address)
        page = self._pages.find(request) if request.method in _SAFE else None
        if page is not None and request.path != "/":
            return _with_headers(page)  # the page that asks for the token needs some of them
        visitor = gate.visitor(request, address)
        if visitor is None:
            return self._ask_who(request)
        if (request.method, request.path) == ("POST", "/logout"):
            return _with_headers(Response(303, (("Location", "./"), gate.logout(request))))
        return _answered(self._router, request, visitor) if page is None else _with_headers(page)

    def _login(self, token: str, address: str) -> Response:
        """Begin a session, and take the token out of the address."""
        try:
            cookie, access = self._gate.login(token, address)
        except HttpError as error:
            log.warning("console.login_failed", address=address, status=error.status)
            return _with_headers(self._pages.login(error.status, error.headers, error.message))
        log.info("console.login", address=address, access=access.value)
        return _with_headers(Response(303, (("Location", "./"), cookie)))

    def _ask_who(self, request: Request) -> Response:
        if request.path == "/" and request.method in _SAFE:
            return _with_headers(self._pages.login(401))
        raise HttpError(401, "a token is needed", (("WWW-Authenticate", 'Bearer realm="canopy"'),))


def _answered(router: Router, request: Request, visitor: Visitor) -> Answer | Awaitable[Answer]:
    try:
        route, path = router.find(request)
        value = router.ask(route, path, request, visitor)
    except HttpError as error:
        return _refusal(error)
    return _awaited(value) if inspect.isawaitable(value) else _encoded(value)


async def _awaited(value: Awaitable[Any]) -> Answer:
    try:
        return _encoded(await value)
    except HttpError as error:
        return _refusal(error)


def _encoded(value: Any) -> Answer:
    if isinstance(value, WebSocket):
        return value
    if not isinstance(value, Response):
        value = Response(200, (("Content-Type", "application/json"),), to_json(value) + b"\n")
    return _with_headers(value)


def _refusal(error: HttpError) -> Response:
    headers = (("Content-Type", "application/json"), *error.headers)
    return _with_headers(Response(error.status, headers, to_json({"error": error.message}) + b"\n"))


def _with_headers(response: Response) -> Response:
    return Response(response.status, (*response.headers, *SECURITY_HEADERS), response.body)
