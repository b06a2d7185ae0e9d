"""The deadlines of many calls: each at its time, and no trace of those that were answered."""

import asyncio
import contextvars
import random
from typing import Any

import pytest

from actors import NO_REPLY, Call, CallExit, GenServer, Scheduler, call, cast, start
from actors.kernel.deadlines import COMPACT_AT, Deadlines
from actors.testing import run
from tests.support.scenarios import simulated


class Lazy(GenServer):
    """Answers what is not negative."""

    def handle_call(self, request: float, from_: Call) -> Any:
        return request if request >= 0 else NO_REPLY

    def handle_cast(self, request: Any) -> None:
        pass


class Open:
    """A call that notes when it failed."""

    def __init__(self, failures: list[Any], number: int) -> None:
        self.failures = failures
        self.number = number
        self.deadline: list[Any] = []

    def answer(self) -> None:
        self.deadline[2] = None

    def reject(self, reason: Any) -> None:
        self.failures.append((asyncio.get_running_loop().time(), self.number))


def deadlines() -> Deadlines[Any]:
    return Deadlines(asyncio.get_running_loop(), contextvars.Context())


@simulated
@pytest.mark.parametrize("seconds", [0, 0.001, 1.0, 86_400.0])
async def test_a_call_fails_exactly_at_its_deadline(seconds: float) -> None:
    server = await start(Lazy)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with pytest.raises(CallExit, match="timeout"):
        await call(server, -1.0, timeout=seconds)
    assert loop.time() - begin == pytest.approx(seconds, abs=1e-6)
    assert server.is_alive()


@simulated
async def test_an_answer_in_time_is_no_failure_later() -> None:
    server = await start(Lazy)
    assert await call(server, 7.0, timeout=1) == 7.0
    await asyncio.sleep(5)
    cast(server, "still there")
    assert server.is_alive()


@pytest.mark.parametrize("seed", range(5))
def test_calls_fail_in_the_order_of_their_deadlines_whatever_the_order_they_came(seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        loop = asyncio.get_running_loop()
        failures: list[Any] = []
        expected = []
        here = deadlines()
        for number in range(500):
            seconds = chance.choice([0.5, 1.0, chance.uniform(0, 3)])
            one = Open(failures, number)
            here.add(one, seconds)
            expected.append((loop.time() + seconds, number))
            if chance.random() < 0.1:
                await asyncio.sleep(chance.uniform(0, 0.1))
        await asyncio.sleep(10)
        assert failures == sorted(expected)

    run(scenario())


@simulated
async def test_of_equal_deadlines_the_oldest_call_fails_first() -> None:
    failures: list[Any] = []
    here = deadlines()
    for number in range(100):
        here.add(Open(failures, number), 1.0)
    await asyncio.sleep(2)
    assert [number for _, number in failures] == list(range(100))


@simulated
@pytest.mark.parametrize("timeouts", ["equal", "all different"])
async def test_answered_calls_are_forgotten_even_behind_one_that_stays_open(timeouts: str) -> None:
    here = deadlines()
    failures: list[Any] = []
    here.add(Open(failures, 0), 1_000.0)
    for number in range(1, 20 * COMPACT_AT):
        one = Open(failures, number)
        here.add(one, 2_000.0 + (number / 1_000 if timeouts == "all different" else 0))
        one.answer()
    assert len(here) <= COMPACT_AT
    await asyncio.sleep(1_001)
    assert [number for _, number in failures] == [0]


@simulated
async def test_answered_calls_leave_nothing_when_their_time_is_over() -> None:
    server = await start(Lazy)
    here = Scheduler.current().deadlines
    for number in range(200):
        await call(server, float(number), timeout=1 + number / 100)
    await asyncio.sleep(10)
    assert len(here) == 0
