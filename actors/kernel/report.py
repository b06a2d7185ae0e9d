"""Inspections of processes and crash reports, as text: logged, kept for the console, and available through `debug`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeAlias

from actors.anatomy import class_name
from actors.describe import examine, examine_state, name_of
from actors.description import Description, Leaf
from actors.exits import ExitReason
from actors.failures import examine_reason, exception_in
from actors.guard import attempt
from actors.identity import Pid
from actors.log import get_logger
from actors.stacktrace import Stacktrace, examine_stacktrace

KEPT = 50
"""Number of crash reports that a scheduler keeps; the oldest is dropped first."""

LONGEST_STATE = 6_000
"""Maximum size in characters of all attributes of one process, and of all its recorded messages."""
MOST_ATTRIBUTES = 1_000
"""Maximum number of attributes that are inspected."""
LONGEST_PATH = 100
"""Maximum length of the path from the top of the tree down to a process."""

log = get_logger("canopy.actors")


@dataclass(frozen=True, slots=True)
class Inspection:
    """The values of a process that are to be shown; see `Process.format_status`.

    Attributes:
        state: its attributes by name
        message: the current message, or the reply to one; None if there is none
        reason: its exit reason; None if it is alive
        recent: the messages before that, oldest first, if they are recorded
    """

    state: dict[str, Any]
    message: Any = None
    reason: ExitReason = None
    recent: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessDescription:
    """The descriptions of these values: texts, which keep nothing of the process alive.

    Attributes:
        is_cut: whether there is more state than is shown
        is_replaced: whether `format_status` replaced the exit reason
    """

    state: dict[str, Description]
    message: Description | None
    reason: Description
    recent: tuple[Description, ...]
    is_cut: bool
    is_replaced: bool


class Actor(Protocol):
    """The actor of a process: a `Process`."""

    is_reproducible: ClassVar[bool]

    def format_status(self, status: Inspection) -> Inspection:
        """Return what may be shown of the process."""
        ...

    def _kernel_attributes(self) -> dict[str, Any]: ...


class Surroundings(Protocol):
    """What a report uses of a `Scheduler`."""

    loop: asyncio.AbstractEventLoop
    crashed: int
    shows_values: bool


class Ancestor(Protocol):
    """The process that started another: a `Ref`."""

    label: str

    @property
    def _cell(self) -> Subject | None: ...


class Subject(Protocol):
    """The process that is inspected: a `Cell`."""

    message: Any

    @property
    def ref(self) -> Pid:
        """Its reference."""
        ...

    @property
    def parent(self) -> Ancestor | None:
        """The process that started it."""
        ...

    @property
    def process(self) -> Actor:
        """Its actor."""
        ...

    @property
    def scheduler(self) -> Surroundings:
        """The scheduler that runs it."""
        ...

    @property
    def history(self) -> MessageLog | None:
        """Its last messages, if they are recorded."""
        ...


CaseWriter: TypeAlias = Callable[[str, Description | None, Mapping[str, Description]], str]
"""Writes a test that fails while an actor crashes, given the reason, the current message and the attributes."""


class CaseWriters(Protocol):
    """Creates case writers: `reproduction.case_writer`."""

    def __call__(self, kind: type, message: Any) -> CaseWriter:
        """Return the case writer for an actor of class `kind` that was handling `message`."""
        ...


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One crash of a process, as text: it keeps nothing of the process alive.

    It shows only contents that are declared safe (see `shown`), or all of them if the scheduler `shows_values`.

    Attributes:
        error: class of the exception, if one caused the crash
        path: labels from the top of the supervision tree down to the process
        restarts: how often its supervisor had restarted it
        number: number of this crash in its scheduler, from 1
        at: time of the crash on the loop's clock, in seconds
    """

    ref: Pid
    label: str
    kind: str
    path: tuple[str, ...]
    error: type[BaseException] | None
    restarts: int
    number: int
    at: float
    _now: ProcessDescription = field(repr=False)
    _before: ProcessDescription | None = field(repr=False)
    _trace: Stacktrace = field(repr=False)
    _write_case: CaseWriter | None = field(repr=False)
    _has_values: bool = field(default=True, repr=False)

    def without_values(self) -> CrashReport:
        """Return the report without any contents, including those declared safe and the texts of exceptions."""
        return replace(self, _has_values=False)

    @property
    def reason(self) -> str:
        """The exit reason, on one line."""
        return self._text(self._now.reason)

    @property
    def traceback(self) -> str:
        """The stack trace of the exception and of those that led to it, without the values of variables."""
        return self._trace.text if self._has_values and not self._now.is_replaced else self._trace.structure

    @property
    def message(self) -> str:
        """The message that it was handling, or "None"."""
        return "None" if self._now.message is None else self._text(self._now.message)

    @property
    def recent(self) -> tuple[str, ...]:
        """The messages before that, oldest first, if they were recorded."""
        return tuple(map(self._text, self._now.recent))

    @property
    def state(self) -> dict[str, str]:
        """Its attributes at the crash."""
        return {name: self._text(value) for name, value in self._now.state.items()}

    @property
    def state_before(self) -> dict[str, str] | None:
        """Its attributes before it took `message`, if they were recorded."""
        before = self._before
        return None if before is None else {name: self._text(value) for name, value in before.state.items()}

    @property
    def case(self) -> str:
        """A pytest test that reproduces the crash, or a comment that says why there is none."""
        if self._write_case is None:
            return f"# No test can reproduce this: a {self.kind} depends on more than its attributes.\n"
        state, message = (self._before or self._now).state, self._now.message
        if not self._has_values:
            state = {name: value.without_values() for name, value in state.items()}
            message = None if message is None else message.without_values()
        return self._write_case(self.reason, message, state)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The fields of the log event."""
        state = ", ".join(f"{name}={value}" for name, value in self.state.items())
        facts = {"actor": self.ref, "path": " > ".join(self.path), "reason": self.reason, "message": self.message}
        return facts | {"state": state} | ({"exception": self.traceback} if self._trace.lines else {})

    def _text(self, description: Description) -> str:
        return description.text if self._has_values else description.structure


class MessageLog:
    """The last messages of one process, and its attributes before the very last (OTP sys: log)."""

    __slots__ = ("messages", "state")

    def __init__(self, size: int) -> None:
        self.messages: deque[Any] = deque(maxlen=size)
        self.state: dict[str, Any] = {}

    def note(self, message: Any, state: dict[str, Any]) -> None:
        """Record a message that is about to be handled, and the attributes before it."""
        self.messages.append(message)
        self.state = state


def crash_report(cell: Subject, reason: ExitReason, case_writers: CaseWriters | None = None) -> CrashReport:
    """Describe a crash. Never fails, and takes at most a few milliseconds, whatever the state of the process.

    Args:
        cell: the process
        reason: its exit reason
        case_writers: creates the writer of a test that reproduces the crash, if there is one
    """
    exception = exception_in(reason)
    history = cell.history
    shows_values = cell.scheduler.shows_values
    is_reproducible = type(cell.process).is_reproducible
    recent = () if history is None else tuple(history.messages)[:-1]
    now = inspect(cell, Inspection(_attributes(cell), cell.message, reason, recent))
    before = None if history is None else inspect(cell, Inspection(dict(history.state), cell.message, reason))
    trace = Stacktrace() if exception is None else examine_stacktrace(exception, shows_values=shows_values)
    return CrashReport(
        ref=cell.ref,
        label=name_of(cell.ref.label),
        kind=class_name(type(cell.process)),
        path=attempt(_path, cell, default=(name_of(cell.ref.label),)),
        error=None if exception is None else type(exception),
        restarts=cell.ref.restarts,
        number=cell.scheduler.crashed,
        at=cell.scheduler.loop.time(),
        _now=now,
        _before=before,
        _trace=trace,
        _write_case=case_writers(type(cell.process), cell.message) if is_reproducible and case_writers else None,
    )


def log_crash(report: CrashReport) -> None:
    """Log a crash."""
    log.error("actor.crashed", **report.facts)


def inspect_process(cell: Subject, message: Any = None, *, size: int = LONGEST_STATE) -> ProcessDescription:
    """Describe a living process.

    Args:
        cell: the process
        message: a message that it takes, or the reply to one; by default the current message
        size: approximate maximum size of its state, in characters
    """
    return inspect(cell, Inspection(_attributes(cell), cell.message if message is None else message), size=size)


def inspect(cell: Subject, wanted: Inspection, *, size: int = LONGEST_STATE) -> ProcessDescription:
    """Describe what `format_status` returns for a process, once for all texts.

    If `format_status` fails, neither contents nor attributes are shown.
    """
    why: list[str] = []
    seen = attempt(_formatted, cell, wanted, default=None, on_failure=lambda error: why.append(class_name(type(error))))
    shows_values = cell.scheduler.shows_values
    if seen is None:
        return ProcessDescription(
            state={"format_status": Leaf(f"failed: {' '.join(why)}")},
            message=None if wanted.message is None else examine(wanted.message).without_values(),
            reason=examine_reason(wanted.reason).without_values(),
            recent=(),
            is_cut=True,
            is_replaced=True,
        )
    attributes = dict(islice(seen.state.items(), MOST_ATTRIBUTES))
    state, is_cut = examine_state(type(cell.process), attributes, size=size, shows_values=shows_values)
    return ProcessDescription(
        state=state,
        message=None if seen.message is None else examine(seen.message, shows_values=shows_values),
        reason=examine_reason(seen.reason, shows_values=shows_values),
        recent=_recent(seen.recent, shows_values),
        is_cut=is_cut or len(seen.state) > MOST_ATTRIBUTES,
        is_replaced=seen.reason is not wanted.reason,
    )


def _formatted(cell: Subject, wanted: Inspection) -> Inspection:
    """Return the result of `format_status`.

    Raises:
        BaseException: whatever it raises.
        TypeError: if it does not return an `Inspection`.
    """
    seen = cell.process.format_status(wanted)
    if type(seen) is not Inspection or type(seen.state) is not dict:
        raise TypeError
    return seen


def _attributes(cell: Subject) -> dict[str, Any]:
    return attempt(lambda: dict(cell.process._kernel_attributes()), default={})


def _recent(messages: tuple[Any, ...], shows_values: bool) -> tuple[Description, ...]:
    """Describe the last recorded messages that fit into `LONGEST_STATE` characters."""
    found: deque[Description] = deque()
    left = LONGEST_STATE
    for message in reversed(messages):
        description = examine(message, shows_values=shows_values)
        left -= len(description.text)
        if left < 0:
            break
        found.appendleft(description)
    return tuple(found)


def _path(cell: Subject) -> tuple[str, ...]:
    labels = [name_of(cell.ref.label)]
    parent = cell.parent
    while parent is not None and len(labels) < LONGEST_PATH:
        labels.append(name_of(parent.label))
        parent = None if parent._cell is None else parent._cell.parent
    return tuple(reversed(labels))
