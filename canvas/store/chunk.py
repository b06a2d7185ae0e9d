"""Pure. Consecutive changes column by column, as NumPy reads them and as a file holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from canvas.grid import Change

RECORD = np.dtype([("x", "<u2"), ("y", "<u2"), ("color", "<u4"), ("user", "<u4")])
"""One change: 12 bytes. Whom the number of a user means, the store knows."""

RUN = np.dtype([("count", "<u4"), ("at", "<f8")])
"""So many changes that were made at the same time."""


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

    def changes(self, names: dict[int, str]) -> list[Change]:
        """The same one by one."""
        records = enumerate(self.records.tolist(), self.first)
        return [Change(x, y, color, names[user], seq) for seq, (x, y, color, user) in records]


def pack(changes: Sequence[Change], number: Callable[[str], int]) -> NDArray[np.void]:
    """The records of changes; `number` tells that of a painter."""
    return np.array([(c.x, c.y, c.color, number(c.user_id)) for c in changes], dtype=RECORD)
