"""What can be seen of a running system, as plain data. Looking costs nothing while nobody looks.

Everything here runs on the thread of the event loop. What goes through all actors or all connections lets others run
in between, so that 10,000 of them hold nobody up.
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
from supervision.console.inspection.os_stats import Machine, look
from supervision.console.inspection.paging import Look, Looks, page_of
from supervision.console.inspection.samples import Samples, reading
from supervision.console.inspection.sources import Sources
from supervision.console.inspection.tree import grow, matches, parents
from supervision.server import Wire

PEERS = 200
"""Links and monitors of one actor that are shown."""


class Snapshot:
    """Looks at a running system.

    Args:
        sources: where to look
        history: what rates and windows are counted from
        acts_on: the actions that the application offers on a connection

    Attributes:
        wires: the connections
        looks: gives slices to those who look at many things
        crashed_by: who had which actor crash, by the number of the actor; the last ones
    """

    def __init__(
        self, sources: Sources, history: Samples, acts_on: Callable[[Wire], list[Act]] = lambda wire: []
    ) -> None:
        self.sources = sources
        self.history = history
        self.looks = Looks(sources.clock)
        self.wires = Wires(sources, acts_on)
        self.crashed_by: dict[int, str] = {}
        self._began = sources.clock()

    # The system.

    def overview(self) -> Overview:
        """The system at a glance. Takes 2 ms with 10,000 actors."""
        scheduler, machine = Scheduler.current(), look()
        now = reading(scheduler, machine)
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

    def _limits(self, machine: Machine, longest: ProcessView | None) -> list[Usage]:
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
        look: Look,
        root: Ref | None = None,
        *,
        depth: int | None = None,
        limit: int | None = None,
        search: str = "",
        only: str = "",
    ) -> Node | None:
        """The living actors under `root`, by default the top supervisor; None if it is dead.

        Args:
            look: in whose slices it works
            root: where to begin
            depth: levels below it that are shown
            limit: children of one actor that are shown
            search: only those whose label, kind or number has this in it, and those above them
            only: one of `FILTERS`: only those that it is true of, and those above them
        """
        top = view(root or self.sources.root())
        if top is None:
            return None
        processes = list(process_table().values())
        return await grow(look, processes, top, depth=depth, limit=limit, search=search, only=only)

    # Actors.

    async def actors(
        self,
        look: Look,
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
            look: in whose slices it works
            sort: an attribute of `Actor`
            descending: the largest first
            search: only those whose label, kind or number has this in it
            state, kind: only those that have exactly this
            offset, limit: which of them
        """
        scheduler = Scheduler.current()
        row = ActorRows(scheduler, self.history)
        key = row.keys[sort]
        found = [
            (key(process), process)
            async for chunk in look.chunks(list(process_table().values()))
            for process in chunk
            if process.ref.is_alive()
            and (not state or process.status.value == state)
            and (not kind or process.ref.actor_class.__name__ == kind)
            and matches(process, search)
        ]
        shown = page_of(found, descending, offset, limit)
        rows = [row(each) async for chunk in look.chunks(shown) for each in chunk if each.ref.is_alive()]
        return ActorPage(len(found), offset, row.window, rows)

    def actor(self, ref: Ref, *, shows_values: bool = False) -> ActorDetails | None:
        """One actor; None if it is dead.

        Args:
            ref: the actor
            shows_values: show of its message what may be seen, and not the structure alone
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
        """Tell whether it is the top supervisor, or above it: nobody would restart it."""
        top = self.sources.root()
        return ref is top or ref in parents(top)

    def rows(self, refs: Iterable[Ref]) -> list[Actor]:
        """The rows of some actors, without the dead."""
        row = ActorRows(Scheduler.current(), self.history)
        return [row(process) for process in map(view, refs) if process is not None]

    # Names and topics.

    async def names(
        self,
        look: Look,
        *,
        search: str = "",
        table: str | None = None,
        offset: int = 0,
        limit: int = 100,
        shows_values: bool = False,
    ) -> EntryPage:
        """Who holds which name, and who is in which topic; of one table, or those of the kernel (`""`), or all."""
        needle = search.lower()
        found = [
            entry
            async for chunk in look.chunks(self._entries(table))
            for entry in chunk
            if not needle or needle in f"{name_of(entry[1])} {entry[2].label}".lower()
        ]
        page = found[offset : offset + limit]
        # A value may take a millisecond: 0.5 ms the viewers of a canvas.
        rows = [_entry(*each, shows_values) async for [each] in look.chunks(page, 1)]
        return EntryPage(len(found), offset, rows)

    def _entries(self, table: str | None) -> Iterator[tuple[str, Any, Ref, Any]]:
        if not table:
            for name, ref in list(Scheduler.current().names.items()):
                yield "", name, ref, None
        for each in self.sources.tables:
            if table in (None, each.name):
                for key, ref, value in each:
                    yield each.name, key, ref, value

    async def topics(self, look: Look, *, search: str = "", offset: int = 0, limit: int = 100) -> TopicPage:
        """How many are in which topic, the fullest first."""
        members: Counter[tuple[str, str]] = Counter()
        for table in self.sources.tables:
            if table.kind is Keys.DUPLICATE:
                async for chunk in look.chunks(table):
                    members.update((table.name, name_of(key)) for key, _, _ in chunk)
        needle = search.lower()
        counted = list(members.items())
        found = [
            (item[1], item) async for chunk in look.chunks(counted) for item in chunk if needle in item[0][1].lower()
        ]
        fullest = page_of(found, True, offset, limit)
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
            asked_by=None if report.error is not None else self.crashed_by.get(report.ref.id),
        )


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
