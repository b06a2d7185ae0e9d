"""Reads the past out of an SQLite file, on a connection of its own, while another one commits or nobody does."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from canvas.grid import Grid
from canvas.store import rows, schema
from canvas.store.chunk import RECORD, Chunk
from canvas.store.interface import StoreError
from canvas.store.rows import Row
from canvas.store.schema import CHECKED_WHOLE, connected, damaged, explained, transaction

KEPT_SNAPSHOTS = 8
_LAST = chr(0x10FFFF)
"""Behind all that may follow in a text."""
COMPRESSION = 1
"""Of snapshots. A picture of 1000 x 1000 takes 30 ms; the best compression takes twenty times that for a tenth less."""


class SqliteReader:
    """One reader, for one thread.

    Args:
        path: the file
        turn: held while it writes a snapshot, so that commits wait for that and no longer

    Attributes:
        replayed: how many changes the last `grid` took from the history, on top of a snapshot
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

    def verify(self) -> Grid:
        """Read what a start needs, and all of a small file; returns the canvas.

        Raises:
            UnusableStore: if something of it is damaged.
        """
        with explained(self._path):
            try:
                grid = self.grid()
                if self._path.stat().st_size <= CHECKED_WHOLE:
                    for _ in self.chunks(until=grid.seq - self.replayed):
                        pass  # the later ones have just been read
            except StoreError as error:
                raise damaged(self._path, str(error)) from error
        return grid

    def seq(self) -> int:
        """See `Reader.seq`."""
        with _told():
            return rows.last(self._connection)[0]

    def oldest(self) -> int:
        """See `Reader.oldest`: all of them are there."""
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

    def chunks_back(self) -> Iterator[Chunk]:
        """See `Reader.chunks_back`."""
        before = self.seq() + 1
        while before > 1:
            found = self._read("first_seq < ? ORDER BY first_seq DESC", before)
            chunk = rows.join(found[::-1], before - 1).between(0, before - 1)  # it may have been folded meanwhile
            if chunk.last != before - 1:
                raise StoreError(f"change {before - 1} is missing")
            before = chunk.first
            yield chunk

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
        """See `Reader.seq_at`: halves the history until it knows, for time never goes back in it."""
        low, high = 0, self.seq()
        while low < high:
            middle = (low + high + 1) // 2
            row = self._one(
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
            row = self._one("SELECT name FROM users WHERE id = ?", user)
            if row is None:
                raise StoreError(f"painter {user} is missing")
            names[user] = row[0]
        return names

    def number(self, user_id: str) -> int | None:
        """See `Reader.number`."""
        row = self._one("SELECT id FROM users WHERE name = ?", user_id)
        return None if row is None else row[0]

    def painters(self, beginning: str, limit: int) -> list[str]:
        """See `Reader.painters`."""
        query = "SELECT name FROM users WHERE name >= ? AND name < ? ORDER BY name LIMIT ?"
        with _told():
            return [name for (name,) in self._connection.execute(query, (beginning, beginning + _LAST, limit))]

    def since_snapshot(self) -> int:
        """See `Reader.since_snapshot`."""
        (last,) = self._one("SELECT max(seq) FROM snapshots")
        return self.seq() - (last or 0)

    def take_snapshot(self) -> None:
        """See `Reader.take_snapshot`.

        The lock is held for the writes alone, which do not wait for the disk.
        """
        grid = self.grid()
        colors = zlib.compress(grid.colors.astype("<u4", copy=False).data, COMPRESSION)
        with _told(), connected(self._path, writes=True) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")  # the next commit takes it to the disk
            with self._turn, transaction(connection):
                connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", (grid.seq, colors))
                connection.execute(
                    "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                    (KEPT_SNAPSHOTS,),
                )

    def fold(self) -> None:
        """See `Reader.fold`. The lock is held for some thousand changes at a time."""
        with _told(), connected(self._path, writes=True) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")  # the next commit takes it to the disk
            rows.fold(connection, self._turn)

    def close(self) -> None:
        """See `Reader.close`."""
        self._connection.close()

    def _one(self, query: str, *parameters: object) -> Any:
        with _told():
            return self._connection.execute(query, parameters).fetchone()

    def _read(self, condition: str, *parameters: object) -> list[Row]:
        with _told():
            return rows.read(self._connection, condition, *parameters)

    def _snapshot(self, until: int) -> Grid:
        """The last snapshot up to change `until`; without one, the canvas as it was before the first change."""
        query = "SELECT seq, colors FROM snapshots WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
        row = self._one(query, until)
        if row is None:
            return Grid(self.width, self.height, self.background)
        seq, compressed = row
        try:
            colors = np.frombuffer(zlib.decompress(compressed), "<u4").astype(np.uint32, copy=False)
            return Grid.restored(colors.reshape(self.height, self.width), self.background, seq)
        except (zlib.error, ValueError) as error:
            raise StoreError(f"the snapshot of change {seq} is not whole: {error}") from error


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(str(error)) from error

