"""Questions to the past: what would be without what somebody painted? Pure."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.area import Area
from canvas.board.grid import Grid
from canvas.history.queries import Selection, plan_rollback
from canvas.store import Chunk
from canvas.store.chunk import RECORD

WIDTH, HEIGHT = 600, 300
"""Six tiles; those on the right and at the bottom are not whole."""
ANN, BOB = 1, 2
Record = tuple[int, int, int, int]


def chunk(first: int, *records: Record) -> Chunk:
    """Changes (x, y, colour, user) from number `first` on; each is made at the second of its number."""
    return Chunk(first, np.arange(first, first + len(records), dtype=float), np.array(list(records), RECORD))


LOG = [
    chunk(1, (0, 0, 0xA1, ANN), (1, 0, 0xA2, ANN), (0, 0, 0xB3, BOB)),
    chunk(4, (2, 0, 0xB4, BOB), (2, 0, 0xA5, ANN), (2, 0, 0xA6, ANN), (3, 2, 0xA7, ANN)),
]


def undone(
    user: int | None = None, area: Area | None = None, after: int = 0, until: int = 99, log: list[Chunk] = LOG
) -> dict[object, object]:
    base = Grid(WIDTH, HEIGHT, 0)
    selection = Selection(user, area, after, until)
    parts = [part.by_tile(base.columns) for part in log]
    tiles = []
    for tile, cells in selection.tiles(base):
        changes = [part[tile] for part in parts if tile in part]
        tiles.append((tile, changes if cells is None else [local.on(cells) for local in changes]))
    plan = plan_rollback(selection, base, tiles)
    positions = zip(plan.xs.tolist(), plan.ys.tolist(), strict=True)
    colors = zip(plan.now.tolist(), plan.before.tolist(), strict=True)
    return {"changes": plan.changes, **dict(zip(positions, colors, strict=True))}


def test_without_somebody_each_pixel_is_what_the_others_left() -> None:
    assert undone(ANN) == {"changes": 5, (1, 0): (0xA2, 0), (2, 0): (0xA6, 0xB4), (3, 2): (0xA7, 0)}


def test_what_others_painted_over_stays() -> None:
    assert undone(ANN, Area(0, 0, 1, 1)) == {"changes": 1}


def test_undoing_is_bounded_by_area() -> None:
    assert undone(ANN, Area(1, 0, 2, 1)) == {"changes": 3, (1, 0): (0xA2, 0), (2, 0): (0xA6, 0xB4)}
    assert undone(None, Area(3, 2, 100, 100)) == {"changes": 1, (3, 2): (0xA7, 0)}
    assert undone(None, Area(100, 100, 5, 5)) == {"changes": 0}
    assert undone(None, Area(1000, 1000, 5, 5)) == {"changes": 0}


def test_undoing_is_bounded_by_number() -> None:
    assert undone(ANN, after=5) == {"changes": 2, (2, 0): (0xA6, 0xA5), (3, 2): (0xA7, 0)}
    assert undone(ANN, until=5) == {"changes": 3, (1, 0): (0xA2, 0)}
    assert undone(BOB, after=2, until=3) == {"changes": 1, (0, 0): (0xB3, 0xA1)}


def test_undoing_everything_gives_an_empty_canvas() -> None:
    assert undone() == {
        "changes": 7, (0, 0): (0xB3, 0), (1, 0): (0xA2, 0), (2, 0): (0xA6, 0), (3, 2): (0xA7, 0)
    }  # fmt: skip


def test_undoing_nothing_changes_nothing() -> None:
    assert undone(log=[]) == {"changes": 0}


@dataclass(frozen=True)
class Case:
    """A history in two parts, and what of it is to be undone."""

    log: list[Record]
    parted: int
    user: int | None
    area: Area | None
    after: int
    until: int


_X, _Y = st.sampled_from([0, 254, 255, 256, 511, 512, 599]), st.sampled_from([0, 255, 256, 299])
_CASES = st.builds(
    Case,
    st.lists(st.tuples(_X, _Y, st.integers(0, 3), st.integers(1, 3)), max_size=40),
    st.integers(0, 40),
    st.none() | st.integers(1, 3),
    st.none() | st.builds(Area, _X, _Y, st.integers(1, 700), st.integers(1, 700)),
    st.integers(0, 40),
    st.integers(0, 40),
)


@given(_CASES)
def test_undoing_is_replaying_without(case: Case) -> None:
    log = case.log
    selected = [
        case.user in (None, user) and (case.area is None or (x, y) in case.area) and case.after < seq <= case.until
        for seq, (x, y, _, user) in enumerate(log, 1)
    ]
    now: dict[object, int] = {}
    without: dict[object, int] = {}
    for (x, y, color, _), is_selected in zip(log, selected, strict=True):
        now[x, y] = color
        if not is_selected:
            without[x, y] = color
    expected = {at: (color, without.get(at, 0)) for at, color in now.items() if color != without.get(at, 0)}
    parts = [chunk(1, *log[: case.parted]), chunk(1 + len(log[: case.parted]), *log[case.parted :])]
    found = undone(case.user, case.area, case.after, case.until, parts)
    assert found == {"changes": sum(selected), **expected}
