"""Pure. A table of routes: how a request finds its function, and what the function is given."""

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
    """A parameter of the query.

    Attributes:
        allowed: the texts it may be; or a range of numbers; or None for any text
    """

    name: str
    about: str
    default: str | int | None = ""
    allowed: tuple[str, ...] | range | None = None

    def read(self, text: str) -> str | int:
        """Its value.

        Raises:
            HttpError: 400 if it is not allowed.
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
    """One thing that can be asked.

    Attributes:
        path: with names in braces, which match one segment
        answer: the shape of the answer; None if it is not JSON
        access: what who asks must be allowed to
        body: the shape of the body; None if it has none
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
        """The names in the path."""
        return list(self.pattern.groupindex)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request that has found its route."""

    request: Request
    visitor: Principal
    route: Route
    path: dict[str, str]
    query: dict[str, Any]
    attempt: Attempt

    async def note(self, action: str, target: str) -> None:
        """Write down in the audit log what is about to be done. What came of it is written when the route has answered.

        Raises:
            HttpError: 503 if it cannot be; then it is not to be done.
        """
        self.attempt.describe(action, target)
        await self.attempt.begin()

    @property
    def shows_values(self) -> bool:
        """Whether contents that may be seen are shown to who asks, and not the structure of values alone."""
        return self.visitor.access.covers(Access.ADMINISTER)

    def body(self, kind: type) -> Any:
        """The body as a dataclass.

        Raises:
            HttpError: 400 if it has another shape.
        """
        try:
            return read(kind, self.request.body)
        except BadValue as error:
            raise HttpError(400, str(error)) from None


class Router:
    """Finds the route of a request.

    Args:
        routes: all there are
        audit: where what they do is written down
    """

    def __init__(self, routes: Sequence[Route], audit: Audit) -> None:
        self.routes = tuple(routes)
        self._audit = audit

    def find(self, request: Request) -> tuple[Route, dict[str, str]]:
        """The route, and the segments of the path that it names.

        Raises:
            HttpError: 404 or 405.
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

    def ask(self, route: Route, path: dict[str, str], request: Request, visitor: Principal) -> Any:
        """Call the function of a route; what it returns may have to be awaited.

        Raises:
            HttpError: 403 if the visitor may not, or what the function raises.
        """
        attempt = Attempt(self._audit, visitor.who, f"{request.method} {request.path[:200]}")
        try:
            if not visitor.access.covers(route.access):
                raise HttpError(403, f"this needs the role {route.access.value}, and you have {visitor.access.value}")
            asked = ApiRequest(request, visitor, route, path, _query(route, request), attempt)
        except HttpError as error:
            if route.access is not Access.LOOK:
                _note_refusal(attempt, visitor, error)
            raise
        return route.handler(asked) if route.method == "GET" else _noted(asked)


async def _noted(asked: ApiRequest) -> Any:
    """Call the function of a route that has an effect, and write down what came of it."""
    attempt = asked.attempt
    try:
        answer = asked.route.handler(asked)
        if inspect.isawaitable(answer):
            answer = await answer
    except HttpError as error:
        if attempt.has_begun:
            attempt.end(f"{'failed' if error.status >= 500 else 'refused'}: {error.message}")
        else:
            _note_refusal(attempt, asked.visitor, error)
        raise
    except BaseException as error:
        if attempt.has_begun:  # it has crashed, or what it did has ended this process as well
            attempt.end(f"ended by {type(error).__name__}")
        raise
    if attempt.has_begun:
        attempt.end("done")
    return answer


def _note_refusal(attempt: Attempt, visitor: Principal, error: HttpError) -> None:
    result = f"{'failed' if error.status >= 500 else 'refused'}: {error.message}"
    attempt.audit.count(attempt.who, attempt.action, result, attempt.target, kind=f"refused {visitor.holder}")


def _query(route: Route, request: Request) -> dict[str, Any]:
    try:
        given = parse_qs(request.query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise HttpError(400, "the query has too many fields") from None
    known = {parameter.name: parameter for parameter in route.parameters}
    unknown = given.keys() - known.keys()
    if unknown:
        there = ", ".join(known) or "there are none"
        raise HttpError(400, f"{sorted(unknown)[0]!r:.100} is no parameter here: {there}")
    return {
        name: parameter.read(given[name][-1]) if name in given else parameter.default
        for name, parameter in known.items()
    }
