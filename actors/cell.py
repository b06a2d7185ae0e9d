"""The kernel's side of one process: its place on the run queue, its links and monitors, its life and its end.

Everything here happens on the thread of the event loop. A callback that is a coroutine parks the process until what it
awaits is there: it handles no other message meanwhile, but exit signals reach it.

A life has four phases, each left for good: STARTING (`init` has not returned), LIVING, TERMINATING (`terminate` runs)
and DEAD. Whatever makes a process end first stands in `_pending_exit` if the process is in the middle of a callback,
and is carried out when that returns or waits. The end itself is `_end`: it marks the process dead, lets go of what it
had, notifies everybody, and then reports. Code of users is called behind `attempt` there, so that nothing stops it.
"""

from __future__ import annotations

import asyncio
import contextvars
import enum
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from actors.activity import Activity
from actors.call import PROXY, Call, KernelAsk
from actors.describe import describe_exception
from actors.exits import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    Down,
    Exit,
    ExitReason,
    Ignored,
    ProcessExit,
    StartError,
    Watcher,
    exception_in,
    is_atom,
    is_clean,
    reason_of,
    release_frames,
)
from actors.guard import attempt, pass_interrupt_on
from actors.log import get_logger
from actors.mailbox import Mailbox
from actors.ref import NOTHING, Monitor, Ref, StopRequest, Target
from actors.report import CrashReport, History, crash_report, log_crash
from actors.scheduler import RUNNING, Scheduler

if TYPE_CHECKING:
    from actors.process import Process
    from actors.timers import Timer

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


class _Ignore:
    def __repr__(self) -> str:
        return "IGNORE"


IGNORE: Final = _Ignore()
"""Returned by `init`: do not start, and that is no error."""


class Directive:
    """What a callback may return that is no value but tells the kernel what to do."""

    __slots__ = ()


class Stop(Directive):
    """Returned by a callback: end with `reason`, after `terminate`. From `init` it makes the start fail."""

    __slots__ = ("reason", "reply")

    def __init__(self, reason: ExitReason = NORMAL, reply: Any = IGNORE) -> None:
        self.reason = reason
        self.reply = reply


FOR_KERNEL = frozenset((KernelAsk, StopRequest, Exit, *PROXY))
"""The messages that the kernel serves itself; of exit signals that of the parent alone."""


class _PendingExit:
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


class _IdleTimeout:
    """A message to itself if no other comes within `seconds`."""

    __slots__ = ("message", "seconds", "timer")

    def __init__(self, seconds: float, message: Any) -> None:
        self.seconds = seconds
        self.message = message
        self.timer: asyncio.TimerHandle | None = None


