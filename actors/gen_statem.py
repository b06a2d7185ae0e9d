"""One process per state machine: what an event means depends on the state (OTP gen_statem).

The data are the attributes of the instance. A callback may be a coroutine.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Generator, Hashable
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, ClassVar, TypeAlias

from actors.call import PROXY, Call, KernelCall
from actors.cell import IGNORE, Stop
from actors.gen_server import Cast, GenServer

State: TypeAlias = Hashable


# Events. A call is a `Call`, a cast a `Cast`; both match as `Call(request)` and `Cast(request)`.


@dataclass(slots=True)  # not frozen: one is built for every message, and that takes four times as long
class Info:
    """Any other message: a plain one, `Down`, `Exit`, a timer's."""

    message: Any


@dataclass(frozen=True, slots=True)
class Internal:
    """An event the machine sent to itself with `NextEvent`."""

    content: Any


@dataclass(frozen=True, slots=True)
class Enter:
    """The state has just been entered from `old_state`, which is the state itself in the beginning and on `REPEAT`."""

    old_state: State


@dataclass(frozen=True, slots=True)
class EventTimedOut:
    """No event came in the time of an `EventTimeout`."""

    content: Any


@dataclass(frozen=True, slots=True)
class StateTimedOut:
    """The state did not change in the time of a `StateTimeout`."""

    content: Any


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time of the `Timeout` called `name` is over."""

    name: Hashable
    content: Any


Event: TypeAlias = Call | Cast | Info | Internal | Enter | EventTimedOut | StateTimedOut | TimedOut


# Actions.


class _Postpone:
    def __repr__(self) -> str:
        return "POSTPONE"


POSTPONE = _Postpone()
"""Handle this event again when the state has changed."""


@dataclass(frozen=True, slots=True)
class NextEvent:
    """Handle `event` next, before any that waits. Several keep their order."""

    event: Event


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Answer a call, perhaps one of an earlier event."""

    from_: Call
    value: Any


@dataclass(frozen=True, slots=True)
class EventTimeout:
    """Get `EventTimedOut(content)` if no event comes within `seconds`; any event cancels it. None: cancel."""

    seconds: float | None
    content: Any = None


@dataclass(frozen=True, slots=True)
class StateTimeout:
    """Get `StateTimedOut(content)` if the state is the same for `seconds`; a change cancels it. None: cancel."""

    seconds: float | None
    content: Any = None


@dataclass(frozen=True, slots=True)
class Timeout:
    """Get `TimedOut(name, content)` in `seconds`, whatever happens until then. None: cancel."""

    name: Hashable
    seconds: float | None
    content: Any = None


Action: TypeAlias = _Postpone | NextEvent | ReplyTo | EventTimeout | StateTimeout | Timeout


# Results.


class Keep:
    """Stay in the state (OTP's `keep_state`). A callback that returns None does that too."""

    __slots__ = ("actions",)

    def __init__(self, *actions: Action) -> None:
        self.actions = actions


class Repeat(Keep):
    """Stay in the state, but have `Enter` come again (OTP's `repeat_state`). Postponed events stay postponed."""

    __slots__ = ()


class Next:
    """Go to `state`, or begin with it. The same state is no change (OTP's `next_state`)."""

    __slots__ = ("actions", "state")

    def __init__(self, state: State, *actions: Action) -> None:
        self.state = state
        self.actions = actions


