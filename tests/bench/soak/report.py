"""Pure. What a run found, for people: the text and the plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from tests.bench.report import header, table
from tests.bench.soak.judge import EXACT, FLAT, MIB, Verdict, judge_all, not_restored
from tests.bench.soak.plot import Panel, draw
from tests.bench.soak.sample import Sample


@dataclass
class Run:
    """All that a run found.

    Attributes:
        seconds, warmup: how long it was under load, and how much of that is not judged
        start, end: the levels when nobody is there, before and after
        classes: how many objects of each class of our own there were, at the start and at the end
        visits, ended: clients of the crowd by what they did, and how many of these the server ended or refused
        load, chaos: the exit codes and lines of the two commands
    """

    facts: dict[str, str]
    seconds: float
    warmup: float
    start: Sample
    end: Sample
    samples: list[Sample]
    classes: dict[str, tuple[int, int]]
    visits: dict[str, int]
    ended: dict[str, int]
    load: tuple[int, list[str]]
    chaos: tuple[int, list[str]]
    verdicts: list[Verdict] = field(init=False)
    failures: list[str] = field(init=False)

    def __post_init__(self) -> None:
        judged = [sample for sample in self.samples if self.warmup <= sample.at <= self.seconds]
        series = {flat.name: column(judged, flat.name) for flat in FLAT}
        self.verdicts = judge_all(column(judged, "at"), series)
        self.failures = [str(verdict) for verdict in self.verdicts if not verdict.is_good]
        self.failures += not_restored(asdict(self.start), asdict(self.end))
        for name, (code, _) in (("load", self.load), ("chaos", self.chaos)):
            if code:
                self.failures.append(f"canopy {name} ended with {code}")


def column(samples: Sequence[Sample], name: str) -> list[Any]:
    """One series of all samples."""
    return [getattr(sample, name) for sample in samples]


def text(run: Run) -> str:
    """The report."""
    return "\n".join(_parts(run)) + "\n"


def _parts(run: Run) -> Iterator[str]:
    yield header(run.facts)
    yield from run.load[1]
    yield ""
    yield from run.chaos[1]
    yield ""
    yield f"{sum(run.visits.values())} misbehaving clients came, {sum(run.ended.values())} of which the server ended:"
    yield ", ".join(f"{count} {name}" for name, count in sorted(run.visits.items()))
    yield table(
        "Under load",
        ["", "at first", "at last", "an hour", "limit"],
        [
            [
                f"{verdict.flat.title} {verdict.flat.unit_name}".strip(),
                *(f"{value / verdict.flat.unit:,.1f}" for value in (verdict.first, verdict.last)),
                f"{verdict.slope / verdict.flat.unit:+,.1f}",
                f"{verdict.flat.limit / verdict.flat.unit:+,.0f}",
            ]
            for verdict in run.verdicts
        ],
    )
    start, end = asdict(run.start), asdict(run.end)
    yield table(
        "When all have gone",
        ["", "before", "after"],
        [[name, f"{start[name]:,}", f"{end[name]:,}"] for name in (*EXACT, "objects", "rss", "private")],
    )
    grown = sorted((item for item in run.classes.items() if item[1][0] != item[1][1]), key=lambda item: item[0])
    yield table("Objects by class", ["", "before", "after"], [[name, f"{a:,}", f"{b:,}"] for name, (a, b) in grown])
    yield "\n".join(["FAILED", *run.failures]) if run.failures else "All of it stayed flat."


def plot(run: Run) -> str:
    """The series of the run as an SVG."""
    notes = {verdict.flat.name: _slope(verdict) for verdict in run.verdicts}
    samples = run.samples
    cores = [0.0, *_rates(column(samples, "at"), column(samples, "cpu"))]
    panels = [
        Panel("Resident memory, MiB", [value / MIB for value in column(samples, "rss")], notes["rss"]),
        Panel("Python objects, thousands", [value / 1e3 for value in column(samples, "objects")], notes["objects"]),
        Panel("Open descriptors", column(samples, "descriptors"), notes["descriptors"]),
        Panel("Timers and deadlines", column(samples, "timers"), notes["timers"]),
        Panel("Actors", column(samples, "actors"), notes["actors"]),
        Panel("Entries in registry tables", column(samples, "entries"), notes["entries"]),
        Panel("Open connections", column(samples, "connections"), "as many as come: not judged"),
        Panel("Unsent bytes, MiB", [value / MIB for value in column(samples, "backlog")], "not judged"),
        Panel(
            "Delay of the event loop, ms",
            [value * 1e3 for value in column(samples, "lag")],
            "on a shared machine: not judged",
        ),
        Panel("Processor, cores", cores, "not judged"),
        Panel("Crashes so far", column(samples, "crashes"), "of actors, each of which was restarted"),
        Panel("Database, MiB", [value / MIB for value in column(samples, "disk")], "grows with the history"),
    ]
    minutes = run.seconds / 60
    title = f"{minutes:g} minutes under load, crashes and misbehaving clients"
    about = "; ".join(f"{panel.title}: {panel.note}" for panel in panels)
    return draw(
        title, f"The shaded part, the warm-up, is not judged. {about}.", column(samples, "at"), run.warmup, panels
    )


def _slope(verdict: Verdict) -> str:
    flat = verdict.flat
    change, limit = verdict.slope / flat.unit, flat.limit / flat.unit
    return f"{change:+,.1f} {flat.unit_name}".rstrip() + f" an hour (limit {limit:,.0f})"


def _rates(times: Sequence[float], values: Sequence[float]) -> Iterator[float]:
    for (s, v), (t, w) in pairwise(zip(times, values, strict=True)):
        yield (w - v) / (t - s)
