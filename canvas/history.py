"""Pure. Questions to the past of a canvas: who painted this pixel, and what would be without what somebody painted?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.shown import shown
from canvas.area import SHIFT, TILE, Area, tile_area
from canvas.grid import Grid
from canvas.store.chunk import Cells, Local

_NOTHING: NDArray[np.int64] = np.empty((4, 0), np.int64)


@shown()
@dataclass(frozen=True, slots=True)
class Placed:
    """One change of a pixel; `at` in seconds since 1970."""

    seq: int
    color: int
    user: int
    at: float


@shown()
@dataclass(frozen=True, slots=True)
class Selection:
    """Changes by painter, place and time; None means any.

    Attributes:
        user: the number of a painter
        after: changes from the next number on
        until: changes up to and with this number
    """

    user: int | None
    area: Area | None
    after: int
    until: int

    def matches(self, local: Local) -> NDArray[np.bool_]:
        """Tell of each of some changes in the area whether it is one of them."""
        found = np.ones(len(local.cells), bool) if self.user is None else local.users == self.user
        if self.after >= local.first or self.until < local.last:
            seqs = local.seqs
            found = found & (self.after < seqs) & (seqs <= self.until)
        return found

    def tiles(self, grid: Grid) -> Iterator[tuple[int, Cells | None]]:
        """The tiles of a canvas in which they may be, and on which pixels of these; None for all."""
        for number in grid.whole.tiles(grid.columns):
            tile = tile_area(number, grid.width, grid.height)
            if self.area is None or self.area.covers(tile):
                yield number, None
            elif self.area.touches(tile):
                cells = np.zeros((TILE, TILE), bool)
                left, top = self.area.x - tile.x, self.area.y - tile.y
                cells[max(0, top) : top + self.area.height, max(0, left) : left + self.area.width] = True
                yield number, cells.reshape(-1)


@shown("changes")
@dataclass(frozen=True, slots=True, eq=False)
class Undoing:
    """What a rollback does.

    Attributes:
        changes: how many changes were selected
        xs, ys: the pixels that would look different without them
        now: their colours
        before: the colours they would have
    """

    changes: int
    xs: NDArray[np.int64]
    ys: NDArray[np.int64]
    now: NDArray[np.int64]
    before: NDArray[np.int64]


def undo(selection: Selection, base: Grid, tiles: Iterable[tuple[int, Iterable[Local]]]) -> Undoing:
    """Find what the canvas would look like if the selected changes had never been made.

    A pixel that somebody has painted over since stays as it is.

    Args:
        selection: which changes
        base: the canvas before the first change
        tiles: all changes of each pixel with one that is selected, tile after tile, oldest first
    """
    count = 0
    found = [_NOTHING]
    for number, changes in tiles:
        painted = base.tile(number)
        now = np.full(TILE * TILE, base.background, np.uint32) if painted is None else painted.flatten()
        without = now.copy()
        for local in changes:
            selected = selection.matches(local)
            count += int(np.count_nonzero(selected))
            cells, others = local.cells.astype(np.intp), ~selected
            # Of a pixel that comes twice, NumPy leaves the last.
            now[cells] = local.colors
            without[cells[others]] = local.colors[others]
        (changed,) = np.nonzero(now != without)
        tile = tile_area(number, base.width, base.height)
        found.append(
            np.stack([tile.x + (changed & TILE - 1), tile.y + (changed >> SHIFT), now[changed], without[changed]])
        )
    return Undoing(count, *np.concatenate(found, axis=1))
