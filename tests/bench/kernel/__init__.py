"""The kernel bench: Canopy's processes, Pykka's threads and bare asyncio do the same things.

Each contestant runs in a process of its own, a fresh one for every round and for its memory, so that nobody inherits
another's threads or heap. Canopy and asyncio run on uvloop.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from tests.bench.machine import ROOT
from tests.bench.plan import Plan

CONTESTANTS = {
    "canopy": "tests.bench.kernel.processes",
    "ThreadingActor": "tests.bench.kernel.threads",
    "asyncio queue + task": "tests.bench.kernel.tasks",
    "asyncio bare future": "tests.bench.kernel.futures",
}
TIMEOUT = 180.0
"""Seconds for one round of one contestant."""


@dataclass(slots=True)
class Figures:
    """One contestant over all rounds: the name of a figure -> its values; rates per second, durations in seconds."""

    values: dict[str, list[float]] = field(default_factory=dict)
    failure: str | None = None

    def median(self, key: str) -> float | None:
        """The median, or None if the contestant has no such figure."""
        return median(self.values[key]) if self.values.get(key) else None


def bench_kernel(plan: Plan, say: Callable[[str], None]) -> dict[str, Figures]:
    """Measure all contestants in turn, round by round."""
    figures = {name: Figures() for name in CONTESTANTS}
    for number in range(plan.kernel_rounds):
        for name in CONTESTANTS:
            say(f"kernel: {name}, round {number + 1}")
            is_threads = name == "ThreadingActor"
            children = plan.thread_children if is_threads else plan.children
            _measure(figures[name], name, what="speed", seconds=plan.kernel_seconds, children=children)
            if number == 0:  # memory does not vary
                count = plan.idle_threads if is_threads else plan.idle_actors
                _measure(figures[name], name, what="memory", count=count)
    return figures


def _measure(figures: Figures, name: str, **command: object) -> None:
    """Add the figures of one run of a contestant."""
    arguments = [sys.executable, "-m", CONTESTANTS[name], json.dumps(command)]
    try:
        run = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        figures.failure = str(error)
        return
    for key, value in json.loads(run.stdout).items():
        figures.values.setdefault(key, []).append(value)