class Cell:
    """What the kernel knows of one process. `process` is the actor, with its callbacks and its state, while it lives.

    Attributes:
        status: what it does now
        context: its context variables; None before its first turn, unless it was started where some were set
        handled: messages it has taken
        message: what it handles, or handled last
        tracer, history: who is told of each message before it is handled, for `debug`
        predecessor: the process in whose place this one is, which may have left a checkpoint
        refusal: why it did not start
    """

    __slots__ = (
        "_activity",
        "_crashes",
        "_idle",
        "_is_suspended",
        "_pending_exit",
        "_phase",
        "_starter",
        "callers",
        "context",
        "handled",
        "history",
        "is_observed",
        "links",
        "mailbox",
        "message",
        "monitored_by",
        "monitors",
        "name",
        "parent",
        "predecessor",
        "process",
        "ref",
        "refusal",
        "scheduler",
        "status",
        "timers",
        "tracer",
        "trap_exit",
        "watchers",
    )

    def __init__(self, process: Process, scheduler: Scheduler, mailbox: Mailbox) -> None:
        self.process = process
        self.scheduler = scheduler
        self.ref = Ref(self, scheduler.next_id(), type(process).__name__)
        self.mailbox = mailbox
        self.parent: Ref | None = None
        self.name: str | None = None
        self.trap_exit = False
        self.status = _WAITING
        self.handled = 0
        self.message: Any = None
        self.context: contextvars.Context | None = None
        self.tracer: Callable[[Any], None] | None = None
        self.history: History | None = None
        self.is_observed = False
        self.predecessor: Ref | None = None
        # Made when they are needed: most processes have few. In order, so that a seed replays them.
        self.links: dict[Cell, None] | None = None
        self.monitors: dict[Monitor, Cell] | None = None
        self.monitored_by: dict[Monitor, Cell] | None = None
        self.watchers: dict[object, Watcher] | None = None
        self.callers: dict[Call, None] | None = None
        self.timers: dict[Timer, None] | None = None
        self.refusal: StartError | Ignored | None = None
        self._crashes: list[CrashReport] | None = None
        self._starter: asyncio.Future[None] | None = None
        self._phase = _STARTING
        self._is_suspended = False
        self._pending_exit: _PendingExit | None = None
        self._activity: Activity | None = None
        self._idle: _IdleTimeout | None = None

    def __str__(self) -> str:
        return repr(self.ref)

    # Links and monitors. A dead process, in its cleanup, can make neither.

    def link(self, target: Target) -> None:
        """See `Process.link`."""
        ref = self.scheduler.whereis(target)
        peer = None if ref is None else ref._cell
        if self.status is _DEAD:
            return
        if peer is None:
            if not self.trap_exit:
                raise ProcessExit(NOPROC)
            self.receive(Exit(ref, NOPROC))
        elif peer is not self:
            self._check_loop(peer)
            self.join(peer)

    def unlink(self, target: Target) -> None:
        """See `Process.unlink`."""
        ref = self.scheduler.whereis(target)
        if ref is not None and ref._cell is not None:
            self.part(ref._cell)

    def join(self, peer: Cell) -> None:
        """Link two living processes."""
        for one, other in ((self, peer), (peer, self)):
            if one.links is None:
                one.links = {}
            one.links[other] = None

    def part(self, peer: Cell) -> None:
        """Unlink two processes."""
        for one, other in ((self, peer), (peer, self)):
            if one.links is not None:
                one.links.pop(other, None)

    def monitor(self, target: Target) -> Monitor:
        """See `Process.monitor`."""
        monitor = Monitor(self.ref, target)
        ref = self.scheduler.whereis(target)
        watched = None if ref is None else ref._cell
        if self.status is _DEAD:
            return monitor
        if watched is None:
            self.receive(Down(monitor, target, NOPROC))
            return monitor
        self._check_loop(watched)
        if watched.monitored_by is None:
            watched.monitored_by = {}
        watched.monitored_by[monitor] = self
        if self.monitors is None:
            self.monitors = {}
        self.monitors[monitor] = watched
        return monitor

    def demonitor(self, monitor: Monitor, flush: bool) -> None:
        """See `Process.demonitor`."""
        watched = self.monitors.pop(monitor, None) if self.monitors else None
        if watched is not None and watched.monitored_by is not None:
            watched.monitored_by.pop(monitor, None)
        elif flush:
            self.mailbox.remove(lambda message: isinstance(message, Down) and message.monitor is monitor)

    def watch(self, token: object, watcher: Watcher) -> None:
        """See `system.watch`; `token` is what ends it."""
        if self.watchers is None:
            self.watchers = {}
        self.watchers[token] = watcher

    def unwatch(self, token: object) -> None:
        """End a watch."""
        if self.watchers is not None:
            self.watchers.pop(token, None)

    def _check_loop(self, peer: Cell) -> None:
        if peer.scheduler is not self.scheduler:
            raise ValueError(
                f"{peer} lives on another event loop: processes of two loops cannot be linked or monitored; use `down`"
            )

    def add_timer(self, timer: Timer) -> None:
        """Have a timer dropped when this process ends: its message is for it."""
        if self.timers is None:
            self.timers = {}
        self.timers[timer] = None

    def remove_timer(self, timer: Timer) -> None:
        """Forget a timer that was sent or cancelled."""
        if self.timers is not None:
            self.timers.pop(timer, None)

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

    def exit_signal(self, sender: Ref | None, reason: ExitReason, is_link: bool) -> None:
        """Take an exit signal: die of it, get it as a message, or ignore it (Erlang processes: receiving exit signals).

        `kill` is special only when it was sent: through a link it is a reason like others.
        """
        if self.status is _DEAD:
            return
        if not is_link and is_atom(reason, KILL):
            self.exit_now(KILLED)
        elif self.trap_exit:
            self.receive(Exit(sender, reason))
        elif sender is self.ref or not is_atom(reason, NORMAL):
            self.exit_now(reason)

    def expect(self, timeout: float, message: Any) -> None:
        """Send the process `message` if none comes within `timeout` seconds (Erlang's `receive ... after`)."""
        self._stop_waiting()
        self._idle = _IdleTimeout(timeout, message)
        self._start_idle_timer(self._idle)
        self.is_observed = True

    def _start_idle_timer(self, idle: _IdleTimeout) -> None:
        if idle.timer is not None:
            idle.timer.cancel()
        scheduler = self.scheduler
        idle.timer = scheduler.loop.call_later(idle.seconds, self._expected, idle, context=scheduler.outside)

    def _expected(self, idle: _IdleTimeout) -> None:
        if self.status is _IDLE:  # else a message came in time, and only has not had its turn yet
            self.receive(idle.message)

    def _stop_waiting(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and idle.timer is not None:
            idle.timer.cancel()

    def suspend(self) -> None:
        """Handle no message from now on but orders to stop, until `resume`; see `debug.suspend`."""
        self._is_suspended = True
        if self.status is _IDLE:
            self.status = _SUSPENDED
        if self._idle is not None and self._idle.timer is not None:
            self._idle.timer.cancel()

    def resume(self) -> None:
        """Handle messages again. A timeout of inactivity runs anew (OTP sys)."""
        self._is_suspended = False
        if self._idle is not None:
            self._start_idle_timer(self._idle)
        if self.status is _SUSPENDED:
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def _is_ordered_to_stop(self) -> bool:
        """Tell whether an order to stop waits, which ends a suspension and is served before all others (OTP sys)."""
        order = next(filter(self._is_order_to_stop, self.mailbox.items or ()), None)
        if order is None:
            return False
        self.mailbox.remove(lambda message: message is order)
        self.mailbox.prepend(order)
        self._is_suspended = False
        return True

    # A turn.

    def is_running(self) -> bool:
        """Tell whether a callback of this process is on the stack."""
        return self.status is _RUNNING

    def has_activity(self) -> bool:
        """Tell whether a coroutine of this process runs or waits as an activity."""
        return self._activity is not None

    def turn(self, budget: int) -> None:
        """Handle at most `budget` messages. Runs in the context of this process."""
        if self.status is _DEAD:
            return
        if self._is_suspended and self._phase is _LIVING and not self._is_ordered_to_stop():
            self.status = _SUSPENDED
            return
        self.status = _RUNNING
        mailbox = self.mailbox
        if mailbox.items is not None and len(mailbox.items) > mailbox.peak and mailbox.is_high():
            log.warning("actor.mailbox_high", actor=str(self), waiting=len(mailbox))
        if self._activity is not None:
            self._advance(self._activity)
            if self.status is _DEAD:
                return
        handle, begin = self.process._kernel_handle, budget
        while budget and mailbox.items and self._pending_exit is None and self._activity is None:
            budget -= 1
            self.message = message = mailbox.items.popleft()
            if self.is_observed:
                self._observe(message)
            try:
                outcome = handle(message)
            except BaseException as exception:  # noqa: BLE001  # the kernel's turn: it ends this process alone
                self._failed(exception)
            else:
                if outcome is not None:
                    self._activity = activity = Activity(outcome, self)
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

    def observe(self, *, tracer: Callable[[Any], None] | None = None, history: History | None = None) -> None:
        """Replace who is told of messages."""
        self.tracer = tracer
        self.history = history
        self.is_observed = tracer is not None or history is not None or self._idle is not None

    def _observe(self, message: Any) -> None:
        """Do what is to be done before each message, in the few processes where something is."""
        if self._idle is not None:
            self._stop_waiting()
            self.observe(tracer=self.tracer, history=self.history)
        attempt(self._tell_observers, message, default=None, on_failure=self._observer_failed)

    def _tell_observers(self, message: Any) -> None:
        if self.history is not None:
            self.history.note(message, self.process._kernel_attributes())
        if self.tracer is not None:
            self.tracer(message)

    def _observer_failed(self, exception: BaseException) -> None:
        log.error("actor.observer_failed", actor=str(self), error=describe_exception(exception))
        self.observe()

    def _settle_down(self) -> None:
        """Leave the stack: end, wait, go to the back of the queue or to sleep."""
        pending = self._pending_exit
        if pending is not None:
            if not pending.runs_terminate or self._phase is _STARTING:
                self._end(pending.reason)
            elif self._phase is _LIVING:
                self._terminate(pending)
                pending = self._pending_exit
                if pending is not None and not pending.runs_terminate:  # it was killed meanwhile
                    self._end(pending.reason)
        if self.status is _DEAD:
            return
        if self._activity is not None:
            self.status = _WAITING
        elif self.mailbox.items:
            self.status = _QUEUED
            self.scheduler.enqueue(self)
        else:
            self.status = _SUSPENDED if self._is_suspended else _IDLE
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
                self._activity = Activity(outcome, self)
                self._activity.begin()
            else:
                self._completed(outcome)
        finally:
            callback = args = None  # type: ignore[assignment]  # as in `turn`

    def _advance(self, activity: Activity) -> None:
        """Run `activity` up to its next wait, or to its end."""
        try:
            activity.advance()
        except StopIteration as end:
            self._activity = None
            self._completed(end.value)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self._activity = None
            self._failed(exception)

    def wake(self, awaited: asyncio.Future[Any] | None) -> None:
        """What the coroutine awaited is there: give it a turn, unless the process was killed meanwhile."""
        if self._activity is None or self.status is not _WAITING or not self._activity.is_waiting_for(awaited):
            return
        self.status = _QUEUED
        self.scheduler.enqueue(self)

    def _completed(self, value: Any) -> None:
        """A callback came to its end."""
        if self._phase is _STARTING:
            self._initialised(value)
        elif self._phase is _TERMINATING and self._pending_exit is not None:
            self._terminated(self._pending_exit)

    def _failed(self, exception: BaseException) -> None:
        """An exception left a callback."""
        pass_interrupt_on(exception)  # it struck this process by chance, and is meant for the program
        if self.status is _DEAD:  # it ended with its loop
            return
        reason = reason_of(exception)
        pending = self._pending_exit
        if self._phase is _STARTING and pending is None:
            self._refuse(StartError(reason), exception)
        elif self._phase is _LIVING:
            self.stop(reason)
        elif pending is not None and not pending.runs_terminate:  # killed in its init or terminate
            self._end(pending.reason)
        else:
            self._note_crash(reason)
            self._terminated(_PendingExit(reason, True, None if pending is None else pending.answer))

    # Beginning.

    def boot(self) -> None:
        """Enter the process table and run `init`, up to its first wait."""
        scheduler = self.scheduler
        if scheduler.is_ending:
            self._refuse(StartError(KILLED))
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
        if self._phase is _STARTING:
            self._starter = self.scheduler.loop.create_future()
            starter = self.scheduler.running
            try:
                await self._starter
            except asyncio.CancelledError:
                if starter is None or starter.status is not _DEAD:  # else the link, if there is one, has told it
                    self.scheduler.signal(self.exit_signal, None, KILL, False)
                raise
        self.raise_refusal()

    def is_starting(self) -> bool:
        """Tell whether `init` has not returned."""
        return self._phase is _STARTING

    def raise_refusal(self) -> None:
        """Tell the starter that the process does not live, if so."""
        if self.refusal is not None:
            raise self.refusal

    def _initialised(self, value: Any) -> None:
        if self._pending_exit is not None:
            return  # it was killed in its init
        if value is IGNORE:
            self._refuse(Ignored())
        elif isinstance(value, Stop):
            self._refuse(StartError(value.reason))
        else:
            self._accept(value)

    def _accept(self, value: Any) -> None:
        try:
            restored = self._restore()
            if restored is None:
                self.process._kernel_accept(value)
        except BaseException as exception:  # noqa: BLE001  # what it made of its init is wrong, or what it was given
            pass_interrupt_on(exception)
            self._refuse(StartError(reason_of(exception)), exception)
            return
        if restored is not None:
            self._initialised(restored)
        elif self._pending_exit is None:
            self._phase = _LIVING
            self._tell_starter()

    def _restore(self) -> Any:
        """Hand over the checkpoint of the predecessor. Whatever comes of that, it is handed over once."""
        predecessor, self.predecessor = self.predecessor, None
        if predecessor is None or predecessor.carried is NOTHING:
            return None
        carried, predecessor.carried = predecessor.carried, NOTHING
        return self._at_once(self.process.restore(carried))

    def _refuse(self, refusal: StartError | Ignored, cause: BaseException | None = None) -> None:
        """Die before having lived."""
        refusal.__cause__ = cause
        attempt(release_frames, cause, default=None)
        self.refusal = refusal
        self._end(refusal.reason if isinstance(refusal, StartError) else NORMAL)

    def _tell_starter(self) -> None:
        """Wake who waits for the start, unless it gave up."""
        if self._starter is not None and not self._starter.done():
            self._starter.set_result(None)

    # Ending.

    def stop(self, reason: ExitReason, answer: Callable[[], object] | None = None) -> None:
        """End with `reason` when the callback is over; `terminate` runs, and then `answer` is called."""
        if self._pending_exit is None:
            self._pending_exit = _PendingExit(reason, True, answer)

    def is_ending(self) -> bool:
        """Tell whether this process handles no further event after the present one."""
        return self._pending_exit is not None

    def exit_now(self, reason: ExitReason) -> None:
        """Die without `terminate`: at once, or if this process is running, when its callback returns or waits."""
        if self.status is not _RUNNING:
            self._end(reason)
        elif self._pending_exit is None or self._pending_exit.runs_terminate:
            self._pending_exit = _PendingExit(reason, False)

    def end_with_loop(self) -> None:
        """Die now, whatever this process does: an interrupt may have left it in the middle of a turn for good."""
        self._end(KILLED)

    def crash(self, reason: ExitReason) -> None:
        """Die as by `exit_now`, and report it as a crash."""
        if self.status is not _DEAD and self._pending_exit is None:
            self._note_crash(reason)
        self.exit_now(reason)

    def _terminate(self, pending: _PendingExit) -> None:
        if not is_clean(pending.reason):
            self._note_crash(pending.reason)
        self._phase = _TERMINATING
        self._run(self.process._kernel_finish, pending.reason)

    def _terminated(self, pending: _PendingExit) -> None:
        if pending.answer is not None:
            attempt(pending.answer, default=None)
        self._end(pending.reason)

    def _note_crash(self, reason: ExitReason) -> None:
        """Describe this crash now, with the state that it left, for the report after the end."""
        self.scheduler.crashed += 1
        report = crash_report(self, reason)
        self._crashes = [report] if self._crashes is None else [*self._crashes, report]

    def _end(self, reason: ExitReason) -> None:
        """Be dead: free the name, let go of everything, notify callers, links, monitors and watchers, then report.

        Nothing that this calls can keep it from coming to its end.
        """
        if self.status is _DEAD:
            return
        has_lived = self._phase is not _STARTING
        self.status = _DEAD
        self._phase = _ENDED
        scheduler = self.scheduler
        if self.name is not None:
            scheduler.names.pop(self.name, None)
        scheduler.processes.pop(self.ref.id, None)
        scheduler.used.pop(self, None)
        scheduler.retired += self.handled
        self.ref._cell = None
        if not has_lived:
            self._never_lived(reason)
        elif self.parent is not None and not is_clean(reason):
            self._call_guarded(self._take_checkpoint, "actor.checkpoint_failed")
        if self._idle is not None:
            self._stop_waiting()
        for timer in tuple(self.timers or ()):
            timer.drop()
        if self._activity is not None:
            self._call_guarded(self._activity.unwind, "actor.cleanup_failed")
            self._activity = None
        self.process._kernel_died()
        attempt(release_frames, exception_in(reason), default=None)
        self.mailbox.items = self.message = self.history = self.tracer = self.timers = self._pending_exit = None
        scheduler.signal(self._notify, reason)

    def _call_guarded(self, function: Callable[[], object], failure: str) -> None:
        """Call code of the process in its own context, after its end. What it raises is logged as `failure`."""

        def failed(exception: BaseException) -> None:
            log.error(failure, actor=str(self), error=describe_exception(exception))
            release_frames(exception)

        def run() -> None:
            attempt(function, default=None, on_failure=failed)

        if self.scheduler.running is self:
            run()
            return
        context = self.make_context() if self.context is None else self.context
        try:
            context.run(run)
        except RuntimeError:  # it is entered already: what ends this process was called by a task in its very context
            context.copy().run(run)

    def _take_checkpoint(self) -> None:
        """Keep what the actor wants its successor to have."""
        self.ref.carried = self._at_once(self.process.checkpoint())

    def _at_once(self, value: Any) -> Any:
        """Refuse a callback that would have to be waited for where it cannot be."""
        if type(value) is CoroutineType:
            value.close()
            raise TypeError(f"checkpoint and restore of {self} may not be coroutines")
        return value

    def _never_lived(self, reason: ExitReason) -> None:
        """Let the starter learn of this end from the start alone, not through the link."""
        if self.refusal is None:
            self.refusal = StartError(reason)
        parent = None if self.parent is None else self.parent._cell
        if parent is not None:
            self.part(parent)
        self._tell_starter()

    def _notify(self, reason: ExitReason) -> None:
        """Tell everybody of the end, then report it."""
        signal, ref = self.scheduler.signal, self.ref
        for call in self.callers or ():
            call.reject(reason)
        for peer in self.links or ():
            if peer.links is not None:
                peer.links.pop(self, None)
            signal(peer.exit_signal, ref, reason, True)
        for monitor, watcher in (self.monitored_by or {}).items():
            if watcher.monitors is not None:
                watcher.monitors.pop(monitor, None)
            watcher.receive(Down(monitor, monitor.target, reason))
        for monitor, watched in (self.monitors or {}).items():
            if watched.monitored_by is not None:
                watched.monitored_by.pop(monitor, None)
        while self.watchers:  # one may end its watch, or another's
            watch = self.watchers.pop(next(iter(self.watchers)))
            attempt(watch, ref, reason, default=None, on_failure=self._watcher_failed)
        for report in self._crashes or ():
            self.scheduler.crashes.append(report)
            log_crash(report)
        self.links = self.monitored_by = self.monitors = self.watchers = self.callers = self._crashes = None
        # Both hold this cell: without this, all three would wait for the cycle collector.
        del self.process
        self.context = None

    def _watcher_failed(self, exception: BaseException) -> None:
        log.error("actor.watcher_failed", actor=str(self), error=describe_exception(exception))
