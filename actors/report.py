"""What is known of a crash, for people: logged, kept for the console, and handed to whoever wants it."""

from __future__ import annotations

import re
import reprlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.exits import ExitReason
from actors.ref import Ref

if TYPE_CHECKING:
    from actors.cell import Cell

KEPT = 50
"""Reports that a scheduler keeps, the last ones."""

HIDDEN = "(hidden)"
"""Stands for a value that looks secret."""

_SECRET = re.compile(
    r"token|secret|passw|passphrase|credential|authori[sz]ation|cookie|session_id|private|api_?key|(^|_)key$", re.I
)
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = 20


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One abnormal end of a process.

    Attributes:
        path: labels from the top of the tree down to the process: who restarts whom
        message: what it was handling
        recent: messages before that, the last one last, if its `history` keeps any
        state: its attributes now, as `format_state` shows them
        state_before: the same before it took `message`, if its `history` keeps any
        restarts: how often it had been started again in its place
        number: counts the crashes of a scheduler from 1
        at: when, by the clock of the loop
        case: a test for pytest that makes such a process crash the same way, as text
    """

    ref: Ref
    label: str
    kind: str
    path: tuple[str, ...]
    reason: ExitReason
    message: str
    recent: tuple[str, ...]
    state: dict[str, str]
    state_before: dict[str, str] | None
    restarts: int
    number: int
    at: float
    case: str


class History:
    """The last messages of one process, and its attributes before the very last (OTP sys: log)."""

    __slots__ = ("messages", "state")

    def __init__(self, size: int) -> None:
        self.messages: deque[Any] = deque(maxlen=size)
        self.state: dict[str, Any] = {}

    def note(self, message: Any, state: dict[str, Any]) -> None:
        """Keep a message that is about to be handled, and the attributes at that time."""
        self.messages.append(message)
        self.state = state


def crash_report(cell: Cell, reason: ExitReason) -> CrashReport:
    """Describe the end of a process that is just about to die."""
    history = cell.history
    return CrashReport(
        ref=cell.ref,
        label=cell.ref.label,
        kind=type(cell.process).__name__,
        path=_path(cell),
        reason=reason,
        message=_SHORT.repr(cell.message),
        recent=() if history is None else tuple(map(_SHORT.repr, list(history.messages)[:-1])),
        state=_shown(cell, cell.process._kernel_attributes()),
        state_before=None if history is None else _shown(cell, history.state),
        restarts=cell.ref.restarts,
        number=cell.scheduler.crashed,
        at=cell.scheduler.loop.time(),
        case=_case(cell, reason),
    )


def is_secret(name: str) -> bool:
    """Tell whether what is called so should not be shown."""
    return _SECRET.search(name) is not None


def shown_state(cell: Cell, state: dict[str, Any]) -> dict[str, Any]:
    """What of the attributes may be seen: as `format_state` has it; what looks secret and was left as it is, is not."""
    shown = cell.process.format_state(dict(state))
    return {
        name: HIDDEN if is_secret(name) and value is state.get(name) else value for name, value in shown.items()
    }


def _shown(cell: Cell, state: dict[str, Any]) -> dict[str, str]:
    """The state as text; the actor decides what of it may be seen."""
    try:
        return {name: _SHORT.repr(value) for name, value in shown_state(cell, state).items()}
    except Exception as exception:  # noqa: BLE001  # a report that fails must not hide the crash it reports
        return {"format_state": f"failed: {exception!r}"}


def _case(cell: Cell, reason: ExitReason) -> str:
    from actors.reproduction import write_case  # it knows all kinds of messages, and their modules know this one

    process, history = cell.process, cell.history
    state = process._kernel_attributes() if history is None else history.state
    try:
        return write_case(type(process), str(reason), cell.message, shown_state(cell, state))
    except Exception as exception:  # noqa: BLE001  # as above
        return f"# not to be written: {exception!r}\n"


def _path(cell: Cell) -> tuple[str, ...]:
    labels = [cell.ref.label]
    parent = cell.parent
    while parent is not None:
        labels.append(parent.label)
        parent = None if parent._cell is None else parent._cell.parent
    return tuple(reversed(labels))
