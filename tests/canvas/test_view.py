"""What a client asks to see, as it stands in the query."""

import pytest

from canvas.board.area import TILE, Area
from canvas.live.view import open_view, tiles_of
from canvas.messages.binary_codec import BINARY
from canvas.messages.json_codec import JSON

WIDTH, HEIGHT = 3 * TILE, 2 * TILE
ALL = Area(0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (ALL, 0),
        (Area(0, 0, 1, 1), 0b000001),
        (Area(TILE - 1, 0, 2, 1), 0b000011),
        (Area(2 * TILE, TILE, TILE, TILE), 0b100000),
        (Area(0, 0, WIDTH, HEIGHT - TILE), 0b000111),
        (Area(1, 0, WIDTH - 1, HEIGHT), 0b111111),
    ],
)
def test_tiles_of_a_part_are_a_bit_each_and_all_of_the_canvas_is_none(area: Area, expected: int) -> None:
    assert tiles_of(area, WIDTH, HEIGHT) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("x=1&y=2&width=3&height=4", Area(1, 2, 3, 4)),
        (f"x=1&y=2&width={10 * WIDTH}&height={10 * HEIGHT}", Area(1, 2, WIDTH - 1, HEIGHT - 2)),
        (f"x={WIDTH - 1}&y={HEIGHT - 1}&width=9&height=9", Area(WIDTH - 1, HEIGHT - 1, 1, 1)),
        (f"x={WIDTH}&y=0&width=9&height=9", ALL),
        (f"x=0&y={HEIGHT}&width=9&height=9", ALL),
        ("x=0&y=0&width=0&height=9", ALL),
        ("x=0&y=0&width=9&height=0", ALL),
        ("x=0&y=0&width=9", ALL),
        ("x=-1&y=0&width=9&height=9", ALL),
        ("x=1e1&y=0&width=9&height=9", ALL),
    ],
)
def test_part_that_is_asked_for_is_cut_off_at_the_edge_and_nonsense_is_all(query: str, expected: Area) -> None:
    assert open_view(JSON, query, WIDTH, HEIGHT).subscribed == expected


@pytest.mark.parametrize(
    ("query", "seen"),
    [("epoch=e&seq=3", ("e", 3, 3, ALL)), ("epoch=e", None), ("seq=3", None), ("epoch=e&seq=x", None), ("", None)],
)
def test_client_has_seen_what_it_names_with_epoch_and_number(
    query: str, seen: tuple[str, int, int, Area] | None
) -> None:
    view = open_view(JSON, query, WIDTH, HEIGHT)
    new = open_view(JSON, "", WIDTH, HEIGHT)
    expected = seen or (new.epoch, new.seq, new.told, new.shown)
    assert (view.epoch, view.seq, view.told, view.shown) == expected


@pytest.mark.parametrize("query", ["", "epoch=e", "seq=3", "epoch=e&seq=3", "x=1"])
def test_client_may_resume_if_it_says_what_it_knows_or_speaks_binary(query: str) -> None:
    assert open_view(BINARY, query, WIDTH, HEIGHT).may_resume
    assert open_view(JSON, query, WIDTH, HEIGHT).may_resume == ("epoch" in query or "seq" in query)
