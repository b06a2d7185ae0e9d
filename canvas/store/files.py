"""Files that are complete under their name, or not there."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STREAM = Path("-")
"""Means the standard input or output."""


@contextmanager
def writing(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when the block has ended and all of it is on the disk.

    If anything fails before, the file that has this name already stays as it is. `STREAM`, devices and pipes are
    written to directly.

    Args:
        mode: the permissions of a new file, before the umask

    Raises:
        OSError: if it cannot be written.
    """
    if path == STREAM:
        yield sys.stdout.buffer
        _flush(sys.stdout.buffer)
    elif path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
    else:
        with _replacing(path, mode) as file:
            yield file


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _replacing(path: Path, mode: int) -> Iterator[IO[bytes]]:
    target = Path(os.path.realpath(path))  # a link stays, and the file that it names is replaced
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        with _create(draft, path, mode) as file:
            yield file
            _flush(file)
        draft.rename(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(target.parent)


def _create(draft: Path, path: Path, mode: int) -> IO[bytes]:
    """Open `draft` with the permissions of `path`, whose name is in what goes wrong."""
    try:
        if path.exists():
            path.open("ab").close()  # may it be written to?
        file = os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb")
        if path.exists():
            os.chmod(draft, stat.S_IMODE(path.stat().st_mode))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    return file


def _flush(file: IO[bytes]) -> None:
    file.flush()
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        os.fsync(file.fileno())
