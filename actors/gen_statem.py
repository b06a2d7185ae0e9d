"""One process per state machine: the state decides how an event is handled (OTP gen_statem).

The data of a machine are the attributes of the instance. A callback may be a coroutine. Events and callback results are
defined in `events`; import them from here.
"""

from __future__ import annotations

import asyncio
import enum
import math
from collections import deque
from collections.abc import Coroutine, Generator, Hashable
from types import CoroutineType
from typing import Any, ClassVar

from actors.describe import is_phase
from actors.events import (
    POSTPONE,
    Action,
    CallbackMode,
    Enter,
    Event,
    EventTimedOut,
    EventTimeout,
    Info,
    Internal,
    Keep,
    Next,
    NextEvent,
    Postpone,
    Repeat,
    ReplyTo,
    State,
    StateTimedOut,
    StateTimeout,
    TimedOut,
    Timeout,
    Timeouts,
    Transition,
)
from actors.gen_server import Cast, GenServer
from actors.kernel.call import Ask, Call
from actors.kernel.cell import FOR_KERNEL
from actors.kernel.directives import IGNORE, Stop
from actors.kernel.scheduler import MESSAGES_PER_TURN
from actors.shown import Shown

__all__ = [
    "POSTPONE",
    "Action",
    "CallbackMode",
    "Enter",
    "Event",
    "EventTimedOut",
    "EventTimeout",
    "GenStateMachine",
    "Info",
    "Internal",
    "Keep",
    "Next",
    "NextEvent",
    "Repeat",
    "ReplyTo",
    "State",
    "StateTimedOut",
    "StateTimeout",
    "TimedOut",
    "Timeout",
]

_EVENTS = frozenset((Call, Ask, Cast))


_HANDLE_EVENT = CallbackMode.HANDLE_EVENT  # looking up a member on its class costs 40 ns


