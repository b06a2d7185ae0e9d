"""A canopy with twenty people, in hundreds of simulations: each with its own order, faults and network.

`make explore SEEDS=100000` runs many more. Bugs that are planted here are found, and shown small.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import Ref, cast
from actors.testing import Found, explore
from actors.testing.exploration import run_once
from canvas.board.grid import Grid
from canvas.live.broadcaster import Changed
from canvas.live.canvas import Canvas
from canvas.store import StoreError
from registry import Registry, Table
from registry.registry import Watch
from supervision.server import Wire
from tests.simulation.canopy import simulated_canopy, stopped_canopy

SEEDS = int(os.environ.get("SEEDS", "500"))
PARTS = 20
"""Tests that share the seeds, so that pytest-xdist can spread them."""
JOBS = 1 if "PYTEST_XDIST_WORKER" in os.environ else None
"""Processes of each of these tests: as many as there are processors, unless pytest-xdist uses them already."""
ROOT = Path(__file__).parents[2]


def part_of(seeds: int, part: int) -> range:
    """One of `PARTS` equal parts of `seeds`."""
    return range(seeds * part // PARTS, seeds * (part + 1) // PARTS)


@pytest.mark.timeout(0 if SEEDS > 500 else 300)
@pytest.mark.parametrize("part", range(PARTS))
def test_canopy_keeps_its_promises_under_every_seed(part: int) -> None:
    seeds = part_of(SEEDS, part)
    assert explore(simulated_canopy, seeds, jobs=JOBS) in (len(seeds), 1)


@pytest.mark.timeout(0 if SEEDS > 500 else 300)
@pytest.mark.parametrize("part", range(PARTS))
def test_canopy_that_is_stopped_at_any_time_leaves_nothing_behind_under_every_seed(part: int) -> None:
    seeds = part_of(SEEDS // 5, part)
    assert explore(stopped_canopy, seeds, jobs=JOBS) in (len(seeds), 1)


def trace_of(seed: int) -> list[str]:
    """What happens with a seed."""
    kit, failure = run_once(simulated_canopy, seed, traces=True)
    assert failure is None
    return [*kit.trace(), *kit.faults]


@pytest.mark.parametrize("seed", [4, 5], ids="seed {}".format)
def test_a_seed_has_the_same_trace_in_another_process(seed: int) -> None:
    program = (
        "import hashlib; from tests.simulation.test_canopy import trace_of;"
        f"lines = trace_of({seed}); print(len(lines), hashlib.sha256(chr(10).join(lines).encode()).hexdigest())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    lines = trace_of(seed)
    assert len(lines) > 1_000
    assert answers == {f"{len(lines)} {hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"}


# Bugs that are planted, one at a time.


def forget_to_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was painted during a commit waits for somebody else to paint."""
    end_commit = Canvas._end_commit

    def see_none_waiting(canvas: Canvas, error: StoreError | None) -> None:
        painted, canvas._painted = canvas._painted, []
        end_commit(canvas, error)
        canvas._painted = painted

    monkeypatch.setattr(Canvas, "_end_commit", see_none_waiting)


def forget_to_notify(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next incarnation of a connection is not told of what its predecessor left."""
    adopt = Wire.adopt

    def adopt_silently(wire: Wire, owner: Ref) -> None:
        events, wire.events = wire.events, type(wire.events)()
        adopt(wire, owner)
        wire.events = events

    monkeypatch.setattr(Wire, "adopt", adopt_silently)


def forget_to_demonitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry watches a process anew whenever it registers."""
    register = Table.register

    def register_and_watch(table: Table[Any], key: Any, value: Any, ref: Ref | None = None) -> None:
        register(table, key, value, ref)
        if ref is not None and table.registry is not None:
            cast(table.registry, Watch(ref))

    def watch(registry: Registry, ref: Ref) -> None:
        registry._watched[ref] = registry.monitor(ref)

    def handle_info(registry: Registry, message: Any) -> None:
        for table in registry.tables:
            table.forget(message.target)

    monkeypatch.setattr(Table, "register", register_and_watch)
    monkeypatch.setattr(Registry, "_watch", watch)
    monkeypatch.setattr(Registry, "handle_info", handle_info)


def show_before_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is painted is shown while the store is still at it."""
    flush = Canvas._flush

    def flush_and_show(canvas: Canvas, grid: Grid) -> None:
        flush(canvas, grid)
        if canvas._commit is not None:
            cast(canvas._broadcaster, Changed(canvas._commit.changes))

    monkeypatch.setattr(Canvas, "_flush", flush_and_show)


@pytest.mark.parametrize(
    ("plant", "symptom"),
    [
        (forget_to_wake, "Stuck: nothing can run"),
        (forget_to_notify, "Stuck: nothing can run"),
        (forget_to_demonitor, "2 monitors of <"),
        (show_before_commit, "was shown before it was committed"),
    ],
)
def test_a_planted_bug_is_found_and_made_small(
    plant: Callable[[pytest.MonkeyPatch], None], symptom: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(Found) as caught:
        explore(simulated_canopy, seeds=100, jobs=JOBS, shrinking_runs=20)
    found = caught.value
    text = str(found)
    assert symptom in text
    assert not re.search(r"\b(Type|Attribute|Name)Error\b", text), "the planted bug does not fit the code any more"
    assert f"--canopy-seed {found.seed}" in text
    assert len(found.plan) < found.decisions, f"{len(found.plan)} of {found.decisions} decisions"
    assert found.trace
