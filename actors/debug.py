"""Introspection and intervention (OTP sys and observer): the public access to the internals of other processes.

There are three ways to inspect processes. `process_table` and `view` return live objects and copy nothing, for
thousands of processes; `info` copies what is known of one; `actor_of` returns the actor itself, to be read.

Interventions take effect at once, on the loop's thread, without a message, so they also reach a process that is waiting
in a callback.
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
from actors.kernel.report import KEPT, LONGEST_STATE, MessageLog, ProcessDescription, inspect_process
from actors.kernel.report import CrashReport as CrashReport
from actors.kernel.scheduler import Scheduler

P = TypeVar("P", bound=Process)

MEASURED = 50
"""Maximum number of attributes of one process that `memory` measures."""
REMEMBERED = KEPT
"""Maximum number of reports that `crash_reports` returns."""


class MailboxView(Protocol):
    """The mailbox of a process: its length is the number of pending messages."""

    @property
    def peak(self) -> int:
        """The greatest length at the start of a turn."""
        ...

    def __len__(self) -> int: ...


class ProcessView(Protocol):
    """A live, read-only view of a process, not a copy. After the process has exited, it shows its last state.

    `ref` has the number, label, class (`actor_class`) and restarts.
    """

    @property
    def ref(self) -> Ref:
        """The reference of the process."""
        ...

    @property
    def parent(self) -> Ref | None:
        """The process that started it."""
        ...

    @property
    def status(self) -> Status:
        """What it is doing now."""
        ...

    @property
    def mailbox(self) -> MailboxView:
        """The pending messages."""
        ...

    @property
    def handled(self) -> int:
        """Number of messages handled so far (OTP sys: statistics)."""
        ...

    def is_starting(self) -> bool:
        """Return whether `init` has not returned yet."""
        ...


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A copy of what is known of one process (Erlang's `process_info/1`).

    Attributes:
        kind: name of its class
        state: a value of `Status`
        mailbox: number of pending messages
        peak: greatest length of the mailbox at the start of a turn
        handled: number of messages handled so far (OTP sys: statistics)
        message: the current message, or None
        monitored_by: the processes that monitor it, once per monitor
        watchers: number of functions that are called on its exit, see `watch`
        is_traced: whether its messages are traced, see `trace`
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
    """Return what is known of a process, or None if it is dead."""
    cell = ref._cell
    return None if cell is None else _info(cell)


def processes() -> list[ProcessInfo]:
    """Return all living processes of this scheduler, oldest first."""
    return [_info(cell) for cell in Scheduler.current().processes.values()]


def find(number: int) -> Ref | None:
    """Return the living process with this number, or None."""
    cell = Scheduler.current().processes.get(number)
    return None if cell is None else cell.ref


def process_table() -> Mapping[int, ProcessView]:
    """Return the living processes of this scheduler by number, oldest first. It is the live table, not a copy."""
    return Scheduler.current().processes


def view(ref: Ref) -> ProcessView | None:
    """Return a live view of a process, or None if it is dead."""
    return ref._cell


def actor_of(ref: Ref, kind: type[P]) -> P | None:
    """Return the actor of a living process if it is a `kind`, otherwise None. Only its own process may change it."""
    process = ref._process
    return process if isinstance(process, kind) else None


def inspect(ref: Ref, message: Any = None, *, size: int = LONGEST_STATE) -> ProcessDescription | None:
    """Describe those attributes and the message of a process that may be shown; return None if it is dead.

    Args:
        message: a message that it takes, or the reply to one; by default the current message
        size: approximate maximum size of its attributes, in characters
    """
    cell = ref._cell
    return None if cell is None else inspect_process(cell, message, size=size)


def mailboxes() -> tuple[int, ProcessView | None]:
    """Return the number of pending messages in this scheduler, and the process with the most (recon: proc_count)."""
    busy = [(len(cell.mailbox.items), cell) for cell in Scheduler.current().processes.values() if cell.mailbox.items]
    longest = max(busy, key=lambda pair: pair[0], default=(0, None))[1]
    return sum(length for length, _ in busy), longest


def run_times() -> Mapping[ProcessView, float]:
    """Return the seconds that each process has run since `Scheduler.profile`; those that did not run are missing."""
    return cast("Mapping[ProcessView, float]", Scheduler.current().used)


def memory(ref: Ref) -> int:
    """Return the size of a process in bytes, 0 if it is dead, in 5 us.

    It counts the process itself, its attributes (shallowly) and its mailbox.
    """
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
    """Return the attributes of a process by name (OTP sys: get_state), as a shallow copy.

    For a state machine they include its state, as `state`.
    """
    return _cell(target).process._kernel_attributes()


def replace_state(target: Target, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Replace the attributes of a process with `change(attributes)`, and return these (OTP sys: replace_state)."""
    process = _cell(target).process
    changed = change(process._kernel_attributes())
    process._kernel_replace(dict(changed))
    return changed


def suspend(target: Target) -> None:
    """Suspend a process until `resume`: messages wait, but orders to stop and exit signals still reach it."""
    _cell(target).suspend()


def resume(target: Target) -> None:
    """Resume a suspended process."""
    _cell(target).resume()


def trace(target: Target, tracer: Callable[[Any], None] | None) -> None:
    """Call `tracer(message)` with each message before it is handled; None stops that (OTP sys: install)."""
    cell = _cell(target)
    cell.observe(tracer=tracer, history=cell.history)


def record(target: Target, size: int | None) -> None:
    """Record the last `size` messages of a process for its crash report; None stops that (OTP sys: log)."""
    cell = _cell(target)
    cell.observe(tracer=cell.tracer, history=None if size is None else MessageLog(size))


def recorded(target: Target) -> list[Any]:
    """Return the messages that `record` has kept, oldest first."""
    history = _cell(target).history
    return [] if history is None else list(history.messages)


def crash_reports() -> list[CrashReport]:
    """Return the last crashes in this scheduler, oldest first."""
    return list(Scheduler.current().crashes)


def force_exit(ref: Ref, reason: ExitReason, *, is_reported: bool = False) -> None:
    """Make a process exit with `reason` as if it had crashed between two messages. Thread-safe; ignored if it is dead.

    The exit cannot be trapped and `terminate` does not run; links and monitors see `reason`.

    Args:
        is_reported: report and log it like any other crash
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
