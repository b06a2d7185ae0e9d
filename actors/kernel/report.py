"""What is known of a crash, for people: logged, kept for the console, and handed to whoever wants it."""

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
"""Reports that a scheduler keeps, the last ones."""

LONGEST_STATE = 6_000
"""Characters of all attributes of one process, and of all messages that were recorded."""
MOST_ATTRIBUTES = 1_000
"""Attributes that are looked at."""
LONGEST_PATH = 100
"""Levels of the tree above a process."""

log = get_logger("canopy.actors")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What somebody wants to see of a process; see `Process.format_status`.

    Attributes:
        state: its attributes by name
        message: the one in hand, or the answer to one; None if there is none
        reason: what it ended with; None of a living process
        recent: messages before that, the last one last, if they are recorded
    """

    state: dict[str, Any]
    message: Any = None
    reason: ExitReason = None
    recent: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is seen of a process: texts, which keep nothing of it alive.

    Attributes:
        is_cut: there was more state than is shown
        is_replaced: the process shows another reason than the true one
    """

    state: dict[str, Description]
    message: Description | None
    reason: Description
    recent: tuple[Description, ...]
    is_cut: bool
    is_replaced: bool


class Actor(Protocol):
    """What a process runs: a `Process`."""

    is_reproducible: ClassVar[bool]

    def format_status(self, status: Inspection) -> Inspection:
        """What may be seen of it."""
        ...

    def _kernel_attributes(self) -> dict[str, Any]: ...


class Surroundings(Protocol):
    """Where a process runs: a `Scheduler`."""

    loop: asyncio.AbstractEventLoop
    crashed: int
    shows_values: bool


class Ancestor(Protocol):
    """Who started a process: a `Ref`."""

    label: str

    @property
    def _cell(self) -> Subject | None: ...


class Subject(Protocol):
    """What is looked at here: a `Cell`."""

    message: Any

    @property
    def ref(self) -> Pid:
        """The process."""
        ...

    @property
    def parent(self) -> Ancestor | None:
        """Who started it."""
        ...

    @property
    def process(self) -> Actor:
        """What it runs."""
        ...

    @property
    def scheduler(self) -> Surroundings:
        """Where it runs."""
        ...

    @property
    def history(self) -> MessageLog | None:
        """Its last messages, if they are kept."""
        ...


CaseWriter: TypeAlias = Callable[[str, Description | None, Mapping[str, Description]], str]
"""Writes a test that fails as long as an actor crashes: of a reason, the message in hand, and the attributes."""


class CaseWriters(Protocol):
    """Makes a case writer: `reproduction.case_writer`."""

    def __call__(self, kind: type, message: Any) -> CaseWriter:
        """The one for an actor of class `kind` that was handling `message`."""
        ...


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One abnormal end of a process, as text: it keeps nothing of the process alive.

    Contents are shown as far as they are declared safe (see `shown`); all of them if the scheduler `shows_values`.

    Attributes:
        error: the class of the exception, if it ended with one
        path: labels from the top of the tree down to the process: who restarts whom
        restarts: how often it had been started again in its place
        number: counts the crashes of a scheduler from 1
        at: when, by the clock of the loop
    """

    ref: Pid
    label: str
    kind: str
    path: tuple[str, ...]
    error: type[BaseException] | None
    restarts: int
    number: int
    at: float
    _now: Inspected = field(repr=False)
    _before: Inspected | None = field(repr=False)
    _trace: Stacktrace = field(repr=False)
    _write_case: CaseWriter | None = field(repr=False)
    _has_values: bool = field(default=True, repr=False)

    def without_values(self) -> CrashReport:
        """The same for those who may see no contents, not even those declared safe, nor the text of an exception."""
        return replace(self, _has_values=False)

    @property
    def reason(self) -> str:
        """What it ended with, on one line."""
        return self._text(self._now.reason)

    @property
    def traceback(self) -> str:
        """Where the exception was raised and what led to it, without the values of variables."""
        return self._trace.text if self._has_values and not self._now.is_replaced else self._trace.structure

    @property
    def message(self) -> str:
        """What it was handling."""
        return "None" if self._now.message is None else self._text(self._now.message)

    @property
    def recent(self) -> tuple[str, ...]:
        """Messages before that, the last one last, if its `history` keeps any."""
        return tuple(map(self._text, self._now.recent))

    @property
    def state(self) -> dict[str, str]:
        """Its attributes now."""
        return {name: self._text(value) for name, value in self._now.state.items()}

    @property
    def state_before(self) -> dict[str, str] | None:
        """The same before it took `message`, if its `history` keeps any."""
        before = self._before
        return None if before is None else {name: self._text(value) for name, value in before.state.items()}

    @property
    def case(self) -> str:
        """A test for pytest that makes such a process crash the same way, or a comment that says why there is none."""
        if self._write_case is None:
            return f"# No test repeats this: a {self.kind} depends on more than its attributes.\n"
        state, message = (self._before or self._now).state, self._now.message
        if not self._has_values:
            state = {name: value.without_values() for name, value in state.items()}
            message = None if message is None else message.without_values()
        return self._write_case(self.reason, message, state)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What `log_crash` writes."""
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
        """Keep a message that is about to be handled, and the attributes at that time."""
        self.messages.append(message)
        self.state = state


