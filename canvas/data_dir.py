"""The data folder of one instance. Its lock admits one OS process, and its permissions admit no other user."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from actors.log import get_logger
from supervision.secret_file import check, open_private, tighten

log = get_logger("canopy")

LOCK = "lock"
"""The name of the lock file. The OS releases the lock when the process ends, however it ends; the file may remain."""
FILES = {
    "canvas.db": "the canvas and its whole history, in SQLite",
    "canvas.db-wal": "the write-ahead log of SQLite: the latest changes",
    "canvas.db-shm": "the index of the write-ahead log",
    "identity.key": "the keys that sign user ids",
    "bans.json": "the bans",
    "console-token": "a console token with the role `administer`",
    "console-token-read": "a console token with the role `look`",
    "tokens.json": "the hashes of the other console tokens",
    "audit.log": "every action through the console and the commands, and who took it",
    "admin.sock": "the admin socket",
    LOCK: "locked while an instance runs",
}
"""The contents of a data folder: file name -> purpose. Other files are ignored."""


class Folder:
    """A data folder, locked by this OS process until it is released.

    The folder and its `FILES` are made private to their owner, and refused if other users could have written them.

    Raises:
        UnsafeFile: if other users could have written the folder or one of its files.
        OSError: if the folder cannot be created or written to; EADDRINUSE if another OS process has locked it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True)
        _close_to_others(path)
        lock = path / LOCK
        self._lock = os.fdopen(open_private(lock, os.O_RDWR | os.O_CREAT))
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            code = errno.EADDRINUSE if isinstance(error, BlockingIOError) else error.errno
            raise OSError(code, os.strerror(code or 0), str(lock)) from None

    def release(self) -> None:
        """Release the lock."""
        self._lock.close()


def _close_to_others(folder: Path) -> None:
    """Refuse files that other users could have written, and make the others private: earlier versions did not.

    The path of the folder may be a symbolic link: the owner of the instance has chosen it.
    """
    target = folder.resolve()
    check(target.lstat(), target)  # before its files: in a folder writable by others, they could change meanwhile
    opened = [target] if tighten(target) else []
    for name in FILES:
        path = target / name
        try:
            if tighten(path):
                opened.append(path)
        except FileNotFoundError:
            continue
    if opened:
        log.warning("folder.closed_to_others", paths=", ".join(map(str, opened)))
