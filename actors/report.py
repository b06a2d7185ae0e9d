"""What is known of a crash, for people: logged, kept for the console, and handed to whoever wants it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any

from actors.describe import (
    class_name,
    describe,
    describe_exception,
    describe_reason,
    describe_state,
    line,
    outline,
    outline_state,
)
from actors.exits import ExitReason, exception_in
from actors.guard import attempt
from actors.log import get_logger
from actors.ref import Ref
from actors.stacktrace import describe_stacktrace

if TYPE_CHECKING:
    from actors.cell import Cell

KEPT = 50
"""Reports that a scheduler keeps, the last ones."""

LONGEST_STATE = 6_000
"""Characters of all attributes of one process, and of all messages that were recorded."""
MOST_ATTRIBUTES = 1_000
"""Attributes that are looked at."""
LONGEST_PATH = 100
"""Levels of the tree above a process."""

log = get_logger("canopy.actors")


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One abnormal end of a process, as text: it keeps nothing of the process alive.

    Attributes:
        reason: what it ended with, on one line
        error: the class of the exception, if it ended with one
        traceback: where that was raised and what led to it, without the values of variables
        path: labels from the top of the tree down to the process: who restarts whom
        message: what it was handling
        recent: messages before that, the last one last, if its `history` keeps any
        state: its attributes now, as `format_state` shows them
        state_before: the same before it took `message`, if its `history` keeps any
        restarts: how often it had been started again in its place
        number: counts the crashes of a scheduler from 1
        at: when, by the clock of the loop
        case: a test for pytest that makes such a process crash the same way, or a comment that says why there is none
        facts: what `log_crash` writes: no text of messages or state is in it
    """

    ref: Ref
    label: str
    kind: str
    path: tuple[str, ...]
    reason: str
    error: type[BaseException] | None
    traceback: str
    message: str
    recent: tuple[str, ...]
    state: dict[str, str]
    state_before: dict[str, str] | None
    restarts: int
    number: int
    at: float
    case: str
    facts: Mapping[str, Any] = field(repr=False)


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
    """Describe the end of a process. Cannot fail, and takes a few milliseconds at most, whatever its state is."""
    exception = exception_in(reason)
    traceback = "" if exception is None else describe_stacktrace(exception)
    attributes = attempt(_attributes, cell, default={})
    history = cell.history
    state, why = _visible(cell, attributes)
    before, why_before = (state, why) if history is None else _visible(cell, dict(history.state))
    path = attempt(_path, cell, default=(cell.ref.label,))
    text = describe_reason(reason, describe)
    facts = {
        "actor": cell.ref,
        "path": " > ".join(path),
        "reason": describe_reason(reason),
        "message": outline(cell.message),
        "state": attempt(outline_state, state, default=""),
    }
    if traceback:
        facts["exception"] = traceback
    return CrashReport(
        ref=cell.ref,
        label=_label(cell.ref),
        kind=class_name(type(cell.process)),
        path=path,
        reason=text,
        error=None if exception is None else type(exception),
        traceback=traceback,
        message=describe(cell.message),
        recent=() if history is None else attempt(_recent, history, default=()),
        state=_shown(state, why),
        state_before=None if history is None else _shown(before, why_before),
        restarts=cell.ref.restarts,
        number=cell.scheduler.crashed,
        at=cell.scheduler.loop.time(),
        case=_case(cell, text, before),
        facts=facts,
    )


def log_crash(report: CrashReport) -> None:
    """Write a crash to the log."""
    log.error("actor.crashed", **report.facts)


def shown_state(cell: Cell, state: dict[str, Any]) -> dict[str, Any]:
    """What of the attributes may be seen, as `format_state` has it.

    Raises:
        Exception: what `format_state` raises.
    """
    return dict(islice(dict(cell.process.format_state(state)).items(), MOST_ATTRIBUTES))


def _visible(cell: Cell, state: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """As `shown_state`; and if that fails, why."""
    why: list[str] = []
    shown = attempt(shown_state, cell, state, default=None, on_failure=lambda error: why.append(describe(error)))
    return {} if shown is None else shown, " ".join(why)


def _shown(state: dict[str, Any], why: str) -> dict[str, str]:
    """A state as text, or why there is none."""
    if why:
        return {"format_state": f"failed: {why}"}
    shown, _ = describe_state(state, size=LONGEST_STATE, seconds=math.inf, clock=monotonic)
    return shown


def _attributes(cell: Cell) -> dict[str, Any]:
    return dict(islice(dict(cell.process._kernel_attributes()).items(), MOST_ATTRIBUTES))


def _recent(history: History) -> tuple[str, ...]:
    """The recorded messages but the last, as far as there is room for them."""
    shown: deque[str] = deque()
    left = LONGEST_STATE
    for message in islice(reversed(history.messages), 1, None):
        text = describe(message)
        left -= len(text)
        if left < 0:
            break
        shown.appendleft(text)
    return tuple(shown)


def _case(cell: Cell, reason: str, state: dict[str, Any]) -> str:
    if not type(cell.process).is_reproducible:
        return f"# No test repeats this: a {class_name(type(cell.process))} depends on more than its attributes.\n"
    from actors.reproduction import write_case  # it knows all kinds of messages, and their modules know this one

    why: list[str] = []
    case = attempt(
        write_case, type(cell.process), reason, cell.message, state,
        default="", on_failure=lambda error: why.append(describe_exception(error)),
    )  # fmt: skip
    return case or f"# not to be written: {' '.join(why)}\n"


def _path(cell: Cell) -> tuple[str, ...]:
    labels = [_label(cell.ref)]
    parent = cell.parent
    while parent is not None and len(labels) < LONGEST_PATH:
        labels.append(_label(parent))
        parent = None if parent._cell is None else parent._cell.parent
    return tuple(reversed(labels))


def _label(ref: Ref) -> str:
    """The label of a process, which may be any value."""
    label = ref.label
    return line(label, 200) if issubclass(type(label), str) else outline(label)
