"""The time of day goes on as it should, whatever the clock of the machine says for a while."""

import pytest
from structlog.testing import capture_logs

from canvas.live.clock import CONFIRMATION_TIME, TOLERANCE, WallClock, elapsed

NOW = 1_700_000_000.0


class Machine:
    """A machine whose clock somebody sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0  # since it was started
        self.ahead = 0.0
        self.clock = WallClock(lambda: NOW + self.seconds + self.ahead, lambda: self.seconds)

    def after(self, seconds: float) -> float:
        """By how much the time of day is wrong when so many seconds have gone by."""
        self.seconds += seconds
        return self.clock() - NOW - self.seconds


@pytest.mark.parametrize(
    "step", [-10 * 365 * 86_400.0, -3600.0, -2 * TOLERANCE, 2 * TOLERANCE, 3600.0, 10 * 365 * 86_400.0]
)
def test_clock_that_was_set_is_followed_when_it_keeps_to_that(step: float) -> None:
    machine = Machine()
    with capture_logs() as logs:
        machine.after(100.0)
        machine.ahead = step
        assert [machine.after(CONFIRMATION_TIME / 4) for _ in range(4)] == [0.0] * 4
        assert machine.after(CONFIRMATION_TIME / 4) == pytest.approx(step)
        assert machine.after(1000.0) == pytest.approx(step)
    assert [(log["event"], log["seconds"]) for log in logs] == [("clock.jumped", step), ("clock.followed", step)]


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_clock_that_is_wrong_for_a_while_changes_nothing(step: float) -> None:
    machine = Machine()
    for seconds in (0.0, 1.0, CONFIRMATION_TIME - 1):
        machine.ahead = step
        assert machine.after(5.0) == 0.0
        assert machine.after(seconds) == 0.0
        machine.ahead = 0.0
        assert machine.after(5.0) == 0.0
    machine.ahead = step
    assert machine.after(CONFIRMATION_TIME) == 0.0  # it counts from when that was seen first


def test_clock_that_is_set_again_and_again_is_followed_when_it_keeps_to_one() -> None:
    machine = Machine()
    with capture_logs() as logs:
        for number in range(1, 20):
            machine.ahead = 100.0 * number
            assert machine.after(CONFIRMATION_TIME / 2) == 0.0
        assert machine.after(CONFIRMATION_TIME / 2) == 0.0
        assert machine.after(CONFIRMATION_TIME / 2) == pytest.approx(1900.0)
    assert [log["event"] for log in logs] == ["clock.jumped", "clock.followed"]


def test_clock_that_is_adjusted_a_little_is_followed_at_once() -> None:
    machine = Machine()
    with capture_logs() as logs:
        for number in range(1, 100):
            machine.ahead = number * TOLERANCE * 0.9
            assert machine.after(1.0) == pytest.approx(machine.ahead)
    assert logs == []


def test_seconds_that_have_elapsed_never_go_back() -> None:
    first = elapsed()
    assert elapsed() >= first
