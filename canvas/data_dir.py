"""The data folder of one instance. Who holds its lock is the only process in it, and nobody else looks into it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from actors.log import get_logger
from supervision.secret_file import check, open_private, tighten

log = get_logger("canopy")

LOCK = "lock"
"""The name of the file that is locked. The lock ends with the process, however that ends; the file may stay."""
FILES = {
    "canvas.db": "the canvas and its whole history, in SQLite",
    "canvas.db-wal": "the last of it",
    "canvas.db-shm": "its index",
    "identity.key": "the keys that sign who visitors are",
    "bans.json": "who is banned",
    "console-token": "a token of the console that administers",
    "console-token-read": "a token of the console that looks",
    "tokens.json": "the hashes of the other tokens of the console",
    "audit.log": "what was done through the console and the commands, by whom",
    "admin.sock": "the admin socket",
    LOCK: "held while an instance runs",
}
"""What a data folder has; nothing else in it is looked at."""


class Folder:
    """A data folder that belongs to this process until it is released.

    The folder and its `FILES` are closed to all but their owner, and refused if others could have written them.

    Raises:
        UnsafeFile: if something in it cannot be trusted.
        OSError: if it cannot be made or written to; with EADDRINUSE if another process has it.
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
        """Let another process have it."""
        self._lock.close()


def _close_to_others(folder: Path) -> None:
    """Refuse what others could have written, and close the rest, as earlier versions made it, to them.

    The path of the folder may lead over a link, which whoever names the folder has chosen.
    """
    target = folder.resolve()
    check(target.lstat(), target)  # before its files: in a folder that others write to, they could change meanwhile
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
