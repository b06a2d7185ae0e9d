"""A canvas and its whole history as JSON lines: first what the canvas is, then each change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from canvas.config import MAX_SIDE
from canvas.grid import Change
from canvas.store import About, Reader, SqliteStore, schema

FORMAT = 1
BATCH = 10_000
"""Changes of one moment that are committed together at most."""

_EXAMPLE = '{"canopy":1,"epoch":"9b2f","width":1000,"height":1000,"background":"#FFFFFF"}'
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


class BadArchive(Exception):
    """It cannot be imported; the text names the line."""


def export_lines(reader: Reader) -> Iterator[tuple[int, bytes]]:
    """The archive in pieces of many lines, each with the number of changes in it."""
    about = {
        "canopy": FORMAT,
        "epoch": reader.epoch,
        "width": reader.width,
        "height": reader.height,
        "background": f"#{reader.background:06X}",
    }
    yield 0, orjson.dumps(about) + b"\n"
    for chunk in reader.chunks():
        names = {user: orjson.dumps(name) for user, name in reader.names(chunk.users()).items()}
        columns = zip(chunk.records.tolist(), chunk.at.tolist(), strict=True)
        lines = [
            b'{"seq":%d,"x":%d,"y":%d,"color":"#%06X","user":%b,"at":%b}\n'
            % (seq, x, y, color, names[user], repr(at).encode())
            for seq, ((x, y, color, user), at) in enumerate(columns, chunk.first)
        ]
        yield len(lines), b"".join(lines)


def import_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Make the store `path` of an archive; returns the number of changes.

    All or nothing: the store gets its name when the last line has been read.

    Raises:
        BadArchive: if a line is none of an archive.
        OSError: if the store cannot be written.
        StoreError: likewise.
    """
    numbered = enumerate(lines, start=1)
    about = _read_about(next(numbered, (1, b""))[1])
    unfinished = path.with_name(f"{path.name}-import")
    _remove(unfinished)
    try:
        store = SqliteStore.open(unfinished, "none", new=about)
        try:
            seq = _fill(store, _read_changes(numbered, about))
        finally:
            store.close()
        _remove(path)  # an empty one, and what belongs to it
        schema.publish(unfinished, path)
    finally:
        _remove(unfinished)
    return seq


def _fill(store: SqliteStore, changes: Iterable[tuple[float, Change]]) -> int:
    """Commit the changes, those of one moment together; returns how many they were."""
    seq = 0
    for at, together in groupby(changes, key=itemgetter(0)):
        while batch := [change for _, change in islice(together, BATCH)]:
            store.append(batch, at)
            seq = batch[-1].seq
    with closing(store.reader()) as reader:
        reader.fold()
        reader.take_snapshot()
    return seq


def _read_about(line: bytes) -> About:
    match _parse(1, line):
        case {
            "canopy": 1,
            "epoch": str(epoch),
            "width": int(width),
            "height": int(height),
            "background": str(background),
        } if epoch and 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and _COLOR.fullmatch(background):
            return About(epoch, width, height, int(background[1:], 16))
    raise BadArchive("line 1 does not say what canvas this is, like " + _EXAMPLE)


def _read_changes(lines: Iterable[tuple[int, bytes]], about: About) -> Iterator[tuple[float, Change]]:
    for expected, (number, line) in enumerate(lines, start=1):
        match _parse(number, line):
            case {
                "seq": int(seq),
                "x": int(x),
                "y": int(y),
                "color": str(color),
                "user": str(user),
                "at": int(at) | float(at),
            } if 0 <= x < about.width and 0 <= y < about.height and _COLOR.fullmatch(color):
                if seq != expected:
                    raise BadArchive(f"line {number} has change {seq}, and {expected} is due")
                yield at, Change(x, y, int(color[1:], 16), user, seq)
            case _:
                raise BadArchive(f"line {number} is no change of a canvas of {about.width} x {about.height} pixels")


def _parse(number: int, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadArchive(f"line {number} is no JSON: {error}") from None


def _remove(path: Path) -> None:
    """Remove a store; what belongs to it goes first, so that it never belongs to another."""
    for tail in ("-wal", "-shm", ""):
        path.with_name(path.name + tail).unlink(missing_ok=True)
