"""Pure. Whether what has to stay flat did: the slope of each series against its limit, and the levels at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Flat:
    """A quantity that has to stay flat.

    Attributes:
        name: a field of `Sample`
        title: what people call it
        limit: by how much it may grow, or seem to, in an hour
        unit: what it is counted in, as a number of the field's own
        unit_name: what that is called
    """

    name: str
    title: str
    limit: float
    unit: float = 1.0
    unit_name: str = ""


MIB = 1024.0 * 1024.0
FLAT = (
    Flat("rss", "resident memory", 20 * MIB, MIB, "MiB"),
    Flat("private", "private memory", 20 * MIB, MIB, "MiB"),
    Flat("objects", "Python objects", 50_000),
    Flat("descriptors", "open descriptors", 20),
    Flat("timers", "timers and deadlines", 60),
    Flat("actors", "actors", 60),
    Flat("entries", "entries in registry tables", 60),
    Flat("threads", "threads", 1),
)
"""What a run is judged by. There are some 15,000 visits in an hour: the limits are 1.4 KiB and 3 objects for each of
them, and one descriptor, timer, actor or entry for some hundreds of them."""
EXACT = ("actors", "descriptors", "timers", "entries", "threads", "connections")
"""What has to come back to the level of the start when all have gone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one quantity.

    Attributes:
        first, last: medians of the first and the last tenth of what was judged
        slope: by how much it grew in an hour
    """

    flat: Flat
    first: float
    last: float
    slope: float

    @property
    def is_good(self) -> bool:
        """Whether it stayed flat."""
        return self.slope <= self.flat.limit

    def __str__(self) -> str:
        unit = self.flat.unit
        about = f"{self.slope / unit:+,.1f} {self.flat.unit_name} an hour".replace("  ", " ")
        levels = f"from {self.first / unit:,.1f} to {self.last / unit:,.1f}"
        return f"{self.flat.title}: {about} (limit {self.flat.limit / unit:,.0f}), {levels}"


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """The median of the slopes between all pairs of points (Theil and Sen): up to 29 % of them may be outliers.

    Raises:
        ValueError: without two points at different times.
    """
    points = zip(times, values, strict=True)
    slopes = [(w - v) / (t - s) for (s, v), (t, w) in combinations(points, 2) if t != s]
    if not slopes:
        raise ValueError("a slope needs two points at different times")
    return median(slopes)


def judge(flat: Flat, times: Sequence[float], values: Sequence[float]) -> Verdict:
    """Judge one series, after its warm-up; times in seconds."""
    tenth = max(1, len(values) // 10)
    return Verdict(flat, median(values[:tenth]), median(values[-tenth:]), slope(times, values) * HOUR)


def judge_all(times: Sequence[float], series: Mapping[str, Sequence[float]]) -> list[Verdict]:
    """Judge all that has to stay flat, of samples after the warm-up."""
    return [judge(flat, times, series[flat.name]) for flat in FLAT]


def not_restored(start: Mapping[str, float], end: Mapping[str, float]) -> list[str]:
    """Say what of `EXACT` has not come back to its level."""
    return [
        f"{name}: {start[name]:g} at the start, {end[name]:g} at the end" for name in EXACT if end[name] != start[name]
    ]
