"""Archives: a canvas and its whole history as JSON lines, from a header through every change to a checksum."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import orjson

from canvas.board.grid import MAX_SIDE, Change
from canvas.store import About, Reader, SqliteReader, SqliteStore, StoreError, schema

FORMAT = 2
"""The format of new archives. Format 1, without an end record, is still read."""
BATCH = 10_000
"""Most changes with the same time in one commit."""
MAX_LINE = 64 * 1024
"""Longest line that is read, in bytes. The longest one that we write has less than two thousand."""
MAX_USER = 255
"""Longest user id, in bytes of UTF-8: binary messages have one byte for its length."""
LATEST = 253_402_300_799
"""The last second of the year 9999, where Python's dates end."""

_EXAMPLE = '{"canopy":2,"epoch":"9b2f","width":1000,"height":1000,"background":"#FFFFFF"}'
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


class BadArchive(Exception):
    """The archive cannot be imported. The text names the line."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    Attributes:
        changes: the number of changes
        is_checked: whether the archive had an end record and so is known to be complete
        late: the number of changes dated in the future
    """

    changes: int
    is_checked: bool
    late: int


class Archive:
    """Reads an archive line by line.

    Args:
        file: the archive
        now: the current time, in seconds since 1970
        redate: whether changes dated in the future get the time `now`

    Attributes:
        seq: the last change read
        is_checked: whether the end record has been read
        late: the number of changes dated in the future so far
    """

    def __init__(self, file: IO[bytes], now: float, *, redate: bool = False) -> None:
        self._file = file
        self._now = now
        self._redate = redate
        self._format = 0
        self._number = 0  # of the line
        self._digest = sha256()
        self.seq = 0
        self.is_checked = False
        self.late = 0

    def read_about(self) -> About:
        """Read the header: the size and background of the canvas. The epoch is a new one.

        Raises:
            BadArchive: if the first line is not a valid header.
        """
        line = self._read_line()
        match self._parse(line):
            case {"canopy": number, "width": width, "height": height, "background": str(background)} if (
                _is_whole(number, 1, FORMAT)
                and _is_whole(width, 1, MAX_SIDE)
                and _is_whole(height, 1, MAX_SIDE)
                and _COLOR.fullmatch(background)
            ):
                self._format = number
                self._digest.update(line)
                return About(secrets.token_hex(8), width, height, int(background[1:], 16))
        raise BadArchive("line 1 is not a header like " + _EXAMPLE)

    def changes(self, about: About) -> Iterator[tuple[float, Change]]:
        """Read the changes with their times, which never decrease. `about` may have a size other than the header's.

        Raises:
            BadArchive: if a line is damaged or invalid for the canvas, or the archive is cut off.
        """
        last = 0.0
        while line := self._read_line():
            match self._parse(line):
                case {"end": count, "sha256": checksum} if self._format == FORMAT:
                    self._end(count, checksum)
                    return
                case {"seq": seq, "x": x, "y": y, "color": str(color), "user": str(user), "at": at} if (
                    _is_whole(x, 0, about.width - 1)
                    and _is_whole(y, 0, about.height - 1)
                    and _COLOR.fullmatch(color)
                    and _is_user(user)
                    and _is_time(at)
                ):
                    if not _is_whole(seq, self.seq + 1, self.seq + 1):
                        raise BadArchive(f"line {self._number} has change {seq}, expected {self.seq + 1}")
                    if at < last:
                        raise BadArchive(f"line {self._number} has the time {at}, earlier than the line before")
                    last = float(at)
                    self.seq = seq
                    yield self._dated(last), Change(x, y, int(color[1:], 16), user, seq)
                case _:
                    size = f"{about.width} x {about.height}"
                    raise BadArchive(f"line {self._number} is not a valid change of a canvas of {size} pixels")
            self._digest.update(line)
        if self._format == FORMAT:
            raise BadArchive(f"the archive ends at line {self._number} without an end record: the rest is missing")

    def _end(self, count: object, checksum: object) -> None:
        if count != self.seq:
            raise BadArchive(f"line {self._number} gives {count} changes, but there are {self.seq}")
        if checksum != self._digest.hexdigest():
            raise BadArchive(
                f"the checksum in line {self._number} does not match: earlier lines were damaged or edited"
                " (to change the size of the canvas, use --width and --height)"
            )
        if self._read_line():
            raise BadArchive(f"line {self._number} follows the end record")
        self.is_checked = True

    def _dated(self, at: float) -> float:
        if at <= self._now:
            return at
        self.late += 1
        return self._now if self._redate else at

    def _parse(self, line: bytes) -> Any:
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise BadArchive(f"line {max(1, self._number)} is not JSON: {error}") from None

    def _read_line(self) -> bytes:
        """Read the next line; return an empty one at the end."""
        try:
            line = self._file.readline(MAX_LINE + 1)
        except OSError as error:
            raise BadArchive(f"line {self._number + 1} cannot be read: {error.strerror}") from None
        self._number += bool(line)
        if len(line) > MAX_LINE:
            raise BadArchive(f"line {self._number} has more than {MAX_LINE:,} bytes")
        return line


