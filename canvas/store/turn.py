"""The lock of a file: one writer at a time, and any thread can see how long it has been writing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from actors.log import get_logger

log = get_logger("canopy.store")

SLOW_WRITE = 3.0
"""Seconds after which a write, or a wait for the lock, is logged."""


@dataclass(frozen=True, slots=True)
class CommitPace:
    """How fast a store writes.

    Attributes:
        seconds: duration of the write under way so far; 0 if there is none
        slow: number of writes that took `SLOW_WRITE` or longer
    """

    seconds: float
    slow: int


class Turn:
    """A lock that measures how long it has been held. Not reentrant.

    Args:
        clock: returns seconds; it must never go back
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began: float | None = None
        self._slow = 0

    def pace(self) -> CommitPace:
        """Return how long the lock has been held, and how often it was held for long. Thread-safe."""
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
