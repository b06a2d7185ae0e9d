"""The index of an SQLite file by place: the changes of each tile, with one row per tile and segment of the history.

It holds nothing that is not in the history, and is built from it later: a change is indexed when its segment is full.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canvas.board.area import TILE
from canvas.store.chunk import Cells, Chunk, Local
from canvas.store.interface import StoreError

SEGMENT = 100_000
"""Minimum number of changes in a segment. Changes that are not indexed yet are scanned, which takes 10 ms."""
PIXELS_PER_CHANGE = 200
"""A large canvas has longer segments, of a change per so many pixels, because each segment has a row per tile."""
READ_ROWS = 50
"""Rows per read. Each read is a transaction of its own; see `canvas.store.rows`."""

_CHECKSUM = struct.Struct("<I")
_COLUMNS = "painters, cells, gaps, palette, colors, users"


def segment_of(width: int, height: int) -> int:
    """Return the number of changes in a segment."""
    return max(SEGMENT, width * height // PIXELS_PER_CHANGE)


def last(connection: sqlite3.Connection) -> int:
    """Return the `seq` of the last indexed change; 0 if there is none."""
    row = connection.execute("SELECT last_seq FROM places ORDER BY rowid DESC LIMIT 1").fetchone()
    return 0 if row is None else int(row[0])


def insert(connection: sqlite3.Connection, chunk: Chunk, columns: int) -> None:
    """Index the changes after the last indexed one, for a canvas with `columns` tiles in a row."""
    for tile, local in chunk.by_tile(columns).items():
        painters, users = _factorize(local.users)
        palette, colors = _factorize(local.colors)
        gaps = local.gaps.astype(np.min_scalar_type(local.gaps.max()))
        connection.execute(
            f"INSERT INTO places (tile, first_seq, last_seq, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                tile,
                chunk.first,
                chunk.last,
                *[_with_checksum(part) for part in (painters, local.cells, gaps, palette, colors, users)],
            ),
        )


def seqs(connection: sqlite3.Connection, tile: int, cell: int, until: int, limit: int) -> list[int]:
    """Return the `seq` of the last `limit` indexed changes of a pixel up to `until`, newest first.

    Raises:
        StoreError: if the index is damaged.
    """
    found: list[int] = []
    query = "SELECT rowid, first_seq, cells FROM places WHERE tile = ? AND last_seq <= ? ORDER BY first_seq DESC"
    with closing(connection.execute(query, (tile, until))) as cursor:
        for rowid, first, stored in cursor:
            cells = np.frombuffer(_checked(stored, first), "<u2")
            (indices,) = np.nonzero(cells == cell)
            if len(indices):
                (gaps,) = connection.execute("SELECT gaps FROM places WHERE rowid = ?", (rowid,)).fetchone()
                numbers = first + np.cumsum(_unpack_codes(_checked(gaps, first), len(cells)), dtype=np.int64)
                found += numbers[indices[::-1]].tolist()
                if len(found) >= limit:
                    break
    return found[:limit]


def painted_by(connection: sqlite3.Connection, user: int, tile: int, until: int) -> Cells:
    """Return the pixels of a tile that a user has painted, according to the indexed changes up to `until`.

    Raises:
        StoreError: if the index is damaged.
    """
    found = np.zeros(TILE * TILE, bool)
    query = "SELECT rowid, first_seq, painters FROM places WHERE tile = ? AND last_seq <= ?"
    with closing(connection.execute(query, (tile, until))) as cursor:
        for rowid, first, stored in cursor:
            painters = np.frombuffer(_checked(stored, first), "<u4")
            (code,) = np.nonzero(painters == user)
            if len(code):
                row = connection.execute("SELECT cells, users FROM places WHERE rowid = ?", (rowid,)).fetchone()
                cells, users = (_checked(each, first) for each in row)
                found[np.frombuffer(cells, "<u2")[_unpack_codes(users, len(cells) // 2) == code]] = True
    return found


def read(connection: sqlite3.Connection, tile: int, wanted: Cells | None, until: int) -> Iterator[Local]:
    """Yield the indexed changes up to `until` on the `wanted` pixels of a tile (None: all), oldest first.

    Raises:
        StoreError: if the index is damaged.
    """
    query = (
        f"SELECT first_seq, last_seq, {_COLUMNS} FROM places WHERE tile = ? AND first_seq > ? AND last_seq <= ?"
        f" ORDER BY first_seq LIMIT {READ_ROWS}"
    )
    first = 0
    while rows := connection.execute(query, (tile, first, until)).fetchall():
        for first, last_seq, *stored in rows:
            painters, places, gaps, palette, colors, users = (_checked(each, first) for each in stored)
            cells = np.frombuffer(places, "<u2")
            count = len(cells)
            which: Any = slice(None)
            if wanted is not None:
                (which,) = np.nonzero(wanted[cells])
                if not len(which):
                    continue
            yield Local(
                first,
                last_seq,
                _unpack_codes(gaps, count),
                None if wanted is None else which,
                cells[which],
                np.frombuffer(palette, "<u4")[_unpack_codes(colors, count)[which]],
                np.frombuffer(painters, "<u4")[_unpack_codes(users, count)[which]],
            )


def verify(connection: sqlite3.Connection) -> None:
    """Read the whole index.

    Raises:
        StoreError: if the index is damaged.
    """
    for (tile,) in connection.execute("SELECT DISTINCT tile FROM places").fetchall():
        for _ in read(connection, tile, None, last(connection)):
            pass


def _factorize(values: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[Any]]:
    """Return the distinct values, and for each value its index among them, in the smallest integer type that fits."""
    different, places = np.unique(values, return_inverse=True)
    return different, places.astype(np.min_scalar_type(len(different) - 1))


def _unpack_codes(content: memoryview, count: int) -> NDArray[Any]:
    """Return `content` as `count` unsigned integers; their size follows from its length."""
    return np.frombuffer(content, f"<u{len(content) // count}")


def _with_checksum(values: NDArray[Any]) -> bytes:
    """Return values as they are stored: little-endian, after their CRC-32."""
    content = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return _CHECKSUM.pack(zlib.crc32(content)) + content


def _checked(stored: bytes, first: int) -> memoryview:
    """Return what `_with_checksum` stored.

    Raises:
        StoreError: if the checksum does not match.
    """
    content = memoryview(stored)[_CHECKSUM.size :]
    if stored[: _CHECKSUM.size] != _CHECKSUM.pack(zlib.crc32(content)):
        raise StoreError(f"the index of change {first} is not what was written")
    return content
