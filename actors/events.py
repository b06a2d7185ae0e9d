"""Pure. The words of a state machine: its events, and what its callbacks return (OTP gen_statem)."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeAlias

from actors.gen_server import Cast
from actors.kernel.call import Call

State: TypeAlias = Any


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


class Postpone:
    """The class of `POSTPONE`."""

    def __repr__(self) -> str:
        return "POSTPONE"


POSTPONE = Postpone()
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
    """Get `EventTimedOut(content)` if no event comes within `seconds`; any event cancels it. None: cancel.

    Of several timeouts of a kind and name among the actions of one callback, the last counts.
    """

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


Action: TypeAlias = Postpone | NextEvent | ReplyTo | EventTimeout | StateTimeout | Timeout


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


Timeouts: TypeAlias = dict[Hashable, tuple[float | None, Event]]
"""Timeouts to be set when all actions are known."""


class Transition:
    """What is left to be done of a callback's result when replies are sent and the state is the new one."""

    __slots__ = ("actions", "following", "is_change", "old", "timeouts")

    def __init__(
        self, old: State, is_change: bool, actions: tuple[Action, ...], following: list[Event], timeouts: Timeouts
    ) -> None:
        self.old = old
        self.is_change = is_change
        self.actions = actions
        self.following = following
        self.timeouts = timeouts


class CallbackMode(enum.Enum):
    """How a machine is written."""

    STATE_FUNCTIONS = "state_functions"
    """A method for each state, with the name of the state: `def locked(self, event)`."""
    HANDLE_EVENT = "handle_event_function"
    """One method for all: `def handle_event(self, event, state)`."""
