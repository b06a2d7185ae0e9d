"""Pure. When a change was made, if the clock says that it was before the last one."""

from __future__ import annotations

MAX_STEP_BACK = 60.0
"""Seconds that a clock may go back: until it has come up to the last change again, all have the time of that one."""
NOT_BEFORE = 1_577_836_800.0
"""2020-01-01: no change was made earlier. A clock that says so has lost its battery."""


def was_ahead(at: float, last: float) -> bool:
    """Tell whether the clock was ahead at the last change, so that those later than `at` have to be dated anew.

    Args:
        at: what the clock says now, in seconds since 1970
        last: when the last change was made
    """
    return NOT_BEFORE <= at < last - MAX_STEP_BACK
