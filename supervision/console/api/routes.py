"""The table of the API's routes. The OpenAPI document is generated from it, so it is complete."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from actors import Ref, Scheduler
from actors.debug import find
from protocol import HttpError, Response, parse_index
from supervision.console.api.actions import Actions, Reason
from supervision.console.api.encoding import encode_tree, json_answer, json_response, to_json
from supervision.console.api.extensions import Extensions, PageQuery
from supervision.console.api.live import Audience, LiveHandler
from supervision.console.api.metrics import CONTENT_TYPE, Metrics
from supervision.console.api.openapi import document
from supervision.console.api.principals import CODE_LIFE, Access, Grant
from supervision.console.api.routing import ApiRequest, Handler, Parameter, Route
from supervision.console.inspection.inspector import Inspector
from supervision.console.inspection.model.actors import Actor, ActorDetails, ActorPage, Node, StateText
from supervision.console.inspection.model.connections import ConnectionPage, ConnectionRow
from supervision.console.inspection.model.crashes import CrashDetails, CrashPage
from supervision.console.inspection.model.forms import Form
from supervision.console.inspection.model.names import EntryPage, TopicPage
from supervision.console.inspection.model.overview import HistoryPage, Overview
from supervision.console.inspection.model.pages import PageContent, PageLink, PageLinks
from supervision.console.inspection.model.session import ActionOutcome, Link, Session
from supervision.console.inspection.model.traces import TraceState
from supervision.console.inspection.paging import Inspection
from supervision.console.inspection.samples import BEAT, BEATS_PER_SAMPLE, Samples
from supervision.console.inspection.sources import Sources
from supervision.console.inspection.tracing import Trace, Traces
from supervision.console.inspection.tree import FILTERS
from supervision.server import WebSocket, Wire

MAX_PAGE = 1_000
"""Rows of one response."""

_NUMBERS = range(10**9)
_SEARCH = Parameter(
    "q", "Only rows whose label, kind, user, name, address or key contains this, or whose number is this."
)
_OFFSET = Parameter("offset", "Rows to skip.", 0, _NUMBERS)
_LIMIT = Parameter("limit", "Maximum number of rows.", 100, range(1, MAX_PAGE + 1))
_PAGING = (_SEARCH, _OFFSET, _LIMIT)
_ORDER = Parameter("order", "Sort order.", "asc", ("asc", "desc"))


def _sort(kind: Any, default: str, *excluded: str) -> Parameter:
    names = tuple(field.name for field in dataclasses.fields(kind) if field.name not in excluded)
    return Parameter("sort", "The attribute to sort by.", default, names)


@dataclass(frozen=True, slots=True)
class ExitBody:
    """How to end an actor: with a crash, an exit signal `shutdown`, or `kill`."""

    reason: Reason = "crash"


@dataclass(frozen=True, slots=True)
class TraceBody:
    """The lines and seconds after which a trace ends."""

    lines: int = 100
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class LinkBody:
    """The role of the session that the link begins."""

    role: Literal["look", "moderate", "administer"] = "administer"


@dataclass(frozen=True, slots=True)
class LogLevelBody:
    """Lowest level that is logged."""

    level: Literal["debug", "info", "warning", "error"]


ACTIONS = {
    **dict.fromkeys(("exit", "restart", "suspend", "resume", "state", "trace"), Access.ADMINISTER),
    "disconnect": Access.MODERATE,
    **dict.fromkeys(("drain", "log-level"), Access.ADMINISTER),
}
"""The actions that a session may offer, and the role that each requires."""


class Api:
    """The handlers of the routes.

    Args:
        inspector, history, audience, traces, actions, metrics: the parts of the console that serve the requests
        extensions: what the application adds
        link: creates a link that logs in once; None without a port
    """

    def __init__(
        self,
        inspector: Inspector,
        history: Samples,
        audience: Audience,
        traces: Traces,
        actions: Actions,
        metrics: Metrics,
        extensions: Extensions,
        link: Callable[[Grant], str | None],
    ) -> None:
        self._inspector = inspector
        self._sources: Sources = inspector.sources
        self._history = history
        self._audience = audience
        self._traces = traces
        self._actions = actions
        self._metrics = metrics
        self._extensions = extensions
        self._link = link
        self.routes = (*self._routes(), *extensions.routes)
        self._document = to_json(document(self._sources.application, self.routes))

    def _routes(self) -> Iterator[Route]:
        get, post = partial(Route, "GET"), partial(Route, "POST", access=Access.ADMINISTER)
        sliced = self._sliced
        delete = partial(Route, "DELETE", access=Access.ADMINISTER)
        moderate = partial(Route, "POST", access=Access.MODERATE)
        v1 = "/api/v1"
        actor, connection = f"{v1}/actors/{{ref}}", f"{v1}/connections/{{id}}"
        yield get(f"{v1}/openapi.json", "This document.", self._openapi, None)
        yield get(f"{v1}/session", "The caller's role, actions and forms.", self._session, Session)
        yield get(f"{v1}/overview", "The system at a glance.", sliced(self._overview), Overview)
        yield get(f"{v1}/history", "The last hour, for charts.", self._history_page, HistoryPage)
        yield get(f"{v1}/live", "A WebSocket that streams `Live` and `TraceUpdate` messages.", self._live, None)
        tree = (
            Parameter("ref", "The root of the tree; the top supervisor by default."),
            Parameter("depth", "Levels below the root; all by default.", None, range(100)),
            Parameter("limit", "Maximum number of children of one actor; all by default.", None, range(10**6)),
            _SEARCH,
            Parameter("only", "Only these actors and their ancestors.", "", ("", *FILTERS)),
        )
        yield get(f"{v1}/tree", "The living actors, as a tree.", sliced(self._tree), Node, parameters=tree)
        rows = (
            _sort(Actor, "ref"),
            _ORDER,
            Parameter("state", "Only actors in this state."),
            Parameter("kind", "Only actors of this class."),
            *_PAGING,
        )
        yield get(f"{v1}/actors", "The living actors, as a table.", sliced(self._actors), ActorPage, parameters=rows)
        yield get(actor, "One actor.", self._actor, ActorDetails)
        yield post(
            f"{actor}/state", "The attributes of an actor. The read is audited, hence POST.", self._state, StateText
        )
        yield post(f"{actor}/exit", "End an actor.", self._exit, ActionOutcome, body=ExitBody)
        yield post(f"{actor}/restart", "Restart an actor.", self._restart, ActionOutcome)
        yield post(f"{actor}/suspend", "Suspend an actor until it is resumed.", self._suspend, ActionOutcome)
        yield post(f"{actor}/resume", "Resume an actor.", self._resume, ActionOutcome)
        trace = f"{actor}/trace"
        yield get(trace, "The last trace of an actor.", self._trace, TraceState, access=Access.ADMINISTER)
        yield post(trace, "Trace the messages and replies of an actor.", self._begin_trace, TraceState, body=TraceBody)
        yield delete(trace, "End the trace.", self._end_trace, TraceState)
        wires = (
            _sort(ConnectionRow, "age", "id"),
            _ORDER,
            Parameter("server", "Only connections of this server."),
            *_PAGING,
        )
        yield get(f"{v1}/connections", "The connections.", sliced(self._connections), ConnectionPage, parameters=wires)
        yield get(connection, "One connection.", self._connection, ConnectionRow)
        yield moderate(f"{connection}/disconnect", "Close a client's connection.", self._disconnect, ActionOutcome)
        table = Parameter("table", "Only entries of this registry table; `.` for the kernel's names.", None)
        names = (table, *_PAGING)
        yield get(f"{v1}/names", "Names, topics and their actors.", sliced(self._names), EntryPage, parameters=names)
        yield get(f"{v1}/topics", "Topics and their sizes.", sliced(self._topics), TopicPage, parameters=_PAGING)
        yield get(f"{v1}/crashes", "The latest crashes.", self._crashes, CrashPage)
        yield get(
            f"{v1}/crashes/{{number}}", "One crash, with a test that reproduces it.", self._one_crash, CrashDetails
        )
        yield get(f"{v1}/pages", "The pages of the application.", self._pages, PageLinks)
        yield get(f"{v1}/pages/{{id}}", "One page.", self._page, PageContent, parameters=_PAGING)
        yield post(f"{v1}/drain", "Stop accepting connections and close the open ones.", self._drain, ActionOutcome)
        yield post(f"{v1}/links", "Create a link that logs in once.", self._make_link, Link, body=LinkBody)
        yield post(f"{v1}/log-level", "Set the log level.", self._set_log_level, ActionOutcome, body=LogLevelBody)
        yield get("/metrics", "Metrics for Prometheus.", sliced(self._scrape), None)

    def _sliced(self, handler: Callable[[ApiRequest, Inspection], Any]) -> Handler:
        """Run a handler as an inspection of the principal; encoding the response is part of it."""

        async def answer(request: ApiRequest) -> Response:
            async with self._inspector.inspections.turn(request.principal.name) as inspection:
                value = handler(request, inspection)
                return json_answer(await value if inspect.isawaitable(value) else value)

        return answer

    # The system.

    def _openapi(self, _: ApiRequest) -> Response:
        return json_response(self._document)

    def _session(self, request: ApiRequest) -> Session:
        extensions, access = self._extensions, request.principal.access
        optional = {"drain": extensions.drain, "log-level": extensions.set_log_level}
        return Session(
            access=request.principal.access.value,
            who=request.principal.who,
            application=self._sources.application,
            servers=list(self._sources.servers),
            actions=[
                name
                for name, required in ACTIONS.items()
                if access.covers(required) and optional.get(name, name) is not None
            ],
            forms=[form for form in extensions.forms if access.covers(self._required(form))],
        )

    def _required(self, form: Form) -> Access:
        """The role that a form requires, which is that of its route."""
        target = form.method, f"/api/v1/{form.path}"
        return next(route.access for route in self.routes if (route.method, route.path) == target)

    def _overview(self, _: ApiRequest, __: Inspection) -> Overview:
        return self._inspector.overview()

    def _history_page(self, _: ApiRequest) -> HistoryPage:
        return HistoryPage(BEAT * BEATS_PER_SAMPLE, list(self._history.samples))

    def _live(self, request: ApiRequest) -> WebSocket:
        self._note_viewer()
        return WebSocket(
            partial(LiveHandler, audience=self._audience, principal=request.principal), label="console viewer"
        )

    def _scrape(self, _: ApiRequest, __: Inspection) -> Response:
        return Response(200, (("Content-Type", CONTENT_TYPE),), self._metrics.text())

    # Actors.

    async def _tree(self, request: ApiRequest, inspection: Inspection) -> Response:
        query = request.query
        root = _find(query["ref"]) if query["ref"] else None
        top = await self._inspector.tree(
            inspection, root, depth=query["depth"], limit=query["limit"], search=query["q"], only=query["only"]
        )
        if top is None:
            raise HttpError(503, "the application is stopping, or the actor has ended in the meantime")
        return json_response(await encode_tree(inspection, top))

    async def _actors(self, request: ApiRequest, inspection: Inspection) -> ActorPage:
        self._note_viewer()
        query = request.query
        return await self._inspector.actors(
            inspection,
            sort=query["sort"],
            descending=query["order"] == "desc",
            search=query["q"],
            state=query["state"],
            kind=query["kind"],
            offset=query["offset"],
            limit=query["limit"],
        )

    def _actor(self, request: ApiRequest) -> ActorDetails:
        self._note_viewer()
        found = self._inspector.actor(_actor_of(request), shows_values=request.shows_values)
        assert found is not None, "no other actor has run since it was alive"
        return found

    async def _state(self, request: ApiRequest) -> StateText:
        return await self._actions.state(request.attempt, _actor_of(request))

    async def _exit(self, request: ApiRequest) -> ActionOutcome:
        return await self._actions.exit(request.attempt, _actor_of(request), request.body(ExitBody).reason)

    async def _restart(self, request: ApiRequest) -> ActionOutcome:
        return await self._actions.restart(request.attempt, _actor_of(request))

    async def _suspend(self, request: ApiRequest) -> ActionOutcome:
        return await self._actions.suspend(request.attempt, _actor_of(request))

    async def _resume(self, request: ApiRequest) -> ActionOutcome:
        return await self._actions.resume(request.attempt, _actor_of(request))

    async def _trace(self, request: ApiRequest) -> TraceState:
        return await self._actions.read_trace(request.attempt, self._traced(request))

    def _traced(self, request: ApiRequest) -> Trace:
        text = request.path["ref"]
        number = parse_index(text)
        found = None if number is None else self._traces.find(number)
        if found is None:
            raise HttpError(404, f"there is no recent trace of actor {text[:100]}")
        return found

    async def _begin_trace(self, request: ApiRequest) -> TraceState:
        body = request.body(TraceBody)
        return await self._actions.trace(request.attempt, _actor_of(request), body.lines, body.seconds)

    async def _end_trace(self, request: ApiRequest) -> TraceState:
        return await self._actions.end_trace(request.attempt, self._traced(request))

    # Connections.

    async def _connections(self, request: ApiRequest, inspection: Inspection) -> ConnectionPage:
        query = request.query
        return await self._inspector.wires.page(
            inspection,
            sort=query["sort"],
            descending=query["order"] == "desc",
            search=query["q"],
            server=query["server"],
            offset=query["offset"],
            limit=query["limit"],
        )

    def _connection(self, request: ApiRequest) -> ConnectionRow:
        id = request.path["id"]
        return self._inspector.wires.row(id.rpartition("-")[0], self._wire(id))

    async def _disconnect(self, request: ApiRequest) -> ActionOutcome:
        id = request.path["id"]
        return await self._actions.disconnect(request.attempt, id, self._wire(id))

    def _wire(self, id: str) -> Wire:
        wire = self._inspector.wires.find(id)
        if wire is None:
            raise HttpError(404, f"there is no connection {id}")
        return wire

    # Names, crashes, pages.

    async def _names(self, request: ApiRequest, inspection: Inspection) -> EntryPage:
        query = request.query
        table = "" if query["table"] == "." else query["table"]
        return await self._inspector.names(
            inspection,
            search=query["q"],
            table=table,
            offset=query["offset"],
            limit=query["limit"],
            shows_values=request.shows_values,
        )

    async def _topics(self, request: ApiRequest, inspection: Inspection) -> TopicPage:
        query = request.query
        return await self._inspector.topics(inspection, search=query["q"], offset=query["offset"], limit=query["limit"])

    def _crashes(self, request: ApiRequest) -> CrashPage:
        return self._inspector.crashes(shows_values=request.shows_values)

    def _one_crash(self, request: ApiRequest) -> CrashDetails:
        text = request.path["number"]
        number = parse_index(text)
        found = None if number is None else self._inspector.crash(number, shows_values=request.shows_values)
        if found is None:
            raise HttpError(404, f"there is no crash {text[:100]}, or it is no longer kept")
        return found

    def _pages(self, _: ApiRequest) -> PageLinks:
        return PageLinks([PageLink(page.id, page.title) for page in self._extensions.pages])

    async def _page(self, request: ApiRequest) -> PageContent:
        page = next((page for page in self._extensions.pages if page.id == request.path["id"]), None)
        if page is None:
            raise HttpError(404, f"there is no page {request.path['id']}")
        query = request.query
        inspections, principal = self._inspector.inspections, request.principal.name
        content = page.snapshot(PageQuery(query["q"].lower(), query["offset"], query["limit"], inspections, principal))
        return await content if inspect.isawaitable(content) else content

    # The application.

    async def _drain(self, request: ApiRequest) -> ActionOutcome:
        return await self._actions.drain(request.attempt)

    async def _make_link(self, request: ApiRequest) -> Link:
        role, grant = request.body(LinkBody).role, request.principal.grant
        if grant is None:
            raise HttpError(403, "a session cannot create links, since it could renew itself with them: use a token")
        await request.note("make a link", f"role {role}")
        url = self._link(dataclasses.replace(grant, access=Access(role)))
        if url is None:
            raise HttpError(501, "there is no web console: --console-port is off")
        return Link(url, CODE_LIFE)

    async def _set_log_level(self, request: ApiRequest) -> ActionOutcome:
        return await self._actions.set_log_level(request.attempt, request.body(LogLevelBody).level)

    def _note_viewer(self) -> None:
        self._history.note_viewer(Scheduler.current().loop.time())


def _actor_of(request: ApiRequest) -> Ref:
    return _find(request.path["ref"])


def _find(text: str) -> Ref:
    number = parse_index(text)
    ref = None if number is None else find(number)
    if ref is None:
        raise HttpError(404, f"there is no actor {text[:100]}")
    return ref
