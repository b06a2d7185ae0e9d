"""A store in memory, which ends with the OS process. For demos and tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from canvas.board.area import columns_of
from canvas.board.grid import Change, Grid
from canvas.store.chunk import Cells, Chunk, Local, chosen, pack
from canvas.store.dating import was_ahead
from canvas.store.interface import Durability, StoreError
from canvas.store.turn import CommitPace

REMEMBERED = 100_000
"""Changes that can be read one by one. Older ones survive only as colours of the canvas."""


@dataclass(frozen=True, slots=True)
class _Batch:
    at: float
    changes: Sequence[Change]


class MemoryStore:
    """Two grids and the batches between them. The store outlives its process, as an ETS table passes to its heir.

    `_oldest` is the canvas before the first stored change, `_grid` the canvas after the last one.
    """

    kind: str = "memory"
    blocks: bool = False
    durability: Durability = "none"

    def __init__(self, epoch: str, width: int, height: int, background: int) -> None:
        self.epoch = epoch
        self.width = width
        self.height = height
        self.background = background
        self._grid = Grid(width, height, background)
        self._oldest = Grid(width, height, background)
        self._batches: deque[_Batch] = deque()

    def take_over(self) -> MemoryStore:
        """Return this store. A commit never yields, so a killed owner cannot be in the middle of one."""
        return self

    def reader(self) -> MemoryReader:
        """See `Store.reader`."""
        return MemoryReader(self)

    def load(self) -> Grid:
        """See `Store.load`."""
        return self._grid.copy()

    def since(self, seq: int) -> list[Change] | None:
        """See `Store.since`."""
        if not self._oldest.seq <= seq <= self._grid.seq:
            return None
        missing: deque[Change] = deque()
        for batch in reversed(self._batches):
            if batch.changes[-1].seq <= seq:
                break
            missing.extendleft(reversed(batch.changes))
        return list(islice(missing, max(0, len(missing) - (self._grid.seq - seq)), None))

    def append(self, changes: Sequence[Change], at: float) -> None:
        """See `Store.append`."""
        self._grid.apply(changes)
        if not changes:
            return
        batches = self._batches
        if batches and was_ahead(at, batches[-1].at):
            self._batches = batches = deque(_Batch(min(at, batch.at), batch.changes) for batch in batches)
        batches.append(_Batch(max(at, batches[-1].at) if batches else at, changes))
        while self._grid.seq - batches[0].changes[-1].seq >= REMEMBERED:
            self._oldest.apply(batches.popleft().changes)

    def verify(self) -> None:
        """Do nothing: there are no files."""

    def pace(self) -> CommitPace:
        """Return zeros: nothing is written to a disk."""
        return CommitPace(0.0, 0)

    def size(self) -> int:
        """Return 0: nothing is on disk."""
        return 0

    def close(self) -> None:
        """Do nothing: nothing is open."""


class MemoryReader:
    """A `Reader` of a memory store, for the thread of that store."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.epoch = store.epoch
        self.width = store.width
        self.height = store.height
        self.background = store.background
        self._numbers: dict[str, int] = {}

    def seq(self) -> int:
        """See `Reader.seq`."""
        return self._store._grid.seq

    def oldest(self) -> int:
        """See `Reader.oldest`."""
        return self._store._oldest.seq + 1

    def chunks(self, after: int = 0, until: int | None = None) -> Iterator[Chunk]:
        """See `Reader.chunks`."""
        self._require(after)
        until = self.seq() if until is None else until
        for batch in list(self._store._batches):
            if batch.changes[-1].seq > after and batch.changes[0].seq <= until:
                yield self._chunk(batch).between(after, until)

    def seqs_of(self, x: int, y: int, limit: int) -> list[int]:
        """See `Reader.seqs_of`."""
        changes = (change for batch in reversed(self._store._batches) for change in reversed(batch.changes))
        return list(islice((change.seq for change in changes if (change.x, change.y) == (x, y)), limit))

    def by_tile(
        self, tiles: Iterable[tuple[int, Cells | None]], user: int | None = None
    ) -> Iterator[tuple[int, Iterable[Local]]]:
        """See `Reader.by_tile`."""
        changes = [change for batch in self._store._batches for change in batch.changes]
        chunk = Chunk(self.oldest(), np.zeros(len(changes)), pack(changes, self._number))
        found = chunk.by_tile(columns_of(self.width))
        for tile, cells in tiles:
            local = found.get(tile)
            if local is not None:
                wanted = chosen(cells, None if user is None else local.painted_by(user))
                yield tile, [local if wanted is None else local.on(wanted)]

    def grid(self, seq: int | None = None) -> Grid:
        """See `Reader.grid`."""
        if seq is None or seq == self.seq():
            return self._store.load()
        self._require(seq)
        grid = self._store._oldest.copy()
        for batch in self._store._batches:
            grid.apply([change for change in batch.changes if change.seq <= seq])
        return grid

    def seq_at(self, time: float) -> int:
        """See `Reader.seq_at`."""
        seqs = (batch.changes[-1].seq for batch in reversed(self._store._batches) if batch.at <= time)
        return next(seqs, self._store._oldest.seq)

    def names(self, users: Iterable[int]) -> dict[int, str]:
        """See `Reader.names`."""
        names = list(self._numbers)
        return {user: names[user] for user in users}

    def number(self, user_id: str) -> int | None:
        """See `Reader.number`."""
        changes = (change for batch in self._store._batches for change in batch.changes)
        return self._number(user_id) if any(change.user_id == user_id for change in changes) else None

    def painters(self, beginning: str, limit: int) -> list[str]:
        """See `Reader.painters`."""
        found = {change.user_id for batch in self._store._batches for change in batch.changes}
        return sorted(user_id for user_id in found if user_id.startswith(beginning))[:limit]

    def since_snapshot(self) -> int:
        """Return 0: a load replays nothing."""
        return 0

    def fold(self) -> None:
        """Do nothing: batches in memory are fast to read."""

    def index(self) -> bool:
        """Return False: changes in memory need no index."""
        return False

    def take_snapshot(self) -> None:
        """Do nothing: the store already holds the canvas."""

    def close(self) -> None:
        """See `Reader.close`."""

    def _number(self, user_id: str) -> int:
        return self._numbers.setdefault(user_id, len(self._numbers))

    def _chunk(self, batch: _Batch) -> Chunk:
        records = pack(batch.changes, self._number)
        return Chunk(batch.changes[0].seq, np.full(len(records), batch.at), records)

    def _require(self, seq: int) -> None:
        if seq < self._store._oldest.seq:
            raise StoreError(f"a memory store remembers the last {REMEMBERED:,} changes only")
