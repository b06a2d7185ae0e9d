"""The kernel's side of one process: its place on the run queue, its links and monitors, its life and its end.

Everything here happens on the thread of the event loop. A callback that is a coroutine parks the process until what it
awaits is there: it handles no other message meanwhile, but exit signals reach it.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from actors.activity import Activity
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
    is_clean,
    reason_of,
)
from actors.log import get_logger
from actors.mailbox import Mailbox
from actors.ref import NOTHING, Monitor, Ref, StopRequest, Target
from actors.report import History, crash_report, log_crash
from actors.scheduler import Scheduler

if TYPE_CHECKING:
    from actors.call import Call
    from actors.process import Process

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
    ENDING = "terminate runs, or ran"


# A member looked up on its class costs 40 ns, and a turn does it often.
_IDLE, _QUEUED, _RUNNING, _WAITING, _SUSPENDED, _DEAD = Status
_STARTING, _LIVING, _ENDING = _Phase


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


class Cell:
    """What the kernel knows of one process. `process` is the actor, with its callbacks and its state.

    Attributes:
        status: what it does now
        handled: messages it has taken
        message: what it handles, or handled last
        tracer, history: who is told of each message before it is handled, for `debug`
        carried: what `restore` gets after `init`: the checkpoint of the process in whose place this one is
    """

    __slots__ = (
        "_activity",
        "_fate",
        "_idle_timer",
        "_is_on_stack",
        "_is_suspended",
        "_phase",
        "_starter",
        "callers",
        "carried",
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
        "process",
        "ref",
        "refusal",
        "scheduler",
        "status",
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
        self.tracer: Callable[[Any], None] | None = None
        self.history: History | None = None
        self.is_observed = False
        self.carried: Any = NOTHING
        # Made when they are needed: most processes have few. In order, so that a seed replays them.
        self.links: dict[Cell, None] | None = None
        self.monitors: dict[Monitor, Cell] | None = None
        self.monitored_by: dict[Monitor, Cell] | None = None
        self.watchers: list[Watcher] | None = None
        self.callers: dict[Call, None] | None = None
        self.refusal: StartError | Ignored | None = None
        self._starter: asyncio.Future[None] | None = None
        self._phase = _STARTING
        self._is_on_stack = False
        self._is_suspended = False
        self._fate: tuple[ExitReason, bool] | None = None  # the reason to end with, and whether terminate runs
        self._activity: Activity | None = None
        self._idle_timer: asyncio.TimerHandle | None = None

    def __str__(self) -> str:
        return repr(self.ref)

    # Links and monitors.

    def link(self, target: Target) -> None:
        """See `Process.link`."""
        ref = self.scheduler.whereis(target)
        peer = None if ref is None else ref._cell
        if peer is None:
            if not self.trap_exit:
                raise ProcessExit(NOPROC)
            self.receive(Exit(ref, NOPROC))
        elif peer is not self:
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
        if watched is None:
            self.receive(Down(monitor, target, NOPROC))
            return monitor
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
            self.mailbox.discard(lambda message: isinstance(message, Down) and message.monitor is monitor)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """See `system.watch`."""
        if self.watchers is None:
            self.watchers = []
        watchers = self.watchers
        watchers.append(watcher)

        def unwatch() -> None:
            if watcher in watchers:
                watchers.remove(watcher)

        return unwatch

    # Receiving.

    def receive(self, message: Any) -> None:
        """Put `message` into the mailbox and have it handled."""
        status = self.status
        if status is _DEAD:
            _bounce(message)
            return
        mailbox = self.mailbox
        if mailbox.items is None:
            mailbox.append(message)
        else:  # without the call: the busiest line of the kernel
            mailbox.items.append(message)
        if status is _IDLE or (status is _SUSPENDED and self.asks_to_stop(message)):
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def asks_to_stop(self, message: Any) -> bool:
        """Tell whether `message` is for the kernel: an order to stop, or the exit signal of the parent."""
        return type(message) is StopRequest or (
            type(message) is Exit and message.sender is not None and message.sender is self.parent
        )

    def exit_signal(self, sender: Ref | None, reason: ExitReason, is_link: bool) -> None:
        """Take an exit signal: die of it, get it as a message, or ignore it (Erlang processes: receiving exit signals).

        `kill` is special only when it was sent: through a link it is a reason like others.
        """
        if self.status is _DEAD:
            return
        if reason == KILL and not is_link:
            self.doom(KILLED)
        elif self.trap_exit:
            self.receive(Exit(sender, reason))
        elif reason != NORMAL or sender is self.ref:
            self.doom(reason)

    def expect(self, timeout: float, message: Any) -> None:
        """Send the process `message` if none comes within `timeout` seconds (Erlang's `receive ... after`)."""
        self._idle_timer = self.scheduler.loop.call_later(timeout, self._expected, message)
        self.is_observed = True

    def _expected(self, message: Any) -> None:
        if self.status is _IDLE:  # else a message came in time, and only has not had its turn yet
            self.receive(message)

    def suspend(self) -> None:
        """Handle no message from now on but orders to stop, until `resume`; see `debug.suspend`."""
        self._is_suspended = True
        if self.status is _IDLE:
            self.status = _SUSPENDED

    def resume(self) -> None:
        """Handle messages again."""
        self._is_suspended = False
        if self.status is _SUSPENDED:
            self.status = _QUEUED
            self.scheduler.enqueue(self)

    def _is_ordered_to_stop(self) -> bool:
        """Tell whether an order to stop waits, which ends a suspension and is served before all others (OTP sys)."""
        order = next(filter(self.asks_to_stop, self.mailbox.items or ()), None)
        if order is None:
            return False
        self.mailbox.discard(lambda message: message is order)
        self.mailbox.prepend(order)
        self._is_suspended = False
        return True

    # A turn.

    def turn(self, budget: int) -> None:
        """Handle at most `budget` messages."""
        if self.status is _DEAD:
            return
        if self._is_suspended and not self._is_ordered_to_stop():
            self.status = _SUSPENDED
            return
        self.status = _RUNNING
        self._is_on_stack = True
        mailbox = self.mailbox
        if mailbox.items is not None and len(mailbox.items) > mailbox.peak and mailbox.is_high():
            log.warning("actor.mailbox_high", actor=str(self), waiting=len(mailbox))
        if self._activity is not None:
            self._advance(self._activity)
        handle, begin = self.process._kernel_handle, budget
        while budget and mailbox.items and self._fate is None and self._activity is None:
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
                    self._activity = Activity(outcome, self.scheduler.loop, self._wake)
                    self._advance(self._activity)
        self.handled += begin - budget
        self._is_on_stack = False
        self._settle_down()

    def observe(self, *, tracer: Callable[[Any], None] | None = None, history: History | None = None) -> None:
        """Replace who is told of messages."""
        self.tracer = tracer
        self.history = history
        self.is_observed = tracer is not None or history is not None or self._idle_timer is not None

    def _observe(self, message: Any) -> None:
        """Do what is to be done before each message, in the few processes where something is."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
            self.observe(tracer=self.tracer, history=self.history)
        try:
            if self.history is not None:
                self.history.note(message, self.process._kernel_attributes())
            if self.tracer is not None:
                self.tracer(message)
        except Exception:  # the observer's mistake: it is told no more
            log.exception("actor.observer_failed", actor=str(self))
            self.observe()

    def _settle_down(self) -> None:
        """Leave the stack: end, wait, go to the back of the queue or to sleep."""
        if self._fate is not None:
            reason, runs_terminate = self._fate
            if not runs_terminate or self._phase is _STARTING:
                self.die(reason)
            elif self._phase is _LIVING:
                self._terminate(reason)
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
        outer, self.scheduler.running = self.scheduler.running, self
        self._is_on_stack = True
        try:
            outcome = callback(*args)
        except BaseException as exception:  # noqa: BLE001  # as in a turn
            self._failed(exception)
        else:
            if type(outcome) is CoroutineType:
                self._activity = Activity(outcome, self.scheduler.loop, self._wake)
                self._activity.begin()
            else:
                self._completed(outcome)
        finally:
            self.scheduler.running = outer
            self._is_on_stack = False

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

    def _wake(self, awaited: asyncio.Future[Any] | None) -> None:
        """What the coroutine awaited is there: give it a turn, unless the process was killed meanwhile."""
        if self._activity is None or awaited is not self._activity.awaited:
            return
        self.status = _QUEUED
        self.scheduler.enqueue(self)

    def _completed(self, value: Any) -> None:
        """A callback came to its end."""
        if self._phase is _STARTING:
            self._initialised(value)
        elif self._phase is _ENDING and self._fate is not None:
            self.die(self._fate[0])

    def _failed(self, exception: BaseException) -> None:
        """An exception left a callback."""
        if isinstance(exception, KeyboardInterrupt):  # it struck this process by chance, and is meant for the program
            self.scheduler.loop.call_soon(_reraise, exception)
        reason = reason_of(exception)
        if self._phase is _STARTING and self._fate is None:
            self._refuse(StartError(reason), exception)
        elif self._phase is _LIVING:
            self.stop(reason)
        elif self._fate is not None and not self._fate[1]:  # killed in its init or terminate
            self.die(self._fate[0])
        else:
            self._report(reason)
            self.die(reason)

    # Beginning.

    def boot(self) -> None:
        """Enter the process table and run `init`, up to its first wait."""
        self.scheduler.processes[self.ref.id] = self
        self._run(self.process._kernel_init)
        self._settle_down()

    async def booted(self) -> None:
        """Wait until `init` is through.

        Raises:
            StartError, Ignored: if the process does not live.
        """
        if self._phase is _STARTING:
            self._starter = self.scheduler.loop.create_future()
            try:
                await self._starter
            except asyncio.CancelledError:  # nobody would know of it
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
        if self._fate is not None:
            return  # it was killed in its init
        if value is IGNORE:
            self._refuse(Ignored())
        elif isinstance(value, Stop):
            self._refuse(StartError(value.reason))
        else:
            self._accept(value)

    def _accept(self, value: Any) -> None:
        carried, self.carried = self.carried, NOTHING
        try:
            if carried is not NOTHING:
                restored = self._at_once(self.process.restore(carried))
                if restored is not None:
                    self._initialised(restored)
                    return
            self.process._kernel_accept(value)
        except Exception as exception:  # noqa: BLE001  # what it made of its init is wrong, or what it was given
            self._refuse(StartError(reason_of(exception)), exception)
        else:
            self._phase = _LIVING
            self._tell_starter()

    def _refuse(self, refusal: StartError | Ignored, cause: BaseException | None = None) -> None:
        """Die before having lived."""
        refusal.__cause__ = cause
        self.refusal = refusal
        self.die(refusal.reason if isinstance(refusal, StartError) else NORMAL)

    def _tell_starter(self) -> None:
        """Wake who waits for the start, unless it gave up."""
        if self._starter is not None and not self._starter.done():
            self._starter.set_result(None)

    # Ending.

    def stop(self, reason: ExitReason) -> None:
        """End with `reason` when the callback is over; `terminate` runs."""
        if self._fate is None:
            self._fate = (reason, True)

    def is_ending(self) -> bool:
        """Tell whether this process handles no further event after the present one."""
        return self._fate is not None

    def doom(self, reason: ExitReason) -> None:
        """Die without `terminate`: at once, or if this process is running, when its callback returns or waits."""
        if not self._is_on_stack:
            self.die(reason)
        elif self._fate is None or self._fate[1]:
            self._fate = (reason, False)

    def strike(self, reason: ExitReason) -> None:
        """Die as by `doom`, and report it as a crash."""
        if self.status is not _DEAD and self._fate is None:
            self._report(reason)
        self.doom(reason)

    def _terminate(self, reason: ExitReason) -> None:
        if not is_clean(reason):
            self._report(reason)
        self._phase = _ENDING
        self._run(self.process._kernel_finish, reason)

    def _report(self, reason: ExitReason) -> None:
        self.scheduler.crashed += 1
        report = crash_report(self, reason)
        self.scheduler.crashes.append(report)
        log_crash(report)

    def _checkpoint(self, reason: ExitReason) -> None:
        """Keep what the actor wants its successor to have, if this is no orderly end."""
        if is_clean(reason) or self._phase is _STARTING:
            return
        try:
            self.ref.carried = self._at_once(self.process.checkpoint())
        except Exception:
            log.exception("actor.checkpoint_failed", actor=str(self))

    def _at_once(self, value: Any) -> Any:
        """Refuse a callback that would have to be waited for where nobody can wait."""
        if type(value) is CoroutineType:
            value.close()
            raise TypeError(f"checkpoint and restore of {self} may not be coroutines")
        return value

    def die(self, reason: ExitReason) -> None:
        """Be dead at once: free the name, then tell callers, links, monitors and watchers."""
        if self.status is _DEAD:
            return
        self._checkpoint(reason)
        if self._phase is _STARTING:
            self._never_lived(reason)
        self.status = _DEAD
        self._phase = _ENDING
        scheduler = self.scheduler
        if self.name is not None:
            scheduler.names.pop(self.name, None)
        scheduler.processes.pop(self.ref.id, None)
        scheduler.used.pop(self, None)
        scheduler.retired += self.handled
        self.ref._cell = None
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._abandon_activity()
        self.process._kernel_died()
        self.mailbox.items = None
        scheduler.signal(self._announce, reason)

    def _never_lived(self, reason: ExitReason) -> None:
        """Let the starter learn of this end from the start alone, not through the link."""
        if self.refusal is None:
            self.refusal = StartError(reason)
        parent = None if self.parent is None else self.parent._cell
        if parent is not None:
            self.part(parent)
        self._tell_starter()

    def _abandon_activity(self) -> None:
        """Unwind what the process was waiting in."""
        activity, self._activity = self._activity, None
        if activity is None:
            return
        outer, self.scheduler.running = self.scheduler.running, self
        try:
            activity.close()
        except BaseException as exception:  # noqa: BLE001  # the process is dead already
            log.warning("actor.cleanup_failed", actor=str(self), error=repr(exception))
        finally:
            self.scheduler.running = outer

    def _announce(self, reason: ExitReason) -> None:
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
        for watch in tuple(self.watchers or ()):  # one may end its watch, or another's
            try:
                watch(ref, reason)
            except Exception:  # the watcher's mistake; those who are told after it shall hear of the end as well
                log.exception("actor.watcher_failed", actor=str(self), watcher=repr(watch))
        self.links = self.monitored_by = self.monitors = self.watchers = self.callers = None


def _bounce(message: Any) -> None:
    """A message to the dead is dropped; a call is told so."""
    bounce = getattr(message, "bounce", None)
    if bounce is not None:
        bounce()


def _reraise(exception: BaseException) -> NoReturn:
    raise exception
