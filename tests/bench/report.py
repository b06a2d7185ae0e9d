"""Pure. The tables: Markdown, so that they read well in a terminal and can be pasted into a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.bench.kernel import Figures
from tests.bench.servers import BASELINE, KINDS, PAINTED_ON, Kind
from tests.bench.websocket import Memory, Row

NONE = "-"
_FANOUT_NOTE = """
Each event is a frame of its own everywhere. Canopy writes the frames of one tick (10 ms) to a viewer at once; the other
two send each frame when it is due, which is what their interfaces offer. Saturated, the table compares these two ways;
at 50 changes/s there is nothing to put together, and it compares the cost of one write.
"""


def header(facts: Mapping[str, str]) -> str:
    """Say where, when and with what."""
    width = max(map(len, facts))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items()) + "\n"


def echo_table(rows: Sequence[Row]) -> str:
    """The table of echoes."""
    return _jobs("Echo", "messages", rows)


def fanout_table(rows: Sequence[Row]) -> str:
    """The table of canvas fan-outs."""
    return _jobs("Canvas fan-out", "events", rows, PAINTED_ON) + _FANOUT_NOTE


def memory_table(memory: Sequence[Memory]) -> str:
    """The table of idle connections."""
    found = {entry.server: entry for entry in memory}
    lines = []
    for kind in KINDS:
        entry = found.get(kind.name)
        if entry is None:
            lines.append([kind.name, "not installed", NONE])
        elif entry.per_connection is None:
            lines.append([kind.name, f"failed: {entry.failure}", NONE])
        else:
            lines.append([kind.name, f"{entry.per_connection / 1024:.1f}", f"{entry.connections:,}"])
    return table("Idle connections", ["server", "KiB each", "connections"], lines)


def kernel_table(figures: Mapping[str, Figures]) -> str:
    """The table of the kernel: a row for each figure, a column for each contestant, and Canopy against the threads."""
    names = list(figures)
    keys = list(dict.fromkeys(key for found in figures.values() for key in found.values))
    lines = [[_KERNEL_TITLES.get(key, key), *(_kernel_number(key, figures[name]) for name in names)] for key in keys]
    lines += [
        [f"{key} 10,000 / {key} 1,000", *(_growth(figures[name], key) for name in names)] for key in ("start", "stop")
    ]
    failures = [f"{name}: {found.failure}" for name, found in figures.items() if found.failure]
    return table("Kernel", ["", *names], lines) + "".join(f"\n{line}\n" for line in failures)


_KERNEL_TITLES = {
    "cast": "messages/s to one actor",
    "hop": "hops/s of one message in a ring of 100 actors",
    "call": "call round trips/s",
    "spawn": "starts/s",
    "idle_bytes": "bytes per idle actor",
}


def _kernel_number(key: str, figures: Figures) -> str:
    """A median, and behind it the spread of the rounds if there were several."""
    value = figures.median(key)
    if value is None:
        return NONE
    text = f"{value * 1e3:,.0f} ms" if key.startswith(("start ", "stop ")) else f"{value:,.0f}"
    values = figures.values[key]
    return f"{text} ({_spread(values):>5})" if len(values) > 1 else text


def _growth(figures: Figures, what: str) -> str:
    few, many = figures.median(f"{what} 1,000"), figures.median(f"{what} 10,000")
    return NONE if few is None or many is None else f"{many / few:.1f}"


def _jobs(title: str, unit: str, rows: Sequence[Row], kinds: Sequence[Kind] = KINDS) -> str:
    columns = [
        *("scenario", "server", f"{unit}/s", f"{unit}/CPU s", "spread", f"x {BASELINE}"),
        *("p50 us", "p99 us", "server CPU", "generator CPU"),
    ]
    lines = []
    for scenario in dict.fromkeys(row.scenario for row in rows):
        found = {row.server: row for row in rows if row.scenario == scenario}
        baseline = found[BASELINE].median("per_cpu_second") if BASELINE in found else None
        lines += [[scenario, *_job(kind.name, found.get(kind.name), baseline)] for kind in kinds]
    return table(title, columns, lines)


def _job(name: str, row: Row | None, baseline: float | None) -> list[str]:
    if row is None:
        return [name, "not installed", *[NONE] * 7]
    if row.failure is not None:
        return [name, f"failed: {row.failure}", *[NONE] * 7]
    per_cpu_second = row.median("per_cpu_second")
    return [
        name,
        _count(row.median("per_second")),
        _count(per_cpu_second),
        _spread(row.values("per_cpu_second")),
        NONE if not baseline or per_cpu_second is None else f"{per_cpu_second / baseline:.2f}",
        _count(row.median("p50")),
        _count(row.median("p99")),
        _percent(row.median("server_load")),
        _percent(row.median("generator_load")),
    ]


def _spread(values: Iterable[float | None]) -> str:
    """How far the best and the worst round lie apart, as a share of the middle between them."""
    known = [value for value in values if value is not None]
    return f"{(max(known) - min(known)) / (max(known) + min(known)) * 200:.0f} %" if known else NONE


def _count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value * 100:.0f} %"


def table(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A heading and a table: the first column is text, and the second one too where the first is the scenario."""
    widths = [max(len(line[index]) for line in (columns, *lines)) for index in range(len(columns))]
    texts = 1 + (columns[0] == "scenario")  # the first columns are words, the others figures

    def row(cells: Sequence[str]) -> str:
        aligned = (
            f"{cell:<{width}}" if index < texts else f"{cell:>{width}}"
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join(aligned) + " |"

    rule = "|".join("-" * (width + 2) if i < texts else "-" * (width + 1) + ":" for i, width in enumerate(widths))
    return "\n".join((f"\n## {title}\n", row(columns), f"|{rule}|", *map(row, lines))) + "\n"
