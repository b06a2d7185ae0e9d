"""Looking at processes and interfering with them (OTP sys and observer): the public way to see the insides of others.

Three ways to look, by what they cost: `process_table` and `view` show what changes all the time and copy nothing, for
thousands of processes; `info` copies all that is known of one; `actor_of` gives the actor itself, to be read.

What is done to a process here is done at once, on the loop's thread, without a message: it reaches a process that waits
in a callback too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar, cast

from actors.exits import NOPROC, ExitReason
from actors.failures import CallExit
from actors.kernel.cell import Cell, Status
from actors.kernel.mailbox import HIGH_WATER as HIGH_WATER
from actors.kernel.process import Process
from actors.kernel.ref import Ref, Target
from actors.kernel.report import KEPT, LONGEST_STATE, Inspected, MessageLog, inspect_process
from actors.kernel.report import CrashReport as CrashReport
from actors.kernel.scheduler import Scheduler

P = TypeVar("P", bound=Process)

MEASURED = 50
"""Attributes of one process that `memory` measures."""
REMEMBERED = KEPT
"""Crash reports that `crash_reports` remembers."""


class MailboxView(Protocol):
    """The mailbox of a process: its length is the number of messages that wait."""

    @property
    def peak(self) -> int:
        """The most messages that waited at the beginning of a turn."""
        ...

    def __len__(self) -> int: ...


class ProcessView(Protocol):
    """A process as it is at every moment: read-only, and no copy. Of a dead process it shows how that ended.

    `ref` tells the number, label, class (`actor_class`) and restarts.
    """

    @property
    def ref(self) -> Ref:
        """The process."""
        ...

    @property
    def parent(self) -> Ref | None:
        """The process that started it."""
        ...

    @property
    def status(self) -> Status:
        """What it does now."""
        ...

    @property
    def mailbox(self) -> MailboxView:
        """The messages that wait."""
        ...

    @property
    def handled(self) -> int:
        """Messages taken so far (OTP sys: statistics)."""
        ...

    def is_starting(self) -> bool:
        """Tell whether `init` has not returned."""
        ...


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What can be seen of one process (Erlang's `process_info/1`).

    Attributes:
        kind: the class it runs
        state: a value of `Status`
        mailbox: messages that wait
        peak: the most that waited at the beginning of a turn
        handled: messages taken so far (OTP sys: statistics)
        message: what it handles now, or None
        monitored_by: the processes that monitor it, once for each monitor
        watchers: how many functions are called at its end, see `watch`
        is_traced: somebody sees its messages, see `trace`
    """

    ref: Ref
    label: str
    name: str | None
    kind: str
    parent: Ref | None
    state: str
    trap_exit: bool
    restarts: int
    mailbox: int
    peak: int
    handled: int
    message: Any
    links: tuple[Ref, ...]
    monitors: tuple[Ref, ...]
    monitored_by: tuple[Ref, ...]
    watchers: int
    is_traced: bool


def info(ref: Ref) -> ProcessInfo | None:
    """What can be seen of a living process; None of a dead one."""
    cell = ref._cell
    return None if cell is None else _info(cell)


def processes() -> list[ProcessInfo]:
    """All living processes of this scheduler, oldest first."""
    return [_info(cell) for cell in Scheduler.current().processes.values()]


def find(number: int) -> Ref | None:
    """The living process with this number, or None."""
    cell = Scheduler.current().processes.get(number)
    return None if cell is None else cell.ref


def process_table() -> Mapping[int, ProcessView]:
    """The living processes of this scheduler by number, oldest first: the table itself, which changes with them."""
    return Scheduler.current().processes


def view(ref: Ref) -> ProcessView | None:
    """A living process, to be read at any time; None if it is dead."""
    return ref._cell


def actor_of(ref: Ref, kind: type[P]) -> P | None:
    """The actor of a living process, if it is a `kind`, otherwise None. To be read: only its process may change it."""
    process = ref._process
    return process if isinstance(process, kind) else None


def inspect(ref: Ref, message: Any = None, *, size: int = LONGEST_STATE) -> Inspected | None:
    """Describe the attributes and the message of a process as far as they may be shown; None if it is dead.

    Args:
        message: one that it takes, or the answer to one; by default the one in hand
        size: characters of its attributes, about
    """
    cell = ref._cell
    return None if cell is None else inspect_process(cell, message, size=size)


