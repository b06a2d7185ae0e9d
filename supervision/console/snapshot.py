"""What can be seen of a running system, as plain data. Looking costs nothing while nobody looks.

Everything here runs on the thread of the event loop. What goes through all actors or all connections lets others run
in between, so that 10,000 of them hold nobody up.
"""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from actors import Crash, Ref, Scheduler
from actors.cell import Cell
from actors.mailbox import HIGH_WATER
from actors.report import CrashReport
from registry import Keys
from supervision.base import BaseSupervisor, Child
from supervision.console.describe import describe
from supervision.console.history import History, reading
from supervision.console.machine import Machine, look
from supervision.console.model import (
    Actor,
    ActorDetails,
    ActorPage,
    ConnectionPage,
    ConnectionRow,
    CrashDetails,
    CrashPage,
    CrashRow,
    Entry,
    EntryPage,
    Node,
    Overview,
    Peer,
    Sample,
    Spec,
    Topic,
    TopicPage,
    Usage,
)
from supervision.console.rows import Rows
from supervision.console.slices import page_of, sliced
from supervision.console.sources import Sources
from supervision.server import Connection, Sockets, Wire

PEERS = 200
"""Links and monitors of one actor that are shown."""
FILTERS: dict[str, Callable[[Cell], bool]] = {
    "supervisors": lambda cell: isinstance(cell.process, BaseSupervisor),
    "restarted": lambda cell: cell.ref.restarts > 0,
    "waiting": lambda cell: len(cell.mailbox) > 0,
    "suspended": lambda cell: cell.status.value == "suspended",
}
"""What the tree can be narrowed down to; `waiting`: messages wait for it."""


