"""The colours of a canvas: changes go in whole and in order, and every view shows the same picture."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.area import TILE, Area
from canvas.board.grid import Change, Grid
from canvas.messages.json_pixels import pixels_json

WIDTH, HEIGHT, BACKGROUND = 5, 4, 0xFFFFFF
COLORS = st.sampled_from([BACKGROUND, 0x000000, 0x00000A, 0xFF0000, 0x123ABC])
AREAS = st.builds(Area, st.integers(0, 4), st.integers(0, 4), st.integers(1, 4), st.integers(1, 4))
DOTS = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), COLORS)


def numbered(dots: list[tuple[int, int, int]], after: int = 0) -> list[Change]:
    return [Change(x, y, color, "ann", seq) for seq, (x, y, color) in enumerate(dots, start=after + 1)]


def pixels(area: Area) -> set[tuple[int, int]]:
    return {(x, y) for x in range(area.x, area.x + area.width) for y in range(area.y, area.y + area.height)}


@given(AREAS, AREAS)
def test_area_touches_another_that_shares_a_pixel_and_covers_one_whose_pixels_it_has(one: Area, other: Area) -> None:
    assert one.touches(other) == bool(pixels(one) & pixels(other))
    assert one.covers(other) == (pixels(other) <= pixels(one))


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
    assert np.argwhere(grid.colors != BACKGROUND).tolist() == [[3, 4]]


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


def test_pixel_painted_with_the_background_is_background() -> None:
    grid = Grid(WIDTH, HEIGHT)
    grid.apply(numbered([(1, 1, 0xFF0000), (1, 1, BACKGROUND)]))
    assert np.all(grid.colors == grid.background)
    assert grid.seq == 2


def test_copy_and_original_change_apart() -> None:
    grid = Grid(WIDTH, HEIGHT)
    grid.apply(numbered([(0, 0, 0xFF0000)]))
    copy = grid.copy()
    copy.apply(numbered([(1, 0, 0x00FF00)], after=1))
    assert grid.color(1, 0) == BACKGROUND
    grid.apply(numbered([(2, 2, 0x0000FF)], after=1))
    assert np.argwhere(grid.colors != BACKGROUND).tolist() == [[0, 0], [2, 2]]
    assert np.argwhere(copy.colors != BACKGROUND).tolist() == [[0, 0], [0, 1]]


@given(st.lists(st.lists(DOTS, max_size=6), max_size=8))
def test_views_agree_with_a_plain_table_after_any_batches(batches: list[list[tuple[int, int, int]]]) -> None:
    grid, table = Grid(WIDTH, HEIGHT, BACKGROUND), [[BACKGROUND] * WIDTH for _ in range(HEIGHT)]
    for batch in batches:
        grid.apply(numbered(batch, after=grid.seq))
        for x, y, color in batch:
            table[y][x] = color
        assert grid.colors.tolist() == grid.copy().colors.tolist() == table
    assert grid.seq == sum(map(len, batches))
    picture = np.frombuffer(grid.rgb(), np.uint8).reshape(HEIGHT, WIDTH, 3).astype(int)
    assert (picture[:, :, 0] << 16 | picture[:, :, 1] << 8 | picture[:, :, 2]).tolist() == table


# Many tiles.

WIDE, HIGH = 2 * TILE + 44, TILE + 1
PLACES = st.tuples(
    st.one_of(st.integers(0, WIDE - 1), st.sampled_from([0, TILE - 1, TILE, WIDE - 1])),
    st.one_of(st.integers(0, HIGH - 1), st.sampled_from([TILE - 1, TILE])),
    COLORS,
)


@st.composite
def areas(draw: st.DrawFn, width: int = WIDE, height: int = HIGH) -> Area:
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return Area(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))


@given(st.lists(PLACES, max_size=30), areas())
def test_area_shows_what_a_plain_table_has_there(dots: list[tuple[int, int, int]], area: Area) -> None:
    grid, table = Grid(WIDE, HIGH, BACKGROUND), np.full((HIGH, WIDE), BACKGROUND)
    grid.apply(numbered(dots))
    for x, y, color in dots:
        table[y, x] = color
        assert grid.color(x, y) in {dot[2] for dot in dots}
    rows, columns = slice(area.y, area.y + area.height), slice(area.x, area.x + area.width)
    assert np.array_equal(grid.colors_in(area), table[rows, columns])
    assert set(area.tiles(grid.columns)) == {
        (y >> 8) * grid.columns + (x >> 8) for y in range(HIGH)[rows] for x in range(WIDE)[columns]
    }


@given(st.lists(PLACES, max_size=30))
def test_grid_is_restored_from_its_colours_and_from_columns(dots: list[tuple[int, int, int]]) -> None:
    grid, other = Grid(WIDE, HIGH, BACKGROUND), Grid(WIDE, HIGH, BACKGROUND)
    grid.apply(numbered(dots))
    other.apply_columns(*np.array(dots, dtype=np.uint32).reshape(-1, 3).T)
    bands = [grid.colors[y : y + TILE] for y in range(0, HIGH, TILE)]
    restored = Grid.restored(WIDE, HIGH, BACKGROUND, grid.seq, bands)
    assert grid.seq == other.seq == restored.seq == len(dots)
    assert np.array_equal(grid.colors, other.colors)
    assert np.array_equal(grid.colors, restored.colors)


class Counted(np.ndarray[Any, np.dtype[Any]]):
    """Counts the elements that are computed with it, and with all that comes of it."""

    computed = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [value.view(np.ndarray) if isinstance(value, Counted) else value for value in inputs]
        Counted.computed += max(map(np.size, plain))
        result = getattr(ufunc, method)(*plain, **options)
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def test_columns_are_computed_with_as_often_on_many_tiles_as_on_one() -> None:
    count = 4_096
    computed = []
    for side in (TILE, 64 * TILE):
        places = np.linspace(0, side - 1, count, dtype=np.uint32)
        grid = Grid(side, side, BACKGROUND)
        Counted.computed = 0
        grid.apply_columns(places.view(Counted), places[::-1].view(Counted), np.arange(count, dtype=np.uint32))
        computed.append(Counted.computed)
        assert grid.color(0, side - 1) == 0
    assert computed[0] == computed[1] > 0


def test_largest_canvas_takes_memory_only_where_somebody_has_painted() -> None:
    grid = Grid(10_000, 10_000)
    grid.apply(numbered([(9_999, 9_999, 0)]))
    assert [number for number in range(1_600) if grid.tile(number) is not None] == [1_599]


def test_tile_is_another_array_after_a_change_once_it_was_copied() -> None:
    grid = Grid(WIDE, HIGH)
    grid.apply(numbered([(0, 0, 1), (TILE, 0, 1)]))
    copy = grid.copy()
    grid.apply(numbered([(0, 0, 2)], after=2))
    assert grid.tile(0) is not copy.tile(0)
    assert grid.tile(1) is copy.tile(1)


# Pixels as JSON.


@given(st.lists(PLACES, max_size=40), st.integers(0, 9_000), st.integers(0, 9_000))
def test_pixels_in_json_are_those_that_are_not_background(
    dots: list[tuple[int, int, int]], left: int, top: int
) -> None:
    grid = Grid(WIDE, HIGH, BACKGROUND)
    grid.apply(numbered(dots))
    pixels = json.loads(b"[" + pixels_json(grid.colors, BACKGROUND, left, top) + b"]")
    places = np.argwhere(grid.colors != BACKGROUND).tolist()
    assert pixels == [{"x": x + left, "y": y + top, "color": f"#{grid.color(x, y):06X}"} for y, x in places]