def mailboxes() -> tuple[int, ProcessView | None]:
    """How many messages wait in this scheduler, and the process for which most do, if any (recon: proc_count)."""
    busy = [(len(cell.mailbox.items), cell) for cell in Scheduler.current().processes.values() if cell.mailbox.items]
    longest = max(busy, key=lambda pair: pair[0], default=(0, None))[1]
    return sum(length for length, _ in busy), longest


def run_times() -> Mapping[ProcessView, float]:
    """Seconds that processes ran since `Scheduler.profile`; those that did not run are missing."""
    return cast("Mapping[ProcessView, float]", Scheduler.current().used)


def memory(ref: Ref) -> int:
    """Bytes of a process: itself, its attributes (not what these hold on to), its mailbox. 0 if dead. Takes 5 us."""
    cell = ref._cell
    if cell is None:
        return 0
    process = cell.process
    attributes = getattr(process, "__dict__", {})
    size = sys.getsizeof(cell) + sys.getsizeof(ref) + sys.getsizeof(process) + sys.getsizeof(attributes)
    size += sum(map(sys.getsizeof, islice(attributes.values(), MEASURED)))
    for part in (cell.mailbox.items, cell.links, cell.monitors, cell.monitored_by):
        if part is not None:
            size += sys.getsizeof(part)
    return size


def get_state(target: Target) -> dict[str, Any]:
    """The attributes of a process by name (OTP sys: get_state): a copy of the names, not of the values.

    That of a state machine has its state among them, as `state`.
    """
    return _cell(target).process._kernel_attributes()


def replace_state(target: Target, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Give a process the attributes that `change` makes of its present ones (OTP sys: replace_state)."""
    process = _cell(target).process
    changed = change(process._kernel_attributes())
    process._kernel_replace(dict(changed))
    return changed


def suspend(target: Target) -> None:
    """Let a process handle nothing but orders to stop, until `resume`; messages wait. Exit signals reach it."""
    _cell(target).suspend()


def resume(target: Target) -> None:
    """Let a suspended process go on."""
    _cell(target).resume()


def trace(target: Target, tracer: Callable[[Any], None] | None) -> None:
    """Have `tracer(message)` called with every message before it is handled; None ends that (OTP sys: install)."""
    cell = _cell(target)
    cell.observe(tracer=tracer, history=cell.history)


def record(target: Target, size: int | None) -> None:
    """Keep the last `size` messages of a process for its crash report; None ends that (OTP sys: log)."""
    cell = _cell(target)
    cell.observe(tracer=cell.tracer, history=None if size is None else MessageLog(size))


def recorded(target: Target) -> list[Any]:
    """The messages that `record` has kept, the last one last."""
    history = _cell(target).history
    return [] if history is None else list(history.messages)


def crash_reports() -> list[CrashReport]:
    """The last crashes in this scheduler, the last one last."""
    return list(Scheduler.current().crashes)


def force_exit(ref: Ref, reason: ExitReason, *, is_reported: bool = False) -> None:
    """Make a process die of `reason` as if an exception had struck it between two messages. From any thread.

    Cannot be trapped, `terminate` does not run; links and monitors see `reason`. Nothing if it is dead.

    Args:
        is_reported: it is among the crashes, and in the log, as one that struck by itself
    """
    cell = ref._cell
    if cell is not None:
        cell.scheduler.invoke(cell.scheduler.signal, cell.crash if is_reported else cell.exit_now, reason)


def _cell(target: Target) -> Cell:
    ref = Scheduler.current().whereis(target)
    if ref is None or ref._cell is None:
        raise CallExit(NOPROC, target)
    return ref._cell


def _info(cell: Cell) -> ProcessInfo:
    return ProcessInfo(
        ref=cell.ref,
        label=cell.ref.label,
        name=cell.name,
        kind=type(cell.process).__name__,
        parent=cell.parent,
        state=cell.status.value,
        trap_exit=cell.trap_exit,
        restarts=cell.ref.restarts,
        mailbox=len(cell.mailbox),
        peak=cell.mailbox.peak,
        handled=cell.handled,
        message=cell.message,
        links=tuple(peer.ref for peer in cell.links or ()),
        monitors=tuple(peer.ref for peer in (cell.monitors or {}).values()),
        monitored_by=tuple(peer.ref for peer in (cell.monitored_by or {}).values()),
        watchers=len(cell.watchers or ()),
        is_traced=cell.tracer is not None,
    )
