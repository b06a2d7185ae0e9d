"""The log: structured events through structlog. It never blocks or fails for those who write. Thread-safe.

A program that has not configured structlog gets its events as plain lines on stderr.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

from actors.failures import describe_exception, describe_reason
from actors.guard import attempt
from actors.oneline import hide_in_text, line
from actors.stacktrace import describe_stacktrace
from actors.stderr import LineWriter, Stderr

LONGEST_FACT = 1_000
"""Characters of one text in an event, but for a stack trace."""


class Log:
    """Writes events, with facts of any kind.

    Strings and numbers are written as they are, cut and without passwords in them; exceptions and exit reasons are
    given to `describe_reason`, other values to `describe`. A string that somebody else made, such as a message, is
    nothing to be trusted: write `describe(message)`.

    Args:
        name: of the logger, if the program's configuration of structlog has use for it
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, /, **facts: Any) -> None:
        """Write what only helps to find a mistake."""
        attempt(self._write, "debug", event, facts, default=None, on_failure=_complain)

    def info(self, event: str, /, **facts: Any) -> None:
        """Write what happens in the ordinary course."""
        attempt(self._write, "info", event, facts, default=None, on_failure=_complain)

    def warning(self, event: str, /, **facts: Any) -> None:
        """Write what should not have happened."""
        attempt(self._write, "warning", event, facts, default=None, on_failure=_complain)

    def error(self, event: str, /, **facts: Any) -> None:
        """Write what went wrong."""
        attempt(self._write, "error", event, facts, default=None, on_failure=_complain)

    def exception(self, event: str, /, **facts: Any) -> None:
        """Write what went wrong, with the stack trace of the exception that is being handled."""
        exception = sys.exc_info()[1]
        trace = "" if exception is None else describe_stacktrace(exception)
        attempt(self._write, "error", event, facts, trace, default=None, on_failure=_complain)

    def _write(self, level: str, event: str, facts: dict[str, Any], trace: str = "") -> None:
        logger = structlog.get_logger(self._name) if structlog.is_configured() else _default
        getattr(logger, level)(event, **_bounded(facts), **({"exception": trace} if trace else {}))


def get_logger(name: str) -> Log:
    """Return the log of a part of the program."""
    return Log(name)


def fact(value: Any) -> str | int | float | bool | None:
    """A value as it may stand in an event: a number, or a bounded text that can be encoded."""
    kind = type(value)
    if value is None or kind is bool:
        return cast("bool | None", value)
    if kind is int and value.bit_length() <= 64:
        return cast(int, value)
    if kind is float and math.isfinite(value):
        return cast(float, value)
    if kind is str:
        return line(hide_in_text(value), LONGEST_FACT)
    return describe_reason(value)


def show_exception(_logger: Any, _method: str, event: Any) -> Any:
    """Replace the exception of an event by its stack trace as text: bounded, without variables. A processor."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    exception = given[1] if type(given) is tuple and len(given) == 3 else given
    if isinstance(exception, BaseException):
        event["exception"] = describe_stacktrace(exception)
    return event


def bound_facts(_logger: Any, _method: str, event: Any) -> Any:
    """Replace what cannot be written, or is too long. A processor."""
    return _bounded(event)


def _bounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that can be written; a stack trace has lines, and has been bounded when it was made."""
    return {name: value if name == "exception" and type(value) is str else fact(value) for name, value in facts.items()}


def processors(*first: Processor, renderer: Processor) -> Sequence[Processor]:
    """Put a chain of processors together.

    Args:
        first: those that may drop an event
        renderer: makes a line of what is left
    """
    return [
        *first,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        show_exception,
        bound_facts,
        renderer,
    ]


def console_renderer(*, colors: bool) -> Processor:
    """A line for people, and the stack trace below it."""
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def stderr(stream: TextIO | None = None) -> TextIO:
    """The standard error, or `stream` that is one, on which no write blocks or fails; see `Stderr`."""
    return cast(TextIO, Stderr(stderr_lines, stream))


def stderr_logger() -> structlog.WriteLogger:
    """What writes lines to the standard error."""
    return structlog.WriteLogger(stderr())


def _report_dropped(lines: int) -> None:
    get_logger("canopy.log").warning("log.lines_dropped", lines=lines)


stderr_lines = LineWriter(2, _report_dropped)
"""What waits for the standard error of the process, and what it has not taken."""

_default = structlog.wrap_logger(
    stderr_logger(),
    processors=processors(renderer=console_renderer(colors=False)),
    wrapper_class=structlog.make_filtering_bound_logger("info"),
    context_class=dict,
    cache_logger_on_first_use=False,
)


def _complain(failure: BaseException) -> None:
    """Say that the log fails, where that can still be said."""
    stderr().write(f"an event could not be logged: {describe_exception(failure)}\n")
