"""No process. Configures structured logging to stderr, with a level that can change at run time."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, Literal

import structlog

from actors.guard import attempt
from actors.log import console_renderer, processors, stderr_logger

LEVELS: Final = ("debug", "info", "warning", "error")


class LogLevel:
    """Drops events below a level. It is a processor because a logger keeps its class after its first use."""

    def __init__(self, level: str) -> None:
        self.set(level)

    def set(self, level: str) -> None:
        """Set the lowest level that is logged: debug, info, warning or error.

        Raises:
            ValueError: for any other level.
        """
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
        self._number = _NUMBERS[level]

    def __call__(self, _logger: Any, method: str, event: Any) -> Any:
        """Return the event, or drop it (structlog's processor protocol)."""
        if _NUMBERS.get(method, logging.ERROR) < self._number:
            raise structlog.DropEvent
        return event


_NUMBERS = {level: logging.getLevelNamesMapping()[level.upper()] for level in LEVELS}


def configure_logging(level: str = "info", format: Literal["console", "json"] = "console") -> LogLevel:
    """Log to stderr: the events of the framework and of all structlog loggers.

    Tracebacks show no variables. A full, slow or closed stderr neither blocks nor ends the program; see
    `docs/operations.md`.

    Args:
        level: lowest level that is logged: debug, info, warning or error
        format: `console` for readable lines, `json` for one JSON object per line

    Returns:
        an object that changes the level.

    Raises:
        ValueError: for another level or format.
    """
    threshold = LogLevel(level)
    if format not in ("console", "json"):
        raise ValueError(f"format must be console or json, got {format!r}")
    is_json = format == "json"
    colors = attempt(_is_terminal, default=False)
    renderer = structlog.processors.JSONRenderer() if is_json else console_renderer(colors=colors)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        processors=processors(threshold, renderer=renderer),
        logger_factory=lambda *_: stderr_logger(),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    return threshold


def _is_terminal() -> bool:
    return sys.stderr.isatty()
