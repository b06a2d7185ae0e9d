"""The rows of the history in an SQLite file: one per batch, or one for many old batches folded together.

A start reads the rows since the last snapshot, and a query of the history reads those that are not indexed yet. A quiet
canvas commits each change alone: a million such rows take six seconds to read; folded, they take a tenth of a second.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from canvas.store.chunk import RECORD, RUN, Chunk
from canvas.store.interface import StoreError
from canvas.store.schema import transaction

COLUMNS = "first_seq, at, times, checksum, records"
READ_ROWS = 5_000
READ_CHANGES = 500_000
"""Limits of one read: so many rows, or up to the row that reaches so many changes. Each read is a transaction of its
own, so that no long one keeps SQLite from checkpointing its log into the file."""
FOLDED = 1_000
"""Changes in a folded row. Each may have been a row of its own: deleting so many rows delays a commit by 4 ms."""


class Row(NamedTuple):
    """One row; see `canvas.store.schema`. A start reads many: a tuple takes a third of a dataclass's time to build."""

    first: int
    at: float
    times: bytes | None
    checksum: int
    records: bytes

    @property
    def size(self) -> int:
        """Number of changes in the row."""
        return len(self.records) // RECORD.itemsize

    def verify(self) -> None:
        """Check the row against its checksum.

        Raises:
            StoreError: if the row is damaged.
        """
        if _checksum(self.times, self.records) != self.checksum or len(self.records) % RECORD.itemsize:
            raise StoreError(f"change {self.first} is not what was written")

    def runs(self) -> NDArray[np.void]:
        """Return the times of the changes, as records of `RUN`."""
        if self.times is None:
            return np.array([(self.size, self.at)], RUN)
        return np.frombuffer(self.times, RUN)


def last(connection: sqlite3.Connection) -> tuple[int, float]:
    """Return the `seq` and the time of the last change; (0, 0.0) if there is none."""
    query = "SELECT first_seq, at, length(records) FROM batches ORDER BY first_seq DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    return (0, 0.0) if row is None else (row[0] + row[2] // RECORD.itemsize - 1, row[1])


def insert(connection: sqlite3.Connection, first: int, at: float, times: bytes | None, records: bytes) -> None:
    """Insert a row."""
    values = (first, at, times, _checksum(times, records), records)
    connection.execute(f"INSERT INTO batches ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", values)


def remove(connection: sqlite3.Connection, first: int) -> None:
    """Delete the row that begins with change `first`, if there is one."""
    connection.execute("DELETE FROM batches WHERE first_seq = ?", (first,))


def redate(connection: sqlite3.Connection, at: float) -> int:
    """Set the time of all changes later than `at` to `at`; return how many rows that affects.

    A damaged folded row keeps its checksum, so that the damage is still noticed.
    """
    folded = connection.execute("SELECT first_seq FROM batches WHERE at > ? AND times IS NOT NULL", (at,)).fetchall()
    for (first,) in folded:
        (row,) = read(connection, "first_seq = ?", first)
        with contextlib.suppress(StoreError):
            row.verify()
            runs = row.runs().copy()
            runs["at"] = np.minimum(runs["at"], at)
            values = (runs.tobytes(), _checksum(runs.tobytes(), row.records), first)
            connection.execute("UPDATE batches SET times = ?, checksum = ? WHERE first_seq = ?", values)
    return connection.execute("UPDATE batches SET at = ? WHERE at > ?", (at, at)).rowcount


def read(connection: sqlite3.Connection, condition: str, *parameters: object, changes: int = READ_CHANGES) -> list[Row]:
    """Return the first rows that satisfy `condition`, in its order, up to `READ_ROWS` rows or `changes` changes.

    The row that reaches `changes` is included.
    """
    rows: list[Row] = []
    with closing(connection.execute(f"SELECT {COLUMNS} FROM batches WHERE {condition}", parameters)) as cursor:
        for values in cursor:
            row = Row._make(values)
            rows.append(row)
            changes -= row.size
            if len(rows) >= READ_ROWS or changes <= 0:
                break
    return rows


def join(rows: Sequence[Row], wanted: int) -> Chunk:
    """Join consecutive rows into one chunk. The first row must contain change `wanted`.

    Raises:
        StoreError: if a row is missing or damaged.
    """
    if not rows or not rows[0].first <= wanted:
        raise StoreError(f"change {wanted} is missing")
    expected = rows[0].first
    counts: list[int] = []
    times: list[float] = []
    for row in rows:
        if row.first != expected:
            raise StoreError(f"change {expected} is missing")
        row.verify()
        size = row.size
        expected += size
        if row.times is None:
            counts.append(size)
            times.append(row.at)
        else:
            runs = row.runs()
            counts += runs["count"].tolist()
            times += runs["at"].tolist()
    records = np.frombuffer(b"".join([row.records for row in rows]), RECORD)
    return Chunk(rows[0].first, np.repeat(times, counts), records)


def fold(connection: sqlite3.Connection, turn: AbstractContextManager[object]) -> None:
    """Fold the batches after the last folded row, taking `turn` once for each row.

    The last batches stay as they are until enough have followed to fill a row. So the same batches always end up in the
    same row, whichever process folds them, and whenever it does.

    Raises:
        StoreError: if a batch is missing or damaged, or if another process has folded it meanwhile.
    """
    first = _folded_until(connection) + 1
    while group := _next_group(connection, first):
        chunk = join(group, group[0].first)
        runs = np.concatenate([row.runs() for row in group])
        with turn, transaction(connection):
            at = connection.execute("SELECT at FROM batches WHERE first_seq = ?", (group[-1].first,)).fetchone()
            remove = "DELETE FROM batches WHERE first_seq BETWEEN ? AND ?"
            removed = connection.execute(remove, (group[0].first, group[-1].first)).rowcount
            if removed != len(group) or at != (group[-1].at,):
                raise StoreError(f"change {chunk.first} was folded by another process, or redated")
            insert(connection, chunk.first, group[-1].at, runs.tobytes(), chunk.records.tobytes())
        first = chunk.last + 1


def _folded_until(connection: sqlite3.Connection) -> int:
    """Return the last change in a folded row. Rows are folded in order, so no batch before it needs folding."""
    query = "SELECT first_seq, length(records) FROM batches WHERE times IS NOT NULL ORDER BY first_seq DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    return 0 if row is None else row[0] + row[1] // RECORD.itemsize - 1


def _next_group(connection: sqlite3.Connection, first: int) -> list[Row]:
    """Return the next batches from change `first` on that fill one folded row; empty if there are too few yet."""
    found = connection.execute(
        "SELECT first_seq FROM batches WHERE length(records) < ? AND first_seq >= ? ORDER BY first_seq LIMIT 1",
        (FOLDED * RECORD.itemsize, first),
    ).fetchone()
    if found is None:
        return []
    group: list[Row] = []
    changes = 0
    for row in read(connection, "first_seq >= ? ORDER BY first_seq", found[0], changes=FOLDED):
        changes += row.size
        if changes > FOLDED:
            return group
        group.append(row)
    return group if changes == FOLDED or len(group) == READ_ROWS else []


def _checksum(times: bytes | None, records: bytes) -> int:
    return zlib.crc32(records, zlib.crc32(times or b""))
