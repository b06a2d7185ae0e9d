"""The log of the program: structured events on stderr, from a level on that can be changed while it runs."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, TextIO, cast

import structlog


class LogLevel:
    """Drops the events below a level. A processor, because loggers that were used once keep their class."""

    def __init__(self, level: str) -> None:
        self.set(level)

    def set(self, level: str) -> None:
        """Log from `level` on: debug, info, warning or error."""
        self._number = logging.getLevelNamesMapping()[level.upper()]

    def __call__(self, _logger: Any, method: str, event: Any) -> Any:
        """Pass an event on, or drop it."""
        level = "error" if method == "exception" else method
        if logging.getLevelNamesMapping().get(level.upper(), self._number) < self._number:
            raise structlog.DropEvent
        return event


class _Stderr:
    """The standard error, but what cannot be written there harms nobody: its disk may be full."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def configure_logging(level: str) -> LogLevel:
    """Log to stderr; returns what changes the level."""
    threshold = LogLevel(level)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        processors=[
            threshold,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )
    return threshold
