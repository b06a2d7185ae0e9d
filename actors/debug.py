"""Looking at processes and interfering with them (OTP sys and observer).

What is done to a process here is done at once, on the loop's thread, without a message: it reaches a process that waits
in a callback too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.cell import Cell
from actors.exits import NOPROC, ExitReason
from actors.failures import CallExit
from actors.ref import Ref, Target
from actors.report import CrashReport, History
from actors.scheduler import Scheduler


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
        monitored_by: how many monitors watch it
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
    monitored_by: int


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
    cell.observe(tracer=cell.tracer, history=None if size is None else History(size))


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
        monitored_by=len(cell.monitored_by or ()),
    )
