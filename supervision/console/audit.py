"""The audit log: every action, who did it, and what came of it. JSON lines in a file that only its owner may read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from actors.log import get_logger
from protocol import HttpError
from supervision.console.encoding import to_json

log = get_logger("canopy.console")

FILE = "audit.log"
"""The audit log's name in the data folder."""


class Audit:
    """Writes the audit log.

    Args:
        path: the file, which is appended to
        wall_clock: seconds since 1970
    """

    def __init__(self, path: Path, wall_clock: Callable[[], float]) -> None:
        self._path = path
        self._wall_clock = wall_clock

    def write(self, who: str, action: str, target: str, result: str = "done") -> None:
        """Note an action.

        Raises:
            HttpError: 503 if it cannot be noted; then it is not to be done.
        """
        at = datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="milliseconds")
        line = to_json({"at": at, "who": who, "action": action, "target": target, "result": result})
        try:
            self._append(line + b"\n")
        except OSError as error:
            refusal = f"nothing is done, for the audit log cannot be written: {error.strerror}"
            log.error("console.action", who=who, action=action, target=target, result=refusal)
            raise HttpError(503, refusal) from None
        log.warning("console.action", who=who, action=action, target=target, result=result)

    def _append(self, line: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if os.write(file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
