"""The API: one table of all that can be asked. The OpenAPI document is made of it, so it leaves nothing out."""

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
from supervision.console.inspection.model.actors import Actor, ActorDetails, ActorPage, Node, StateText
from supervision.console.inspection.model.connections import ConnectionPage, ConnectionRow
from supervision.console.inspection.model.crashes import CrashDetails, CrashPage
from supervision.console.inspection.model.forms import Form
from supervision.console.inspection.model.names import EntryPage, TopicPage
from supervision.console.inspection.model.overview import HistoryPage, Overview
from supervision.console.inspection.model.pages import PageContent, PageLink, PageLinks
from supervision.console.inspection.model.session import ActionOutcome, Link, Session
from supervision.console.inspection.model.traces import TraceState
from supervision.console.inspection.paging import Look
from supervision.console.inspection.samples import BEAT, BEATS_PER_SAMPLE, Samples
from supervision.console.inspection.snapshot import Snapshot
from supervision.console.inspection.sources import Sources
from supervision.console.inspection.tracing import Trace, Traces
from supervision.console.inspection.tree import FILTERS
from supervision.server import WebSocket, Wire

MAX_PAGE = 1_000
"""Rows of one answer."""

_NUMBERS = range(10**9)
_SEARCH = Parameter("q", "Only what has this in its label, kind, user, name, address or key, or this as its number.")
_OFFSET = Parameter("offset", "Rows to leave out.", 0, _NUMBERS)
_LIMIT = Parameter("limit", "Rows to show at most.", 100, range(1, MAX_PAGE + 1))
_PAGING = (_SEARCH, _OFFSET, _LIMIT)
_ORDER = Parameter("order", "Whether the smallest or the largest comes first.", "asc", ("asc", "desc"))


def _sort(kind: Any, default: str, *but: str) -> Parameter:
    names = tuple(field.name for field in dataclasses.fields(kind) if field.name not in but)
    return Parameter("sort", "The attribute to sort by.", default, names)


@dataclass(frozen=True, slots=True)
class ExitBody:
    """How an actor shall end: as if it had crashed, by an order to shut down, or killed."""

    reason: Reason = "crash"


@dataclass(frozen=True, slots=True)
class TraceBody:
    """How long a trace may be: lines, and seconds."""

    lines: int = 100
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class LinkBody:
    """Which role a session has that begins with the link."""

    role: Literal["look", "moderate", "administer"] = "administer"


@dataclass(frozen=True, slots=True)
class LogLevelBody:
    """From which level on is logged."""

    level: Literal["debug", "info", "warning", "error"]


ACTIONS = {
    **dict.fromkeys(("exit", "restart", "suspend", "resume", "state", "trace"), Access.ADMINISTER),
    "disconnect": Access.MODERATE,
    **dict.fromkeys(("drain", "log-level"), Access.ADMINISTER),
}
"""What a session may be allowed to do, and the role that it takes."""


