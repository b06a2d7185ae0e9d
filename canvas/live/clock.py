"""The time of day, from a clock that may be set at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from actors.log import get_logger

log = get_logger("canopy")

SAME = 1.0
"""Seconds by which two readings may differ from the time between them: small corrections are followed at once."""
HELD = 60.0
"""Seconds after which a clock that was set is followed."""

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # it runs on while the machine sleeps


def elapsed() -> float:
    """Seconds since some moment, by a clock that nobody can set."""
    return time.clock_gettime(_STEADY)


@dataclass(frozen=True, slots=True)
class _Step:
    """The clock was set: from `since` on, in elapsed seconds, it has been `offset` ahead of these."""

    since: float
    offset: float


class WallClock:
    """Seconds since 1970. One wrong reading does not change it: it goes on with the seconds that have elapsed.

    When somebody sets the clock, right or wrong, it follows as soon as the clock has kept to that for `HELD` seconds.

    Args:
        read: the clock of the machine, in seconds since 1970
        elapsed: measures, in seconds
    """

    def __init__(self, read: Callable[[], float] = time.time, elapsed: Callable[[], float] = elapsed) -> None:
        self._read = read
        self._elapsed = elapsed
        self._offset = read() - elapsed()
        self._step: _Step | None = None

    def __call__(self) -> float:
        """The time of day."""
        now = self._elapsed()
        offset = self._read() - now
        step, seconds = self._step, round(offset - self._offset, 1)
        if abs(offset - self._offset) <= SAME:
            self._offset, self._step = offset, None
        elif step is None or abs(offset - step.offset) > SAME:
            self._step = _Step(now, offset)
            if step is None:
                log.warning("clock.jumped", seconds=seconds, followed_in=HELD)
        elif now - step.since >= HELD:
            self._offset, self._step = offset, None
            log.warning("clock.followed", seconds=seconds)
        return now + self._offset
