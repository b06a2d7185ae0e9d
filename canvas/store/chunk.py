"""Pure. Consecutive changes as arrays, in the layout of the file."""

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
"""One change: 12 bytes. The store maps the number of a user to the user id."""

RUN = np.dtype([("count", "<u4"), ("at", "<f8")])
"""A run of changes with the same time."""


Cells = NDArray[np.bool_]
"""A mask of the pixels of a tile, row by row."""


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """Changes in one tile, oldest first.

    Attributes:
        first, last: the range of `seq` in which they lie
        gaps: for each change in the tile its distance in `seq` from the previous one, for the first one from `first`
        chosen: the indices in `gaps` of the changes that are included; None for all
        cells: the pixel of each included change, numbered row by row in the tile
        colors: the colour of each, 0xRRGGBB
        users: the number of the user of each
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
        """The `seq` of each included change."""
        seqs = self.first + np.cumsum(self.gaps, dtype=np.int64)
        return seqs if self.chosen is None else seqs[self.chosen]

    def painted_by(self, user: int) -> Cells:
        """Return the pixels that a user has painted."""
        painted = np.zeros(TILE * TILE, bool)
        painted[self.cells[self.users == user]] = True
        return painted

    def on(self, cells: Cells) -> Local:
        """Return the changes on some pixels. Valid only if all changes in the tile are included."""
        (chosen,) = np.nonzero(cells[self.cells])
        columns = self.cells[chosen], self.colors[chosen], self.users[chosen]
        return Local(self.first, self.last, self.gaps, chosen, *columns)


def chosen(one: Cells | None, other: Cells | None) -> Cells | None:
    """Return the pixels in both masks; None means all."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive changes.

    Attributes:
        first: the `seq` of the first one
        at: the time of each in seconds since 1970; it never goes back
        records: an array of `RECORD`
    """

    first: int
    at: NDArray[np.float64]
    records: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def last(self) -> int:
        """The `seq` of the last change."""
        return self.first + len(self.records) - 1

    def between(self, after: int, until: int) -> Chunk:
        """Return the changes after `after`, up to and including `until`."""
        part = slice(max(0, after + 1 - self.first), max(0, until + 1 - self.first))
        return Chunk(self.first + part.start, self.at[part], self.records[part])

    def users(self) -> set[int]:
        """Return the numbers of the users who painted."""
        return set(np.unique(self.records["user"]).tolist())

    def by_tile(self, columns: int) -> dict[int, Local]:
        """Group the changes by tile, for a canvas with `columns` tiles in a row."""
        xs, ys = self.records["x"], self.records["y"]
        tiles = ((ys >> SHIFT) * np.uint16(columns) + (xs >> SHIFT)).astype(np.uint16)
        order = np.argsort(tiles, kind="stable")  # linear time, because the keys have 16 bits
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
        """Return the changes as objects; `names` maps the numbers of users to their ids."""
        records = enumerate(self.records.tolist(), self.first)
        return [Change(x, y, color, names[user], seq) for seq, (x, y, color, user) in records]


def pack(changes: Sequence[Change], number: Callable[[str], int]) -> NDArray[np.void]:
    """Return changes as records; `number` returns the number of a user id."""
    return np.array([(c.x, c.y, c.color, number(c.user_id)) for c in changes], dtype=RECORD)


def join(after: int, chunks: Iterable[Chunk]) -> Chunk:
    """Join chunks that follow change `after` and each other without gaps."""
    parts = list(chunks)
    return Chunk(
        after + 1,
        np.concatenate([np.empty(0), *(part.at for part in parts)]),
        np.concatenate([np.empty(0, RECORD), *(part.records for part in parts)]),
    )
