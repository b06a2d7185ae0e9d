"""The colours of a canvas: changes go in whole and in order, and every view shows the same picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.grid import Change, Grid

WIDTH, HEIGHT, BACKGROUND = 5, 4, 0xFFFFFF
COLORS = st.sampled_from([BACKGROUND, 0x000000, 0x00000A, 0xFF0000, 0x123ABC])
DOTS = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), COLORS)


def numbered(dots: list[tuple[int, int, int]], after: int = 0) -> list[Change]:
    return [Change(x, y, color, "ann", seq) for seq, (x, y, color) in enumerate(dots, start=after + 1)]


def painted(colors: list[list[int]]) -> list[dict[str, object]]:
    """The pixels that are not background, found the slow way."""
    return [
        {"x": x, "y": y, "color": f"#{color:06X}"}
        for y, row in enumerate(colors)
        for x, color in enumerate(row)
        if color != BACKGROUND
    ]


def test_new_grid_is_all_background() -> None:
    grid = Grid(3, 2, 0xABCDEF)
    assert grid.seq == 0
    assert np.all(grid.colors == grid.background)
    assert grid.rgb() == b"\xab\xcd\xef" * 6


def test_change_gives_its_pixel_the_colour_and_the_grid_its_number() -> None:
    grid = Grid(WIDTH, HEIGHT)
    grid.apply(numbered([(4, 3, 0x00000A)]))
    assert grid.seq == 1
    assert grid.color(4, 3) == 0x00000A
    assert json.loads(grid.pixels_json()) == [{"x": 4, "y": 3, "color": "#00000A"}]


def test_no_changes_change_nothing() -> None:
    grid = Grid(WIDTH, HEIGHT)
    grid.apply([])
    assert grid.seq == 0


@pytest.mark.parametrize("seqs", [[0], [2], [1, 3], [1, 1], [2, 1], [1, 2, 4]], ids=str)
def test_changes_with_a_gap_or_out_of_order_are_refused_all_of_them(seqs: list[int]) -> None:
    grid = Grid(WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="cannot follow"):
        grid.apply([Change(0, 0, 0x123456, "ann", seq) for seq in seqs])
    assert grid.seq == 0
    assert np.all(grid.colors == grid.background)


def test_pixel_painted_with_the_background_is_not_listed() -> None:
    grid = Grid(WIDTH, HEIGHT)
    grid.apply(numbered([(1, 1, 0xFF0000), (1, 1, BACKGROUND)]))
    assert np.all(grid.colors == grid.background)
    assert grid.seq == 2


def test_copy_and_original_change_apart() -> None:
    grid = Grid(WIDTH, HEIGHT)
    grid.apply(numbered([(0, 0, 0xFF0000)]))
    copy = grid.copy()
    copy.apply(numbered([(1, 0, 0x00FF00)], after=1))
    assert (grid.seq, copy.seq) == (1, 2)
    assert grid.color(1, 0) == BACKGROUND
    assert len(json.loads(grid.pixels_json())) == 1
    assert len(json.loads(copy.pixels_json())) == 2


@given(st.lists(st.lists(DOTS, max_size=6), max_size=8))
def test_views_agree_with_a_plain_table_after_any_batches(batches: list[list[tuple[int, int, int]]]) -> None:
    grid, table = Grid(WIDTH, HEIGHT, BACKGROUND), [[BACKGROUND] * WIDTH for _ in range(HEIGHT)]
    for batch in batches:
        grid.apply(numbered(batch, after=grid.seq))
        for x, y, color in batch:
            table[y][x] = color
        assert json.loads(grid.pixels_json()) == painted(table)  # with the rows kept from before
        assert json.loads(grid.copy().pixels_json()) == painted(table)
    assert grid.seq == sum(map(len, batches))
    picture = np.frombuffer(grid.rgb(), np.uint8).reshape(HEIGHT, WIDTH, 3).astype(int)
    assert (picture[:, :, 0] << 16 | picture[:, :, 1] << 8 | picture[:, :, 2]).tolist() == table
