"""Waiting before a restart: how long, and what may happen meanwhile."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import GenServer, cast, down, start, stop, whereis
from actors.testing import kill
from supervision import (
    NOT_FOUND,
    RESTARTING,
    Backoff,
    ChildError,
    ChildSpec,
    DynamicSupervisor,
    Limit,
    SpecError,
    Strategy,
    Supervisor,
    child,
    count_children,
    delete_child,
    restart_child,
    start_dynamic_child,
    terminate_child,
    which_children,
)
from supervision.strategy import restart_delay
from tests.support.puppet import Puppet
from tests.support.scenarios import simulated

EXACT = Backoff(first=1, maximum=8, factor=2, jitter=0)
MANY: dict[str, Any] = {"intensity": 100, "period": 1.0}


class Weakling(GenServer):
    """Notes when it starts; does not start while `failing` has something in it."""

    def init(self, starts: list[float], failing: list[str]) -> None:
        starts.append(self.scheduler.loop.time())
        if failing:
            raise ValueError(failing[0])

    def handle_cast(self, request: Any) -> None:
        raise ValueError(request)


def now() -> float:
    return asyncio.get_running_loop().time()


def weakling(starts: list[float], failing: list[str] | None = None, **options: Any) -> ChildSpec:
    options = {"backoff": EXACT, "id": "w", "name": "w", **options}
    return child(Weakling, starts, failing if failing is not None else [], **options)


@pytest.mark.parametrize(
    ("field", "value"),
    [("first", -1), ("first", "1"), ("maximum", 0.01), ("factor", 0.5), ("jitter", 2), ("jitter", True)],
)
def test_a_bad_value_is_refused_with_field_and_value(field: str, value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        Backoff(**{field: value})
    assert (caught.value.field, caught.value.value) == (field, value)


@given(st.integers(0, 5_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_a_delay_is_shortened_by_no_more_than_its_jitter(attempt: int, chance: float, jitter: float) -> None:
    backoff = Backoff(first=0.5, maximum=60, factor=3, jitter=jitter)
    whole = min(60, 0.5 * 3.0 ** min(attempt, 100))
    assert whole * (1 - jitter) <= restart_delay(backoff, attempt, chance) <= whole


@simulated
async def test_each_restart_waits_longer_up_to_the_maximum() -> None:
    starts: list[float] = []
    await start(Supervisor, [weakling(starts)], **MANY)
    for _ in range(6):
        cast("w", "die")
        await asyncio.sleep(8.001)
        assert whereis("w") is not None
    begin = starts[0]
    assert [round(at - begin - 8.001 * index, 3) for index, at in enumerate(starts[1:])] == [1, 2, 4, 8, 8, 8]


@simulated
async def test_with_jitter_the_delays_are_drawn_from_the_schedulers_chance() -> None:
    starts: list[float] = []
    await start(Supervisor, [weakling(starts, backoff=Backoff(first=1, maximum=1, jitter=0.5))], **MANY)
    for _ in range(8):
        ended = down(whereis("w"))  # type: ignore[arg-type]
        cast("w", "die")
        await ended
        died = now()
        await asyncio.sleep(1)
        assert 0.5 <= starts[-1] - died <= 1
    assert len({round(at % 1, 6) for at in starts}) > 4


@simulated
async def test_a_long_life_is_forgiven() -> None:
    starts: list[float] = []
    await start(Supervisor, [weakling(starts)], **MANY)
    for _ in range(3):
        cast("w", "die")
        await asyncio.sleep(5)
    await asyncio.sleep(20)
    cast("w", "die")
    died = now()
    await asyncio.sleep(5)
    assert starts[-1] - died == pytest.approx(1)


@simulated
async def test_starts_that_fail_wait_longer_too_even_after_a_long_life() -> None:
    starts: list[float] = []
    failing: list[str] = []
    await start(Supervisor, [weakling(starts, failing)], **MANY)
    await asyncio.sleep(100)
    failing.append("no")
    cast("w", "die")
    died = now()
    await asyncio.sleep(20)
    assert [round(at - died) for at in starts[1:]] == [1, 3, 7, 15]
    failing.clear()
    await asyncio.sleep(8)
    assert whereis("w") is not None


@simulated
async def test_a_child_that_waits_is_restarting_and_can_be_stopped_for_good() -> None:
    starts: list[float] = []
    supervisor = await start(Supervisor, [weakling(starts)], **MANY)
    await kill(whereis("w"))  # type: ignore[arg-type]
    assert [info.ref for info in await which_children(supervisor)] == [RESTARTING]
    assert (await count_children(supervisor)).active == 0
    for request in (restart_child, delete_child):
        with pytest.raises(ChildError) as caught:
            await request(supervisor, "w")
        assert caught.value.reason == RESTARTING
    await terminate_child(supervisor, "w")
    await asyncio.sleep(10)
    assert len(starts) == 1


@simulated
async def test_a_child_stopped_and_started_by_hand_during_the_wait_is_not_started_twice() -> None:
    starts: list[float] = []
    supervisor = await start(Supervisor, [weakling(starts)], **MANY)
    await kill(whereis("w"))  # type: ignore[arg-type]
    await terminate_child(supervisor, "w")
    again = await restart_child(supervisor, "w")
    await asyncio.sleep(10)
    assert whereis("w") is again
    assert len(starts) == 2


@simulated
async def test_a_wait_that_was_called_off_does_not_shorten_the_next_one() -> None:
    starts: list[float] = []
    supervisor = await start(Supervisor, [weakling(starts)], **MANY)
    await kill(whereis("w"))  # type: ignore[arg-type]
    await terminate_child(supervisor, "w")
    await asyncio.sleep(0.2)
    again = await restart_child(supervisor, "w")
    await asyncio.sleep(0.2)
    assert again is not None
    await kill(again)
    await asyncio.sleep(10)
    assert [round(at - starts[0], 1) for at in starts] == [0, 0.2, 2.4]


@simulated
async def test_a_child_deleted_during_the_wait_never_comes_back() -> None:
    starts: list[float] = []
    supervisor = await start(Supervisor, [weakling(starts)], **MANY)
    await kill(whereis("w"))  # type: ignore[arg-type]
    await terminate_child(supervisor, "w")
    await delete_child(supervisor, "w")
    await asyncio.sleep(10)
    assert len(starts) == 1
    with pytest.raises(ChildError) as caught:
        await restart_child(supervisor, "w")
    assert caught.value.reason == NOT_FOUND


@simulated
@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_siblings_of_a_group_run_on_during_the_wait_and_are_restarted_after_it(strategy: Strategy) -> None:
    starts: list[float] = []
    sibling = child(Puppet, id="s", name="s")
    await start(Supervisor, [weakling(starts), sibling], strategy=strategy, **MANY)
    first = whereis("s")
    assert first is not None
    await kill(whereis("w"))  # type: ignore[arg-type]
    await asyncio.sleep(0.9)
    assert first.is_alive()
    await asyncio.sleep(0.2)
    assert not first.is_alive()
    assert whereis("s") is not None
    assert len(starts) == 2


@simulated
async def test_a_sibling_that_fails_during_the_wait_restarts_the_group_at_once_and_ends_the_wait() -> None:
    starts: list[float] = []
    sibling = child(Puppet, id="s", name="s")
    await start(Supervisor, [weakling(starts), sibling], strategy=Strategy.ONE_FOR_ALL, **MANY)
    await kill(whereis("w"))  # type: ignore[arg-type]
    await asyncio.sleep(0.5)
    await kill(whereis("s"))  # type: ignore[arg-type]
    await asyncio.sleep(10)
    assert [round(at - starts[0], 1) for at in starts] == [0, 0.5]


@simulated
async def test_a_supervisor_stops_at_once_while_a_child_waits() -> None:
    starts: list[float] = []
    supervisor = await start(Supervisor, [weakling(starts, backoff=Backoff(first=60, maximum=60, jitter=0))], **MANY)
    await kill(whereis("w"))  # type: ignore[arg-type]
    begin = now()
    await stop(supervisor)
    assert now() == begin
    await asyncio.sleep(100)
    assert len(starts) == 1


@simulated
async def test_dynamic_children_wait_each_for_itself_and_can_be_ended_meanwhile() -> None:
    starts: list[float] = []
    template = weakling(starts, name=None)
    supervisor = await start(DynamicSupervisor, template, **MANY)
    one, two = [await start_dynamic_child(supervisor) for _ in range(2)]
    assert one is not None
    assert two is not None
    await kill(one)
    assert (await count_children(supervisor)).active == 1
    assert {info.ref for info in await which_children(supervisor)} == {two, RESTARTING}
    await terminate_child(supervisor, one)
    await asyncio.sleep(10)
    assert len(starts) == 2
    await kill(two)
    await asyncio.sleep(1.1)
    assert len(starts) == 3


@simulated
async def test_a_budget_counts_the_restarts_that_wait() -> None:
    starts: list[float] = []
    given_up: list[Any] = []
    spec = weakling(starts, budget=Limit(2, 100.0), given_up=lambda reason, args: given_up.append(reason))
    await start(Supervisor, [spec])
    for _ in range(3):
        await kill(whereis("w"))  # type: ignore[arg-type]
        await asyncio.sleep(10)
    assert len(starts) == 3
    assert given_up == ["killed"]
