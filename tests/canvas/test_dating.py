"""When a change was made, as far as the clock can be believed."""

import pytest

from canvas.store.dating import MAX_STEP_BACK, NOT_BEFORE, was_ahead

LAST = NOT_BEFORE + 1_000.0


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (LAST + 1, False),
        (LAST, False),
        (LAST - MAX_STEP_BACK, False),
        (LAST - MAX_STEP_BACK - 1, True),
        (NOT_BEFORE, True),
        (NOT_BEFORE - 1, False),
        (0.0, False),
    ],
)
def test_clock_that_goes_back_far_was_ahead_unless_it_has_lost_its_battery(at: float, expected: bool) -> None:
    assert was_ahead(at, LAST) == expected