def crash_report(cell: Subject, reason: ExitReason, case_writers: CaseWriters | None = None) -> CrashReport:
    """Describe the end of a process. Cannot fail, and takes a few milliseconds at most, whatever its state is.

    Args:
        cell: of the process
        reason: what it ends with
        case_writers: what writes a test that repeats it, if there is one
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
    """Write a crash to the log."""
    log.error("actor.crashed", **report.facts)


def inspect_process(cell: Subject, message: Any = None, *, size: int = LONGEST_STATE) -> Inspected:
    """Look at a living process.

    Args:
        cell: of the process
        message: one that it takes, or the answer to one; by default the one in hand
        size: characters of its state, about
    """
    return inspect(cell, Inspection(_attributes(cell), cell.message if message is None else message), size=size)


def inspect(cell: Subject, wanted: Inspection, *, size: int = LONGEST_STATE) -> Inspected:
    """Look at a process once, for all texts that are made of it: what its `format_status` leaves of it.

    If that fails, no contents are shown, and no attributes.
    """
    why: list[str] = []
    seen = attempt(_formatted, cell, wanted, default=None, on_failure=lambda error: why.append(class_name(type(error))))
    shows_values = cell.scheduler.shows_values
    if seen is None:
        return Inspected(
            state={"format_status": Leaf(f"failed: {' '.join(why)}")},
            message=None if wanted.message is None else examine(wanted.message).without_values(),
            reason=examine_reason(wanted.reason).without_values(),
            recent=(),
            is_cut=True,
            is_replaced=True,
        )
    attributes = dict(islice(seen.state.items(), MOST_ATTRIBUTES))
    state, is_cut = examine_state(type(cell.process), attributes, size=size, shows_values=shows_values)
    return Inspected(
        state=state,
        message=None if seen.message is None else examine(seen.message, shows_values=shows_values),
        reason=examine_reason(seen.reason, shows_values=shows_values),
        recent=_recent(seen.recent, shows_values),
        is_cut=is_cut or len(seen.state) > MOST_ATTRIBUTES,
        is_replaced=seen.reason is not wanted.reason,
    )


def _formatted(cell: Subject, wanted: Inspection) -> Inspection:
    """What `format_status` makes of it.

    Raises:
        BaseException: what it raises.
        TypeError: if it returns anything else.
    """
    seen = cell.process.format_status(wanted)
    if type(seen) is not Inspection or type(seen.state) is not dict:
        raise TypeError
    return seen


def _attributes(cell: Subject) -> dict[str, Any]:
    return attempt(lambda: dict(cell.process._kernel_attributes()), default={})


def _recent(messages: tuple[Any, ...], shows_values: bool) -> tuple[Description, ...]:
    """The recorded messages, the last ones, as far as there is room for them."""
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
