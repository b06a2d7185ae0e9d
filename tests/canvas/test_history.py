"""Questions to the past: who painted this pixel, and what would be without what somebody painted. Pure."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from canvas.area import Area
from canvas.grid import Grid
from canvas.history import Placed, Selection, past_of, undo
from canvas.store import Chunk
from canvas.store.chunk import RECORD

WIDTH, HEIGHT = 4, 3
ANN, BOB = 1, 2


def chunk(first: int, *records: tuple[int, int, int, int]) -> Chunk:
    """Changes (x, y, colour, user) from number `first` on; each is made at the second of its number."""
    return Chunk(first, np.arange(first, first + len(records), dtype=float), np.array(list(records), RECORD))


LOG = [
    chunk(1, (0, 0, 0xA1, ANN), (1, 0, 0xA2, ANN), (0, 0, 0xB3, BOB)),
    chunk(4, (2, 0, 0xB4, BOB), (2, 0, 0xA5, ANN), (2, 0, 0xA6, ANN), (3, 2, 0xA7, ANN)),
]


def undone(user: int | None = None, area: Area | None = None, after: int = 0, until: int = 7) -> dict[object, object]:
    base = Grid(WIDTH, HEIGHT, 0)
    records = np.concatenate([part.between(0, after).records for part in LOG])
    base.apply_columns(records["x"], records["y"], records["color"])
    undoing = undo(Selection(user, area, after, until), base, [part.between(after, 7) for part in LOG])
    assert undoing.seq == 7
    cells = zip(undoing.xs.tolist(), undoing.ys.tolist(), strict=True)
    colors = zip(undoing.now.tolist(), undoing.before.tolist(), strict=True)
    return {"changes": undoing.changes, **dict(zip(cells, colors, strict=True))}


def test_past_of_a_pixel_comes_newest_first() -> None:
    backwards = LOG[::-1]
    assert past_of(2, 0, backwards, 9) == [
        Placed(6, 0xA6, ANN, 6.0), Placed(5, 0xA5, ANN, 5.0), Placed(4, 0xB4, BOB, 4.0)
    ]  # fmt: skip
    assert [placed.seq for placed in past_of(0, 0, backwards, 9)] == [3, 1]
    assert past_of(3, 0, backwards, 9) == []


def test_past_of_a_pixel_ends_at_the_limit_and_reads_no_further() -> None:
    def chunks():  # type: ignore[no-untyped-def]
        yield LOG[1]
        raise AssertionError("read further than it has to")

    assert [placed.seq for placed in past_of(2, 0, chunks(), 2)] == [6, 5]


def test_without_somebody_each_pixel_is_what_the_others_left() -> None:
    assert undone(ANN) == {"changes": 5, (1, 0): (0xA2, 0), (2, 0): (0xA6, 0xB4), (3, 2): (0xA7, 0)}


def test_what_others_painted_over_stays() -> None:
    assert undone(ANN, Area(0, 0, 1, 1)) == {"changes": 1}


def test_undoing_is_bounded_by_area() -> None:
    assert undone(ANN, Area(1, 0, 2, 1)) == {"changes": 3, (1, 0): (0xA2, 0), (2, 0): (0xA6, 0xB4)}
    assert undone(None, Area(3, 2, 100, 100)) == {"changes": 1, (3, 2): (0xA7, 0)}
    assert undone(None, Area(100, 100, 5, 5)) == {"changes": 0}


def test_undoing_is_bounded_by_number() -> None:
    assert undone(ANN, after=5) == {"changes": 2, (2, 0): (0xA6, 0xA5), (3, 2): (0xA7, 0)}
    assert undone(ANN, until=5) == {"changes": 3, (1, 0): (0xA2, 0)}
    assert undone(BOB, after=2, until=3) == {"changes": 1, (0, 0): (0xB3, 0xA1)}


def test_undoing_everything_gives_an_empty_canvas() -> None:
    assert undone() == {
        "changes": 7, (0, 0): (0xB3, 0), (1, 0): (0xA2, 0), (2, 0): (0xA6, 0), (3, 2): (0xA7, 0)
    }  # fmt: skip


_CHANGE = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(0, 3), st.integers(1, 3))


@given(st.lists(_CHANGE, max_size=30), st.integers(1, 3), st.integers(0, 30), st.integers(0, 30))
def test_undoing_is_replaying_without(log: list[tuple[int, int, int, int]], user: int, after: int, until: int) -> None:
    after = min(after, len(log))
    selected = [user == change[3] and after < seq <= until for seq, change in enumerate(log, 1)]
    now, without = np.zeros((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH))
    for (x, y, color, _), is_selected in zip(log, selected, strict=True):
        now[y, x] = color
        if not is_selected:
            without[y, x] = color
    base = Grid(WIDTH, HEIGHT, 0)
    whole = chunk(1, *log)
    before = whole.between(0, after).records
    base.apply_columns(before["x"], before["y"], before["color"])
    undoing = undo(Selection(user, None, after, until), base, [whole.between(after, len(log))])
    assert undoing.changes == sum(selected)
    now[undoing.ys, undoing.xs] = undoing.before
    assert (now == without).all()
