"""Pure. The vocabulary of a state machine: events, actions and callback results (OTP gen_statem)."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeAlias

from actors.gen_server import Cast
from actors.kernel.call import Call

State: TypeAlias = Any


# Events. A call is a `Call`, a cast a `Cast`; both match as `Call(request)` and `Cast(request)`.


@dataclass(slots=True)  # not frozen: one is built for every message, and freezing takes four times as long
class Info:
    """Any other message: a plain one, `Down`, `Exit`, one from a timer."""

    message: Any


@dataclass(frozen=True, slots=True)
class Internal:
    """An event that the machine sent to itself with `NextEvent`."""

    content: Any


@dataclass(frozen=True, slots=True)
class Enter:
    """The state was just entered from `old_state`: the same state at the start and after a `Repeat`."""

    old_state: State


@dataclass(frozen=True, slots=True)
class EventTimedOut:
    """An `EventTimeout` expired: no event arrived in time."""

    content: Any


@dataclass(frozen=True, slots=True)
class StateTimedOut:
    """A `StateTimeout` expired: the state did not change in time."""

    content: Any


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The `Timeout` called `name` expired."""

    name: Hashable
    content: Any


Event: TypeAlias = Call | Cast | Info | Internal | Enter | EventTimedOut | StateTimedOut | TimedOut


# Actions.


class Postpone:
    """The class of `POSTPONE`."""

    def __repr__(self) -> str:
        return "POSTPONE"


POSTPONE = Postpone()
"""Handle this event again after the next change of state."""


@dataclass(frozen=True, slots=True)
class NextEvent:
    """Handle `event` next, before all pending events. Several keep their order."""

    event: Event


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Reply to a call, possibly one from an earlier event."""

    from_: Call
    value: Any


@dataclass(frozen=True, slots=True)
class EventTimeout:
    """Receive `EventTimedOut(content)` if no event arrives within `seconds`; any event cancels it. None cancels it.

    If the actions of one callback hold several timeouts of the same kind and name, the last one wins.
    """

    seconds: float | None
    content: Any = None


@dataclass(frozen=True, slots=True)
class StateTimeout:
    """Receive `StateTimedOut(content)` if the state does not change for `seconds`; None cancels it."""

    seconds: float | None
    content: Any = None


@dataclass(frozen=True, slots=True)
class Timeout:
    """Receive `TimedOut(name, content)` after `seconds`, whatever happens until then; None cancels it."""

    name: Hashable
    seconds: float | None
    content: Any = None


Action: TypeAlias = Postpone | NextEvent | ReplyTo | EventTimeout | StateTimeout | Timeout


# Results.


class Keep:
    """Stay in the state (OTP's `keep_state`), as does a callback that returns None."""

    __slots__ = ("actions",)

    def __init__(self, *actions: Action) -> None:
        self.actions = actions


class Repeat(Keep):
    """Stay in the state and receive `Enter` again (OTP's `repeat_state`). Postponed events stay postponed."""

    __slots__ = ()


class Next:
    """Change to `state`, or start in it. The same state is not a change (OTP's `next_state`)."""

    __slots__ = ("actions", "state")

    def __init__(self, state: State, *actions: Action) -> None:
        self.state = state
        self.actions = actions


Timeouts: TypeAlias = dict[Hashable, tuple[float | None, Event]]
"""Timeouts to set once all actions are known: seconds and event, by kind and name."""


class Transition:
    """A transition that is half done: replies are sent and the state is set; events and timeouts remain."""

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
    """How the class of a machine handles events."""

    STATE_FUNCTIONS = "state_functions"
    """One method per state, named after it: `def locked(self, event)`."""
    HANDLE_EVENT = "handle_event_function"
    """One method for all states: `def handle_event(self, event, state)`."""
