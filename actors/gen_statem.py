"""One process per state machine: what an event means depends on the state (OTP gen_statem).

The data are the attributes of the instance. A callback may be a coroutine. Its events, and what callbacks return, are
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


_HANDLE_EVENT = CallbackMode.HANDLE_EVENT  # a member looked up on its class costs 40 ns


class GenStateMachine(GenServer):
    """A state machine. Subclass it, give `init`, and a method for each state or `handle_event`.

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

    A state is any value; for state functions it is the method's name, or a member of an enum whose value is that name.
    `init` returns `Next(state, ...)`, or `IGNORE` or `Stop(reason)`. A callback returns None, `Keep`, `Repeat`, `Next`
    or `Stop` (`Stop(reason, reply=value)` answers the call that is handled); other calls are answered with `ReplyTo` or
    `reply`, at any time. A `restore` that returns `Next(state, ...)` has the machine begin there.

    The order after a callback is OTP's: replies; `Enter`, if a state is entered; then the events of `NextEvent`, those
    that were postponed, if the state changed, and those that waited; timeouts of no time when no event is left, before
    any new message.

    Class attributes:
        callback_mode: how it is written
        state_enter: whether `Enter` comes whenever a state is entered. What it returns may set timeouts and reply, but
            not postpone, add events or change the state
    """

    callback_mode: ClassVar[CallbackMode] = CallbackMode.STATE_FUNCTIONS
    state_enter: ClassVar[bool] = False

    __slots__ = ("_kernel_due", "_kernel_events", "_kernel_postponed", "_kernel_state", "_kernel_timers")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kernel_state: State = None
        self._kernel_events: list[Event] = []  # the next one last: an empty deque would take ten times the room
        self._kernel_postponed: list[Event] = []
        self._kernel_timers: dict[Hashable, _Timer] = {}
        self._kernel_due: deque[_Timer] | None = None  # those of no time, which come when no event waits

    @property
    def state(self) -> State:
        """The state it is in."""
        return self._kernel_state

    def handle_event(self, event: Event, state: State) -> Any:
        """Handle `event` in `state`, in the mode `HANDLE_EVENT`.

        In the other mode only your state functions call it: a good place for what all states have in
        common (`case _: return self.handle_event(event, self.state)`). By default it crashes the machine.
        """
        phase = Shown(state) if is_phase(type(self), state) else state
        what, where = self._kernel_text(event), self._kernel_text(phase)
        raise NotImplementedError(f"{self} does not know {what} in {where}")

    # The kernel's side.

    def _kernel_accept(self, value: Any) -> None:
        if not isinstance(value, Next):
            raise TypeError(
                f"init of {self} returned {self._kernel_text(value)}: a state machine begins with Next(state, ...)"
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
            event = self._kernel_taken(message)
            if event is None:  # it was in the mailbox already when it was cancelled
                return None
        elif kind is _Begin:
            return _driven(self._kernel_begin(message.first))
        elif kind in FOR_KERNEL:
            return self._kernel.serve(message)
        else:
            event = Info(message)
        return self._kernel_handle_event(event)

    def _kernel_take(self, message: Any) -> Any:
        return self._kernel_handle_event(Info(message))

    def _kernel_handle_event(self, event: Event) -> Coroutine[Any, Any, None] | None:
        if self._kernel_timers:
            self._kernel_interrupt(event)
        result = self._kernel_callback(event)
        if result is None:
            return None
        if self.state_enter or type(result) is CoroutineType:
            return _driven(self._kernel_go_on(event, result))
        transition = self._kernel_begin_transition(event, result)  # most events wait for nothing: without a coroutine
        if transition is not None:
            self._kernel_end_transition(event, transition)
        return _driven(self._kernel_work_off()) if self._kernel_events or self._kernel_due else None

    async def _kernel_begin(self, first: Next) -> None:
        if POSTPONE in first.actions:
            raise TypeError(f"init of {self} returned POSTPONE, and there is no event to postpone")
        timeouts: Timeouts = {}
        following = self._kernel_act(first.actions, timeouts)
        if self.state_enter:
            await self._kernel_enter(first.state, timeouts)
        self._kernel_put_first(following)
        self._kernel_set(timeouts)
        await self._kernel_work_off()

    async def _kernel_go_on(self, event: Event, result: Any) -> None:
        """What comes of an event whose callback has been called."""
        await self._kernel_settle_event(event, result)
        await self._kernel_work_off()

    async def _kernel_work_off(self) -> None:
        """Handle the events that wait, and those that come of them; zero timeouts when no other is left."""
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
        """From here on, the handling of an event needs a task to run in: what follows awaits something."""
        if not self._kernel.has_activity():
            await _HAND_OVER

    def _kernel_put_first(self, events: list[Event]) -> None:
        """Let `events` be the next ones, in their order."""
        self._kernel_events.extend(reversed(events))

    def _kernel_take_due(self) -> Event | None:
        assert self._kernel_due is not None
        timer = self._kernel_due.popleft()
        if not self._kernel_due:
            self._kernel_due = None
        return self._kernel_taken(timer)

    def _kernel_taken(self, timer: _Timer) -> Event | None:
        """The event of a timer whose time is over, or None if it was cancelled meanwhile."""
        if self._kernel_timers.get(timer.key) is timer:
            del self._kernel_timers[timer.key]
            return timer.event
        return None

    async def _kernel_settle_event(self, event: Event, result: Any) -> None:
        """Do what a callback's result says, once it is there (OTP gen_statem: transition_option)."""
        if type(result) is CoroutineType:
            await self._kernel_as_activity()
            result = await result
        transition = self._kernel_begin_transition(event, result)
        if transition is not None:
            if self.state_enter and (transition.is_change or isinstance(result, Repeat)):
                await self._kernel_enter(transition.old, transition.timeouts)
            self._kernel_end_transition(event, transition)

    def _kernel_begin_transition(self, event: Event, result: Any) -> Transition | None:
        """Change the state and send replies, as a callback's result says; None if nothing is left to be done."""
        old = self._kernel_state
        match result:
            case None:
                return None
            case Stop():
                if isinstance(event, Call) and result.reply is not IGNORE:
                    event.resolve(result.reply)  # before `terminate`, other than a server (OTP: stop_and_reply)
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
        following = self._kernel_act(result.actions, timeouts)
        return Transition(old, bool(old != self._kernel_state), result.actions, following, timeouts)

    def _kernel_end_transition(self, event: Event, transition: Transition) -> None:
        """Postpone the event, bring back postponed ones if the state changed, and set the timeouts."""
        if POSTPONE in transition.actions:
            self._kernel_postponed.append(event)
        if transition.is_change:
            self._kernel_cancel(_STATE)
            if self._kernel_postponed:
                self._kernel_put_first(self._kernel_postponed)
                self._kernel_postponed.clear()
        self._kernel_put_first(transition.following)
        self._kernel_set(transition.timeouts)

    async def _kernel_enter(self, old: State, timeouts: Timeouts) -> None:
        """Call the state with `Enter`; its actions count as if they stood behind those that led there."""
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
                    self._kernel_act(result.actions, timeouts)
                case _:
                    raise TypeError(
                        f"{self} returned {self._kernel_text(result)} on entering a state:"
                        " see GenStateMachine.state_enter"
                    )

    def _kernel_may_enter(self, result: Keep | Next) -> bool:
        stays = isinstance(result, Keep) or result.state == self._kernel_state
        return stays and not any(isinstance(action, Postpone | NextEvent) for action in result.actions)

    def _kernel_act(self, actions: tuple[Action, ...], timeouts: Timeouts) -> list[Event]:
        """Send replies, note timeouts (the last one of a kind counts), and return the events to be handled next."""
        following: list[Event] = []
        for action in actions:
            match action:
                case NextEvent(event) if isinstance(event, Event) and not isinstance(event, Enter):
                    following.append(event)
                case ReplyTo(from_, value):
                    from_.resolve(value)
                case EventTimeout(seconds, content):
                    _note(timeouts, _EVENT, seconds, EventTimedOut(content))
                case StateTimeout(seconds, content):
                    _note(timeouts, _STATE, seconds, StateTimedOut(content))
                case Timeout(name, seconds, content):
                    _note(timeouts, (_NAMED, name), seconds, TimedOut(name, content))
                case Postpone():
                    pass
                case _:
                    raise TypeError(f"{self} returned the action {self._kernel_text(action)}")
        return following

    def _kernel_callback(self, event: Event) -> Any:
        state = self._kernel_state
        if self.callback_mode is _HANDLE_EVENT:
            return self.handle_event(event, state)
        name = state._value_ if isinstance(state, enum.Enum) else state  # `value` is a property, and slow
        return getattr(self, name if type(name) is str else str(name))(event)

    def _kernel_set(self, timeouts: Timeouts) -> None:
        for key, (seconds, event) in timeouts.items():
            self._kernel_cancel(key)
            if seconds is None or seconds == math.inf:
                continue
            timer = self._kernel_timers[key] = _Timer(key, event)
            if seconds == 0:  # comes before any message that has not been taken yet
                if self._kernel_due is None:
                    self._kernel_due = deque()
                self._kernel_due.append(timer)
            else:
                scheduler = self.scheduler
                timer.handle = scheduler.loop.call_later(
                    seconds, self._kernel.receive, timer, context=scheduler.outside
                )

    def _kernel_interrupt(self, event: Event) -> None:
        """Cancel the event timeout: something has come."""
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
    """Enters the first state, before any message."""

    __slots__ = ("first",)

    def __init__(self, first: Next) -> None:
        self.first = first


class _Timer:
    """A timeout that is set; the message when its time is over. It counts if the machine still knows it then."""

    __slots__ = ("event", "handle", "key")

    def __init__(self, key: Hashable, event: Event) -> None:
        self.key = key
        self.event = event
        self.handle: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return repr(self.event)

    def cancel(self) -> None:
        """Do not come."""
        if self.handle is not None:
            self.handle.cancel()


def _note(timeouts: Timeouts, key: Hashable, seconds: float | None, event: Event) -> None:
    if seconds is not None and not seconds >= 0:
        raise ValueError(f"a timeout has to be seconds of at least 0 or None, got {seconds!r}")
    timeouts.pop(key, None)
    timeouts[key] = (seconds, event)


class _HandOver:
    """Awaited, it stops a coroutine that `_driven` runs; a process goes on with it."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_HAND_OVER = _HandOver()


def _driven(handling: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Handle an event at once, as most are; return the rest if a callback has to be awaited, for the process to drive.

    An activity for each event would cost more than the event.
    """
    try:
        handling.send(None)
    except StopIteration:
        return None
    return handling
