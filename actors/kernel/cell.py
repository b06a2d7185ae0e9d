"""The kernel's side of one process: its place on the run queue, its turns, and its lifecycle.

Everything here runs on the thread of the event loop. A process whose coroutine callback awaits something handles no
other message, but receives exit signals. `life` starts and ends a process, `links` ties it to others, and `intake` does
what precedes a message. Three attributes interlock:

- The phase only moves forward: STARTING (until `init` and `restore` return) -> LIVING -> TERMINATING (`terminate`
  runs) -> DEAD. A failed start goes from STARTING to DEAD, and an exit signal that is not trapped goes to DEAD from any
  phase. `start` is set until the process lives; if it never does, `start.refusal` holds the reason.
- The status tells the scheduler what the process is doing, in any phase. RUNNING: a callback is on the stack.
  WAITING: a coroutine callback, `activity`, is suspended, or `boot` has not been called. IDLE: the mailbox is empty.
  SUSPENDED: `debug.suspend` stopped it between two messages. QUEUED: it is on the run queue, once. A process that dies
  while QUEUED stays there, and its turn does nothing.
- `pending_exit` holds the reason to exit while a callback is on the stack or `terminate` runs. `_settle_down` applies
  it once the callback returns or awaits; with `runs_terminate`, a LIVING process enters TERMINATING first. An exit
  signal that is not trapped sets one without, which replaces the former and is final. A process that is not RUNNING
  dies of such a signal at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import enum
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from actors.exits import KILLED, ExitReason, is_clean
from actors.failures import reason_of
from actors.guard import attempt, pass_interrupt_on
from actors.kernel import life
from actors.kernel.activity import Activity
from actors.kernel.call import PROXY, Call, KernelAsk
from actors.kernel.intake import Intake
from actors.kernel.life import PendingExit, Start
from actors.kernel.links import Peer
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref, StopRequest
from actors.kernel.report import CrashReport, MessageLog, crash_report
from actors.kernel.scheduler import RUNNING, Scheduler
from actors.kernel.signals import Exit, StartError
from actors.log import get_logger

if TYPE_CHECKING:
    from actors.kernel.process import Process

log = get_logger("canopy.actors")


class Status(enum.Enum):
    """What a process is doing now."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """In a coroutine callback that awaits something."""
    SUSPENDED = "suspended"
    DEAD = "dead"


class _Phase(enum.Enum):
    """The phases of a process's life."""

    STARTING = "init has not returned"
    LIVING = "handles messages"
    TERMINATING = "terminate runs"
    DEAD = "has exited"


# Looking up a member on its class costs 40 ns, and a turn does it often.
_IDLE, _QUEUED, _RUNNING, _WAITING, _SUSPENDED, _DEAD = Status
_STARTING, _LIVING, _TERMINATING, _ENDED = _Phase

FOR_KERNEL = frozenset((KernelAsk, StopRequest, Exit, *PROXY))
"""The types of messages that the kernel handles itself; of exit signals, only those of the parent."""


