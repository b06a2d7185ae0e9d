"""The kernel's side of one process: its place on the run queue, its turns, and the phases of its life.

Everything here happens on the thread of the event loop. A callback that is a coroutine parks the process until what it
awaits is there: it handles no other message meanwhile, but exit signals reach it.

A life has four phases, each left for good: STARTING (`init` has not returned), LIVING, TERMINATING (`terminate` runs)
and DEAD. Whatever makes a process end first stands in `pending_exit` if the process is in the middle of a callback,
and is carried out when that returns or waits. What happens at the beginning and at the end is in `life`, the ties to
other processes are in `links`, and what comes before a message is handled is in `intake`.
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
    """What a process does at this moment."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """In a callback that is a coroutine."""
    SUSPENDED = "suspended"
    DEAD = "dead"


class _Phase(enum.Enum):
    """How far the life of a process has come."""

    STARTING = "init has not returned"
    LIVING = "handles messages"
    TERMINATING = "terminate runs"
    DEAD = "has ended"


# A member looked up on its class costs 40 ns, and a turn does it often.
_IDLE, _QUEUED, _RUNNING, _WAITING, _SUSPENDED, _DEAD = Status
_STARTING, _LIVING, _TERMINATING, _ENDED = _Phase


FOR_KERNEL = frozenset((KernelAsk, StopRequest, Exit, *PROXY))
"""The messages that the kernel serves itself; of exit signals that of the parent alone."""


class Cell(Peer):
    """What the kernel knows of one process. `process` is the actor, with its callbacks and its state, while it lives.

    Attributes:
        status: what it does now
        context: its context variables; None before its first turn, unless it was started where some were set
        handled: messages it has taken
        message: what it handles, or handled last
        activity: the callback that it is in, if that is a coroutine
        intake: what is to be done before each message, if anything
        start: how its start goes; None when it lives
        pending_exit: what it will end with when its callback returns or waits
        crashes: reports that are written when everybody was told of the end
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
        """Put `message` into the mailbox and have it handled."""
        if self.status is _DEAD:
            if isinstance(message, Call):
                message.bounce()
            return
        mailbox = self.mailbox
        if mailbox.items is None:
            mailbox.append(message)
        else:  # without the call: the busiest line of the kernel
            mailbox.items.append(message)
        status = self.status  # now: a finalizer may have sent another message meanwhile
        if status is _IDLE or (status is _SUSPENDED and self._is_order_to_stop(message)):
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def _is_order_to_stop(self, message: Any) -> bool:
        """Tell whether `message` orders this process to stop: a request, or the exit signal of its parent."""
        kind = type(message)
        if kind is Exit:
            return message.sender is not None and message.sender is self.parent
        return kind is StopRequest or (kind is KernelAsk and type(message.request) is StopRequest)

    # What comes before a message is handled.

    def expect(self, timeout: float, message: Any) -> None:
        """Send the process `message` if none comes within `timeout` seconds (Erlang's `receive ... after`)."""
        self._made_intake().expect(self, timeout, message)

    def wait(self, seconds: float, message: Any) -> asyncio.TimerHandle:
        """Have this process receive `message` in `seconds`, if it is idle then."""
        scheduler = self.scheduler
        return scheduler.loop.call_later(seconds, self._waited, message, context=scheduler.outside)

    def _waited(self, message: Any) -> None:
        if self.status is _IDLE:  # else a message came in time, and only has not had its turn yet
            self.receive(message)

    def suspend(self) -> None:
        """Handle no message from now on but orders to stop, until `resume`; see `debug.suspend`."""
        self._made_intake().suspend()
        if self.status is _IDLE:
            self.status = _SUSPENDED

    def resume(self) -> None:
        """Handle messages again."""
        if self.intake is not None:
            self.intake.resume(self)
        if self.status is _SUSPENDED:
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def observe(self, *, tracer: Callable[[Any], None] | None = None, history: MessageLog | None = None) -> None:
        """Replace who is told of each message before it is handled."""
        intake = self._made_intake()
        intake.tracer, intake.history = tracer, history

    @property
    def tracer(self) -> Callable[[Any], None] | None:
        """Who is told of each message."""
        return None if self.intake is None else self.intake.tracer

    @property
    def history(self) -> MessageLog | None:
        """What keeps the last messages."""
        return None if self.intake is None else self.intake.history

    def _made_intake(self) -> Intake:
        if self.intake is None:
            self.intake = Intake()
        return self.intake

    # A turn.

    def is_running(self) -> bool:
        """Tell whether a callback of this process is on the stack."""
        return self.status is _RUNNING

    def has_activity(self) -> bool:
        """Tell whether a coroutine of this process runs or waits as an activity."""
        return self.activity is not None

    def turn(self, budget: int) -> None:
        """Handle at most `budget` messages. Runs in the context of this process."""
        if self.status is _DEAD:
            return
        if self.intake is not None and self.intake.is_suspended and self._phase is _LIVING:
            if not self.mailbox.promote(self._is_order_to_stop):
                self.status = _SUSPENDED
                return
            self.intake.is_suspended = False  # an order to stop ends a suspension, before all other messages (OTP sys)
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
            except BaseException as exception:  # noqa: BLE001  # the kernel's turn: it ends this process alone
                self._failed(exception)
            else:
                if outcome is not None:
                    self.activity = activity = Activity(outcome, self)
                    self._advance(activity)
        del handle  # this frame may stay in a traceback, and would keep the process and its message
        message = outcome = None
        self.handled += begin - budget
        self._settle_down()

    def serve(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Serve a message of `FOR_KERNEL`: an order to stop, a request of a Pykka proxy, or an exit signal.

        Every kind of process brings such messages here, and gets back the signals that are for itself.
        """
        request = message.request if type(message) is KernelAsk else message
        if self._is_order_to_stop(request):
            self.stop(request.reason)
            return None
        if type(request) in PROXY:
            return self.process._kernel_serve_proxy(message, request)
        return self.process._kernel_take(message)

    def _settle_down(self) -> None:
        """Leave the stack: end, wait, go to the back of the queue or to sleep."""
        pending = self.pending_exit
        if pending is not None:
            if not pending.runs_terminate or self._phase is _STARTING:
                self.die(pending.reason)
            elif self._phase is _LIVING:
                self._terminate(pending)
                pending = self.pending_exit
                if pending is not None and not pending.runs_terminate:  # it was killed meanwhile
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
        """Run `init` or `terminate`; their end is in `_completed` and `_failed`."""
        self.status = _RUNNING
        try:
            outcome = callback(*args)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self._failed(exception)
        else:
            if type(outcome) is CoroutineType:
                self.activity = Activity(outcome, self)
                self.activity.begin()
            else:
                self._completed(outcome)
        finally:
            callback = args = None  # type: ignore[assignment]  # as in `turn`

    def _advance(self, activity: Activity) -> None:
        """Run `activity` up to its next wait, or to its end."""
        try:
            activity.advance()
        except StopIteration as end:
            self.activity = None
            self._completed(end.value)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self.activity = None
            self._failed(exception)

    def wake(self, awaited: asyncio.Future[Any] | None) -> None:
        """What the coroutine awaited is there: give it a turn, unless the process was killed meanwhile."""
        if self.activity is None or self.status is not _WAITING or not self.activity.is_waiting_for(awaited):
            return
        self.status = _QUEUED
        self.scheduler.enqueue(self)

    def _completed(self, value: Any) -> None:
        """A callback came to its end."""
        if self._phase is _STARTING:
            self.initialised(value)
        elif self._phase is _TERMINATING and self.pending_exit is not None:
            self._terminated(self.pending_exit)

    def _failed(self, exception: BaseException) -> None:
        """An exception left a callback."""
        pass_interrupt_on(exception)  # it struck this process by chance, and is meant for the program
        if self.status is _DEAD:  # it ended with its loop
            return
        reason = reason_of(exception)
        pending = self.pending_exit
        if self.start is not None and pending is None:
            self.start.refuse(self, StartError(reason), exception)
        elif self._phase is _LIVING:
            self.stop(reason)
        elif pending is not None and not pending.runs_terminate:  # killed in its init or terminate
            self.die(pending.reason)
        else:
            self._note_crash(reason)
            self._terminated(PendingExit(reason, True, None if pending is None else pending.answer))

    # Beginning.

    def boot(self) -> None:
        """Enter the process table and run `init`, up to its first wait."""
        scheduler = self.scheduler
        if scheduler.is_ending:
            self.die(KILLED)
            return
        scheduler.processes[self.ref.id] = self
        if not scheduler.watches_loop:
            scheduler.watch_loop()
        context = contextvars.copy_context()  # it begins with the variables of its starter, as a task does
        context.run(self._boot)
        if len(context) > 1 and self.status is not _DEAD:
            self.context = context

    def _boot(self) -> None:
        RUNNING.set(self)
        self._run(self.process._kernel_init)
        self._settle_down()

    def make_context(self) -> contextvars.Context:
        """Give this process a context for its turns: most are never needed, and take a fifth of an idle process."""
        self.context = context = contextvars.Context()
        context.run(RUNNING.set, self)
        return context

    async def booted(self) -> None:
        """Wait until `init` is through.

        Raises:
            StartError, Ignored: if the process does not live.
        """
        if self.start is not None and self._phase is _STARTING:
            await self.start.settled(self)
        self.raise_refusal()

    def is_starting(self) -> bool:
        """Tell whether `init` has not returned."""
        return self._phase is _STARTING

    def raise_refusal(self) -> None:
        """Tell the starter that the process does not live, if so."""
        if self.start is not None and self.start.refusal is not None:
            raise self.start.refusal

    def initialised(self, value: Any) -> None:
        """Take what `init` returned, or a `restore` after it."""
        if self.start is not None and self.pending_exit is None:  # else it was killed in its init
            self.start.judge(self, value)

    def begin_to_live(self) -> None:
        """Handle messages from now on."""
        self._phase = _LIVING
        self.start = None

    # Ending.

    def stop(self, reason: ExitReason, answer: Callable[[], object] | None = None) -> None:
        """End with `reason` when the callback is over; `terminate` runs, and then `answer` is called."""
        if self.pending_exit is None:
            self.pending_exit = PendingExit(reason, True, answer)

    def is_ending(self) -> bool:
        """Tell whether this process handles no further event after the present one."""
        return self.pending_exit is not None

    def exit_now(self, reason: ExitReason) -> None:
        """Die without `terminate`: at once, or if this process is running, when its callback returns or waits."""
        if self.status is not _RUNNING:
            self.die(reason)
        elif self.pending_exit is None or self.pending_exit.runs_terminate:
            self.pending_exit = PendingExit(reason, False)

    def end_with_loop(self) -> None:
        """Die now, whatever this process does: an interrupt may have left it in the middle of a turn for good."""
        self.die(KILLED)

    def crash(self, reason: ExitReason) -> None:
        """Die as by `exit_now`, and report it as a crash."""
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
        """Describe this crash now, with the state that it left, for the report after the end."""
        self.scheduler.crashed += 1
        report = crash_report(self, reason, Scheduler.case_writers)
        self.crashes = [report] if self.crashes is None else [*self.crashes, report]

    def die(self, reason: ExitReason) -> None:
        """Be dead, and carry out what comes of that."""
        if self.status is not _DEAD:
            self.status = _DEAD
            self._phase = _ENDED
            life.end(self, reason)