class CallbackMode(enum.Enum):
    """How a machine is written."""

    STATE_FUNCTIONS = "state_functions"
    """A method for each state, with the name of the state: `def locked(self, event)`."""
    HANDLE_EVENT = "handle_event_function"
    """One method for all: `def handle_event(self, event, state)`."""


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

    A state is any hashable value; for state functions it is the method's name, or a member of an enum whose value is
    that name. `init` returns `Next(state, ...)`, or `IGNORE` or `Stop(reason)`. A callback returns None, `Keep`,
    `Repeat`, `Next` or `Stop`; a call that the machine answers later is answered with `ReplyTo` or `reply`.

    Class attributes:
        callback_mode: how it is written
        state_enter: whether `Enter` comes whenever a state is entered. There it may not postpone, nor change the state
    """

    callback_mode: ClassVar[CallbackMode] = CallbackMode.STATE_FUNCTIONS
    state_enter: ClassVar[bool] = False

    __slots__ = ("_kernel_events", "_kernel_postponed", "_kernel_state", "_kernel_timers")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kernel_state: State = None
        self._kernel_events: list[Event] = []  # seldom more than one: an empty deque would take ten times the room
        self._kernel_postponed: list[Event] = []
        self._kernel_timers: dict[Hashable, asyncio.TimerHandle] = {}

    @property
    def state(self) -> State:
        """The state it is in."""
        return self._kernel_state

    def handle_event(self, event: Event, state: State) -> Any:
        """Handle `event` in `state`, in the mode `HANDLE_EVENT`."""
        raise NotImplementedError(f"{self} does not know {event!r} in {state!r}")

    # The kernel's side.

    def _kernel_accept(self, value: Any) -> None:
        if not isinstance(value, Next):
            raise TypeError(f"init of {self} returned {value!r}: a state machine begins with Next(state, ...)")
        self._kernel.mailbox.prepend(_Begin(value))

    def _kernel_handle(self, message: Any) -> Any:
        if isinstance(message, (KernelCall, *PROXY)) or self._kernel.asks_to_stop(message):
            return super()._kernel_handle(message)
        if type(message) is _Begin:
            steps = self._kernel_begin(message.first)
        elif self._kernel_timers or type(message) is Call:
            steps = self._kernel_take(message)
        else:  # the common case, without a detour: a message that leaves everything as it is
            event = message if type(message) is Cast else Info(message)
            result = self._kernel_callback(event)
            if result is None:
                return None
            steps = self._kernel_go_on(event, result)
        try:
            pending = next(steps)
        except StopIteration:
            return None
        return _finish_later(steps, pending)

    def _kernel_take(self, message: Any) -> Steps:
        """Handle a message, and every event that comes of it."""
        if isinstance(message, _Elapsed):
            if self._kernel_timers.get(message.key) is not message.handle:
                return  # cancelled when it was in the mailbox already
            del self._kernel_timers[message.key]
            self._kernel_events.append(message.event)
        elif isinstance(message, Call | Cast):
            self._kernel_events.append(message)
        else:
            self._kernel_events.append(Info(message))
        yield from self._kernel_work_off()

    def _kernel_go_on(self, event: Event, result: Any) -> Steps:
        """What comes of an event whose callback has been called."""
        yield from self._kernel_settle_event(event, result)
        yield from self._kernel_work_off()

    def _kernel_begin(self, first: Next) -> Steps:
        self._kernel_state = first.state
        self._kernel_act(first.actions, None)
        if self.state_enter:
            yield from self._kernel_enter(first.state)
        yield from self._kernel_work_off()

    def _kernel_work_off(self) -> Steps:
        while self._kernel_events and not self._kernel.is_ending():
            event = self._kernel_events.pop(0)
            if not isinstance(event, EventTimedOut):
                self._kernel_cancel(_EVENT)
            yield from self._kernel_settle_event(event, self._kernel_callback(event))

    def _kernel_settle_event(self, event: Event, result: Any) -> Steps:
        """Do what a callback's result says, once it is there (OTP gen_statem: transition actions)."""
        if type(result) is CoroutineType:
            result = yield result
        match result:
            case None:
                return
            case Stop():
                if isinstance(event, Call) and result.reply is not IGNORE:
                    event.resolve(result.reply)
                self._kernel.stop(result.reason)
                return
            case Next():
                old, self._kernel_state = self._kernel_state, result.state
            case Keep():
                old = self.state
            case _:
                raise TypeError(f"{self} returned {result!r}; see GenStateMachine for what a callback may return")
        if POSTPONE in result.actions:
            self._kernel_postponed.append(event)
        if old != self.state:
            self._kernel_cancel(_STATE)
            self._kernel_events[:0] = self._kernel_postponed
            self._kernel_postponed.clear()
        self._kernel_act(result.actions, event)
        if self.state_enter and (old != self.state or isinstance(result, Repeat)):
            yield from self._kernel_enter(old)

    def _kernel_enter(self, old: State) -> Steps:
        result = self._kernel_callback(Enter(old))
        if type(result) is CoroutineType:
            result = yield result
        match result:
            case None:
                pass
            case Stop():
                self._kernel.stop(result.reason)
            case Keep(actions=actions) if not any(isinstance(action, _Postpone | NextEvent) for action in actions):
                self._kernel_act(actions, None)
            case _:
                raise TypeError(f"{self} returned {result!r} on entering a state: only Keep with replies and timeouts")

    def _kernel_act(self, actions: tuple[Action, ...], event: Event | None) -> None:
        following: list[Event] = []
        idle: EventTimeout | None = None
        for action in actions:
            match action:
                case NextEvent(next_event):
                    following.append(next_event)
                case ReplyTo(from_, value):
                    from_.resolve(value)
                case EventTimeout():
                    idle = action
                case StateTimeout(seconds, content):
                    self._kernel_set(_STATE, seconds, StateTimedOut(content))
                case Timeout(name, seconds, content):
                    self._kernel_set((_NAMED, name), seconds, TimedOut(name, content))
                case _Postpone() if event is not None:
                    pass
                case _:
                    raise TypeError(f"{self} returned the action {action!r}")
        self._kernel_events[:0] = following
        if idle is not None and not self._kernel_events:  # an event that waits would cancel it
            self._kernel_set(_EVENT, idle.seconds, EventTimedOut(idle.content))

    def _kernel_callback(self, event: Event) -> Any:
        if self.callback_mode is CallbackMode.HANDLE_EVENT:
            return self.handle_event(event, self.state)
        name = self.state.value if isinstance(self.state, enum.Enum) else self.state
        return getattr(self, str(name))(event)

    def _kernel_set(self, key: Hashable, seconds: float | None, event: Event) -> None:
        self._kernel_cancel(key)
        if seconds is None:
            return
        if seconds == 0:  # before any message that has not been taken yet
            self._kernel_events.append(event)
            return
        elapsed = _Elapsed(key, event)
        loop, receive = self.scheduler.loop, self._kernel.receive
        elapsed.handle = self._kernel_timers[key] = loop.call_later(seconds, receive, elapsed)

    def _kernel_cancel(self, key: Hashable) -> None:
        timer = self._kernel_timers.pop(key, None)
        if timer is not None:
            timer.cancel()


Steps: TypeAlias = Generator[Any, Any, None]
"""The handling of an event: yields the coroutines it has to wait for, and is sent what they return."""

_EVENT = object()
_STATE = object()
_NAMED = object()


class _Begin:
    """Enters the first state, before any message."""

    __slots__ = ("first",)

    def __init__(self, first: Next) -> None:
        self.first = first


class _Elapsed:
    """The time of a timer is over."""

    __slots__ = ("event", "handle", "key")

    def __init__(self, key: Hashable, event: Event) -> None:
        self.key = key
        self.event = event
        self.handle: asyncio.TimerHandle | None = None


async def _finish_later(steps: Steps, pending: Any) -> None:
    while True:
        value = await pending
        try:
            pending = steps.send(value)
        except StopIteration:
            return
