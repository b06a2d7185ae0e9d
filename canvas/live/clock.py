"""The time of day, from a clock that may be set at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from actors.log import get_logger

log = get_logger("canopy")

TOLERANCE = 1.0
"""Maximum correction of the clock, in seconds, that is followed at once."""
CONFIRMATION_TIME = 60.0
"""Seconds after which a larger correction is followed."""

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # CLOCK_BOOTTIME includes sleep


def elapsed() -> float:
    """Return seconds from a monotonic clock that cannot be set, and that counts sleep where the system supports it."""
    return time.clock_gettime(_STEADY)


@dataclass(frozen=True, slots=True)
class _Step:
    """A correction of the clock: since elapsed time `since`, it has been `offset` seconds ahead of elapsed time."""

    since: float
    offset: float


class WallClock:
    """Seconds since 1970. A single wrong reading has no effect: time goes on with the elapsed seconds.

    When the system clock is set, rightly or wrongly, this one follows after `CONFIRMATION_TIME` if that has lasted.

    Args:
        read: the system clock, in seconds since 1970
        elapsed: a monotonic clock, in seconds
    """

    def __init__(self, read: Callable[[], float] = time.time, elapsed: Callable[[], float] = elapsed) -> None:
        self._read = read
        self._elapsed = elapsed
        self._offset = read() - elapsed()
        self._step: _Step | None = None

    def __call__(self) -> float:
        """Return the time of day in seconds since 1970."""
        now = self._elapsed()
        offset = self._read() - now
        step, seconds = self._step, round(offset - self._offset, 1)
        if abs(offset - self._offset) <= TOLERANCE:
            self._offset, self._step = offset, None
        elif step is None or abs(offset - step.offset) > TOLERANCE:
            self._step = _Step(now, offset)
            if step is None:
                log.warning("clock.jumped", seconds=seconds, followed_in=CONFIRMATION_TIME)
        elif now - step.since >= CONFIRMATION_TIME:
            self._offset, self._step = offset, None
            log.warning("clock.followed", seconds=seconds)
        return now + self._offset
