"""Pure. Routing: from a request to its route, and to the `ApiRequest` that the route's handler receives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote

from protocol import HttpError, Request, parse_index
from supervision.console.api.audit import Attempt, Audit
from supervision.console.api.encoding import BadValue, read
from supervision.console.api.principals import Access, Principal

Handler: TypeAlias = "Callable[[ApiRequest], Any | Awaitable[Any]]"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter.

    Attributes:
        allowed: the allowed strings, or a range of integers; None for any string
    """

    name: str
    about: str
    default: str | int | None = ""
    allowed: tuple[str, ...] | range | None = None

    def read(self, text: str) -> str | int:
        """Parse the value.

        Raises:
            HttpError: 400 if the value is not allowed.
        """
        if isinstance(self.allowed, range):
            number = parse_index(text)
            if number is None or number not in self.allowed:
                raise HttpError(400, f"{self.name} must be an integer from {self.allowed[0]} to {self.allowed[-1]}")
            return number
        if self.allowed is not None and text not in self.allowed:
            raise HttpError(400, f"{self.name} must be one of {', '.join(self.allowed)}")
        return text


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API.

    Attributes:
        path: a template; a name in braces matches one segment
        about: the summary in the OpenAPI document
        answer: the type of the response; None if it is not JSON
        access: the role that the route requires
        body: the type of the request's body; None if it has none
    """

    method: str
    path: str
    about: str
    handler: Handler
    answer: Any
    access: Access = Access.LOOK
    body: type | None = None
    parameters: tuple[Parameter, ...] = ()
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        parts = re.split(r"\{(\w+)\}", self.path)
        pattern = "".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
        object.__setattr__(self, "pattern", re.compile(pattern))

    @property
    def names(self) -> list[str]:
        """The names in the path template."""
        return list(self.pattern.groupindex)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request that matched a route, and its principal."""

    request: Request
    principal: Principal
    route: Route
    path: dict[str, str]
    query: dict[str, Any]
    attempt: Attempt

    async def note(self, action: str, target: str) -> None:
        """Record an action in the audit log before it runs. The router records the result when the handler returns.

        Raises:
            HttpError: 503 if the line cannot be written; then the action must not run.
        """
        self.attempt.describe(action, target)
        await self.attempt.begin()

    @property
    def shows_values(self) -> bool:
        """Whether the principal sees values that are not secret, or only the structure of values."""
        return self.principal.access.covers(Access.ADMINISTER)

    def body(self, kind: type) -> Any:
        """Parse the body into a dataclass.

        Raises:
            HttpError: 400 if the body does not match the type.
        """
        try:
            return read(kind, self.request.body)
        except BadValue as error:
            raise HttpError(400, str(error)) from None


class Router:
    """Finds the route of a request, and calls its handler.

    Args:
        routes: the routes of the API
        audit: records refused attempts, and the results of actions
    """

    def __init__(self, routes: Sequence[Route], audit: Audit) -> None:
        self.routes = tuple(routes)
        self._audit = audit

    def find(self, request: Request) -> tuple[Route, dict[str, str]]:
        """Return the route, and the path segments that match its names.

        Raises:
            HttpError: 404 if no route matches the path, 405 if none matches the method.
        """
        method = "GET" if request.method == "HEAD" else request.method
        matches = [(route, match) for route in self.routes if (match := route.pattern.fullmatch(request.path))]
        for route, match in matches:
            if route.method == method:
                return route, {name: unquote(text) for name, text in match.groupdict().items()}
        if not matches:
            raise HttpError(404, f"there is no {request.path}")
        methods = ", ".join(sorted({route.method for route, _ in matches}))
        raise HttpError(405, f"only {methods} is allowed here", (("Allow", methods),))

    def ask(self, route: Route, path: dict[str, str], request: Request, principal: Principal) -> Any:
        """Call the handler of a route; the result may be awaitable.

        Raises:
            HttpError: 403 if the principal lacks the role, or any error that the handler raises.
        """
        attempt = Attempt(self._audit, principal.who, f"{request.method} {request.path[:200]}")
        try:
            if not principal.access.covers(route.access):
                raise HttpError(403, f"this requires the role {route.access.value}, you have {principal.access.value}")
            api_request = ApiRequest(request, principal, route, path, _query(route, request), attempt)
        except HttpError as error:
            if route.access is not Access.LOOK:
                _note_refusal(attempt, principal, error)
            raise
        return route.handler(api_request) if route.method == "GET" else _audited(api_request)


async def _audited(request: ApiRequest) -> Any:
    """Call the handler of a route that has an effect, and record the result."""
    attempt = request.attempt
    try:
        answer = request.route.handler(request)
        if inspect.isawaitable(answer):
            answer = await answer
    except HttpError as error:
        if attempt.has_begun:
            attempt.end(f"{'failed' if error.status >= 500 else 'refused'}: {error.message}")
        else:
            _note_refusal(attempt, request.principal, error)
        raise
    except BaseException as error:
        if attempt.has_begun:  # the handler has crashed, or its action has ended this process as well
            attempt.end(f"ended by {type(error).__name__}")
        raise
    if attempt.has_begun:
        attempt.end("done")
    return answer


def _note_refusal(attempt: Attempt, principal: Principal, error: HttpError) -> None:
    result = f"{'failed' if error.status >= 500 else 'refused'}: {error.message}"
    attempt.audit.count(attempt.who, attempt.action, result, attempt.target, kind=f"refused {principal.name}")


def _query(route: Route, request: Request) -> dict[str, Any]:
    try:
        given = parse_qs(request.query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise HttpError(400, "the query has too many fields") from None
    known = {parameter.name: parameter for parameter in route.parameters}
    unknown = given.keys() - known.keys()
    if unknown:
        names = f"the parameters are: {', '.join(known)}" if known else "there are no parameters"
        raise HttpError(400, f"unknown parameter {sorted(unknown)[0]!r:.100}; {names}")
    return {
        name: parameter.read(given[name][-1]) if name in given else parameter.default
        for name, parameter in known.items()
    }
