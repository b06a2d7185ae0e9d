"""Reads a running system as plain data. Costs nothing while the console has no viewers.

Everything here runs on the event loop's thread. A method that visits all actors or all connections works in slices, so
that 10,000 of them do not delay other actors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from actors import Ref, Scheduler
from actors.debug import HIGH_WATER, CrashReport, ProcessView, info, inspect, mailboxes, process_table, view
from actors.describe import describe, examine, name_of
from actors.log import stderr_lines
from actors.stderr import MAX_WAITING
from registry import Keys
from supervision.base import child_of
from supervision.console.inspection.actors import ActorRows
from supervision.console.inspection.connections import Wires
from supervision.console.inspection.model.actors import Actor, ActorDetails, ActorPage, Node, Peer, Spec
from supervision.console.inspection.model.crashes import CrashDetails, CrashPage, CrashRow
from supervision.console.inspection.model.forms import Act
from supervision.console.inspection.model.names import Entry, EntryPage, Topic, TopicPage
from supervision.console.inspection.model.overview import Overview, Sample, Usage
from supervision.console.inspection.os_stats import OsStats, read_os_stats
from supervision.console.inspection.paging import Inspection, Inspections, page_of
from supervision.console.inspection.samples import Samples, reading
from supervision.console.inspection.sources import Sources
from supervision.console.inspection.tree import grow, matches, parents
from supervision.server import Wire

PEERS = 200
"""Maximum number of links, and of monitors, that are shown of one actor."""


class Inspector:
    """Reads a running system.

    Args:
        sources: the parts of the application to inspect
        history: the readings and marks from which rates and windows are computed
        acts_on: returns the actions that the application offers on a connection

    Attributes:
        wires: reads the connections
        inspections: grants slices to methods that visit many items
        crashed_by: actor number -> the principal who crashed the actor, of the latest ones
    """

    def __init__(
        self, sources: Sources, history: Samples, acts_on: Callable[[Wire], list[Act]] = lambda wire: []
    ) -> None:
        self.sources = sources
        self.history = history
        self.inspections = Inspections(sources.clock)
        self.wires = Wires(sources, acts_on)
        self.crashed_by: dict[int, str] = {}
        self._began = sources.clock()

    # The system.

    def overview(self) -> Overview:
        """Return the system at a glance. Takes 2 ms with 10,000 actors."""
        scheduler, stats = Scheduler.current(), read_os_stats()
        now = reading(scheduler, stats)
        rates = self.history.rates(now)
        waiting, longest = mailboxes()
        servers = self.sources.servers.values()
        return Overview(
            at=self.sources.wall_clock(),
            uptime=self.sources.clock() - self._began,
            is_draining=any(sockets.is_draining for sockets in servers),
            actors=len(process_table()),
            connections=sum(len(sockets.wires) for sockets in servers),
            messages=now.messages,
            messages_per_second=None if rates is None else rates.messages,
            turns=now.turns,
            turns_per_second=None if rates is None else rates.turns,
            loop_lag=self.history.loop_lag,
            memory=stats.memory,
            cpu=None if rates is None else rates.cpu,
            started=scheduler.started,
            restarts=scheduler.restarts,
            crashes=scheduler.crashed,
            waiting=waiting,
            longest_mailbox=None if longest is None else str(longest.ref.id),
            limits=self._limits(stats, longest),
            accepted=sum(sockets.accepted for sockets in servers),
            refused=dict(sum((sockets.refused for sockets in servers), Counter())),
            cut_off=dict(sum((sockets.cut_off for sockets in servers), Counter())),
            bytes_in=sum(sockets.bytes_in for sockets in servers),
            bytes_out=sum(sockets.bytes_out for sockets in servers),
        )

    def sample(self) -> Sample:
        """Return the current point of the charts."""
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

    def _limits(self, stats: OsStats, longest: ProcessView | None) -> list[Usage]:
        limits = list(self.sources.limits())
        for name, sockets in self.sources.all_servers().items():
            unread = sockets.unread
            limits.append(Usage.of(f"connections of {name}", len(sockets.wires), sockets.policy.max_connections))
            limits.append(Usage.of(f"unread bytes of {name}", unread.total, unread.most, "bytes"))
            of_one = f"unread bytes of one address of {name}"
            limits.append(Usage.of(of_one, unread.largest, unread.share, "bytes"))
        limits.append(Usage.of("longest mailbox", 0 if longest is None else len(longest.mailbox), HIGH_WATER))
        limits.append(Usage.of("log", stderr_lines.waiting, MAX_WAITING, "bytes"))
        if stats.fds is not None and stats.fd_limit is not None:
            limits.append(Usage.of("file descriptors", stats.fds, stats.fd_limit))
        return sorted(limits, key=lambda usage: usage.share, reverse=True)

    # The tree.

    async def tree(
        self,
        inspection: Inspection,
        root: Ref | None = None,
        *,
        depth: int | None = None,
        limit: int | None = None,
        search: str = "",
        only: str = "",
    ) -> Node | None:
        """Return the tree of living actors; None if its root is dead.

        Args:
            inspection: the work runs in its slices
            root: the root of the tree; the top supervisor by default
            depth: levels below the root
            limit: maximum number of children of one actor
            search: only actors whose label or kind contains this, or whose number is this, and their ancestors
            only: one of `FILTERS`: only the actors that pass it, and their ancestors
        """
        top = view(root or self.sources.root())
        if top is None:
            return None
        processes = list(process_table().values())
        return await grow(inspection, processes, top, depth=depth, limit=limit, search=search, only=only)

    # Actors.

    async def actors(
        self,
        inspection: Inspection,
        *,
        sort: str = "ref",
        descending: bool = False,
        search: str = "",
        state: str = "",
        kind: str = "",
        offset: int = 0,
        limit: int = 100,
    ) -> ActorPage:
        """Return one page of the actors.

        Args:
            inspection: the work runs in its slices
            sort: an attribute of `Actor`
            descending: whether the largest comes first
            search: only actors whose label or kind contains this, or whose number is this
            state, kind: only actors with exactly this state or kind
            offset, limit: the rows of the page
        """
        scheduler = Scheduler.current()
        row = ActorRows(scheduler, self.history)
        key = row.keys[sort]
        found = [
            (key(process), process)
            async for chunk in inspection.chunks(list(process_table().values()))
            for process in chunk
            if process.ref.is_alive()
            and (not state or process.status.value == state)
            and (not kind or process.ref.actor_class.__name__ == kind)
            and matches(process, search)
        ]
        shown = page_of(found, descending, offset, limit)
        rows = [row(each) async for chunk in inspection.chunks(shown) for each in chunk if each.ref.is_alive()]
        return ActorPage(len(found), offset, row.window, rows)

    def actor(self, ref: Ref, *, shows_values: bool = False) -> ActorDetails | None:
        """Return the details of one actor; None if it is dead.

        Args:
            ref: the actor
            shows_values: whether to show the values in its message that are not secret, or only the structure
        """
        process, seen = info(ref), inspect(ref, size=0)
        if process is None or seen is None:
            return None
        return ActorDetails(
            actor=self.rows([ref])[0],
            name=process.name,
            path=[above.label for above in reversed(list(parents(ref)))] + [ref.label],
            keys=[f"{table.name}: {name_of(key)}" for table in self.sources.tables for key in table.keys(ref)],
            trap_exit=process.trap_exit,
            message=None if seen.message is None else seen.message.text if shows_values else seen.message.structure,
            links=_peers(process.links),
            monitors=_peers(process.monitors),
            monitored_by=_peers(process.monitored_by),
            children=sum(other.parent is ref for other in process_table().values()),
            spec=_spec(ref),
            connection=self.wires.of(ref),
            is_root=self.is_root(ref),
            is_traced=process.is_traced,
        )

    def is_root(self, ref: Ref) -> bool:
        """Tell whether an actor is the top supervisor or its ancestor, which no supervisor would restart."""
        top = self.sources.root()
        return ref is top or ref in parents(top)

    def rows(self, refs: Iterable[Ref]) -> list[Actor]:
        """Return the rows of these actors, without the dead ones."""
        row = ActorRows(Scheduler.current(), self.history)
        return [row(process) for process in map(view, refs) if process is not None]

    # Names and topics.

    async def names(
        self,
        inspection: Inspection,
        *,
        search: str = "",
        table: str | None = None,
        offset: int = 0,
        limit: int = 100,
        shows_values: bool = False,
    ) -> EntryPage:
        """Return one page of the names and topics: of one table, of the kernel (`""`), or of all (None)."""
        needle = search.lower()
        found = [
            entry
            async for chunk in inspection.chunks(self._entries(table))
            for entry in chunk
            if not needle or needle in f"{name_of(entry[1])} {entry[2].label}".lower()
        ]
        page = found[offset : offset + limit]
        # Describing a value may take a millisecond; a canvas's viewers take 0.5 ms.
        rows = [_entry(*each, shows_values) async for [each] in inspection.chunks(page, 1)]
        return EntryPage(len(found), offset, rows)

    def _entries(self, table: str | None) -> Iterator[tuple[str, Any, Ref, Any]]:
        if not table:
            for name, ref in list(Scheduler.current().names.items()):
                yield "", name, ref, None
        for each in self.sources.tables:
            if table in (None, each.name):
                for key, ref, value in each:
                    yield each.name, key, ref, value

    async def topics(self, inspection: Inspection, *, search: str = "", offset: int = 0, limit: int = 100) -> TopicPage:
        """Return one page of the topics, the largest first."""
        members: Counter[tuple[str, str]] = Counter()
        for table in self.sources.tables:
            if table.kind is Keys.DUPLICATE:
                async for chunk in inspection.chunks(table):
                    members.update((table.name, name_of(key)) for key, _, _ in chunk)
        needle = search.lower()
        counted = list(members.items())
        found = [
            (item[1], item)
            async for chunk in inspection.chunks(counted)
            for item in chunk
            if needle in item[0][1].lower()
        ]
        fullest = page_of(found, True, offset, limit)
        return TopicPage(len(found), offset, [Topic(name, key, count) for (name, key), count in fullest])

    # Crashes.

    def crashes(self, *, shows_values: bool = False) -> CrashPage:
        """Return the latest crashes, newest first; see `crash`."""
        scheduler = Scheduler.current()
        rows = [self._crash_row(_seen(report, shows_values)) for report in reversed(scheduler.crashes)]
        return CrashPage(scheduler.crashed, rows)

    def crash(self, number: int, *, shows_values: bool = False) -> CrashDetails | None:
        """Return one crash; None if there was none, or it is no longer kept.

        Args:
            number: the number of the crash
            shows_values: whether to show the exception's text and the values that are not secret, or only the structure
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
            asked_by=None if report.error is not None else self.crashed_by.get(report.ref.id),
        )


def _seen(report: CrashReport, shows_values: bool) -> CrashReport:
    return report if shows_values else report.without_values()


def _peers(refs: Iterable[Ref]) -> list[Peer]:
    return [Peer(str(ref.id), ref.label, ref.is_alive()) for ref, _ in zip(refs, range(PEERS), strict=False)]


def _entry(table: str, key: Any, ref: Ref, value: Any, shows_values: bool) -> Entry:
    return Entry(table, name_of(key), str(ref.id), ref.label, None if value is None else _value(value, shows_values))


def _value(value: Any, shows_values: bool) -> str:
    """Describe the value of a registry entry; a string that is not secret is shown without quotes."""
    found = examine(value)
    if not shows_values:
        return found.structure
    return name_of(value) if issubclass(type(value), str) and found.text != found.structure else found.text


def _spec(ref: Ref) -> Spec | None:
    child = child_of(ref)
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