class GenStateMachine(GenServer):
    """A state machine: subclass it, and define `init` and either a method per state or `handle_event`.

        class Door(GenStateMachine):
            def init(self, code):
                self.code = code
                return Next("locked")

            def locked(self, event):
                match event:
                    case Cast(digits) if digits == self.code:
                        return Next("open", StateTimeout(10.0))
                    case Cast():
                        return None

            def open(self, event):
                match event:
                    case StateTimedOut():
                        return Next("locked")
                    case Cast():
                        return Keep(POSTPONE)

    A state is any value; with state functions it is the method's name, or an enum member whose value is that name.
    `init` returns `Next(state, ...)`, `IGNORE` or `Stop(reason)`. A callback returns None, `Keep`, `Repeat`, `Next` or
    `Stop`; `Stop(reason, reply=value)` replies to the current call. Other calls are answered with `ReplyTo` or `reply`,
    at any time. If `restore` returns `Next(state, ...)`, the machine starts in that state.

    After a callback the order is OTP's: replies; `Enter`, if a state is entered; then the events of `NextEvent`, the
    postponed ones if the state changed, and the pending ones; zero timeouts once no event is left, before any new
    message.

    Class attributes:
        callback_mode: state functions or `handle_event`
        state_enter: whether the machine receives `Enter` each time it enters a state. The result of that callback may
            set timeouts and reply, but not postpone, add events or change the state
    """

    callback_mode: ClassVar[CallbackMode] = CallbackMode.STATE_FUNCTIONS
    state_enter: ClassVar[bool] = False

    __slots__ = ("_kernel_due", "_kernel_events", "_kernel_postponed", "_kernel_state", "_kernel_timers")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kernel_state: State = None
        # An event comes from `_kernel_events` (last first: an empty deque would take ten times the memory), else from
        # `_kernel_due` (zero timeouts), else from the mailbox. A change of state moves the postponed events to
        # `_kernel_events`. A timer is valid only while `_kernel_timers` holds it: cancelling it also voids its event.
        self._kernel_events: list[Event] = []
        self._kernel_postponed: list[Event] = []
        self._kernel_timers: dict[Hashable, _Timer] = {}
        self._kernel_due: deque[_Timer] | None = None

    @property
    def state(self) -> State:
        """The current state."""
        return self._kernel_state

    def handle_event(self, event: Event, state: State) -> Any:
        """Handle `event` in `state`, in the mode `HANDLE_EVENT`. By default it crashes the machine.

        In the other mode only your own state functions call it, to share what all states have in common:
        `case _: return self.handle_event(event, self.state)`.
        """
        phase = Shown(state) if is_phase(type(self), state) else state
        what, where = self._kernel_text(event), self._kernel_text(phase)
        raise NotImplementedError(f"{self} does not handle {what} in {where}")

    # The kernel's side.

    def _kernel_accept(self, value: Any) -> None:
        if not isinstance(value, Next):
            raise TypeError(
                f"init of {self} returned {self._kernel_text(value)}: a state machine starts with Next(state, ...)"
            )
        self._kernel_state = value.state
        self._kernel.mailbox.prepend(_Begin(value))

    def _kernel_attributes(self) -> dict[str, Any]:
        return {"state": self._kernel_state, **super()._kernel_attributes()}

    def _kernel_replace(self, attributes: dict[str, Any]) -> None:
        self._kernel_state = attributes.pop("state", self._kernel_state)
        super()._kernel_replace(attributes)

    def _kernel_died(self) -> None:
        for timer in self._kernel_timers.values():
            timer.cancel()
        self._kernel_timers.clear()

    def _kernel_handle(self, message: Any) -> Any:
        kind = type(message)
        event: Event | None
        if kind in _EVENTS:
            event = message
        elif kind is _Timer:
            event = self._kernel_expire(message)
            if event is None:  # it was cancelled after it had reached the mailbox
                return None
        elif kind is _Begin:
            return _run_until_await(self._kernel_begin(message.first))
        elif kind in FOR_KERNEL:
            return self._kernel.serve(message)
        else:
            event = Info(message)
        return self._kernel_handle_event(event)

    def _kernel_receive(self, message: Any) -> Any:
        return self._kernel_handle_event(Info(message))

    def _kernel_handle_event(self, event: Event) -> Coroutine[Any, Any, None] | None:
        if self._kernel_timers:
            self._kernel_interrupt(event)
        result = self._kernel_callback(event)
        if result is None:
            return None
        if self.state_enter or type(result) is CoroutineType:
            return _run_until_await(self._kernel_finish_event(event, result))
        transition = self._kernel_begin_transition(event, result)  # most events await nothing and need no coroutine
        if transition is not None:
            self._kernel_end_transition(event, transition)
        return _run_until_await(self._kernel_run_pending()) if self._kernel_events or self._kernel_due else None

    async def _kernel_begin(self, first: Next) -> None:
        if POSTPONE in first.actions:
            raise TypeError(f"init of {self} returned POSTPONE without an event to postpone")
        timeouts: Timeouts = {}
        following = self._kernel_perform(first.actions, timeouts)
        if self.state_enter:
            await self._kernel_enter(first.state, timeouts)
        self._kernel_requeue(following)
        self._kernel_set(timeouts)
        await self._kernel_run_pending()

    async def _kernel_finish_event(self, event: Event, result: Any) -> None:
        """Apply the result of a callback, and handle all pending events."""
        await self._kernel_settle_event(event, result)
        await self._kernel_run_pending()

    async def _kernel_run_pending(self) -> None:
        """Handle the pending events and those that they add; zero timeouts once no other event is left."""
        handled = 0
        while (self._kernel_events or self._kernel_due) and not self._kernel.is_ending():
            event = self._kernel_events.pop() if self._kernel_events else self._kernel_take_due()
            if event is None:
                continue
            handled += 1
            if handled % MESSAGES_PER_TURN == 0:
                await self._kernel_as_activity()
                await asyncio.sleep(0)
            self._kernel_interrupt(event)
            await self._kernel_settle_event(event, self._kernel_callback(event))

    async def _kernel_as_activity(self) -> None:
        """Make sure that this coroutine runs as an activity, before it awaits anything."""
        if not self._kernel.has_activity():
            await _HAND_OVER

    def _kernel_requeue(self, events: list[Event]) -> None:
        """Put `events` before the pending ones, in their order."""
        self._kernel_events.extend(reversed(events))

    def _kernel_take_due(self) -> Event | None:
        assert self._kernel_due is not None
        timer = self._kernel_due.popleft()
        if not self._kernel_due:
            self._kernel_due = None
        return self._kernel_expire(timer)

    def _kernel_expire(self, timer: _Timer) -> Event | None:
        """Return the event of a timer that fired, or None if it was cancelled meanwhile."""
        if self._kernel_timers.get(timer.key) is timer:
            del self._kernel_timers[timer.key]
            return timer.event
        return None

    async def _kernel_settle_event(self, event: Event, result: Any) -> None:
        """Await the result of a callback if necessary, and apply it (OTP gen_statem: transition_option)."""
        if type(result) is CoroutineType:
            await self._kernel_as_activity()
            result = await result
        transition = self._kernel_begin_transition(event, result)
        if transition is not None:
            if self.state_enter and (transition.is_change or isinstance(result, Repeat)):
                await self._kernel_enter(transition.old, transition.timeouts)
            self._kernel_end_transition(event, transition)

    def _kernel_begin_transition(self, event: Event, result: Any) -> Transition | None:
        """Change the state and send replies as a callback's result says; return None if nothing else remains."""
        old = self._kernel_state
        match result:
            case None:
                return None
            case Stop():
                if isinstance(event, Call) and result.reply is not IGNORE:
                    event.resolve(result.reply)  # before `terminate`, unlike a server (OTP: stop_and_reply)
                self._kernel.stop(result.reason)
                return None
            case Next():
                self._kernel_state = result.state
            case Keep():
                pass
            case _:
                raise TypeError(
                    f"{self} returned {self._kernel_text(result)}; see GenStateMachine for what a callback may return"
                )
        timeouts: Timeouts = {}
        following = self._kernel_perform(result.actions, timeouts)
        return Transition(old, bool(old != self._kernel_state), result.actions, following, timeouts)

    def _kernel_end_transition(self, event: Event, transition: Transition) -> None:
        """Postpone the event, requeue postponed ones if the state changed, and set the timeouts."""
        if POSTPONE in transition.actions:
            self._kernel_postponed.append(event)
        if transition.is_change:
            self._kernel_cancel(_STATE)
            if self._kernel_postponed:
                self._kernel_requeue(self._kernel_postponed)
                self._kernel_postponed.clear()
        self._kernel_requeue(transition.following)
        self._kernel_set(transition.timeouts)

    async def _kernel_enter(self, old: State, timeouts: Timeouts) -> None:
        """Call the state with `Enter`, and append its actions to those of the transition."""
        result: Any = Repeat()
        while isinstance(result, Repeat):
            result = self._kernel_callback(Enter(old))
            if type(result) is CoroutineType:
                await self._kernel_as_activity()
                result = await result
            match result:
                case None:
                    pass
                case Stop():
                    self._kernel.stop(result.reason)
                case Keep() | Next() if self._kernel_may_enter(result):
                    self._kernel_perform(result.actions, timeouts)
                case _:
                    raise TypeError(
                        f"{self} returned {self._kernel_text(result)} on entering a state:"
                        " see GenStateMachine.state_enter"
                    )

    def _kernel_may_enter(self, result: Keep | Next) -> bool:
        stays = isinstance(result, Keep) or result.state == self._kernel_state
        return stays and not any(isinstance(action, Postpone | NextEvent) for action in result.actions)

    def _kernel_perform(self, actions: tuple[Action, ...], timeouts: Timeouts) -> list[Event]:
        """Send replies, collect timeouts (the last of a kind wins), and return the events to handle next."""
        following: list[Event] = []
        for action in actions:
            match action:
                case NextEvent(event) if isinstance(event, Event) and not isinstance(event, Enter):
                    following.append(event)
                case ReplyTo(from_, value):
                    from_.resolve(value)
                case EventTimeout(seconds, content):
                    _add_timeout(timeouts, _EVENT, seconds, EventTimedOut(content))
                case StateTimeout(seconds, content):
                    _add_timeout(timeouts, _STATE, seconds, StateTimedOut(content))
                case Timeout(name, seconds, content):
                    _add_timeout(timeouts, (_NAMED, name), seconds, TimedOut(name, content))
                case Postpone():
                    pass
                case _:
                    raise TypeError(f"{self} returned an invalid action: {self._kernel_text(action)}")
        return following

    def _kernel_callback(self, event: Event) -> Any:
        state = self._kernel_state
        if self.callback_mode is _HANDLE_EVENT:
            return self.handle_event(event, state)
        name = state._value_ if isinstance(state, enum.Enum) else state  # the property `value` is slow
        return getattr(self, name if type(name) is str else str(name))(event)

    def _kernel_set(self, timeouts: Timeouts) -> None:
        for key, (seconds, event) in timeouts.items():
            self._kernel_cancel(key)
            if seconds is None or seconds == math.inf:
                continue
            timer = self._kernel_timers[key] = _Timer(key, event)
            if seconds == 0:  # expires before any message that is still in the mailbox
                if self._kernel_due is None:
                    self._kernel_due = deque()
                self._kernel_due.append(timer)
            else:
                scheduler = self.scheduler
                timer.handle = scheduler.loop.call_later(
                    seconds, self._kernel.receive, timer, context=scheduler.outside
                )

    def _kernel_interrupt(self, event: Event) -> None:
        """Cancel the event timeout, unless `event` is its expiry."""
        if not isinstance(event, EventTimedOut):
            self._kernel_cancel(_EVENT)

    def _kernel_cancel(self, key: Hashable) -> None:
        timer = self._kernel_timers.pop(key, None)
        if timer is not None:
            timer.cancel()


