"""The samples of the last hour. Not a process: they outlive the sampler that takes them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from actors import Scheduler
from actors.debug import process_table, run_times
from supervision.console.inspection.model.overview import Sample
from supervision.console.inspection.os_stats import OsStats, read_os_stats

BEAT = 1.0
"""Seconds between two beats; each measures the lag of the event loop."""
BEATS_PER_SAMPLE = 5
KEPT = 720
"""Samples kept: one hour."""
VIEWER_TIMEOUT = 15.0
"""Seconds after the last request for actors for which the console counts as viewed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one time, by the clock of the loop."""

    at: float
    messages: int
    turns: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Changes per second between two readings."""

    messages: float
    turns: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Mark:
    """The work of all actors up to one time: number -> messages handled and seconds run."""

    at: float
    work: dict[int, tuple[int, float]]


class Samples:
    """The samples of the last hour, and the readings and marks from which rates and windows are computed.

    Attributes:
        samples: oldest first
    """

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self._readings: deque[Reading] = deque(maxlen=2)
        self._lags: deque[float] = deque(maxlen=BEATS_PER_SAMPLE)
        self._marks: deque[Mark] = deque(maxlen=2)
        self._viewed_at = -VIEWER_TIMEOUT

    def note_viewer(self, now: float) -> None:
        """Note that a viewer has requested actors, so that their work continues to be measured."""
        self._viewed_at = now

    def is_watched(self, now: float) -> bool:
        """Tell whether a viewer has requested actors within `VIEWER_TIMEOUT`."""
        return now - self._viewed_at < VIEWER_TIMEOUT

    def note_lag(self, seconds: float) -> None:
        """Record by how many seconds a beat was late."""
        self._lags.append(max(0.0, seconds))

    @property
    def loop_lag(self) -> float | None:
        """The longest lag of the event loop in the last beats, in seconds; None before the first."""
        return max(self._lags, default=None)

    def read(self, scheduler: Scheduler) -> None:
        """Take a reading, from which rates are computed."""
        self._readings.append(reading(scheduler, read_os_stats()))

    def rates(self, now: Reading) -> Rates | None:
        """Return the rates since an earlier reading; None if there is none that is at least half a beat old."""
        then = next((reading for reading in self._readings if now.at - reading.at >= BEAT / 2), None)
        if then is None:
            return None
        seconds = now.at - then.at
        return Rates(
            (now.messages - then.messages) / seconds, (now.turns - then.turns) / seconds, (now.cpu - then.cpu) / seconds
        )

    def set_mark(self, scheduler: Scheduler) -> None:
        """Record the work of each actor. Takes 2 ms with 10,000 actors."""
        used = run_times()
        work = {number: (process.handled, used.get(process, 0.0)) for number, process in process_table().items()}
        self._marks.append(Mark(scheduler.loop.time(), work))

    def forget_marks(self) -> None:
        """Discard the marks when there are no more viewers."""
        self._marks.clear()

    @property
    def mark(self) -> Mark | None:
        """The mark at which the current window begins; None without viewers."""
        return self._marks[0] if self._marks else None


def reading(scheduler: Scheduler, stats: OsStats) -> Reading:
    """Return the current counters."""
    return Reading(scheduler.loop.time(), scheduler.handled(), scheduler.turns, stats.cpu)
