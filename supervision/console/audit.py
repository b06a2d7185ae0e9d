"""The audit log: every action, who did it, and what came of it. JSON lines in a file that only its owner may read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import orjson
import structlog

from supervision.console.sources import Clock

log = structlog.get_logger("canopy.console")

FILE = "audit.log"
"""The audit log's name in the data folder."""


class Audit:
    """Writes the audit log.

    Args:
        path: the file, which is appended to
        wall_clock: seconds since 1970
    """

    def __init__(self, path: Path, wall_clock: Clock) -> None:
        self._path = path
        self._wall_clock = wall_clock

    def write(self, who: str, action: str, target: str, result: str) -> None:
        """Note an action.

        Raises:
            OSError: if it cannot be noted; then it is not to be done.
        """
        log.warning("console.action", who=who, action=action, target=target, result=result)
        at = datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="milliseconds")
        line = orjson.dumps({"at": at, "who": who, "action": action, "target": target, "result": result})
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, line + b"\n")
        finally:
            os.close(file)
