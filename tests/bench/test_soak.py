"""The judge of the soak, and its plot: a leak that is planted in a series has to fail it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from actors import GenServer, Ref, call
from actors.testing import Kit
from canvas.messages.binary_codec import BINARY
from tests.bench.soak import clients
from tests.bench.soak.judge import EXACT, FLAT, HOUR, Flat, judge, not_restored, slope
from tests.bench.soak.plot import PANEL_HEIGHT, WIDTH, Panel, draw
from tests.bench.soak.report import Run, plot, text
from tests.bench.soak.sample import Sample
from tests.bench.soak.serve import take_census

TIMES = [10.0 * number for number in range(180)]
"""Half an hour."""
WARMUP = 300.0
AT_REST = Sample(
    *(0.0, 90_000_000, 80_000_000, 24, 8, 10, 100_000, 26, 10, 0, 0, 0, 0.001, 1.0, 0, 1_000_000, 1_000),
)
SVG = "{http://www.w3.org/2000/svg}"


def noisy(level: float, share: float, seed: int) -> list[float]:
    """A level with noise, of which one point in ten is far off."""
    chance = random.Random(seed)
    return [level * (1 + share * chance.uniform(-1, 1) * (5 if chance.random() < 0.1 else 1)) for _ in TIMES]


def run_of(**series: Sequence[float]) -> Run:
    """A run in which all stayed as it was, but for `series`."""

    def sample(number: int, at: float) -> Sample:
        changed: dict[str, Any] = {name: values[number] for name, values in series.items()}
        return replace(AT_REST, at=at, **changed)

    samples = [sample(number, at) for number, at in enumerate(TIMES)]
    return Run(
        facts={"commit": "abc"},
        seconds=TIMES[-1],
        warmup=WARMUP,
        start=AT_REST,
        end=AT_REST,
        samples=samples,
        classes={"canvas.board.grid.Change": (1, 2)},
        visits={"floods": 3},
        ended={"floods": 1},
        load=(0, ["0 acknowledged pixels lost"]),
        chaos=(0, ["5 actors crashed"]),
    )


def test_slope_of_a_line_is_its_slope() -> None:
    assert slope(TIMES, [3.0 * time + 7 for time in TIMES]) == pytest.approx(3.0)


def test_slope_does_not_follow_outliers() -> None:
    values = [2.0 * time for time in TIMES]
    for number in random.Random(1).sample(range(len(TIMES)), len(TIMES) // 5):
        values[number] += 1e6
    assert slope(TIMES, values) == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 1.0]])
def test_slope_without_two_moments_is_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="two points"):
        slope(times, times)


@pytest.mark.parametrize("flat", FLAT, ids=lambda flat: flat.name)
@pytest.mark.parametrize("seed", range(3))
def test_planted_leak_fails_and_noise_does_not(flat: Flat, seed: int) -> None:
    level = 50.0 * flat.limit
    noise = noisy(level, 0.002, seed)
    assert judge(flat, TIMES, noise).is_good
    leaking = [value + 1.5 * flat.limit * time / HOUR for time, value in zip(TIMES, noise, strict=True)]
    verdict = judge(flat, TIMES, leaking)
    assert not verdict.is_good
    assert verdict.first < verdict.last


@pytest.mark.parametrize(
    "shape",
    [
        lambda number: 100.0 + number % 20,  # garbage that is collected now and then
        lambda number: 200.0 if number == 90 else 100.0,
        lambda number: 100.0 - number / 10,
    ],
    ids=["saw", "peak", "falling"],
)
def test_what_comes_back_is_flat(shape: Callable[[int], float]) -> None:
    assert judge(Flat("actors", "actors", 60), TIMES, [shape(number) for number in range(len(TIMES))]).is_good


def test_only_what_comes_after_the_warm_up_is_judged() -> None:
    warming = [min(time, WARMUP) for time in TIMES]
    assert run_of(actors=warming).failures == []
    assert len(run_of(actors=TIMES).failures) == 1


def test_run_in_which_nothing_grew_is_a_success() -> None:
    run = run_of()
    assert run.failures == []
    assert "All of it stayed flat." in text(run)


@pytest.mark.parametrize("name", [flat.name for flat in FLAT])
def test_run_with_a_leak_names_what_leaks(name: str) -> None:
    flat = next(flat for flat in FLAT if flat.name == name)
    run = run_of(**{name: [1e6 + 2 * flat.limit * time / HOUR for time in TIMES]})
    (failure,) = run.failures
    assert failure.startswith(flat.title)
    assert failure in text(run)


@pytest.mark.parametrize("name", EXACT)
def test_level_that_does_not_come_back_is_told(name: str) -> None:
    end = asdict(AT_REST) | {name: asdict(AT_REST)[name] + 1}
    (told,) = not_restored(asdict(AT_REST), end)
    assert told.startswith(name)


@pytest.mark.parametrize("command", ["load", "chaos"])
def test_run_fails_with_its_commands(command: str) -> None:
    outcome: dict[str, Any] = {command: (1, ["3 acknowledged pixels lost"])}
    run = replace(run_of(), **outcome)
    assert run.failures == [f"canopy {command} ended with 1"]


def test_plot_is_an_svg_that_names_itself_and_keeps_its_curves_within_the_panels() -> None:
    root = ElementTree.fromstring(plot(run_of(actors=noisy(60, 0.1, 1))))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    named = [root.find(f"{SVG}*[@id='{name}']") for name in (root.get("aria-labelledby") or "").split()]
    assert all(element is not None and element.text for element in named)
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")
    curves = list(root.iter(f"{SVG}polyline"))
    assert len(curves) >= len(FLAT)
    for curve in curves:
        points = [tuple(map(float, point.split(","))) for point in (curve.get("points") or "").split()]
        assert len(points) == len(TIMES)
        assert all(0 <= x <= WIDTH and 0 <= y <= PANEL_HEIGHT for x, y in points)
        assert all(before[0] < after[0] for before, after in pairwise(points))


def test_plot_begins_its_axes_at_zero_and_draws_texts_as_they_are() -> None:
    drawn = draw("a & b", "<desc>", [0.0, 60.0], 30.0, [Panel("x < y", [0.0, 40.0], '"flat"')])
    root = ElementTree.fromstring(drawn)
    assert root.findtext(f"{SVG}title") == "a & b"
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"x < y", '"flat"', "0", "20", "40", "1 min"} <= set(texts)


class Mute(GenServer):
    """Never answers."""

    async def handle_call(self, request: object, from_: object) -> None:
        await asyncio.Event().wait()


async def test_census_counts_timers_calls_and_objects(kit: Kit) -> None:
    loop = asyncio.get_running_loop()
    mute: Ref = await kit.start_supervised(Mute)
    before = take_census(loop)
    timers = [loop.call_later(60, print) for _ in range(5)]
    timers[0].cancel()
    asking = asyncio.ensure_future(call(mute, "are you there?", timeout=50))
    await asyncio.sleep(0)
    after = take_census(loop)
    asking.cancel()
    assert after.calls == before.calls + 1
    assert after.classes["actors.kernel.ref.Ref"] >= 1
    assert after.objects > 1_000
    assert after.timers == before.timers + 4


def test_ack_that_the_filling_waits_for_is_the_codecs() -> None:
    acks = BINARY.ack((0, 5)).encoded(None)
    assert acks.startswith(clients.ACK)
