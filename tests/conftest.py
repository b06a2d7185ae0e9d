"""What all test suites share: their options, and logs that are cheap to write and easy to read."""

from pathlib import Path

import pytest
import structlog


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of `tests/otp` here, where pytest finds them whatever it is asked to run."""
    group = parser.getgroup("otp", "replay of scenarios that a real Erlang/OTP answered")
    group.addoption("--scenarios", type=Path, metavar="DIR", help="replay the scenario files of DIR instead of ours")
    group.addoption("--otp-seeds", type=int, default=1, metavar="N", help="replay each in N run orders (default: 1)")


def pytest_configure() -> None:
    """Log plainly: the coloured tracebacks of structlog's default take 300 ms each."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])
