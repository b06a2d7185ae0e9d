"""Reads the history in an SQLite file, on a connection of its own, whether or not a store has the file open."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canvas.board.area import SHIFT, TILE, Area, columns_of
from canvas.board.grid import Grid
from canvas.store import places, rows, schema
from canvas.store.chunk import RECORD, Cells, Chunk, Local, chosen, join
from canvas.store.interface import NotIndexed, StoreError
from canvas.store.rows import Row
from canvas.store.schema import CHECKED_WHOLE, connected, damaged, explained, transaction

KEPT_SNAPSHOTS = 8
MAX_UNINDEXED_SEGMENTS = 3
"""Segments of changes not indexed yet that a query still searches: so many may arrive while one is being written."""
_LAST = chr(0x10FFFF)
"""Sorts after every other character."""
COMPRESSION = 1
"""Level for snapshots: 30 ms for 1000 x 1000 pixels. The best level takes twenty times as long, and saves a tenth."""


class SqliteReader:
    """A `Reader` of an SQLite file, for one thread at a time.

    Args:
        path: the file
        turn: the lock of the file, held only for each write, so that commits wait no longer than that

    Attributes:
        replayed: how many changes the last `grid` applied on top of a snapshot
    """

    def __init__(self, path: Path, turn: AbstractContextManager[object] | None = None) -> None:
        self._path = path
        self._turn = turn or nullcontext()
        with explained(path):
            self._connection = schema.connect(path)
            with schema.closed_on_failure(self._connection):
                schema.require_current(path, self._connection)
                self.about = schema.read_about(self._connection)
        self.epoch = self.about.epoch
        self.width = self.about.width
        self.height = self.about.height
        self.background = self.about.background
        self.replayed = 0
        self._segment = places.segment_of(self.width, self.height)

    def verify(self) -> Grid:
        """Return the canvas, after reading what a start needs, and all of a small file.

        Raises:
            UnusableStore: if any of that is damaged.
        """
        with explained(self._path):
            try:
                grid = self.grid()
                if self._path.stat().st_size <= CHECKED_WHOLE:
                    for _ in self.chunks(until=grid.seq - self.replayed):
                        pass  # `grid` has just read the later ones
                    places.verify(self._connection)
            except StoreError as error:
                raise damaged(self._path, str(error)) from error
        return grid

    def seq(self) -> int:
        """See `Reader.seq`."""
        with _store_errors():
            return rows.last(self._connection)[0]

    def oldest(self) -> int:
        """See `Reader.oldest`: the file holds every change."""
        return 1

    def chunks(self, after: int = 0, until: int | None = None) -> Iterator[Chunk]:
        """See `Reader.chunks`."""
        until = self.seq() if until is None else until
        while after < until:
            found = self._read(
                "first_seq >= coalesce((SELECT max(first_seq) FROM batches WHERE first_seq <= ?), 0)"
                " AND first_seq <= ? ORDER BY first_seq",
                after + 1,
                until,
            )
            chunk = rows.join(found, after + 1).between(after, until)
            if not len(chunk):
                raise StoreError(f"change {after + 1} is missing")
            after = chunk.last
            yield chunk

    def seqs_of(self, x: int, y: int, limit: int) -> list[int]:
        """See `Reader.seqs_of`."""
        recent = self._not_indexed()
        (indices,) = np.nonzero((recent.records["x"] == x) & (recent.records["y"] == y))
        found: list[int] = (recent.first + indices[::-1][:limit]).tolist()
        if len(found) < limit:
            tile, cell = (y >> SHIFT) * columns_of(self.width) + (x >> SHIFT), (y & TILE - 1) << SHIFT | x & TILE - 1
            with _store_errors():
                found += places.seqs(self._connection, tile, cell, recent.first - 1, limit - len(found))
        return found

    def by_tile(
        self, tiles: Iterable[tuple[int, Cells | None]], user: int | None = None
    ) -> Iterator[tuple[int, Iterable[Local]]]:
        """See `Reader.by_tile`."""
        chunk = self._not_indexed()
        indexed, recent = chunk.first - 1, chunk.by_tile(columns_of(self.width))
        for tile, cells in tiles:
            local = recent.get(tile)
            painted = None
            if user is not None:
                painted = self._painted_by(user, tile, indexed)
                if local is not None:
                    painted |= local.painted_by(user)
            wanted = chosen(cells, painted)
            if wanted is None or wanted.any():
                yield tile, self._on_tile(tile, wanted, indexed, local)

    def grid(self, seq: int | None = None) -> Grid:
        """See `Reader.grid`."""
        until = self.seq() if seq is None else seq
        grid = self._snapshot(until)
        self.replayed = until - grid.seq
        for chunk in self.chunks(grid.seq, until):
            records = chunk.records
            grid.apply_columns(records["x"], records["y"], records["color"])
        return grid

    def seq_at(self, time: float) -> int:
        """See `Reader.seq_at`. A binary search, because time never goes back in the history."""
        low, high = 0, self.seq()
        while low < high:
            middle = (low + high + 1) // 2
            row = self._fetch_one(
                "SELECT first_seq, at, length(records) FROM batches WHERE first_seq <= ?"
                " ORDER BY first_seq DESC LIMIT 1",
                middle,
            )
            first, at, size = row or (0, 0.0, 0)
            last = first + size // RECORD.itemsize - 1
            if last < middle:
                raise StoreError(f"change {middle} is missing")
            if at <= time:
                low = min(high, last)
            else:
                high = first - 1
        for row in self._read("first_seq = ? AND times IS NOT NULL", low + 1):
            row.verify()
            runs = row.runs()
            low += int(runs["count"][runs["at"] <= time].sum())
        return low

    def names(self, users: Iterable[int]) -> dict[int, str]:
        """See `Reader.names`."""
        names: dict[int, str] = {}
        for user in users:
            row = self._fetch_one("SELECT name FROM users WHERE id = ?", user)
            if row is None:
                raise StoreError(f"user {user} is missing")
            names[user] = row[0]
        return names

    def number(self, user_id: str) -> int | None:
        """See `Reader.number`."""
        row = self._fetch_one("SELECT id FROM users WHERE name = ?", user_id)
        return None if row is None else row[0]

    def painters(self, beginning: str, limit: int) -> list[str]:
        """See `Reader.painters`."""
        query = "SELECT name FROM users WHERE name >= ? AND name < ? ORDER BY name LIMIT ?"
        with _store_errors():
            return [name for (name,) in self._connection.execute(query, (beginning, beginning + _LAST, limit))]

    def since_snapshot(self) -> int:
        """See `Reader.since_snapshot`."""
        (last,) = self._fetch_one("SELECT max(seq) FROM snapshots")
        return self.seq() - (last or 0)

    def take_snapshot(self) -> None:
        """See `Reader.take_snapshot`.

        The lock is held for one band at a time; these writes do not wait for the disk.
        """
        grid = self.grid()
        with _store_errors(), connected(self._path, writes=True) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")  # the next commit syncs it
            if connection.execute("SELECT 1 FROM snapshots WHERE seq = ?", (grid.seq,)).fetchone():
                return
            self._remove_bands(connection)
            count = 0
            for count, colors in enumerate(_packed(grid), start=1):
                with self._turn, transaction(connection):
                    connection.execute("INSERT INTO bands VALUES (?, ?, ?)", (grid.seq, count, colors))
            with self._turn, transaction(connection):
                (written,) = connection.execute("SELECT count(*) FROM bands WHERE seq = ?", (grid.seq,)).fetchone()
                if written != count:
                    raise StoreError(f"the snapshot of change {grid.seq} was removed while it was written")
                connection.execute("INSERT INTO snapshots VALUES (?)", (grid.seq,))
                connection.execute(
                    "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                    (KEPT_SNAPSHOTS,),
                )
            self._remove_bands(connection)

    def _remove_bands(self, connection: sqlite3.Connection) -> None:
        """Delete the bands of snapshots that are unfinished or expired."""
        query = "SELECT rowid FROM bands WHERE seq NOT IN (SELECT seq FROM snapshots)"
        for band in connection.execute(query).fetchall():
            with self._turn, transaction(connection):
                connection.execute("DELETE FROM bands WHERE rowid = ?", band)

    def fold(self) -> None:
        """See `Reader.fold`. The lock is held for about a thousand changes at a time."""
        with _store_errors(), connected(self._path, writes=True) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")  # the next commit syncs it
            rows.fold(connection, self._turn)

    def index(self) -> bool:
        """See `Reader.index`. The lock is held while a few dozen rows are written."""
        with _store_errors():
            after = places.last(self._connection)
        until = after + self._segment
        last = self.seq()
        if last < until:
            return False
        chunk = join(after, self.chunks(after, until))
        with _store_errors(), connected(self._path, writes=True) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")  # the next commit syncs it
            with self._turn, transaction(connection):
                if places.last(connection) != after:
                    raise StoreError(f"change {after + 1} was indexed by another process")
                if rows.last(connection)[0] < until:  # its commit was refused after all
                    raise StoreError(f"change {until} was taken back")
                places.insert(connection, chunk, columns_of(self.width))
        return last >= until + self._segment

    def close(self) -> None:
        """See `Reader.close`."""
        self._connection.close()

    def _fetch_one(self, query: str, *parameters: object) -> Any:
        with _store_errors():
            return self._connection.execute(query, parameters).fetchone()

    def _read(self, condition: str, *parameters: object) -> list[Row]:
        with _store_errors():
            return rows.read(self._connection, condition, *parameters)

    def _not_indexed(self) -> Chunk:
        """Return the changes after the last indexed one, in time proportional to their number.

        Raises:
            NotIndexed: if there are too many, as in a file of an earlier version.
        """
        with _store_errors():
            indexed = places.last(self._connection)
        last = self.seq()
        if last - indexed > MAX_UNINDEXED_SEGMENTS * self._segment:
            raise NotIndexed(f"the history is being indexed, {last - indexed} changes are left: try again in a minute")
        return join(indexed, self.chunks(indexed, last))

    def _painted_by(self, user: int, tile: int, until: int) -> Cells:
        with _store_errors():
            return places.painted_by(self._connection, user, tile, until)

    def _on_tile(self, tile: int, wanted: Cells | None, indexed: int, recent: Local | None) -> Iterator[Local]:
        with _store_errors():
            yield from places.read(self._connection, tile, wanted, indexed)
        if recent is not None:
            yield recent if wanted is None else recent.on(wanted)

    def _snapshot(self, until: int) -> Grid:
        """Return the last snapshot up to change `until`; without one, the canvas before the first change."""
        query = (
            "SELECT seq, colors FROM bands WHERE seq = (SELECT max(seq) FROM snapshots WHERE seq <= ?) ORDER BY number"
        )
        with _store_errors(), closing(self._connection.execute(query, (until,))) as cursor:
            first = cursor.fetchone()
            if first is None:
                return Grid(self.width, self.height, self.background)
            seq = first[0]
            bands = _unpacked((colors for _, colors in chain([first], cursor)), self.width)
            try:
                return Grid.restored(self.width, self.height, self.background, seq, bands)
            except (zlib.error, ValueError) as error:
                raise StoreError(f"the snapshot of change {seq} is damaged: {error}") from error


def _packed(grid: Grid) -> Iterator[bytes]:
    """Yield the colours in bands of `TILE` rows, each compressed."""
    for y in range(0, grid.height, TILE):
        band = grid.colors_in(Area(0, y, grid.width, min(TILE, grid.height - y)))
        yield zlib.compress(band.astype("<u4", copy=False).data, COMPRESSION)


def _unpacked(packed: Iterable[bytes], width: int) -> Iterator[NDArray[np.uint32]]:
    """Yield the colours in packed bands, `TILE` rows at a time; earlier versions packed the canvas as one band.

    Raises:
        zlib.error, ValueError: if a band is damaged, or does not consist of whole rows.
    """
    for each in packed:
        rows = np.frombuffer(zlib.decompress(each), "<u4").astype(np.uint32, copy=False).reshape(-1, width)
        yield from (rows[y : y + TILE] for y in range(0, len(rows), TILE))


@contextmanager
def _store_errors() -> Iterator[None]:
    """Raise errors of SQLite as `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(str(error)) from error
