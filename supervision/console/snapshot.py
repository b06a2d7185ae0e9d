"""What can be seen of a running system, as plain data. Looking costs nothing while nobody looks.

Everything here runs on the thread of the event loop. What goes through all actors or all connections lets others run
in between, so that 10,000 of them hold nobody up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from actors import Ref, Scheduler
from actors.cell import Cell
from actors.describe import describe, examine, name_of
from actors.log import stderr_lines
from actors.mailbox import HIGH_WATER
from actors.report import CrashReport, inspect_process
from actors.stderr import MAX_WAITING
from registry import Keys
from supervision.base import BaseSupervisor, Child
from supervision.console.history import History, reading
from supervision.console.machine import Machine, look
from supervision.console.model import (
    Actor,
    ActorDetails,
    ActorPage,
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
from supervision.console.nodes import grow, matches, parents
from supervision.console.rows import Rows
from supervision.console.slices import Looks
from supervision.console.sources import Sources
from supervision.console.wires import Wires

PEERS = 200
"""Links and monitors of one actor that are shown."""


class Snapshot:
    """Looks at a running system.

    Args:
        sources: where to look
        history: what rates and windows are counted from

    Attributes:
        wires: the connections
        looks: who looks at many things takes a turn in it
        crashed_by: who had which actor crash, the last ones
    """

    def __init__(self, sources: Sources, history: History) -> None:
        self.sources = sources
        self.history = history
        self.looks = Looks(sources.clock)
        self.wires = Wires(sources, self.looks)
        self.crashed_by: dict[Ref, str] = {}
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
        limits = list(self.sources.limits())
        for name, sockets in self.sources.all_servers().items():
            unread = sockets.unread
            limits.append(Usage.of(f"connections of {name}", len(sockets.wires), sockets.policy.max_connections))
            limits.append(Usage.of(f"unread bytes of {name}", unread.total, unread.most, "bytes"))
            of_one = f"unread bytes of one address of {name}"
            limits.append(Usage.of(of_one, unread.largest, unread.share, "bytes"))
        limits.append(Usage.of("longest mailbox", 0 if longest is None else len(longest.mailbox), HIGH_WATER))
        limits.append(Usage.of("log", stderr_lines.waiting, MAX_WAITING, "bytes"))
        if machine.fds is not None and machine.fd_limit is not None:
            limits.append(Usage.of("file descriptors", machine.fds, machine.fd_limit))
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
        top = (root or self.sources.root())._cell
        if top is None:
            return None
        async with self.looks.turn():
            cells = list(Scheduler.current().processes.values())
            return await grow(self.looks, cells, top, depth=depth, limit=limit, search=search, only=only)

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
        async with self.looks.turn():
            found = [
                cell
                async for chunk in self.looks.chunks(list(scheduler.processes.values()))
                for cell in chunk
                if (not state or cell.status.value == state)
                and (not kind or type(cell.process).__name__ == kind)
                and matches(cell, search)
            ]
            shown = await self.looks.page_of(found, row.keys[sort], descending, offset, limit)
            rows = [row(cell) async for chunk in self.looks.chunks(shown) for cell in chunk if cell.ref.is_alive()]
        return ActorPage(len(found), offset, row.window, rows)

    def actor(self, ref: Ref, *, shows_values: bool = False) -> ActorDetails | None:
        """One actor; None if it is dead.

        Args:
            ref: the actor
            shows_values: show of its message what may be seen, and not the structure alone
        """
        scheduler, cell = Scheduler.current(), ref._cell
        if cell is None:
            return None
        message = None if cell.message is None else inspect_process(cell, size=0).message
        return ActorDetails(
            actor=Rows(scheduler, self.history)(cell),
            name=cell.name,
            path=[above.label for above in reversed(list(parents(ref)))] + [ref.label],
            keys=[f"{table.name}: {name_of(key)}" for table in self.sources.tables for key in table.keys(ref)],
            trap_exit=cell.trap_exit,
            message=None if message is None else message.text if shows_values else message.structure,
            links=_peers(peer.ref for peer in cell.links or ()),
            monitors=_peers(peer.ref for peer in (cell.monitors or {}).values()),
            monitored_by=_peers(peer.ref for peer in (cell.monitored_by or {}).values()),
            children=sum(other.parent is ref for other in scheduler.processes.values()),
            spec=_spec(cell),
            connection=self.wires.of(cell),
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

    # Names and topics.

    async def names(
        self,
        *,
        search: str = "",
        table: str | None = None,
        offset: int = 0,
        limit: int = 100,
        shows_values: bool = False,
    ) -> EntryPage:
        """Who holds which name, and who is in which topic; of one table, or those of the kernel (`""`), or all."""
        needle = search.lower()
        async with self.looks.turn():
            found = [
                entry
                async for chunk in self.looks.chunks(self._entries(table))
                for entry in chunk
                if not needle or needle in f"{name_of(entry[1])} {entry[2].label}".lower()
            ]
            page = found[offset : offset + limit]
            rows = [_entry(*each, shows_values) async for chunk in self.looks.chunks(page) for each in chunk]
        return EntryPage(len(found), offset, rows)

    def _entries(self, table: str | None) -> Iterator[tuple[str, Any, Ref, Any]]:
        if not table:
            for name, ref in list(Scheduler.current().names.items()):
                yield "", name, ref, None
        for each in self.sources.tables:
            if table in (None, each.name):
                for key, ref, value in each:
                    yield each.name, key, ref, value

    async def topics(self, *, search: str = "", offset: int = 0, limit: int = 100) -> TopicPage:
        """How many are in which topic, the fullest first."""
        members: Counter[tuple[str, str]] = Counter()
        async with self.looks.turn():
            for table in self.sources.tables:
                if table.kind is Keys.DUPLICATE:
                    async for chunk in self.looks.chunks(table):
                        members.update((table.name, name_of(key)) for key, _, _ in chunk)
            needle = search.lower()
            counted = list(members.items())
            found = [
                item async for chunk in self.looks.chunks(counted) for item in chunk if needle in item[0][1].lower()
            ]
            fullest = await self.looks.page_of(found, lambda item: item[1], True, offset, limit)
        return TopicPage(len(found), offset, [Topic(name, key, count) for (name, key), count in fullest])

    # Crashes.

    def crashes(self, *, shows_values: bool = False) -> CrashPage:
        """The last crashes, the last one first; see `crash`."""
        scheduler = Scheduler.current()
        rows = [self._crash_row(_seen(report, shows_values)) for report in reversed(scheduler.crashes)]
        return CrashPage(scheduler.crashed, rows)

    def crash(self, number: int, *, shows_values: bool = False) -> CrashDetails | None:
        """One crash; None if it is forgotten, or has not been.

        Args:
            number: of the crash
            shows_values: show what may be seen, and the text of the exception, and not the structure alone
        """
        report = next((report for report in Scheduler.current().crashes if report.number == number), None)
        if report is None:
            return None
        report = _seen(report, shows_values)
        return CrashDetails(
            crash=self._crash_row(report),
            path=list(report.path),
            message=report.message,
            recent=list(report.recent),
            state=report.state,
            traceback=report.traceback,
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
            reason=report.reason,
            restarts=report.restarts,
            asked_by=None if report.error is not None else self.crashed_by.get(report.ref),
        )


def _mailboxes(scheduler: Scheduler) -> tuple[int, Cell | None]:
    """How many messages wait, and where most of them do."""
    busy = [(len(cell.mailbox.items), cell) for cell in scheduler.processes.values() if cell.mailbox.items]
    longest = max(busy, key=lambda pair: pair[0], default=(0, None))[1]
    return sum(length for length, _ in busy), longest


def _seen(report: CrashReport, shows_values: bool) -> CrashReport:
    return report if shows_values else report.without_values()


def _peers(refs: Iterable[Ref]) -> list[Peer]:
    return [Peer(str(ref.id), ref.label, ref.is_alive()) for ref, _ in zip(refs, range(PEERS), strict=False)]


def _entry(table: str, key: Any, ref: Ref, value: Any, shows_values: bool) -> Entry:
    return Entry(table, name_of(key), str(ref.id), ref.label, None if value is None else _value(value, shows_values))


def _value(value: Any, shows_values: bool) -> str:
    """What goes with a name; a text that may be seen is shown as it is."""
    found = examine(value)
    if not shows_values:
        return found.structure
    return name_of(value) if issubclass(type(value), str) and found.text != found.structure else found.text


def _spec(cell: Cell) -> Spec | None:
    supervisor = None if cell.parent is None else cell.parent._process
    child: Child | None = supervisor.child_of(cell.ref) if isinstance(supervisor, BaseSupervisor) else None
    if child is None:
        return None
    spec = child.spec
    return Spec(
        id=name_of(spec.id),
        start=f"{spec.start.__module__}.{spec.start.__qualname__}",
        restart=spec.restart.value,
        shutdown="infinity" if spec.shutdown == float("inf") else str(spec.shutdown),
        type=spec.type.value,
        significant=spec.significant,
        budget=None if spec.budget is None else f"{spec.budget.count} in {spec.budget.period:g} s",
        backoff=None if spec.backoff is None else describe(spec.backoff),
    )
