"""Token buckets of many: a steady rate with room for bursts, on a clock that is passed in."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.server import rate_limit
from supervision.server.rate_limit import SHARE, Allowance, Buckets, Painter, RateLimit

LIMIT = RateLimit(per_second=10, burst=3)
ANN, BOB = Painter("ann", "192.0.2.1"), Painter("bob", "192.0.2.2")


def taker(limit: RateLimit) -> Callable[[float], bool]:
    """Takes a token of one bucket at a time; tells whether there was one."""
    buckets = Buckets(limit)
    return lambda now: buckets.take("ann", now) == 0.0


def test_full_bucket_gives_its_burst_at_once_and_no_more() -> None:
    take = taker(LIMIT)
    assert [take(5.0) for _ in range(4)] == [True, True, True, False]


def test_empty_bucket_gives_one_token_per_interval() -> None:
    take = taker(LIMIT)
    for _ in range(3):
        take(0.0)
    assert not take(0.05)
    assert take(0.125)
    assert not take(0.125)


def test_rest_never_saves_up_more_than_the_burst() -> None:
    take = taker(LIMIT)
    assert [take(1_000.0) for _ in range(4)] == [True, True, True, False]


def test_refused_take_costs_nothing() -> None:
    take = taker(RateLimit(per_second=1, burst=1))
    assert take(0.0)
    assert not any(take(step / 10) for step in range(1, 10))
    assert take(1.0)


def test_burst_of_one_still_lets_one_through() -> None:
    take = taker(RateLimit(per_second=0.5, burst=1))
    assert [take(now) for now in (0.0, 1.0, 2.0, 3.0, 4.0)] == [True, False, True, False, True]


@pytest.mark.parametrize("hand", [60, 100])
def test_hand_that_draws_lines_never_meets_the_default_limit(hand: int) -> None:
    take = taker(RateLimit(100, 200))
    assert all(take(move / hand) for move in range(10 * hand))


SPENDING = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10), st.integers(1, 4)), min_size=1, max_size=100)


@given(st.integers(1, 50), st.floats(0.1, 1_000), SPENDING)
def test_never_more_than_the_burst_and_the_rate_in_any_time(
    burst: int, rate: float, spending: list[tuple[str, float, int]]
) -> None:
    buckets, now, taken = Buckets(RateLimit(rate, burst)), 0.0, Counter[str]()
    for key, wait, count in spending:
        now += wait
        until = buckets.take(key, now, count)
        if until:
            assert buckets.take(key, now, count) == until, "a refused take costs something"
        else:
            taken[key] += min(count, burst)
        assert taken[key] <= burst + now * rate + 1e-6


@given(st.integers(1, 50), st.floats(0.1, 1_000), SPENDING)
def test_time_to_wait_is_enough_and_not_too_much(
    burst: int, rate: float, spending: list[tuple[str, float, int]]
) -> None:
    buckets, now = Buckets(RateLimit(rate, burst)), 0.0
    for key, step, count in spending:
        now += step / rate
        wait = buckets.take(key, now, count)
        if wait:
            assert buckets.take(key, now + wait * 0.99 - 1e-9, count) > 0.0
            now += wait + 1e-9
            assert buckets.take(key, now, count) == 0.0


def test_what_is_given_back_may_be_spent_again() -> None:
    allowance = Allowance(LIMIT)
    assert allowance.take(ANN, 0.0, 3) == 0.0
    assert allowance.take(ANN, 0.0) > 0.0
    allowance.give_back(ANN, 0.0, 2)
    assert [allowance.take(ANN, 0.0) == 0.0 for _ in range(3)] == [True, True, False]


def test_users_of_one_address_share_what_some_users_may_do_and_others_notice_nothing() -> None:
    allowance = Allowance(LIMIT)
    users = [Painter(f"user{number}", "192.0.2.1") for number in range(2 * SHARE)]
    granted = sum(allowance.take(user, 0.0) == 0.0 for user in users for _ in range(LIMIT.burst))
    assert granted == SHARE * LIMIT.burst
    assert allowance.take(BOB, 0.0) == 0.0
    assert allowance.take(users[-1], 1.0) == 0.0, "a user paid for what the address was refused"


def test_full_buckets_are_forgotten() -> None:
    buckets = Buckets(LIMIT)
    for number in range(1_000):
        buckets.take(f"user{number}", number / 10)
    assert len(buckets) <= 4


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST", 10)
    buckets = Buckets(LIMIT)
    for number in range(1_000):
        buckets.take(f"user{number}", 0.0, 3)
    assert len(buckets) <= 11
    assert buckets.take("user999", 0.0) > 0.0
