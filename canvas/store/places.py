"""The index of an SQLite file by place: the changes of each tile, a row for each `SEGMENT` changes of the canvas.

It holds nothing that the history does not, and is made from it afterwards: a change is indexed when so many have
followed that they make a segment.
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
"""Changes that are indexed together. Those that are not indexed yet are searched one by one, which takes 10 ms."""
PIXELS_PER_CHANGE = 200
"""A large canvas has longer segments, of one change for so many pixels: a segment makes a row for each tile."""
READ_ROWS = 50
"""Rows that are read at once: each read is a transaction of its own, see `canvas.store.rows`."""

_CHECKSUM = struct.Struct("<I")
_COLUMNS = "painters, cells, gaps, palette, colors, users"


def segment_of(width: int, height: int) -> int:
    """How many changes are indexed together."""
    return max(SEGMENT, width * height // PIXELS_PER_CHANGE)


def last(connection: sqlite3.Connection) -> int:
    """The number of the last indexed change."""
    row = connection.execute("SELECT last_seq FROM places ORDER BY rowid DESC LIMIT 1").fetchone()
    return 0 if row is None else int(row[0])


def insert(connection: sqlite3.Connection, chunk: Chunk, columns: int) -> None:
    """Index changes that follow on the last indexed one, on a canvas of `columns` tiles in a row."""
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
    """The numbers of the last indexed changes of a pixel up to change `until`, the newest first.

    Raises:
        StoreError: if they are not what was written.
    """
    found: list[int] = []
    query = "SELECT rowid, first_seq, cells FROM places WHERE tile = ? AND last_seq <= ? ORDER BY first_seq DESC"
    with closing(connection.execute(query, (tile, until))) as cursor:
        for rowid, first, sealed in cursor:
            cells = np.frombuffer(_checked(sealed, first), "<u2")
            (indices,) = np.nonzero(cells == cell)
            if len(indices):
                (gaps,) = connection.execute("SELECT gaps FROM places WHERE rowid = ?", (rowid,)).fetchone()
                numbers = first + np.cumsum(_unpack_codes(_checked(gaps, first), len(cells)), dtype=np.int64)
                found += numbers[indices[::-1]].tolist()
                if len(found) >= limit:
                    break
    return found[:limit]


def painted_by(connection: sqlite3.Connection, user: int, tile: int, until: int) -> Cells:
    """The pixels of a tile on which one of the indexed changes up to change `until` is a painter's.

    Raises:
        StoreError: if they are not what was written.
    """
    found = np.zeros(TILE * TILE, bool)
    query = "SELECT rowid, first_seq, painters FROM places WHERE tile = ? AND last_seq <= ?"
    with closing(connection.execute(query, (tile, until))) as cursor:
        for rowid, first, sealed in cursor:
            painters = np.frombuffer(_checked(sealed, first), "<u4")
            (code,) = np.nonzero(painters == user)
            if len(code):
                row = connection.execute("SELECT cells, users FROM places WHERE rowid = ?", (rowid,)).fetchone()
                cells, users = (_checked(each, first) for each in row)
                found[np.frombuffer(cells, "<u2")[_unpack_codes(users, len(cells) // 2) == code]] = True
    return found


def read(connection: sqlite3.Connection, tile: int, wanted: Cells | None, until: int) -> Iterator[Local]:
    """The indexed changes on some pixels of a tile, or on all of them, up to change `until`, oldest first.

    Raises:
        StoreError: if they are not what was written.
    """
    query = (
        f"SELECT first_seq, last_seq, {_COLUMNS} FROM places WHERE tile = ? AND first_seq > ? AND last_seq <= ?"
        f" ORDER BY first_seq LIMIT {READ_ROWS}"
    )
    first = 0
    while rows := connection.execute(query, (tile, first, until)).fetchall():
        for first, last_seq, *sealed in rows:
            painters, places, gaps, palette, colors, users = (_checked(each, first) for each in sealed)
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
    """Read all of it.

    Raises:
        StoreError: if it is not what was written.
    """
    for (tile,) in connection.execute("SELECT DISTINCT tile FROM places").fetchall():
        for _ in read(connection, tile, None, last(connection)):
            pass


def _factorize(values: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[Any]]:
    """The different values, and which of them comes where, in as few bytes as that takes."""
    different, places = np.unique(values, return_inverse=True)
    return different, places.astype(np.min_scalar_type(len(different) - 1))


def _unpack_codes(content: memoryview, count: int) -> NDArray[Any]:
    """`count` numbers, of as many bytes each as there are."""
    return np.frombuffer(content, f"<u{len(content) // count}")


def _with_checksum(values: NDArray[Any]) -> bytes:
    """As they are kept: after their checksum."""
    content = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return _CHECKSUM.pack(zlib.crc32(content)) + content


def _checked(sealed: bytes, first: int) -> memoryview:
    content = memoryview(sealed)[_CHECKSUM.size :]
    if sealed[: _CHECKSUM.size] != _CHECKSUM.pack(zlib.crc32(content)):
        raise StoreError(f"the index of change {first} is not what was written")
    return content