class Snapshot:
    """Looks at a running system.

    Args:
        sources: where to look
        history: what rates and windows are counted from
    """

    def __init__(self, sources: Sources, history: History) -> None:
        self.sources = sources
        self.history = history
        self._began = sources.clock()

    # The system.

    def overview(self) -> Overview:
        """The system at a glance. Takes 2 ms with 10,000 actors."""
        scheduler, machine = Scheduler.current(), look()
        now = reading(scheduler, machine)
        rates = self.history.rates(now)
        waiting, longest = _mailboxes(scheduler)
        servers = self.sources.servers.values()
        return Overview(
            at=self.sources.wall_clock(),
            uptime=self.sources.clock() - self._began,
            is_draining=any(sockets.is_draining for sockets in servers),
            actors=len(scheduler.processes),
            connections=sum(len(sockets.wires) for sockets in servers),
            messages=now.messages,
            messages_per_second=None if rates is None else rates.messages,
            turns=now.turns,
            turns_per_second=None if rates is None else rates.turns,
            loop_lag=self.history.loop_lag,
            memory=machine.memory,
            cpu=None if rates is None else rates.cpu,
            started=scheduler.started,
            restarts=scheduler.restarts,
            crashes=scheduler.crashed,
            waiting=waiting,
            longest_mailbox=None if longest is None else str(longest.ref.id),
            limits=self._limits(machine, longest),
            accepted=sum(sockets.accepted for sockets in servers),
            refused=dict(sum((sockets.refused for sockets in servers), Counter())),
            cut_off=dict(sum((sockets.cut_off for sockets in servers), Counter())),
            bytes_in=sum(sockets.bytes_in for sockets in servers),
            bytes_out=sum(sockets.bytes_out for sockets in servers),
        )

    def sample(self) -> Sample:
        """The point of the charts that is now."""
        seen = self.overview()
        return Sample(
            at=seen.at,
            actors=seen.actors,
            connections=seen.connections,
            messages_per_second=seen.messages_per_second or 0.0,
            turns_per_second=seen.turns_per_second or 0.0,
            loop_lag=seen.loop_lag or 0.0,
            memory=seen.memory,
            cpu=seen.cpu or 0.0,
            restarts=seen.restarts,
            crashes=seen.crashes,
            waiting=seen.waiting,
        )

    def _limits(self, machine: Machine, longest: Cell | None) -> list[Usage]:
        limits = [
            _usage(f"connections of {name}", len(sockets.wires), sockets.policy.max_connections)
            for name, sockets in self.sources.all_servers().items()
        ]
        limits.append(_usage("longest mailbox", 0 if longest is None else len(longest.mailbox), HIGH_WATER))
        if machine.fds is not None and machine.fd_limit is not None:
            limits.append(_usage("file descriptors", machine.fds, machine.fd_limit))
        return sorted(limits, key=lambda usage: usage.share, reverse=True)

    # The tree.

    async def tree(
        self,
        root: Ref | None = None,
        *,
        depth: int | None = None,
        limit: int | None = None,
        search: str = "",
        only: str = "",
    ) -> Node | None:
        """The living actors under `root`, by default the top supervisor; None if it is dead.

        Args:
            root: where to begin
            depth: levels below it that are shown
            limit: children of one actor that are shown
            search: only those whose label, kind or number has this in it, and those above them
            only: one of `FILTERS`: only those that it is true of, and those above them
        """
        scheduler = Scheduler.current()
        top = (root or self.sources.root())._cell
        if top is None:
            return None
        cells = list(scheduler.processes.values())
        if search or only:
            is_wanted = FILTERS[only] if only else _any
            cells = await _with_parents(cells, lambda cell: _matches(cell, search) and is_wanted(cell))
        below: defaultdict[Ref | None, list[Cell]] = defaultdict(list)
        async for cell in sliced(cells):
            below[cell.parent].append(cell)
        return await _grow(top, below, depth, limit)

    # Actors.

    async def actors(
        self,
        *,
        sort: str = "ref",
        descending: bool = False,
        search: str = "",
        state: str = "",
        kind: str = "",
        offset: int = 0,
        limit: int = 100,
    ) -> ActorPage:
        """Some of the actors.

        Args:
            sort: an attribute of `Actor`
            descending: the largest first
            search: only those whose label, kind or number has this in it
            state, kind: only those that have exactly this
            offset, limit: which of them
        """
        scheduler = Scheduler.current()
        row = Rows(scheduler, self.history)
        found = [
            cell
            async for cell in sliced(list(scheduler.processes.values()))
            if (not state or cell.status.value == state)
            and (not kind or type(cell.process).__name__ == kind)
            and _matches(cell, search)
        ]
        shown = await page_of(found, row.keys[sort], descending, offset, limit)
        return ActorPage(len(found), offset, row.window, [row(cell) for cell in shown if cell.ref.is_alive()])

    def actor(self, ref: Ref) -> ActorDetails | None:
        """One actor; None if it is dead."""
        scheduler, cell = Scheduler.current(), ref._cell
        if cell is None:
            return None
        return ActorDetails(
            actor=Rows(scheduler, self.history)(cell),
            name=cell.name,
            path=[above.label for above in reversed(list(parents(ref)))] + [ref.label],
            keys=[f"{table.name}: {key}" for table in self.sources.tables for key in table.keys(ref)],
            trap_exit=cell.trap_exit,
            message=None if cell.message is None else describe(cell.message),
            links=_peers(peer.ref for peer in cell.links or ()),
            monitors=_peers(peer.ref for peer in (cell.monitors or {}).values()),
            monitored_by=_peers(peer.ref for peer in (cell.monitored_by or {}).values()),
            children=sum(other.parent is ref for other in scheduler.processes.values()),
            spec=_spec(cell),
            connection=self._connection_of(cell),
            is_root=self.is_root(ref),
            is_traced=cell.tracer is not None,
        )

    def is_root(self, ref: Ref) -> bool:
        """Tell whether it is the top supervisor, or above it: nobody would restart it."""
        top = self.sources.root()
        return ref is top or ref in parents(top)

    def rows(self, refs: Iterable[Ref]) -> list[Actor]:
        """The rows of some actors, without the dead."""
        row = Rows(Scheduler.current(), self.history)
        return [row(ref._cell) for ref in refs if ref._cell is not None]

    def _connection_of(self, cell: Cell) -> str | None:
        if not isinstance(cell.process, Connection):
            return None
        wire = cell.process.wire
        servers = self.sources.all_servers().items()
        return next((f"{name}-{wire.id}" for name, sockets in servers if sockets.wires.get(wire.id) is wire), None)

    # Connections.

    async def connections(
        self,
        *,
        sort: str = "age",
        descending: bool = False,
        search: str = "",
        server: str = "",
        offset: int = 0,
        limit: int = 100,
    ) -> ConnectionPage:
        """Some of the connections.

        Args:
            sort: an attribute of `ConnectionRow`
            descending: the largest first
            search: only those whose label, user or address has this in it
            server: only those of this server
            offset, limit: which of them
        """
        wires = [
            (name, wire)
            for name, sockets in self.sources.all_servers().items()
            if server in ("", name)
            for wire in sockets.wires.values()
        ]
        needle = search.lower()
        found = [pair async for pair in sliced(wires) if not needle or needle in self._searched(pair[1])]
        shown = await page_of(found, lambda pair: self._wire_key(sort, *pair), descending, offset, limit)
        return ConnectionPage(len(found), offset, [self.connection(name, wire) for name, wire in shown])

    def connection(self, server: str, wire: Wire) -> ConnectionRow:
        """One connection."""
        owner = wire.owner
        return ConnectionRow(
            id=f"{server}-{wire.id}",
            server=server,
            actor=None if owner is None else str(owner.id),
            label="" if owner is None else owner.label,
            user=self.sources.user_of(wire),
            address=wire.address,
            peer=wire.peer,
            state=wire.session.state.value,
            age=Scheduler.current().loop.time() - wire.connected_at,
            bytes_in=wire.bytes_in,
            bytes_out=wire.bytes_out,
            round_trip=wire.round_trip,
            backlog=wire.backlog,
            mailbox=_waiting(wire),
            peak=_peak(wire),
            congested=wire.is_congested,
            compressed=wire.session.is_compressed,
        )

    def find_wire(self, id: str) -> Wire | None:
        """The wire of a connection, by the `id` of its row."""
        name, _, number = id.rpartition("-")
        sockets: Sockets | None = self.sources.all_servers().get(name)
        is_number = number.isascii() and number.isdigit() and len(number) < 19
        return sockets.wires.get(int(number)) if sockets is not None and is_number else None

    def _searched(self, wire: Wire) -> str:
        label = "" if wire.owner is None else wire.owner.label
        return f"{label} {wire.peer} {wire.address} {self.sources.user_of(wire) or ''}".lower()

    def _wire_key(self, sort: str, server: str, wire: Wire) -> Any:
        if sort in _WIRE_KEYS:
            return _WIRE_KEYS[sort](wire)
        key = getattr(self.connection(server, wire), sort)
        return (key is not None, key) if sort in _OPTIONAL else key

    # Names and topics.

    async def names(
        self, *, search: str = "", table: str | None = None, offset: int = 0, limit: int = 100
    ) -> EntryPage:
        """Who holds which name, and who is in which topic; of one table, or those of the kernel (`""`), or all."""
        needle = search.lower()
        entries = [
            entry
            async for entry in sliced(list(self._entries(table)))
            if not needle or needle in f"{entry[1]} {entry[2].label}".lower()
        ]
        shown = entries[offset : offset + limit]
        return EntryPage(
            len(entries),
            offset,
            [Entry(name, str(key), str(ref.id), ref.label, describe(value)) for name, key, ref, value in shown],
        )

    def _entries(self, table: str | None) -> Iterator[tuple[str, Any, Ref, Any]]:
        if not table:
            for name, ref in Scheduler.current().names.items():
                yield "", name, ref, None
        for each in self.sources.tables:
            if table in (None, each.name):
                for key, ref, value in each:
                    yield each.name, key, ref, value

    async def topics(self, *, search: str = "", offset: int = 0, limit: int = 100) -> TopicPage:
        """How many are in which topic, the fullest first."""
        members: Counter[tuple[str, str]] = Counter()
        for table in self.sources.tables:
            if table.kind is Keys.DUPLICATE:
                async for key, _, _ in sliced(list(table)):
                    members[table.name, str(key)] += 1
        found = [item for item in members.most_common() if search.lower() in item[0][1].lower()]
        shown = found[offset : offset + limit]
        return TopicPage(len(found), offset, [Topic(name, key, count) for (name, key), count in shown])

    # Crashes.

    def crashes(self) -> CrashPage:
        """The last crashes, the last one first."""
        scheduler = Scheduler.current()
        return CrashPage(scheduler.crashed, [self._crash_row(report) for report in reversed(scheduler.crashes)])

    def crash(self, number: int) -> CrashDetails | None:
        """One crash; None if it is forgotten, or has not been."""
        report = next((report for report in Scheduler.current().crashes if report.number == number), None)
        if report is None:
            return None
        return CrashDetails(
            crash=self._crash_row(report),
            path=list(report.path),
            message=report.message,
            recent=list(report.recent),
            state=report.state,
            traceback=_traceback(report.reason),
            case=report.case,
        )

    def _crash_row(self, report: CrashReport) -> CrashRow:
        ago = Scheduler.current().loop.time() - report.at
        return CrashRow(
            number=report.number,
            at=self.sources.wall_clock() - ago,
            ref=str(report.ref.id),
            label=report.label,
            kind=report.kind,
            reason=str(report.reason),
            restarts=report.restarts,
        )


