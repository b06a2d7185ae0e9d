"""What the generator paints. It counts on being told of each change: so each has to be one, whoever is read first."""

import random

import pytest

from tests.bench.generator import CHANGES, Painter
from tests.bench.plan import PAINTERS


@pytest.mark.parametrize("seed", range(5))
def test_every_update_changes_its_pixel_in_whatever_order_the_painters_are_read(seed: int) -> None:
    chance = random.Random(seed)
    painters = [Painter(number) for number in range(PAINTERS)]
    shown: dict[tuple[int, int], int] = {}
    for _ in range(20_000):
        painter = chance.choice(painters)
        x, y, color = painter.next
        painter.take(1)
        assert shown.get((x, y)) != color
        shown[x, y] = color


def test_no_two_updates_have_the_same_colour() -> None:
    colors = [color for number in range(PAINTERS) for _, _, color in Painter(number).updates]
    assert sorted(colors) == list(range(PAINTERS * CHANGES))


@pytest.mark.parametrize("size", [1, 7, CHANGES - 1, CHANGES])
def test_frames_follow_the_updates_round_and_round(size: int) -> None:
    painter, other = Painter(3), Painter(3)
    for _ in range(5):
        one_by_one = b"".join(other.take(1) for _ in range(size))
        assert painter.take(size) == one_by_one
        assert painter.next == other.next
