"""Whose turn it is to write to a file: one writer at a time, and any thread sees for how long it has been writing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from actors.log import get_logger

log = get_logger("canopy.store")

SLOW_WRITE = 3.0
"""Seconds after which a write, or a wait for one, is logged."""


@dataclass(frozen=True, slots=True)
class CommitPace:
    """How a store gets on with writing.

    Attributes:
        seconds: that the write under way has taken so far; 0 if there is none
        slow: how many writes took longer than `SLOW_WRITE`
    """

    seconds: float
    slow: int


class Turn:
    """A lock that tells how long it has been held.

    Args:
        clock: measures, in seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began: float | None = None
        self._slow = 0

    def pace(self) -> CommitPace:
        """How long the holder has had it, and how many had it for long. Any thread may ask."""
        began = self._began
        return CommitPace(0.0 if began is None else max(0.0, self._clock() - began), self._slow)

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=SLOW_WRITE):
            log.warning("store.waiting", seconds=round(self.pace().seconds, 1))
            self._lock.acquire()
        self._began = self._clock()

    def __exit__(self, *error: object) -> None:
        seconds = self.pace().seconds
        if seconds >= SLOW_WRITE:
            self._slow += 1
            log.warning("store.slow_write", seconds=round(seconds, 1))
        self._began = None
        self._lock.release()
