"""Pure. Queries on the history of a canvas: the changes of a pixel, rollback plans, and the activity of painters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.shown import shown
from canvas.board.area import SHIFT, TILE, Area, tile_area
from canvas.board.grid import Grid
from canvas.store.chunk import Cells, Chunk, Local

_NOTHING: NDArray[np.int64] = np.empty((4, 0), np.int64)


@shown()
@dataclass(frozen=True, slots=True)
class PixelChange:
    """One change of a pixel; `at` in seconds since 1970."""

    seq: int
    color: int
    user: int
    at: float


@shown()
@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of changes by painter, area and `seq`.

    Attributes:
        user: the number of the painter; None for any
        area: the area; None for the whole canvas
        after: the `seq` before the first change
        until: the `seq` of the last change
    """

    user: int | None
    area: Area | None
    after: int
    until: int

    def matches(self, local: Local) -> NDArray[np.bool_]:
        """Tell for each change, all of them in the area, whether it is selected."""
        found = np.ones(len(local.cells), bool) if self.user is None else local.users == self.user
        if self.after >= local.first or self.until < local.last:
            seqs = local.seqs
            found = found & (self.after < seqs) & (seqs <= self.until)
        return found

    def tiles(self, grid: Grid) -> Iterator[tuple[int, Cells | None]]:
        """Yield the tiles that may have selected changes, each with a mask of its pixels; None for all pixels."""
        for number in grid.whole.tiles(grid.columns):
            tile = tile_area(number, grid.width, grid.height)
            if self.area is None or self.area.covers(tile):
                yield number, None
            elif self.area.touches(tile):
                cells = np.zeros((TILE, TILE), bool)
                left, top = self.area.x - tile.x, self.area.y - tile.y
                cells[max(0, top) : top + self.area.height, max(0, left) : left + self.area.width] = True
                yield number, cells.reshape(-1)


@dataclass(slots=True)
class Share:
    """The share of one painter in a rollback: selected changes, and pixels that it would change."""

    changes: int = 0
    pixels: int = 0


@shown("changes")
@dataclass(frozen=True, slots=True, eq=False)
class RollbackPlan:
    """The pixels that a rollback changes.

    Attributes:
        changes: the number of selected changes
        xs, ys: the pixels that would have another colour without these changes
        now: their current colours
        before: the colours that the rollback restores
        shares: painter number -> the painter's share
    """

    changes: int
    xs: NDArray[np.int64]
    ys: NDArray[np.int64]
    now: NDArray[np.int64]
    before: NDArray[np.int64]
    shares: dict[int, Share]

    @property
    def area(self) -> Area | None:
        """The bounding box of the pixels; None if there are none."""
        if not len(self.xs):
            return None
        left, top = int(self.xs.min()), int(self.ys.min())
        return Area(left, top, int(self.xs.max()) - left + 1, int(self.ys.max()) - top + 1)


def plan_rollback(selection: Selection, base: Grid, tiles: Iterable[tuple[int, Iterable[Local]]]) -> RollbackPlan:
    """Compute what the canvas would look like if the selected changes had never been made.

    A pixel that an unselected change has painted over since keeps its colour.

    Args:
        selection: the changes to undo
        base: the canvas before the first change
        tiles: for each tile, all changes of every pixel that has a selected change, oldest first
    """
    count = 0
    found = [_NOTHING]
    shares: defaultdict[int, Share] = defaultdict(Share)
    for number, changes in tiles:
        painted = base.tile(number)
        now = np.full(TILE * TILE, base.background, np.uint32) if painted is None else painted.flatten()
        without = now.copy()
        painter = np.zeros(TILE * TILE, np.uint32)
        for local in changes:
            selected = selection.matches(local)
            count += int(np.count_nonzero(selected))
            cells, others = local.cells.astype(np.intp), ~selected
            # If a pixel occurs twice, NumPy keeps the last assignment.
            now[cells] = local.colors
            painter[cells] = local.users
            for user, times in _tally(local.users[selected]):
                shares[user].changes += times
            without[cells[others]] = local.colors[others]
        (changed,) = np.nonzero(now != without)
        for user, pixels in _tally(painter[changed]):  # the last change of each of these pixels is selected
            shares[user].pixels += pixels
        tile = tile_area(number, base.width, base.height)
        found.append(
            np.stack([tile.x + (changed & TILE - 1), tile.y + (changed >> SHIFT), now[changed], without[changed]])
        )
    xs, ys, colors, before = np.concatenate(found, axis=1)
    return RollbackPlan(count, xs, ys, colors, before, dict(shares))


@dataclass(frozen=True, slots=True)
class Activity:
    """The recent activity of one painter.

    Attributes:
        user: the number of the painter
        changes: the number of their changes
        at: the time of the last change, in seconds since 1970
        area: the bounding box of the changes
    """

    user: int
    changes: int
    at: float
    area: Area


def activities(changes: Chunk) -> list[Activity]:
    """Summarise some changes by painter, most changes first."""
    records = changes.records
    users, which, counts = np.unique(records["user"], return_inverse=True, return_counts=True)
    lows, highs = np.full((2, len(users)), 1 << 16), np.zeros((2, len(users)), np.int64)
    at = np.zeros(len(users))
    np.maximum.at(at, which, changes.at)
    for low, high, places in zip(lows, highs, (records["x"], records["y"]), strict=True):
        np.minimum.at(low, which, places)
        np.maximum.at(high, which, places)
    (lefts, tops), (widths, heights) = lows.tolist(), (highs - lows + 1).tolist()
    found = zip(users.tolist(), counts.tolist(), at.tolist(), map(Area, lefts, tops, widths, heights), strict=True)
    return sorted((Activity(*each) for each in found), key=lambda activity: -activity.changes)


def _tally(users: NDArray[np.uint32]) -> Iterator[tuple[int, int]]:
    """Count how often each number occurs."""
    numbers, counts = np.unique(users, return_counts=True)
    return zip(numbers.tolist(), counts.tolist(), strict=True)
