"""How a process begins and how it ends: what happens once in its life, and nothing of its turns.

A `Start` is accepted or refused by what `init` returns. `end` carries out an end: the process, dead already, lets go of
what it had, tells everybody, and then its crash is reported. Code of users is called behind `attempt` there, so that
nothing stops it.
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
    """The start of one process: kept until it lives, or if it never does, with the reason why not.

    Attributes:
        predecessor: the process in whose place this one is, which may have left a checkpoint
        refusal: why it did not start
    """

    __slots__ = ("_starter", "predecessor", "refusal")

    def __init__(self) -> None:
        self.predecessor: Ref | None = None
        self.refusal: StartError | Ignored | None = None
        self._starter: asyncio.Future[None] | None = None

    async def settled(self, cell: Cell) -> None:
        """Wait until `cell` lives or is dead. A starter that gives up kills it."""
        scheduler = cell.scheduler
        self._starter = scheduler.loop.create_future()
        starter = scheduler.running
        try:
            await self._starter
        except asyncio.CancelledError:
            if starter is None or starter.ref.is_alive():  # else the link, if there is one, has told it
                scheduler.signal(cell.exit_signal, None, KILL, False)
            raise

    def judge(self, cell: Cell, value: Any) -> None:
        """Let `cell` live or not, by what its `init` returned."""
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
        except BaseException as exception:  # noqa: BLE001  # what it made of its init is wrong, or what it was given
            pass_interrupt_on(exception)
            self.refuse(cell, StartError(reason_of(exception)), exception)
            return
        if restored is not None:
            cell.initialised(restored)
        elif not cell.is_ending():
            cell.begin_to_live()
            self.tell()

    def _restore(self, cell: Cell) -> Any:
        """Hand over the checkpoint of the predecessor. Whatever comes of that, it is handed over once."""
        predecessor, self.predecessor = self.predecessor, None
        if predecessor is None or predecessor.checkpoint is NOTHING:
            return None
        checkpoint, predecessor.checkpoint = predecessor.checkpoint, NOTHING
        return _at_once(cell, cell.process.restore(checkpoint))

    def refuse(self, cell: Cell, refusal: StartError | Ignored, cause: BaseException | None = None) -> None:
        """Have `cell` die before it has lived."""
        refusal.__cause__ = cause
        attempt(release_frames, cause, default=None)
        self.refusal = refusal
        cell.die(refusal.reason if isinstance(refusal, StartError) else NORMAL)

    def fail(self, cell: Cell, reason: ExitReason) -> None:
        """Let the starter of a process that never lived learn of its end from the start alone, not through the link."""
        if self.refusal is None:
            self.refusal = StartError(reason)
        parent = None if cell.parent is None else cell.parent._cell
        if parent is not None:
            cell.part(parent)
        self.tell()

    def tell(self) -> None:
        """Wake who waits for the start, unless it gave up."""
        if self._starter is not None and not self._starter.done():
            self._starter.set_result(None)


class PendingExit:
    """What a process will end with when its callback returns or waits.

    Attributes:
        runs_terminate: whether `terminate` runs before
        answer: called after `terminate`: the reply of a callback that stops its process
    """

    __slots__ = ("answer", "reason", "runs_terminate")

    def __init__(self, reason: ExitReason, runs_terminate: bool, answer: Callable[[], object] | None = None) -> None:
        self.reason = reason
        self.runs_terminate = runs_terminate
        self.answer = answer


def end(cell: Cell, reason: ExitReason) -> None:
    """Carry out the end of a process that is dead by now: free the name, let go of everything, tell all, then report.

    Nothing that this calls can keep it from coming to its end.
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
    scheduler.signal(_tell, cell, reason)


def _tell(cell: Cell, reason: ExitReason) -> None:
    """Tell everybody of the end, then report it."""
    cell.tell_of_end(reason)
    crashes, cell.crashes = cell.crashes, None
    for report in crashes or ():
        cell.scheduler.crashes.append(report)
        log_crash(report)
    # Both hold this cell: without this, all three would wait for the cycle collector.
    del cell.process
    cell.context = None


def _call_guarded(cell: Cell, function: Callable[[], object], failure: str) -> None:
    """Call code of the process in its own context, after its end. What it raises is logged as `failure`."""

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
    except RuntimeError:  # it is entered already: what ends this process was called by a task in its very context
        context.copy().run(run)


def _take_checkpoint(cell: Cell) -> None:
    """Keep what the actor wants its successor to have."""
    cell.ref.checkpoint = _at_once(cell, cell.process.checkpoint())


def _at_once(cell: Cell, value: Any) -> Any:
    """Refuse a callback that would have to be waited for where it cannot be."""
    if type(value) is CoroutineType:
        value.close()
        raise TypeError(f"checkpoint and restore of {cell} may not be coroutines")
    return value
