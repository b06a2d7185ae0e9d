"""Pure. How to date a change when the clock has gone back."""

from __future__ import annotations

MAX_STEP_BACK = 60.0
"""Seconds that the clock may go back. Until it has passed the last change again, new changes get its time."""
NOT_BEFORE = 1_577_836_800.0
"""2020-01-01. No change is older: a clock that reads less has lost its battery."""


def was_ahead(at: float, last: float) -> bool:
    """Return whether the clock was ahead at the last change, so that changes later than `at` must be redated.

    Args:
        at: what the clock reads now, in seconds since 1970
        last: the time of the last change
    """
    return NOT_BEFORE <= at < last - MAX_STEP_BACK