_EVENT = object()
_STATE = object()
_NAMED = object()


class _Begin:
    """The message that enters the first state, before any other is handled."""

    __slots__ = ("first",)

    def __init__(self, first: Next) -> None:
        self.first = first


class _Timer:
    """A pending timeout, and the message sent when it fires; ignored if the machine no longer knows it by then."""

    __slots__ = ("event", "handle", "key")

    def __init__(self, key: Hashable, event: Event) -> None:
        self.key = key
        self.event = event
        self.handle: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return repr(self.event)

    def cancel(self) -> None:
        """Cancel the timeout."""
        if self.handle is not None:
            self.handle.cancel()


def _add_timeout(timeouts: Timeouts, key: Hashable, seconds: float | None, event: Event) -> None:
    if seconds is not None and not seconds >= 0:
        raise ValueError(f"a timeout must be None or a number of seconds of at least 0, got {seconds!r}")
    timeouts.pop(key, None)
    timeouts[key] = (seconds, event)


class _HandOver:
    """Awaiting it suspends a coroutine run by `_run_until_await`, so that the process resumes it as an activity."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_HAND_OVER = _HandOver()


def _run_until_await(handling: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Run `handling` to its end, or return it suspended, for the process to drive, if it has to await a callback.

    Most events await nothing, and an activity for each would cost more than the event.
    """
    try:
        handling.send(None)
    except StopIteration:
        return None
    return handling
