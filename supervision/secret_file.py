"""No process. Files that only their owner may access.

A file is refused, with advice, if others can write it, if it belongs to another user, or if it is not a regular file.
`tighten` removes the access of others from a file that they can only read.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Any

MAX_SIZE = 1024 * 1024
"""Maximum size in bytes of a file that is read."""

_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe without a reader would block the whole process
_WRITABLE = 0o022
_READABLE = 0o077


class UnsafeFile(OSError):
    """A file cannot be trusted. The text names it and says what to do."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(errno.EPERM, f"{path} {text}", str(path))
        self._text = text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (Path(self.filename), self._text), vars(self)

    def __str__(self) -> str:
        return str(self.strerror)


def check(status: os.stat_result, path: Path) -> None:
    """Check that no other user can have written a file, folder or socket.

    Raises:
        UnsafeFile: if another user can have.
    """
    mode, is_folder = status.st_mode, stat.S_ISDIR(status.st_mode)
    if stat.S_ISLNK(mode):
        raise UnsafeFile(path, "is a symbolic link: put the file itself there")
    if not (is_folder or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        raise UnsafeFile(path, "is not a regular file: remove it")
    if status.st_uid != os.geteuid():
        users = f"belongs to user {status.st_uid}, but this process runs as user {os.geteuid()}"
        raise UnsafeFile(path, f"{users}: chown it, or run as its owner")
    if stat.S_IMODE(mode) & _WRITABLE:
        wanted = "700" if is_folder else "600"
        raise UnsafeFile(path, f"is writable by other users: check its content, then run chmod {wanted} {path}")


def tighten(path: Path) -> bool:
    """Remove the access of others to a file or folder. Returns whether they had any.

    Raises:
        UnsafeFile: if others can have written it, or it belongs to another user.
        OSError: if it does not exist or cannot be changed.
    """
    status = path.lstat()
    check(status, path)
    mode = stat.S_IMODE(status.st_mode)
    if mode & _READABLE:
        path.chmod(mode & ~_READABLE)
    return bool(mode & _READABLE)


def open_private(path: Path, flags: int) -> int:
    """Open a file and return its descriptor. With `O_CREAT` in `flags`, a new file gets mode 0600.

    Raises:
        UnsafeFile: if the file cannot be trusted.
        OSError: if it cannot be opened.
    """
    try:
        file = os.open(path, flags | _OPEN, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafeFile(path, "is a symbolic link: put the file itself there") from None
        if error.errno == errno.ENXIO:
            raise UnsafeFile(path, "is not a regular file: remove it") from None
        raise
    try:
        status = os.fstat(file)
        check(status, path)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeFile(path, "is not a regular file: remove it")
    except BaseException:
        os.close(file)
        raise
    return file


def read_private(path: Path) -> bytes:
    """Read a file.

    Raises:
        UnsafeFile: if the file cannot be trusted, or is longer than `MAX_SIZE`.
        OSError: if it cannot be read.
    """
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise UnsafeFile(path, f"is longer than {MAX_SIZE} bytes: remove it")
    return content


def write_private(path: Path, content: bytes) -> None:
    """Write a file with mode 0600, atomically: a reader finds the old file or the new one.

    Raises:
        OSError: if it cannot be written.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(open_private(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