def _waiting(wire: Wire) -> int:
    """Messages that wait for the actor of a connection."""
    cell = None if wire.owner is None else wire.owner._cell
    return 0 if cell is None else len(cell.mailbox)


def _peak(wire: Wire) -> int:
    cell = None if wire.owner is None else wire.owner._cell
    return 0 if cell is None else cell.mailbox.peak


_OPTIONAL = frozenset({"round_trip", "actor", "user"})
_WIRE_KEYS: dict[str, Callable[[Wire], Any]] = {
    "age": lambda wire: -wire.connected_at,
    "bytes_in": lambda wire: wire.bytes_in,
    "bytes_out": lambda wire: wire.bytes_out,
    "backlog": lambda wire: wire.backlog,
    "mailbox": _waiting,
    "peak": _peak,
}
"""What connections are sorted by without making a row of each."""


async def _with_parents(cells: list[Cell], is_wanted: Callable[[Cell], bool]) -> list[Cell]:
    """The cells that match, and those above them."""
    kept: set[Ref] = set()
    async for cell in sliced(cells):
        if is_wanted(cell):
            kept.add(cell.ref)
            for parent in parents(cell.ref):
                if parent in kept:
                    break
                kept.add(parent)
    return [cell for cell in cells if cell.ref in kept]


async def _grow(top: Cell, below: dict[Ref | None, list[Cell]], depth: int | None, limit: int | None) -> Node:
    """Make the nodes, level by level."""
    root = _node(top, below)
    level = [(root, top.ref)]
    while level and (depth is None or depth > 0):
        depth = None if depth is None else depth - 1
        following: list[tuple[Node, Ref]] = []
        for node, ref in level:
            async for cell in sliced(below.get(ref, [])[:limit]):
                child = _node(cell, below)
                node.children.append(child)
                if child.count:
                    following.append((child, cell.ref))
        level = following
    return root


