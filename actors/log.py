"""The log: structured events through structlog. Logging never blocks and never raises. Thread-safe.

Unless the program configures structlog, events are written to stderr as plain lines.
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
"""Maximum length in characters of one text in an event, except a stack trace."""


class Log:
    """Logs events with facts of any type.

    Strings and numbers are logged as they are, but truncated and with passwords hidden; exceptions and exit reasons are
    formatted by `describe_reason`, other values by `describe`. Do not trust a string from elsewhere, such as a message:
    log `describe(message)`.

    Args:
        name: name of the logger, for the program's configuration of structlog
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, /, **facts: Any) -> None:
        """Log what is of use only for debugging."""
        attempt(self._write, "debug", event, facts, default=None, on_failure=_complain)

    def info(self, event: str, /, **facts: Any) -> None:
        """Log a normal event."""
        attempt(self._write, "info", event, facts, default=None, on_failure=_complain)

    def warning(self, event: str, /, **facts: Any) -> None:
        """Log an event that should not have happened."""
        attempt(self._write, "warning", event, facts, default=None, on_failure=_complain)

    def error(self, event: str, /, **facts: Any) -> None:
        """Log a failure."""
        attempt(self._write, "error", event, facts, default=None, on_failure=_complain)

    def exception(self, event: str, /, **facts: Any) -> None:
        """Log a failure with the stack trace of the exception that is being handled."""
        exception = sys.exc_info()[1]
        trace = "" if exception is None else describe_stacktrace(exception)
        attempt(self._write, "error", event, facts, trace, default=None, on_failure=_complain)

    def _write(self, level: str, event: str, facts: dict[str, Any], trace: str = "") -> None:
        logger = structlog.get_logger(self._name) if structlog.is_configured() else _default
        getattr(logger, level)(event, **_bounded(facts), **({"exception": trace} if trace else {}))


def get_logger(name: str) -> Log:
    """Return the logger called `name`."""
    return Log(name)


def fact(value: Any) -> str | int | float | bool | None:
    """Return a value as it may appear in an event: None, a boolean, a number, or a bounded, printable text."""
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
    """Replace the exception of an event with its stack trace as text, bounded and without variables (a processor)."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    exception = given[1] if type(given) is tuple and len(given) == 3 else given
    if isinstance(exception, BaseException):
        event["exception"] = describe_stacktrace(exception)
    return event


def bound_facts(_logger: Any, _method: str, event: Any) -> Any:
    """Replace the facts of an event that cannot be written, and truncate long ones (a processor)."""
    return _bounded(event)


def _bounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts that can be written. A stack trace has several lines, and is already bounded."""
    return {name: value if name == "exception" and type(value) is str else fact(value) for name, value in facts.items()}


def processors(*first: Processor, renderer: Processor) -> Sequence[Processor]:
    """Build a chain of processors.

    Args:
        first: processors that run first, and may drop an event
        renderer: turns the event into a line
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
    """Return a renderer for people to read: one line, with the stack trace below it."""
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def stderr(stream: TextIO | None = None) -> TextIO:
    """Return standard error, or `stream` in its place, as a stream that never blocks or fails; see `Stderr`."""
    return cast(TextIO, Stderr(stderr_lines, stream))


def stderr_logger() -> structlog.WriteLogger:
    """Return a logger that writes lines to standard error."""
    return structlog.WriteLogger(stderr())


def _report_dropped(lines: int) -> None:
    get_logger("canopy.log").warning("log.lines_dropped", lines=lines)


stderr_lines = LineWriter(2, _report_dropped)
"""The queue of lines for the standard error of the OS process, and the number of lines dropped."""

_default = structlog.wrap_logger(
    stderr_logger(),
    processors=processors(renderer=console_renderer(colors=False)),
    wrapper_class=structlog.make_filtering_bound_logger("info"),
    context_class=dict,
    cache_logger_on_first_use=False,
)


def _complain(failure: BaseException) -> None:
    """Report a failure of the log itself on standard error."""
    stderr().write(f"an event could not be logged: {describe_exception(failure)}\n")
