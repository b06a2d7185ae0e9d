"""Pure. Questions to the past of a canvas: who painted this pixel, and what would be without what somebody painted?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from canvas.area import Area
from canvas.grid import Grid
from canvas.store.chunk import Chunk


@dataclass(frozen=True, slots=True)
class Placed:
    """One change of a pixel; `at` in seconds since 1970."""

    seq: int
    color: int
    user: int
    at: float


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

    def matches(self, chunk: Chunk) -> NDArray[np.bool_]:
        """Tell of each change of `chunk` whether it is one of them."""
        records = chunk.records
        seqs = np.arange(chunk.first, chunk.first + len(chunk))
        found: NDArray[np.bool_] = (self.after < seqs) & (seqs <= self.until)
        if self.user is not None:
            found &= records["user"] == self.user
        if self.area is not None:
            area = self.area
            found &= (area.x <= records["x"]) & (records["x"] < area.x + area.width)
            found &= (area.y <= records["y"]) & (records["y"] < area.y + area.height)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Undoing:
    """What a rollback does.

    Attributes:
        seq: of the last change it knows of
        changes: how many changes were selected
        xs, ys: the pixels that would look different without them
        now: their colours
        before: the colours they would have
    """

    seq: int
    changes: int
    xs: NDArray[np.intp]
    ys: NDArray[np.intp]
    now: NDArray[np.uint32]
    before: NDArray[np.uint32]


def past_of(x: int, y: int, newest_first: Iterable[Chunk], limit: int) -> list[Placed]:
    """The last changes of a pixel, the newest first."""
    past: list[Placed] = []
    for chunk in newest_first:
        records = chunk.records
        for index in np.flatnonzero((records["x"] == x) & (records["y"] == y))[::-1].tolist():
            record = records[index]
            past.append(Placed(chunk.first + index, int(record["color"]), int(record["user"]), float(chunk.at[index])))
            if len(past) == limit:
                return past
    return past


def undo(selection: Selection, base: Grid, since: Iterable[Chunk]) -> Undoing:
    """Find what the canvas would look like if the selected changes had never been made.

    A pixel that somebody has painted over since stays as it is.

    Args:
        selection: which changes
        base: the canvas before the first of them; becomes the canvas of now
        since: all changes after it, oldest first
    """
    without = base.copy()
    count = 0
    for chunk in since:
        found = selection.matches(chunk)
        count += int(np.count_nonzero(found))
        for grid, records in ((base, chunk.records), (without, chunk.records[~found])):
            grid.apply_columns(records["x"], records["y"], records["color"])
    ys, xs = np.nonzero(base.colors != without.colors)
    return Undoing(base.seq, count, xs, ys, base.colors[ys, xs], without.colors[ys, xs])
