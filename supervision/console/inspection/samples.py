"""What is remembered of the last hour. No process: it outlives the sampler that fills it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from actors import Scheduler
from actors.debug import process_table, run_times
from supervision.console.inspection.model.overview import Sample
from supervision.console.inspection.os_stats import Machine, look

BEAT = 1.0
"""Seconds between two beats: each measures how late the event loop is."""
BEATS_PER_SAMPLE = 5
KEPT = 720
"""Samples: an hour of them."""
ATTENTION = 15.0
"""Seconds after the last look for which somebody is taken to be looking still."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one time, by the clock of the loop."""

    at: float
    messages: int
    turns: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What changed between two readings, in a second."""

    messages: float
    turns: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Mark:
    """What each actor had done at one time: messages it had taken and seconds it had run, by its number."""

    at: float
    work: dict[int, tuple[int, float]]


class Samples:
    """Samples of the last hour, and what rates and windows are counted from.

    Attributes:
        samples: oldest first
    """

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self._readings: deque[Reading] = deque(maxlen=2)
        self._lags: deque[float] = deque(maxlen=BEATS_PER_SAMPLE)
        self._marks: deque[Mark] = deque(maxlen=2)
        self._looked_at = -ATTENTION

    def look(self, now: float) -> None:
        """Somebody looks at actors: keep up what is measured for that alone."""
        self._looked_at = now

    def is_watched(self, now: float) -> bool:
        """Tell whether somebody has looked lately."""
        return now - self._looked_at < ATTENTION

    def note_lag(self, seconds: float) -> None:
        """A beat was so late."""
        self._lags.append(max(0.0, seconds))

    @property
    def loop_lag(self) -> float | None:
        """The longest that the event loop was late in the last beats."""
        return max(self._lags, default=None)

    def read(self, scheduler: Scheduler) -> None:
        """Take a reading, from which rates are counted."""
        self._readings.append(reading(scheduler, look()))

    def rates(self, now: Reading) -> Rates | None:
        """The rates since a reading some seconds old; None if there is none."""
        then = next((reading for reading in self._readings if now.at - reading.at >= BEAT / 2), None)
        if then is None:
            return None
        seconds = now.at - then.at
        return Rates(
            (now.messages - then.messages) / seconds, (now.turns - then.turns) / seconds, (now.cpu - then.cpu) / seconds
        )

    def set_mark(self, scheduler: Scheduler) -> None:
        """Note what each actor has done. Takes 2 ms with 10,000."""
        used = run_times()
        work = {number: (process.handled, used.get(process, 0.0)) for number, process in process_table().items()}
        self._marks.append(Mark(scheduler.loop.time(), work))

    def forget_marks(self) -> None:
        """Nobody looks any more."""
        self._marks.clear()

    @property
    def mark(self) -> Mark | None:
        """What a window is counted from."""
        return self._marks[0] if self._marks else None


def reading(scheduler: Scheduler, machine: Machine) -> Reading:
    """The counters now."""
    return Reading(scheduler.loop.time(), scheduler.handled(), scheduler.turns, machine.cpu)
