"""The level of the log can be changed while the program runs."""

import pytest
import structlog

from supervision import LogLevel


def passes(threshold: LogLevel, method: str) -> bool:
    try:
        return bool(threshold(None, method, {"event": "x"}) == {"event": "x"})
    except structlog.DropEvent:
        return False


@pytest.mark.parametrize(
    ("level", "passed"),
    [
        ("debug", ["debug", "info", "warning", "error", "exception", "critical"]),
        ("info", ["info", "warning", "error", "exception", "critical"]),
        ("warning", ["warning", "error", "exception", "critical"]),
        ("error", ["error", "exception", "critical"]),
    ],
)
def test_events_below_the_level_are_dropped_from_then_on(level: str, passed: list[str]) -> None:
    threshold = LogLevel("error" if level == "debug" else "debug")
    threshold.set(level)
    methods = ["debug", "info", "warning", "error", "exception", "critical"]
    assert [method for method in methods if passes(threshold, method)] == passed