def _node(cell: Cell, below: dict[Ref | None, list[Cell]]) -> Node:
    ref = cell.ref
    return Node(
        ref=str(ref.id),
        label=ref.label,
        kind=type(cell.process).__name__,
        state=cell.status.value,
        restarts=ref.restarts,
        mailbox=len(cell.mailbox),
        count=len(below.get(ref, ())),
    )


def _matches(cell: Cell, search: str) -> bool:
    if not search:
        return True
    needle, ref = search.lower(), cell.ref
    return needle in ref.label.lower() or needle == str(ref.id) or needle in type(cell.process).__name__.lower()


def _any(_: Cell) -> bool:
    return True


def _mailboxes(scheduler: Scheduler) -> tuple[int, Cell | None]:
    """How many messages wait, and where most of them do."""
    busy = [(len(cell.mailbox.items), cell) for cell in scheduler.processes.values() if cell.mailbox.items]
    longest = max(busy, key=lambda pair: pair[0], default=(0, None))[1]
    return sum(length for length, _ in busy), longest


def _usage(name: str, used: int, limit: int) -> Usage:
    return Usage(name, used, limit, used / limit if limit else 1.0)


def parents(ref: Ref) -> Iterator[Ref]:
    """Who started it, who started that one, and so on."""
    cell = ref._cell
    while cell is not None and cell.parent is not None:
        yield cell.parent
        cell = cell.parent._cell


def _peers(refs: Iterable[Ref]) -> list[Peer]:
    return [Peer(str(ref.id), ref.label, ref.is_alive()) for ref, _ in zip(refs, range(PEERS), strict=False)]


def _spec(cell: Cell) -> Spec | None:
    supervisor = None if cell.parent is None else cell.parent._process
    child: Child | None = supervisor.child_of(cell.ref) if isinstance(supervisor, BaseSupervisor) else None
    if child is None:
        return None
    spec = child.spec
    return Spec(
        id=str(spec.id),
        start=f"{spec.start.__module__}.{spec.start.__qualname__}",
        restart=spec.restart.value,
        shutdown="infinity" if spec.shutdown == float("inf") else str(spec.shutdown),
        type=spec.type.value,
        significant=spec.significant,
        budget=None if spec.budget is None else f"{spec.budget.count} in {spec.budget.period:g} s",
        backoff=None if spec.backoff is None else describe(spec.backoff),
    )


def _traceback(reason: Any) -> str:
    return "".join(traceback.format_exception(reason.exception)) if isinstance(reason, Crash) else ""
