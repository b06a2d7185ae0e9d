"""A canvas and its whole history as JSON lines: what the canvas is, each change, and an end record with a checksum."""

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
"""The format that is written. Format 1 has no end record; it is still read."""
BATCH = 10_000
"""Changes of one moment that are committed together at most."""
MAX_LINE = 64 * 1024
"""Bytes. The longest line that we write has less than two thousand."""
MAX_USER = 255
"""Bytes of a user's id in UTF-8: a binary message tells no longer one."""
LATEST = 253_402_300_799
"""The last second of the year 9999; dates end there."""

_EXAMPLE = '{"canopy":2,"epoch":"9b2f","width":1000,"height":1000,"background":"#FFFFFF"}'
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


class BadArchive(Exception):
    """It cannot be imported; the text names the line."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What has become of an archive.

    Attributes:
        changes: how many there are
        is_checked: whether it has an end record, so that it is known to be whole
        late: how many were made later than now
    """

    changes: int
    is_checked: bool
    late: int


class Archive:
    """An archive that is read, line after line.

    Args:
        file: from where
        now: seconds since 1970
        redate: changes that are later than now get the time `now`

    Attributes:
        seq: the last change
        is_checked: whether the end record was there
        late: how many changes were made later than now
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
        """Read the first line: what canvas it is. The epoch is a new one.

        Raises:
            BadArchive: if it says nothing of the kind.
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
        raise BadArchive("line 1 does not say what canvas this is, like " + _EXAMPLE)

    def changes(self, about: About) -> Iterator[tuple[float, Change]]:
        """Read the other lines: changes with their times, none before the last one. `about` may have another size.

        Raises:
            BadArchive: at a line that is damaged or has what no canvas has, or an end that comes too early.
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
                        raise BadArchive(f"line {self._number} has change {seq}, and {self.seq + 1} is due")
                    if at < last:
                        raise BadArchive(f"line {self._number} has the time {at}, before that of the line above")
                    last = float(at)
                    self.seq = seq
                    yield self._dated(last), Change(x, y, int(color[1:], 16), user, seq)
                case _:
                    size = f"{about.width} x {about.height}"
                    raise BadArchive(f"line {self._number} is no change of a canvas of {size} pixels")
            self._digest.update(line)
        if self._format == FORMAT:
            raise BadArchive(f"line {self._number} is the last one, and no end record: the rest is missing")

    def _end(self, count: object, checksum: object) -> None:
        if count != self.seq:
            raise BadArchive(f"line {self._number} says that there are {count} changes, and there are {self.seq}")
        if checksum != self._digest.hexdigest():
            raise BadArchive(
                f"line {self._number} has another checksum than the lines above: they were damaged or edited"
                " (for a canvas of another size there are --width and --height)"
            )
        if self._read_line():
            raise BadArchive(f"line {self._number} comes after the end record")
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
            raise BadArchive(f"line {max(1, self._number)} is no JSON: {error}") from None

    def _read_line(self) -> bytes:
        """The next line; empty at the end."""
        try:
            line = self._file.readline(MAX_LINE + 1)
        except OSError as error:
            raise BadArchive(f"line {self._number + 1} cannot be read: {error.strerror}") from None
        self._number += bool(line)
        if len(line) > MAX_LINE:
            raise BadArchive(f"line {self._number} has more than {MAX_LINE:,} bytes")
        return line


def export_lines(reader: Reader) -> Iterator[tuple[int, bytes]]:
    """The archive in pieces of many lines, each with the number of changes in it."""
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
    """Make the store `path` of an archive, under a new epoch.

    All or nothing: the store gets its name when it is complete, on the disk, and has been read back. What has the name
    before must be unused.

    Args:
        path: the store
        file: the archive
        now: seconds since 1970
        width, height: of the canvas, if it shall not have the archive's own
        redate: changes that are later than now get the time `now`

    Raises:
        BadArchive: if it is damaged, or has what no canvas has.
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
    """Make a store of changes; those of one moment are committed together. Returns the checksum of their lines."""
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
    """Read a store as the next process that opens it will, and compare its changes with those that were written.

    Raises:
        StoreError: if they are others.
        UnusableStore: if it is damaged.
    """
    schema.check(path, whole=True)
    digest = sha256()
    with closing(SqliteReader(path)) as reader:
        reader.grid()
        for _, lines in _change_lines(reader):
            digest.update(lines)
    if digest.digest() != checksum:
        raise StoreError("what was written to it is not what is read from it")


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high  # in Python, True is an int


def _is_time(value: object) -> bool:
    return (type(value) is int or type(value) is float) and 0 <= value <= LATEST


def _is_user(text: str) -> bool:
    return 0 < len(text.encode()) <= MAX_USER and text.isprintable()
