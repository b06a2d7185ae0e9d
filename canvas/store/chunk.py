"""Pure. Consecutive changes column by column, as NumPy reads them and as a file holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canvas.board.area import SHIFT, TILE
from canvas.board.grid import Change

RECORD = np.dtype([("x", "<u2"), ("y", "<u2"), ("color", "<u4"), ("user", "<u4")])
"""One change: 12 bytes. Whom the number of a user means, the store knows."""

RUN = np.dtype([("count", "<u4"), ("at", "<f8")])
"""So many changes that were made at the same time."""


Cells = NDArray[np.bool_]
"""Which pixels of a tile are meant: one truth for each, row by row."""


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """Changes in one tile, oldest first.

    Attributes:
        first, last: the numbers between which they are
        gaps: how far apart the changes in the tile are, from the one to the next; the first one from `first`
        chosen: which of these changes are meant; None for all
        cells: the pixels, numbered row by row in the tile
        colors: 0xRRGGBB
        users: the numbers of those who painted
    """

    first: int
    last: int
    gaps: NDArray[Any]
    chosen: NDArray[np.intp] | None
    cells: NDArray[np.uint16]
    colors: NDArray[np.uint32]
    users: NDArray[np.uint32]

    @property
    def seqs(self) -> NDArray[np.int64]:
        """The numbers of the changes."""
        seqs = self.first + np.cumsum(self.gaps, dtype=np.int64)
        return seqs if self.chosen is None else seqs[self.chosen]

    def painted_by(self, user: int) -> Cells:
        """The pixels on which a painter has painted."""
        painted = np.zeros(TILE * TILE, bool)
        painted[self.cells[self.users == user]] = True
        return painted

    def on(self, cells: Cells) -> Local:
        """Those of all changes in the tile that are on some pixels."""
        (chosen,) = np.nonzero(cells[self.cells])
        columns = self.cells[chosen], self.colors[chosen], self.users[chosen]
        return Local(self.first, self.last, self.gaps, chosen, *columns)


def chosen(one: Cells | None, other: Cells | None) -> Cells | None:
    """The pixels in both; None means all."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive changes.

    Attributes:
        first: the number of the first one
        at: when each was made, in seconds since 1970; it never goes back
        records: of `RECORD`
    """

    first: int
    at: NDArray[np.float64]
    records: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def last(self) -> int:
        """The number of the last change."""
        return self.first + len(self.records) - 1

    def between(self, after: int, until: int) -> Chunk:
        """The part of it after change `after`, up to and with `until`."""
        part = slice(max(0, after + 1 - self.first), max(0, until + 1 - self.first))
        return Chunk(self.first + part.start, self.at[part], self.records[part])

    def users(self) -> set[int]:
        """The numbers of those who painted."""
        return set(np.unique(self.records["user"]).tolist())

    def by_tile(self, columns: int) -> dict[int, Local]:
        """The same tile by tile, for a canvas of `columns` tiles in a row."""
        xs, ys = self.records["x"], self.records["y"]
        tiles = ((ys >> SHIFT) * np.uint16(columns) + (xs >> SHIFT)).astype(np.uint16)
        order = np.argsort(tiles, kind="stable")  # of integers of 16 bits it takes linear time
        tiles, records = tiles[order], self.records[order]
        cells = ((records["y"] & TILE - 1) << SHIFT | records["x"] & TILE - 1).astype(np.uint16)
        ends = (np.flatnonzero(np.diff(tiles)) + 1).tolist()
        parts = [slice(start, end) for start, end in pairwise([0, *ends, len(tiles)])]
        return {
            int(tiles[part.start]): self._local(order[part], cells[part], records[part]) for part in parts if part.stop
        }

    def _local(self, places: NDArray[np.intp], cells: NDArray[np.uint16], records: NDArray[np.void]) -> Local:
        gaps = np.diff(places, prepend=0)
        return Local(self.first, self.last, gaps, None, cells, records["color"], records["user"])

    def changes(self, names: dict[int, str]) -> list[Change]:
        """The same one by one."""
        records = enumerate(self.records.tolist(), self.first)
        return [Change(x, y, color, names[user], seq) for seq, (x, y, color, user) in records]


def pack(changes: Sequence[Change], number: Callable[[str], int]) -> NDArray[np.void]:
    """The records of changes; `number` tells that of a painter."""
    return np.array([(c.x, c.y, c.color, number(c.user_id)) for c in changes], dtype=RECORD)


def join(after: int, chunks: Iterable[Chunk]) -> Chunk:
    """One chunk of those that follow on change `after`, and on each other."""
    parts = list(chunks)
    return Chunk(
        after + 1,
        np.concatenate([np.empty(0), *(part.at for part in parts)]),
        np.concatenate([np.empty(0, RECORD), *(part.records for part in parts)]),
    )
