"""The start and the exit of a process: everything that happens once in its life.

A `Start` succeeds or fails by what `init` returns. `end` completes an exit: the process, already dead, releases what it
holds, notifies all others, and then its crash is logged. `end` calls the users' code through `attempt`, so that nothing
can interrupt it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from actors.exits import KILL, NORMAL, ExitReason, is_clean
from actors.failures import describe_exception, exception_in, reason_of, release_frames
from actors.guard import attempt, pass_interrupt_on
from actors.kernel.directives import IGNORE, Stop
from actors.kernel.ref import NOTHING, Ref
from actors.kernel.report import log_crash
from actors.kernel.signals import Ignored, StartError
from actors.log import get_logger

if TYPE_CHECKING:
    from actors.kernel.cell import Cell

log = get_logger("canopy.actors")


class Start:
    """The start of one process, kept until the process lives; if it never does, it keeps the reason.

    Attributes:
        predecessor: the process that this one replaces, which may have left a checkpoint
        refusal: the error that the starter gets, if the start failed
    """

    __slots__ = ("_starter", "predecessor", "refusal")

    def __init__(self) -> None:
        self.predecessor: Ref | None = None
        self.refusal: StartError | Ignored | None = None
        self._starter: asyncio.Future[None] | None = None

    async def settled(self, cell: Cell) -> None:
        """Wait until `cell` lives or is dead. Kill it if the starter is cancelled."""
        scheduler = cell.scheduler
        self._starter = scheduler.loop.create_future()
        starter = scheduler.running
        try:
            await self._starter
        except asyncio.CancelledError:
            if starter is None or starter.ref.is_alive():  # a dead starter has signalled it through the link, if any
                scheduler.signal(cell.exit_signal, None, KILL, False)
            raise

    def proceed(self, cell: Cell, value: Any) -> None:
        """Complete or refuse the start, depending on the result of `init`."""
        if value is IGNORE:
            self.refuse(cell, Ignored())
        elif isinstance(value, Stop):
            self.refuse(cell, StartError(value.reason))
        else:
            self._accept(cell, value)

    def _accept(self, cell: Cell, value: Any) -> None:
        try:
            restored = self._restore(cell)
            if restored is None:
                cell.process._kernel_accept(value)
        except BaseException as exception:  # noqa: BLE001  # `restore` failed, or the result of `init` is invalid
            pass_interrupt_on(exception)
            self.refuse(cell, StartError(reason_of(exception)), exception)
            return
        if restored is not None:
            cell.initialised(restored)
        elif not cell.is_ending():
            cell.go_live()
            self._wake_starter()

    def _restore(self, cell: Cell) -> Any:
        """Pass the checkpoint of the predecessor to `restore`, once, whether or not that succeeds."""
        predecessor, self.predecessor = self.predecessor, None
        if predecessor is None or predecessor.checkpoint is NOTHING:
            return None
        checkpoint, predecessor.checkpoint = predecessor.checkpoint, NOTHING
        return _refuse_coroutine(cell, cell.process.restore(checkpoint))

    def refuse(self, cell: Cell, refusal: StartError | Ignored, cause: BaseException | None = None) -> None:
        """Fail the start: `cell` dies before it has lived."""
        refusal.__cause__ = cause
        attempt(release_frames, cause, default=None)
        self.refusal = refusal
        cell.die(refusal.reason if isinstance(refusal, StartError) else NORMAL)

    def fail(self, cell: Cell, reason: ExitReason) -> None:
        """Report the exit of a process that never lived to its starter only here, and not through the link as well."""
        if self.refusal is None:
            self.refusal = StartError(reason)
        parent = None if cell.parent is None else cell.parent._cell
        if parent is not None:
            cell.remove_link(parent)
        self._wake_starter()

    def _wake_starter(self) -> None:
        if self._starter is not None and not self._starter.done():
            self._starter.set_result(None)


class PendingExit:
    """How a process will exit once its callback returns or awaits.

    Attributes:
        runs_terminate: whether `terminate` runs first
        answer: called after `terminate`: sends the reply of the callback that stopped the process
    """

    __slots__ = ("answer", "reason", "runs_terminate")

    def __init__(self, reason: ExitReason, runs_terminate: bool, answer: Callable[[], object] | None = None) -> None:
        self.reason = reason
        self.runs_terminate = runs_terminate
        self.answer = answer


def end(cell: Cell, reason: ExitReason) -> None:
    """Complete the exit of a process that is already dead: release its name and all it holds, notify others, log.

    Nothing that it calls can interrupt it.
    """
    scheduler, start = cell.scheduler, cell.start
    if cell.name is not None:
        scheduler.names.pop(cell.name, None)
    scheduler.processes.pop(cell.ref.id, None)
    scheduler.used.pop(cell, None)
    scheduler.retired += cell.handled
    cell.ref._cell = None
    if start is not None:
        start.fail(cell, reason)
    elif cell.parent is not None and not is_clean(reason):
        _call_guarded(cell, lambda: _take_checkpoint(cell), "actor.checkpoint_failed")
    if cell.intake is not None:
        cell.intake.close()
    cell.drop_timers()
    if cell.activity is not None:
        _call_guarded(cell, cell.activity.unwind, "actor.cleanup_failed")
        cell.activity = None
    cell.process._kernel_died()
    attempt(release_frames, exception_in(reason), default=None)
    cell.mailbox.items = cell.message = cell.intake = cell.pending_exit = None
    scheduler.signal(_notify, cell, reason)


def _notify(cell: Cell, reason: ExitReason) -> None:
    """Notify others of the exit, then log the crash."""
    cell.notify_exit(reason)
    crashes, cell.crashes = cell.crashes, None
    for report in crashes or ():
        cell.scheduler.crashes.append(report)
        log_crash(report)
    # Both refer to this cell: break the cycles, so that none of the three waits for the garbage collector.
    del cell.process
    cell.context = None


def _call_guarded(cell: Cell, function: Callable[[], object], failure: str) -> None:
    """Call code of a dead process in its own context; log what it raises as the event `failure`."""

    def failed(exception: BaseException) -> None:
        log.error(failure, actor=str(cell), error=describe_exception(exception))
        release_frames(exception)

    def run() -> None:
        attempt(function, default=None, on_failure=failed)

    if cell.scheduler.running is cell:
        run()
        return
    context = cell.make_context() if cell.context is None else cell.context
    try:
        context.run(run)
    except RuntimeError:  # it is already entered: a task in the same context ended this process
        context.copy().run(run)


def _take_checkpoint(cell: Cell) -> None:
    """Keep the checkpoint for the successor."""
    cell.ref.checkpoint = _refuse_coroutine(cell, cell.process.checkpoint())


def _refuse_coroutine(cell: Cell, value: Any) -> Any:
    """Return the result of `checkpoint` or `restore`; raise `TypeError` if it is a coroutine."""
    if type(value) is CoroutineType:
        value.close()
        raise TypeError(f"checkpoint and restore of {cell} must not be coroutines")
    return value
