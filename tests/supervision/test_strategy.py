"""Who is restarted with whom, how often, and what ends a supervisor."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import KILLED, NORMAL, SHUTDOWN, GenServer, Shutdown
from supervision import AutoShutdown, BadCombination, ChildSpec, DuplicateId, Limit, Restart, Strategy
from supervision.strategy import RestartWindow, ends_supervisor, group, is_restarted, refuse_child, refuse_children

CHILDREN = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("strategy", "failed", "restarted"),
    [
        (Strategy.ONE_FOR_ONE, "b", ["b"]),
        (Strategy.ONE_FOR_ALL, "b", ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, "a", ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, "b", ["b", "c"]),
        (Strategy.REST_FOR_ONE, "c", ["c"]),
    ],
)
def test_a_strategy_says_who_is_restarted(strategy: Strategy, failed: str, restarted: list[str]) -> None:
    assert group(strategy, CHILDREN, failed) == restarted


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, Shutdown("why")])
def test_after_a_clean_end_only_a_permanent_child_is_restarted(reason: Any) -> None:
    assert [restart for restart in Restart if is_restarted(restart, reason)] == [Restart.PERMANENT]


@pytest.mark.parametrize("reason", ["boom", KILLED, None])
def test_after_a_failure_all_but_temporary_children_are_restarted(reason: Any) -> None:
    assert [restart for restart in Restart if is_restarted(restart, reason)] == [Restart.PERMANENT, Restart.TRANSIENT]


def test_as_many_restarts_as_the_intensity_are_kept() -> None:
    assert added(Limit(2, 5), 1.0, 2.0, 3.0) == [True, True, False]


def test_a_restart_counts_for_exactly_the_period() -> None:
    assert added(Limit(1, 5), 1.0, 6.0) == [True, False]
    assert added(Limit(1, 5), 1.0, 6.001) == [True, True]


def test_intensity_zero_allows_none() -> None:
    assert added(Limit(0, 1), 0.0) == [False]


@given(st.lists(st.floats(0, 100), max_size=30), st.integers(0, 5), st.floats(0.1, 50))
def test_a_limit_is_kept_if_and_only_if_no_window_holds_more(gaps: list[float], count: int, period: float) -> None:
    now, times, window = 0.0, list[float](), RestartWindow(Limit(count, period))
    for gap in gaps:
        now += gap
        times.append(now)
        assert window.add(now) == (len(window) <= count)
        assert len(window) == sum(now - then <= period for then in times)


def test_an_endless_period_forgets_nothing() -> None:
    assert added(Limit(1, math.inf), 0.0, 1e9) == [True, False]


class CountedTime(float):
    """A time that counts how often one is compared with another."""

    comparisons = 0

    def __sub__(self, other: float) -> float:
        CountedTime.comparisons += 1
        return float(self) - float(other)


@pytest.mark.parametrize("period", [1e9, 10.0, 0.1], ids=["all count", "some count", "only the last counts"])
def test_a_restart_costs_the_same_however_many_there_were(period: float) -> None:
    window = RestartWindow(Limit(5, period))
    CountedTime.comparisons = 0
    for number in range(10_000):
        window.add(CountedTime(number))
    assert CountedTime.comparisons <= 20_000


def added(limit: Limit, *times: float) -> list[bool]:
    """Whether each of the restarts at `times` keeps `limit`."""
    window = RestartWindow(limit)
    return [window.add(now) for now in times]


@pytest.mark.parametrize(
    ("policy", "ended", "others", "ends"),
    [
        (AutoShutdown.NEVER, True, False, False),
        (AutoShutdown.ANY_SIGNIFICANT, True, True, True),
        (AutoShutdown.ANY_SIGNIFICANT, False, False, False),
        (AutoShutdown.ALL_SIGNIFICANT, True, True, False),
        (AutoShutdown.ALL_SIGNIFICANT, True, False, True),
        (AutoShutdown.ALL_SIGNIFICANT, False, False, False),
    ],
)
def test_the_end_of_significant_children_may_end_the_supervisor(
    policy: AutoShutdown, ended: bool, others: bool, ends: bool
) -> None:
    assert ends_supervisor(policy, ended, others) is ends


def spec(id: str, **options: Any) -> ChildSpec:
    return ChildSpec(id=id, start=GenServer, **options)


def test_two_children_may_not_have_one_id() -> None:
    assert refuse_children([spec("a"), spec("b"), spec("a")], AutoShutdown.NEVER) == DuplicateId("a")
    assert refuse_children([spec("a"), spec("b")], AutoShutdown.NEVER) is None


def test_a_significant_child_needs_auto_shutdown_and_an_end() -> None:
    significant = spec("a", restart=Restart.TRANSIENT, significant=True)
    never = AutoShutdown.NEVER
    assert refuse_child(significant, never) == BadCombination("auto_shutdown", never, "significant", True)
    assert refuse_child(significant, AutoShutdown.ANY_SIGNIFICANT) is None
    permanent = spec("a", significant=True)
    refused = BadCombination("restart", Restart.PERMANENT, "significant", True)
    assert refuse_child(permanent, AutoShutdown.ANY_SIGNIFICANT) == refused
    assert refuse_children([permanent], AutoShutdown.ALL_SIGNIFICANT) == refused
