"""The rows of the history in an SQLite file: a batch each, or many batches of long ago folded into one.

A start reads the rows since the last snapshot, and a question to the past those that are not indexed yet. A quiet
canvas commits each change alone: a million rows take six seconds to read, and folded a tenth of one.
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
"""So many rows, or the last one that makes so many changes, are read at once: each read is a transaction of its own, so
that none keeps SQLite from taking its log over into the file."""
FOLDED = 1_000
"""Changes in a folded row. They may have come alone: a commit waits for 4 ms while so many rows are removed."""


class Row(NamedTuple):
    """One row; see `canvas.store.schema`. A start reads many: a tuple is made in a third of the time of a dataclass."""

    first: int
    at: float
    times: bytes | None
    checksum: int
    records: bytes

    @property
    def size(self) -> int:
        """How many changes it has."""
        return len(self.records) // RECORD.itemsize

    def verify(self) -> None:
        """Check that it is what was written.

        Raises:
            StoreError: if it is not.
        """
        if _checksum(self.times, self.records) != self.checksum or len(self.records) % RECORD.itemsize:
            raise StoreError(f"change {self.first} is not what was written")

    def runs(self) -> NDArray[np.void]:
        """When they were made."""
        if self.times is None:
            return np.array([(self.size, self.at)], RUN)
        return np.frombuffer(self.times, RUN)


def last(connection: sqlite3.Connection) -> tuple[int, float]:
    """The number and the time of the last change."""
    query = "SELECT first_seq, at, length(records) FROM batches ORDER BY first_seq DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    return (0, 0.0) if row is None else (row[0] + row[2] // RECORD.itemsize - 1, row[1])


def insert(connection: sqlite3.Connection, first: int, at: float, times: bytes | None, records: bytes) -> None:
    """Write a row."""
    values = (first, at, times, _checksum(times, records), records)
    connection.execute(f"INSERT INTO batches ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", values)


def remove(connection: sqlite3.Connection, first: int) -> None:
    """Remove the row that begins with change `first`."""
    connection.execute("DELETE FROM batches WHERE first_seq = ?", (first,))


def redate(connection: sqlite3.Connection, at: float) -> int:
    """Date the changes that are later than `at` to that; returns how many rows have some.

    A folded row that is not what was written keeps its checksum, so that this is still noticed.
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
    """As many of the rows that fulfil `condition`, in its order, as are read at once, or as make so many changes."""
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
    """One chunk of rows that follow on each other.

    Raises:
        StoreError: if one is missing or not what was written. Change `wanted` is in the first one.
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
    """Fold the batches that came since the last folded row, a row at each `turn`.

    The last ones stay as they are until so many have followed that they make a whole row. So it is always the same
    batches that make a row, whoever folds them, and when.

    Raises:
        StoreError: if a batch is missing or not what was written, or another one has folded it meanwhile.
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
                raise StoreError(f"change {chunk.first} was folded by somebody else, or dated anew")
            insert(connection, chunk.first, group[-1].at, runs.tobytes(), chunk.records.tobytes())
        first = chunk.last + 1


def _folded_until(connection: sqlite3.Connection) -> int:
    """The last change in a folded row; the rows are folded in order, so no batch before it has to be."""
    query = "SELECT first_seq, length(records) FROM batches WHERE times IS NOT NULL ORDER BY first_seq DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    return 0 if row is None else row[0] + row[1] // RECORD.itemsize - 1


def _next_group(connection: sqlite3.Connection, first: int) -> list[Row]:
    """The next batches from change `first` on that make one folded row; empty if that row is not full yet."""
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