class Api:
    """Answers what can be asked.

    Args:
        snapshot, history, audience, traces, actions, metrics: what it is made of
        extensions: what the application adds
        link: makes a link that logs in once, if there is a port
    """

    def __init__(
        self,
        snapshot: Snapshot,
        history: Samples,
        audience: Audience,
        traces: Traces,
        actions: Actions,
        metrics: Metrics,
        extensions: Extensions,
        link: Callable[[Grant], str | None],
    ) -> None:
        self._snapshot = snapshot
        self._sources: Sources = snapshot.sources
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
        yield get(f"{v1}/session", "Who asks, and what may be done.", self._session, Session)
        yield get(f"{v1}/overview", "The system at a glance.", sliced(self._overview), Overview)
        yield get(f"{v1}/history", "The last hour, for charts.", self._history_page, HistoryPage)
        yield get(f"{v1}/live", "A WebSocket: `Live` and `TraceUpdate` as they come.", self._live, None)
        tree = (
            Parameter("ref", "The actor to begin with; the top supervisor by default."),
            Parameter("depth", "Levels below it that are shown; all by default.", None, range(100)),
            Parameter("limit", "Children of one actor that are shown; all by default.", None, range(10**6)),
            _SEARCH,
            Parameter("only", "Only these, and those above them.", "", ("", *FILTERS)),
        )
        yield get(f"{v1}/tree", "The living actors, as a tree.", sliced(self._tree), Node, parameters=tree)
        rows = (
            _sort(Actor, "ref"),
            _ORDER,
            Parameter("state", "Only those in this state."),
            Parameter("kind", "Only those that run this class."),
            *_PAGING,
        )
        yield get(f"{v1}/actors", "The living actors, as a table.", sliced(self._actors), ActorPage, parameters=rows)
        yield get(actor, "One actor.", self._actor, ActorDetails)
        yield post(f"{actor}/state", "Its attributes; audited, so no GET.", self._state, StateText)
        yield post(f"{actor}/exit", "End an actor.", self._exit, ActionOutcome, body=ExitBody)
        yield post(f"{actor}/restart", "Have its supervisor start it anew.", self._restart, ActionOutcome)
        yield post(f"{actor}/suspend", "Let it handle nothing until it is resumed.", self._suspend, ActionOutcome)
        yield post(f"{actor}/resume", "Let it go on.", self._resume, ActionOutcome)
        trace = f"{actor}/trace"
        yield get(trace, "The last trace of an actor.", self._trace, TraceState, access=Access.ADMINISTER)
        yield post(trace, "Trace its messages and replies.", self._begin_trace, TraceState, body=TraceBody)
        yield delete(trace, "End the trace.", self._end_trace, TraceState)
        wires = (
            _sort(ConnectionRow, "age", "id"),
            _ORDER,
            Parameter("server", "Only those of this server."),
            *_PAGING,
        )
        yield get(f"{v1}/connections", "The connections.", sliced(self._connections), ConnectionPage, parameters=wires)
        yield get(connection, "One connection.", self._connection, ConnectionRow)
        yield moderate(f"{connection}/disconnect", "Say goodbye to a client.", self._disconnect, ActionOutcome)
        table = Parameter("table", "Only those of this table of the registry; `.` for the kernel's own names.", None)
        yield get(f"{v1}/names", "Who holds which name.", sliced(self._names), EntryPage, parameters=(table, *_PAGING))
        yield get(f"{v1}/topics", "How many are in which topic.", sliced(self._topics), TopicPage, parameters=_PAGING)
        yield get(f"{v1}/crashes", "The last crashes.", self._crashes, CrashPage)
        yield get(f"{v1}/crashes/{{number}}", "One crash, with a test that repeats it.", self._one_crash, CrashDetails)
        yield get(f"{v1}/pages", "The pages of the application.", self._pages, PageLinks)
        yield get(f"{v1}/pages/{{id}}", "One of them.", self._page, PageContent, parameters=_PAGING)
        yield post(f"{v1}/drain", "Say goodbye to everybody.", self._drain, ActionOutcome)
        yield post(f"{v1}/links", "Make a link that logs in once.", self._make_link, Link, body=LinkBody)
        yield post(f"{v1}/log-level", "Log from this level on.", self._set_log_level, ActionOutcome, body=LogLevelBody)
        yield get("/metrics", "For Prometheus.", sliced(self._scrape), None)

    def _sliced(self, handler: Callable[[ApiRequest, Look], Any]) -> Handler:
        """Answer in slices of the time that who asks has; to encode the answer is a part of it."""

        async def answer(asked: ApiRequest) -> Response:
            async with self._snapshot.looks.turn(asked.visitor.holder) as look:
                value = handler(asked, look)
                return json_answer(await value if inspect.isawaitable(value) else value)

        return answer

    # The system.

    def _openapi(self, _: ApiRequest) -> Response:
        return json_response(self._document)

    def _session(self, asked: ApiRequest) -> Session:
        extensions, access = self._extensions, asked.visitor.access
        optional = {"drain": extensions.drain, "log-level": extensions.set_log_level}
        return Session(
            access=asked.visitor.access.value,
            who=asked.visitor.who,
            application=self._sources.application,
            servers=list(self._sources.servers),
            actions=[
                name
                for name, needed in ACTIONS.items()
                if access.covers(needed) and optional.get(name, name) is not None
            ],
            forms=[form for form in extensions.forms if access.covers(self._needed(form))],
        )

    def _needed(self, form: Form) -> Access:
        """The role that a form needs: that of its route."""
        wanted = form.method, f"/api/v1/{form.path}"
        return next(route.access for route in self.routes if (route.method, route.path) == wanted)

    def _overview(self, _: ApiRequest, __: Look) -> Overview:
        return self._snapshot.overview()

    def _history_page(self, _: ApiRequest) -> HistoryPage:
        return HistoryPage(BEAT * BEATS_PER_SAMPLE, list(self._history.samples))

    def _live(self, asked: ApiRequest) -> WebSocket:
        self._look()
        return WebSocket(partial(LiveHandler, audience=self._audience, visitor=asked.visitor), label="console viewer")

    def _scrape(self, _: ApiRequest, __: Look) -> Response:
        return Response(200, (("Content-Type", CONTENT_TYPE),), self._metrics.text())

    # Actors.

    async def _tree(self, asked: ApiRequest, look: Look) -> Response:
        query = asked.query
        root = _find(query["ref"]) if query["ref"] else None
        top = await self._snapshot.tree(
            look, root, depth=query["depth"], limit=query["limit"], search=query["q"], only=query["only"]
        )
        if top is None:
            raise HttpError(503, "the application is stopping, or the actor has ended meanwhile")
        return json_response(await encode_tree(look, top))

    async def _actors(self, asked: ApiRequest, look: Look) -> ActorPage:
        self._look()
        query = asked.query
        return await self._snapshot.actors(
            look,
            sort=query["sort"],
            descending=query["order"] == "desc",
            search=query["q"],
            state=query["state"],
            kind=query["kind"],
            offset=query["offset"],
            limit=query["limit"],
        )

    def _actor(self, asked: ApiRequest) -> ActorDetails:
        self._look()
        found = self._snapshot.actor(_actor_of(asked), shows_values=asked.shows_values)
        assert found is not None, "it was alive a moment ago, and nobody ran since"
        return found

    async def _state(self, asked: ApiRequest) -> StateText:
        return await self._actions.state(asked.attempt, _actor_of(asked))

    async def _exit(self, asked: ApiRequest) -> ActionOutcome:
        return await self._actions.exit(asked.attempt, _actor_of(asked), asked.body(ExitBody).reason)

    async def _restart(self, asked: ApiRequest) -> ActionOutcome:
        return await self._actions.restart(asked.attempt, _actor_of(asked))

    async def _suspend(self, asked: ApiRequest) -> ActionOutcome:
        return await self._actions.suspend(asked.attempt, _actor_of(asked))

    async def _resume(self, asked: ApiRequest) -> ActionOutcome:
        return await self._actions.resume(asked.attempt, _actor_of(asked))

    async def _trace(self, asked: ApiRequest) -> TraceState:
        return await self._actions.read_trace(asked.attempt, self._traced(asked))

    def _traced(self, asked: ApiRequest) -> Trace:
        text = asked.path["ref"]
        number = parse_index(text)
        found = None if number is None else self._traces.find(number)
        if found is None:
            raise HttpError(404, f"actor {text[:100]} has not been traced lately")
        return found

    async def _begin_trace(self, asked: ApiRequest) -> TraceState:
        body = asked.body(TraceBody)
        return await self._actions.trace(asked.attempt, _actor_of(asked), body.lines, body.seconds)

    async def _end_trace(self, asked: ApiRequest) -> TraceState:
        return await self._actions.end_trace(asked.attempt, self._traced(asked))

    # Connections.

    async def _connections(self, asked: ApiRequest, look: Look) -> ConnectionPage:
        query = asked.query
        return await self._snapshot.wires.page(
            look,
            sort=query["sort"],
            descending=query["order"] == "desc",
            search=query["q"],
            server=query["server"],
            offset=query["offset"],
            limit=query["limit"],
        )

    def _connection(self, asked: ApiRequest) -> ConnectionRow:
        id = asked.path["id"]
        return self._snapshot.wires.row(id.rpartition("-")[0], self._wire(id))

    async def _disconnect(self, asked: ApiRequest) -> ActionOutcome:
        id = asked.path["id"]
        return await self._actions.disconnect(asked.attempt, id, self._wire(id))

    def _wire(self, id: str) -> Wire:
        wire = self._snapshot.wires.find(id)
        if wire is None:
            raise HttpError(404, f"there is no connection {id}")
        return wire

    # Names, crashes, pages.

    async def _names(self, asked: ApiRequest, look: Look) -> EntryPage:
        query = asked.query
        table = "" if query["table"] == "." else query["table"]
        return await self._snapshot.names(
            look,
            search=query["q"],
            table=table,
            offset=query["offset"],
            limit=query["limit"],
            shows_values=asked.shows_values,
        )

    async def _topics(self, asked: ApiRequest, look: Look) -> TopicPage:
        query = asked.query
        return await self._snapshot.topics(look, search=query["q"], offset=query["offset"], limit=query["limit"])

    def _crashes(self, asked: ApiRequest) -> CrashPage:
        return self._snapshot.crashes(shows_values=asked.shows_values)

    def _one_crash(self, asked: ApiRequest) -> CrashDetails:
        text = asked.path["number"]
        number = parse_index(text)
        found = None if number is None else self._snapshot.crash(number, shows_values=asked.shows_values)
        if found is None:
            raise HttpError(404, f"crash {text[:100]} is not remembered")
        return found

    def _pages(self, _: ApiRequest) -> PageLinks:
        return PageLinks([PageLink(page.id, page.title) for page in self._extensions.pages])

    async def _page(self, asked: ApiRequest) -> PageContent:
        page = next((page for page in self._extensions.pages if page.id == asked.path["id"]), None)
        if page is None:
            raise HttpError(404, f"there is no page {asked.path['id']}")
        query = asked.query
        looks, holder = self._snapshot.looks, asked.visitor.holder
        content = page.snapshot(PageQuery(query["q"].lower(), query["offset"], query["limit"], looks, holder))
        return await content if inspect.isawaitable(content) else content

    # The application.

    async def _drain(self, asked: ApiRequest) -> ActionOutcome:
        return await self._actions.drain(asked.attempt)

    async def _make_link(self, asked: ApiRequest) -> Link:
        role, grant = asked.body(LinkBody).role, asked.visitor.grant
        if grant is None:
            raise HttpError(403, "a session makes no links, or it would have no end: ask with a token")
        await asked.note("make a link", f"role {role}")
        url = self._link(dataclasses.replace(grant, access=Access(role)))
        if url is None:
            raise HttpError(501, "there is no web console: --console-port is off")
        return Link(url, CODE_LIFE)

    async def _set_log_level(self, asked: ApiRequest) -> ActionOutcome:
        return await self._actions.set_log_level(asked.attempt, asked.body(LogLevelBody).level)

    def _look(self) -> None:
        self._history.look(Scheduler.current().loop.time())


def _actor_of(asked: ApiRequest) -> Ref:
    return _find(asked.path["ref"])


def _find(text: str) -> Ref:
    number = parse_index(text)
    ref = None if number is None else find(number)
    if ref is None:
        raise HttpError(404, f"there is no actor {text[:100]}")
    return ref
