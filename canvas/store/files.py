"""Atomic files: under its name a file is complete, or absent."""

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
"""Stands for standard input or output."""


@contextmanager
def writing(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a file for writing that gets its name after the block, once its content is on the disk.

    If anything fails before that, an existing file of that name is unchanged. `STREAM`, devices and pipes are written
    directly.

    Args:
        path: the final name
        mode: the permissions of a new file, before the umask

    Raises:
        OSError: if the file cannot be written.
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
    """Sync a file, or the directory entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _replacing(path: Path, mode: int) -> Iterator[IO[bytes]]:
    target = Path(os.path.realpath(path))  # keep a symbolic link, and replace its target
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
    """Create `draft` with the permissions of `path`; an `OSError` names `path`."""
    try:
        if path.exists():
            path.open("ab").close()  # raises if we may not write to it
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
