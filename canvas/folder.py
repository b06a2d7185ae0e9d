"""The data folder of one instance. Who holds its lock is the only process in it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

LOCK = "lock"
"""The name of the file that is locked. The lock ends with the process, however that ends; the file may stay."""


class Folder:
    """A data folder that belongs to this process until it is released.

    Raises:
        OSError: if it cannot be made or written to; with EADDRINUSE if another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        lock = path / LOCK
        self._lock = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            code = errno.EADDRINUSE if isinstance(error, BlockingIOError) else error.errno
            raise OSError(code, os.strerror(code or 0), str(lock)) from None

    def release(self) -> None:
        """Let another process have it."""
        self._lock.close()