def export_lines(reader: Reader) -> Iterator[tuple[int, bytes]]:
    """Yield the archive in pieces of many lines, each with the number of changes in it."""
    about = {
        "canopy": FORMAT,
        "epoch": reader.epoch,
        "width": reader.width,
        "height": reader.height,
        "background": f"#{reader.background:06X}",
    }
    count, digest = 0, sha256()
    for size, lines in chain([(0, orjson.dumps(about) + b"\n")], _change_lines(reader)):
        count += size
        digest.update(lines)
        yield size, lines
    yield 0, b'{"end":%d,"sha256":"%b"}\n' % (count, digest.hexdigest().encode())


def import_archive(
    path: Path,
    file: IO[bytes],
    now: float,
    *,
    width: int | None = None,
    height: int | None = None,
    redate: bool = False,
) -> Imported:
    """Create the store `path` from an archive, under a new epoch.

    The import is atomic: the store gets its name once it is complete, on disk and read back. An existing store at
    `path` is replaced and must not be in use.

    Args:
        path: the store to create
        file: the archive
        now: the current time, in seconds since 1970
        width, height: the size of the canvas, if it differs from the archive's
        redate: whether changes dated in the future get the time `now`

    Raises:
        BadArchive: if the archive is damaged or invalid.
        OSError: if the store cannot be written.
        StoreError: likewise.
        UnusableStore: likewise.
    """
    archive = Archive(file, now, redate=redate)
    about = archive.read_about()
    about = replace(about, width=width or about.width, height=height or about.height)
    unfinished = path.with_name(f"{path.name}-import")
    schema.remove(unfinished)
    try:
        checksum = _write(unfinished, about, archive.changes(about))
        _verify(unfinished, checksum)
        if path.exists():
            schema.settle(path)
        schema.publish(unfinished, path)
    finally:
        with suppress(OSError):
            schema.remove(unfinished)
    return Imported(archive.seq, archive.is_checked, archive.late)


def _change_lines(reader: Reader) -> Iterator[tuple[int, bytes]]:
    for chunk in reader.chunks():
        names = {user: orjson.dumps(name) for user, name in reader.names(chunk.users()).items()}
        columns = zip(chunk.records.tolist(), chunk.at.tolist(), strict=True)
        lines = [
            _change_line(seq, x, y, color, names[user], at)
            for seq, ((x, y, color, user), at) in enumerate(columns, chunk.first)
        ]
        yield len(lines), b"".join(lines)


def _change_line(seq: int, x: int, y: int, color: int, user: bytes, at: float) -> bytes:
    return b'{"seq":%d,"x":%d,"y":%d,"color":"#%06X","user":%b,"at":%b}\n' % (seq, x, y, color, user, repr(at).encode())


def _write(path: Path, about: About, changes: Iterable[tuple[float, Change]]) -> bytes:
    """Write changes to a new store, those with the same time in one commit. Return the checksum of their lines."""
    digest = sha256()
    with closing(SqliteStore.open(path, "none", new=about)) as store:
        for at, together in groupby(changes, key=itemgetter(0)):
            while batch := [change for _, change in islice(together, BATCH)]:
                store.append(batch, at)
                for c in batch:
                    digest.update(_change_line(c.seq, c.x, c.y, c.color, orjson.dumps(c.user_id), at))
        with closing(store.reader()) as reader:
            reader.fold()
            reader.take_snapshot()
            while reader.index():
                pass
    schema.settle(path)
    return digest.digest()


def _verify(path: Path, checksum: bytes) -> None:
    """Open a store as the next instance will, and compare its changes with those that were written.

    Raises:
        StoreError: if they differ.
        UnusableStore: if the store is damaged.
    """
    schema.check(path, whole=True)
    digest = sha256()
    with closing(SqliteReader(path)) as reader:
        reader.grid()
        for _, lines in _change_lines(reader):
            digest.update(lines)
    if digest.digest() != checksum:
        raise StoreError("the changes read back differ from those written")


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high  # isinstance would accept True


def _is_time(value: object) -> bool:
    return (type(value) is int or type(value) is float) and 0 <= value <= LATEST


def _is_user(text: str) -> bool:
    return 0 < len(text.encode()) <= MAX_USER and text.isprintable()