class Cell(Peer):
    """What the kernel knows of one process. `process` is the actor, with its callbacks and state, while it is alive.

    Attributes:
        status: what it is doing now
        context: its context variables; None before its first turn, unless its starter had set any
        handled: number of messages taken from the mailbox
        message: the current message, or the last one of this turn
        activity: the coroutine callback in progress, if any
        intake: what to do before each message, if anything
        start: its start in progress, or the failed one; None once it lives
        pending_exit: what it will exit with once its callback returns or awaits
        crashes: reports to log once all others are notified of the exit
    """

    __slots__ = (
        "_phase",
        "activity",
        "context",
        "crashes",
        "handled",
        "intake",
        "message",
        "name",
        "parent",
        "pending_exit",
        "process",
        "start",
        "status",
    )

    def __init__(self, process: Process, scheduler: Scheduler, mailbox: Mailbox) -> None:
        super().__init__(scheduler, mailbox)
        self.process = process
        self.ref = Ref(self, scheduler.next_id(), type(process).__name__)
        self.parent: Ref | None = None
        self.name: str | None = None
        self.status = _WAITING
        self.handled = 0
        self.message: Any = None
        self.context: contextvars.Context | None = None
        self.activity: Activity | None = None
        self.intake: Intake | None = None
        self.start: Start | None = Start()
        self.pending_exit: PendingExit | None = None
        self.crashes: list[CrashReport] | None = None
        self._phase = _STARTING

    # Receiving.

    def receive(self, message: Any) -> None:
        """Put `message` into the mailbox, and give an idle process a turn."""
        if self.status is _DEAD:
            if isinstance(message, Call):
                message.bounce()
            return
        mailbox = self.mailbox
        if mailbox.items is None:
            mailbox.append(message)
        else:  # inlined: the busiest line of the kernel
            mailbox.items.append(message)
        status = self.status  # read only now: `append` may run a finalizer that sends another message
        if status is _IDLE or (status is _SUSPENDED and self._is_stop_order(message)):
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def _is_stop_order(self, message: Any) -> bool:
        """Return whether `message` orders this process to stop: a request, or the exit signal of its parent."""
        kind = type(message)
        if kind is Exit:
            return message.sender is not None and message.sender is self.parent
        return kind is StopRequest or (kind is KernelAsk and type(message.request) is StopRequest)

    # What precedes a message.

    def expect(self, timeout: float, message: Any) -> None:
        """Receive `message` if no other arrives within `timeout` seconds (Erlang's `receive ... after`)."""
        self._ensure_intake().expect(self, timeout, message)

    def receive_if_idle(self, seconds: float, message: Any) -> asyncio.TimerHandle:
        """Receive `message` after `seconds`, if the process is idle then."""
        scheduler = self.scheduler
        return scheduler.loop.call_later(seconds, self._timed_out, message, context=scheduler.outside)

    def _timed_out(self, message: Any) -> None:
        if self.status is _IDLE:  # otherwise a message arrived in time, and the process is waiting for its turn
            self.receive(message)

    def suspend(self) -> None:
        """Handle only orders to stop until `resume`; see `debug.suspend`."""
        self._ensure_intake().suspend()
        if self.status is _IDLE:
            self.status = _SUSPENDED

    def resume(self) -> None:
        """Handle messages again after `suspend`."""
        if self.intake is not None:
            self.intake.resume(self)
        if self.status is _SUSPENDED:
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def observe(self, *, tracer: Callable[[Any], None] | None = None, history: MessageLog | None = None) -> None:
        """Replace the observers of each message before it is handled."""
        intake = self._ensure_intake()
        intake.tracer, intake.history = tracer, history

    @property
    def tracer(self) -> Callable[[Any], None] | None:
        """The function that is called with each message, if any."""
        return None if self.intake is None else self.intake.tracer

    @property
    def history(self) -> MessageLog | None:
        """The log of the last messages, if they are recorded."""
        return None if self.intake is None else self.intake.history

    def _ensure_intake(self) -> Intake:
        if self.intake is None:
            self.intake = Intake()
        return self.intake

    # A turn.

    def is_running(self) -> bool:
        """Return whether a callback of this process is on the stack."""
        return self.status is _RUNNING

    def has_activity(self) -> bool:
        """Return whether a coroutine callback is in progress as an activity."""
        return self.activity is not None

    def turn(self, budget: int) -> None:
        """Resume the activity, then handle at most `budget` messages. Runs in the context of this process."""
        if self.status is _DEAD:
            return
        if self.intake is not None and self.intake.is_suspended and self._phase is _LIVING:
            if not self.mailbox.promote(self._is_stop_order):
                self.status = _SUSPENDED
                return
            self.intake.is_suspended = False  # an order to stop ends the suspension and goes first (OTP sys)
        self.status = _RUNNING
        mailbox = self.mailbox
        if mailbox.items is not None and len(mailbox.items) > mailbox.peak and mailbox.is_high():
            log.warning("actor.mailbox_high", actor=str(self), waiting=len(mailbox))
        if self.activity is not None:
            self._advance(self.activity)
            if self.status is _DEAD:
                return
        handle, begin = self.process._kernel_handle, budget
        while budget and mailbox.items and self.pending_exit is None and self.activity is None:
            budget -= 1
            self.message = message = mailbox.items.popleft()
            if self.intake is not None:
                self.intake.before(message, self.process._kernel_attributes, self)
            try:
                outcome = handle(message)
            except BaseException as exception:  # noqa: BLE001  # whatever a callback raises crashes only its process
                self._failed(exception)
            else:
                if outcome is not None:
                    self.activity = activity = Activity(outcome, self)
                    self._advance(activity)
        del handle  # a traceback may hold this frame, which would keep the process and its message alive
        message = outcome = None
        self.handled += begin - budget
        self._settle_down()

    def serve(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Handle a message of `FOR_KERNEL`: an order to stop, a request from a Pykka proxy, or an exit signal.

        Every kind of process passes such messages here, and gets back the exit signals that are not from its parent.
        """
        request = message.request if type(message) is KernelAsk else message
        if self._is_stop_order(request):
            self.stop(request.reason)
            return None
        if type(request) in PROXY:
            return self.process._kernel_serve_proxy(message, request)
        return self.process._kernel_receive(message)

    def _settle_down(self) -> None:
        """End a turn: exit if that is pending, else wait, go to the back of the run queue or become idle."""
        pending = self.pending_exit
        if pending is not None:
            if not pending.runs_terminate or self._phase is _STARTING:
                self.die(pending.reason)
            elif self._phase is _LIVING:
                self._terminate(pending)
                pending = self.pending_exit
                if pending is not None and not pending.runs_terminate:  # it was killed during `terminate`
                    self.die(pending.reason)
        if self.status is _DEAD:
            return
        if self.activity is not None:
            self.status = _WAITING
        elif self.mailbox.items:
            self.status = _QUEUED
            self.scheduler.enqueue(self)
        else:
            self.status = _SUSPENDED if self.intake is not None and self.intake.is_suspended else _IDLE
            self.mailbox.items = None
            self.message = None

    def _run(self, callback: Callable[..., Any], *args: Any) -> None:
        """Run `init` or `terminate`, which end in `_completed` or `_failed`."""
        self.status = _RUNNING
        try:
            outcome = callback(*args)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self._failed(exception)
        else:
            if type(outcome) is CoroutineType:
                self.activity = Activity(outcome, self)
                self.activity.wake_soon()
            else:
                self._completed(outcome)
        finally:
            callback = args = None  # type: ignore[assignment]  # as in `turn`

    def _advance(self, activity: Activity) -> None:
        """Run `activity` to its next await, or to its end."""
        try:
            activity.advance()
        except StopIteration as end:
            self.activity = None
            self._completed(end.value)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self.activity = None
            self._failed(exception)

    def wake(self, awaited: asyncio.Future[Any] | None) -> None:
        """Give the activity a turn once the future it awaits is done; ignore a future that it no longer awaits."""
        if self.activity is None or self.status is not _WAITING or not self.activity.is_waiting_for(awaited):
            return
        self.status = _QUEUED
        self.scheduler.enqueue(self)

    def _completed(self, value: Any) -> None:
        """Continue after a coroutine callback, `init` or `terminate` has returned."""
        if self._phase is _STARTING:
            self.initialised(value)
        elif self._phase is _TERMINATING and self.pending_exit is not None:
            self._terminated(self.pending_exit)

    def _failed(self, exception: BaseException) -> None:
        """Exit after a callback has raised `exception`."""
        pass_interrupt_on(exception)  # a KeyboardInterrupt hits whichever process is running, but is for the program
        if self.status is _DEAD:  # it died with its loop
            return
        reason = reason_of(exception)
        pending = self.pending_exit
        if self.start is not None and pending is None:
            self.start.refuse(self, StartError(reason), exception)
        elif self._phase is _LIVING:
            self.stop(reason)
        elif pending is not None and not pending.runs_terminate:  # killed during `init` or `terminate`
            self.die(pending.reason)
        else:
            self._note_crash(reason)
            self._terminated(PendingExit(reason, True, None if pending is None else pending.answer))

    # Start.

    def boot(self) -> None:
        """Enter the process table and run `init`, up to its first await."""
        scheduler = self.scheduler
        if scheduler.is_ending:
            self.die(KILLED)
            return
        scheduler.processes[self.ref.id] = self
        if not scheduler.watches_loop:
            scheduler.watch_loop()
        context = contextvars.copy_context()  # like a task, it starts with the variables of its starter
        context.run(self._boot)
        if len(context) > 1 and self.status is not _DEAD:
            self.context = context

    def _boot(self) -> None:
        RUNNING.set(self)
        self._run(self.process._kernel_init)
        self._settle_down()

    def make_context(self) -> contextvars.Context:
        """Create the context for turns, lazily: most processes need none, and it is a fifth of an idle one's memory."""
        self.context = context = contextvars.Context()
        context.run(RUNNING.set, self)
        return context

    async def booted(self) -> None:
        """Wait until the start has succeeded or failed.

        Raises:
            StartError, Ignored: if it failed.
        """
        if self.start is not None and self._phase is _STARTING:
            await self.start.settled(self)
        self.raise_refusal()

    def is_starting(self) -> bool:
        """Return whether `init` has not returned yet."""
        return self._phase is _STARTING

    def raise_refusal(self) -> None:
        """Raise the error of a failed start; do nothing if it succeeded."""
        if self.start is not None and self.start.refusal is not None:
            raise self.start.refusal

    def initialised(self, value: Any) -> None:
        """Continue the start with the result of `init`, or of the `restore` after it."""
        if self.start is not None and self.pending_exit is None:  # otherwise it was killed during `init`
            self.start.proceed(self, value)

    def go_live(self) -> None:
        """Handle messages from now on."""
        self._phase = _LIVING
        self.start = None

    # Exit.

    def stop(self, reason: ExitReason, answer: Callable[[], object] | None = None) -> None:
        """Exit with `reason` once the callback returns or awaits: run `terminate`, then call `answer`."""
        if self.pending_exit is None:
            self.pending_exit = PendingExit(reason, True, answer)

    def is_ending(self) -> bool:
        """Return whether this process exits instead of handling another event."""
        return self.pending_exit is not None

    def exit_now(self, reason: ExitReason) -> None:
        """Die without `terminate`: at once, or if a callback is on the stack, once that returns or awaits."""
        if self.status is not _RUNNING:
            self.die(reason)
        elif self.pending_exit is None or self.pending_exit.runs_terminate:
            self.pending_exit = PendingExit(reason, False)

    def end_with_loop(self) -> None:
        """Die at once, even if RUNNING: an interrupt may have cut its last turn short, which then never settles."""
        self.die(KILLED)

    def crash(self, reason: ExitReason) -> None:
        """Die as in `exit_now`, and report it as a crash."""
        if self.status is not _DEAD and self.pending_exit is None:
            self._note_crash(reason)
        self.exit_now(reason)

    def _terminate(self, pending: PendingExit) -> None:
        if not is_clean(pending.reason):
            self._note_crash(pending.reason)
        self._phase = _TERMINATING
        self._run(self.process._kernel_finish, pending.reason)

    def _terminated(self, pending: PendingExit) -> None:
        if pending.answer is not None:
            attempt(pending.answer, default=None)
        self.die(pending.reason)

    def _note_crash(self, reason: ExitReason) -> None:
        """Describe this crash now, while the state exists; it is logged after the exit."""
        self.scheduler.crashed += 1
        report = crash_report(self, reason, Scheduler.case_writers)
        self.crashes = [report] if self.crashes is None else [*self.crashes, report]

    def die(self, reason: ExitReason) -> None:
        """Become dead and release everything, unless already dead."""
        if self.status is not _DEAD:
            self.status = _DEAD
            self._phase = _ENDED
            life.end(self, reason)
