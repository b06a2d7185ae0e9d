"""The token bucket: a steady rate with room for bursts, on a clock that is passed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.rate_limit import RateLimit, TokenBucket

LIMIT = RateLimit(per_second=10, burst=3)


def test_full_bucket_gives_its_burst_at_once_and_no_more() -> None:
    bucket = TokenBucket(LIMIT, now=5.0)
    assert [bucket.take(5.0) for _ in range(4)] == [True, True, True, False]


def test_empty_bucket_gives_one_token_per_interval() -> None:
    bucket = TokenBucket(LIMIT, now=0.0)
    for _ in range(3):
        bucket.take(0.0)
    assert not bucket.take(0.05)
    assert bucket.take(0.125)
    assert not bucket.take(0.125)


def test_rest_never_saves_up_more_than_the_burst() -> None:
    bucket = TokenBucket(LIMIT, now=0.0)
    assert [bucket.take(1_000.0) for _ in range(4)] == [True, True, True, False]


def test_refused_take_costs_nothing() -> None:
    bucket = TokenBucket(RateLimit(per_second=1, burst=1), now=0.0)
    assert bucket.take(0.0)
    assert not any(bucket.take(step / 10) for step in range(1, 10))
    assert bucket.take(1.0)


def test_burst_of_one_still_lets_one_through() -> None:
    bucket = TokenBucket(RateLimit(per_second=0.5, burst=1), now=0.0)
    assert [bucket.take(now) for now in (0.0, 1.0, 2.0, 3.0, 4.0)] == [True, False, True, False, True]


@pytest.mark.parametrize("hand", [60, 100])
def test_hand_that_draws_lines_never_meets_the_default_limit(hand: int) -> None:
    bucket = TokenBucket(RateLimit(100, 200), now=0.0)
    assert all(bucket.take(move / hand) for move in range(10 * hand))


@given(
    st.integers(1, 50),
    st.floats(0.1, 1_000),
    st.lists(st.floats(0, 10), min_size=1, max_size=200),
)
def test_never_more_than_the_burst_and_the_rate_in_any_time(burst: int, rate: float, waits: list[float]) -> None:
    bucket, now, taken = TokenBucket(RateLimit(rate, burst), now=0.0), 0.0, 0
    for wait in waits:
        now += wait
        taken += bucket.take(now)
        assert taken <= burst + now * rate + 1e-6
