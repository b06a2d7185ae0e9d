"""The audit log: every attempt, who made it, and what came of it. JSON lines in a file that only its owner may read.

A process with a thread of its own writes it, so that a slow disk holds up nobody but those who wait for their line.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors import TIMEOUT, BlockingServer, CallExit, ExitReason, Ref, call, cast
from actors.log import get_logger
from protocol import HttpError
from supervision.console.api.encoding import to_json
from supervision.secret_file import open_private

log = get_logger("canopy.console")

FILE = "audit.log"
"""The audit log's name in the data folder."""
BEGUN = "begun"
"""The result of the line that is written before an action."""
DEADLINE = 5.0
"""Seconds that a line may take; an action whose first line takes longer is not done."""
MOST_WAITING = 200
"""Lines that wait for a slow disk; then actions are refused at once."""
WINDOW = 60.0
"""Seconds in which lines of one kind are counted."""
SINGLE = 10
"""Lines of one kind that are written in a window, one by one; the others are summed up in one at its end."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        at: seconds since 1970
    """

    at: float
    who: str
    action: str
    target: str
    result: str

    def encode(self) -> bytes:
        """As it stands in the file: one line of JSON, in which nothing that others wrote controls a terminal."""
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        fields = {"at": at, "who": self.who, "action": self.action, "target": self.target, "result": self.result}
        text = to_json(fields).decode()
        if not text.isprintable():
            text = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
        return text.encode() + b"\n"


class Floods:
    """Pure. Lets some lines of a kind through in a window, and counts the others."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._held: dict[str, tuple[Line, int]] = {}

    def permits(self, kind: str, line: Line) -> bool:
        """Tell whether a line is to be written by itself."""
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        if count > SINGLE:
            _, held = self._held.get(kind, (line, 0))
            self._held[kind] = line, held + 1
        return count <= SINGLE

    @property
    def is_over(self) -> bool:
        """Whether nothing has been counted in this window."""
        return not self._counts

    def end(self, at: float) -> list[Line]:
        """End the window: the lines that sum up what was not written."""
        held, self._counts, self._held = self._held, {}, {}
        return [
            Line(at, last.who if count == 1 else f"{last.who} and others", last.action, last.target,
                 last.result if count == 1 else f"{last.result}; {count} such attempts")
            for last, count in held.values()
        ]  # fmt: skip


class Audit:
    """Has the lines written. No process: it outlives the one that writes.

    Args:
        path: the file, which is appended to
        wall_clock: seconds since 1970

    Attributes:
        writer: the process that writes
    """

    def __init__(self, path: Path, wall_clock: Callable[[], float]) -> None:
        self.path = path
        self.writer: Ref | None = None
        self._wall_clock = wall_clock
        self._floods = Floods()
        self._sent = self._handled = 0
        self._unsent: deque[Line] = deque(maxlen=MOST_WAITING)

    async def begin(self, who: str, action: str, target: str) -> None:
        """Note what is about to be done.

        Raises:
            HttpError: 503 if it cannot be noted; then it is not to be done.
        """
        await self._must_write(self._line(who, action, target, BEGUN))

    async def show(self, who: str, action: str, target: str) -> None:
        """Note what is about to be shown, in one line: nothing else comes of it.

        Raises:
            HttpError: 503 if it cannot be noted; then it is not to be shown.
        """
        line = self._line(who, action, target, "done")
        await self._must_write(line)
        _log(line)

    def end(self, who: str, action: str, target: str, result: str) -> None:
        """Note what came of it, without waiting: it has been done, and may have ended who asked for it."""
        self._note(self._line(who, action, target, result))

    def count(self, who: str, action: str, result: str, target: str = "", *, kind: str | None = None) -> None:
        """Note what may come in floods, without waiting: beyond `SINGLE` of a kind in a window, only their sum.

        Args:
            kind: what is counted together; the action with its result by default
        """
        line = self._line(who, action, target, result)
        if self._floods.is_over:
            asyncio.get_running_loop().call_later(WINDOW, self._end_window)
        if self._floods.permits(kind or f"{action}: {result}", line):
            self._note(line)

    def _end_window(self) -> None:
        for line in self._floods.end(self._wall_clock()):
            self._note(line)

    def _note(self, line: Line) -> None:
        _log(line)
        self._send(line)

    def _line(self, who: str, action: str, target: str, result: str) -> Line:
        return Line(self._wall_clock(), who, action, target, result)

    async def _must_write(self, line: Line) -> None:
        error = await self._write(line)
        if error is not None:
            raise HttpError(503, f"nothing is done, for the audit log cannot be written: {error}")

    async def _write(self, line: Line) -> str | None:
        """Have a line written; returns why it could not be."""
        if self._is_slow or self.writer is None:
            return "the disk does not answer"
        self._sent += 1
        try:
            error: str | None = await call(self.writer, line, timeout=DEADLINE)
        except CallExit as exit:
            slow = f"the disk has not answered for {DEADLINE:g} s"
            return slow if exit.reason == TIMEOUT else f"its process has ended ({exit.reason})"
        return error

    def _send(self, line: Line) -> None:
        if self._is_slow or self.writer is None:
            log.error("console.audit_failed", action=line.action, result=line.result, error="the disk does not answer")
        elif self.writer.is_alive():
            self._sent += 1
            cast(self.writer, line)
        else:
            self._unsent.append(line)

    @property
    def _is_slow(self) -> bool:
        return self._sent - self._handled >= MOST_WAITING

    # For the writer, on its thread.

    def started(self, writer: Ref) -> list[Line]:
        """A writer begins: what the last one left is lost, but for the lines that are returned."""
        self._handled, lines = self._sent, list(self._unsent)
        self._unsent.clear()
        self.writer = writer
        return lines

    def handled(self) -> None:
        """A line has been written, or could not be."""
        self._handled += 1

    def stopped(self) -> list[Line]:
        """The writer ends: the sums that are still to be written."""
        return self._floods.end(self._wall_clock())


def _log(line: Line) -> None:
    log.warning("console.action", who=line.who, action=line.action, target=line.target, result=line.result)


class AuditWriter(BlockingServer):
    """Writes the audit log. The file is opened for each line, so it may be renamed at any time.

    Args (of `init`):
        audit: whose lines
    """

    def init(self, audit: Audit) -> None:
        self.trap_exit = True  # so that `terminate` is called
        self._audit = audit
        for line in audit.started(self.ref):
            self._append(line)

    def handle_call(self, request: Any, from_: Any) -> str | None:
        """Write a line; returns why it could not be."""
        return self._handle(request)

    def handle_cast(self, request: Any) -> None:
        """Write a line."""
        error = self._handle(request)
        if error is not None:
            log.error("console.audit_failed", action=request.action, result=request.result, error=error)

    def terminate(self, reason: ExitReason) -> None:
        """Write what has been counted."""
        for line in self._audit.stopped():
            self._append(line)

    def _handle(self, line: Line) -> str | None:
        """Write a line that was sent, and is waited for no more."""
        try:
            return self._append(line)
        finally:
            self._audit.handled()

    def _append(self, line: Line) -> str | None:
        try:
            append(self._audit.path, line.encode())
        except OSError as error:
            return str(error.strerror)
        return None


def append(path: Path, line: bytes) -> None:
    """Append a line to a file that only its owner may touch. What a full disk or a crash has cut off stays a line.

    Raises:
        OSError: if it cannot be written, or is not safe.
    """
    file = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(file, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


@dataclass(slots=True)
class Attempt:
    """One attempt to do something, from the request to its outcome.

    Attributes:
        who: makes it
        action, target: what is done to whom
        has_begun: the audit log has the first line
    """

    audit: Audit
    who: str
    action: str
    target: str = ""
    has_begun: bool = field(default=False, init=False)

    def describe(self, action: str, target: str) -> None:
        """Say what is attempted, before anything can refuse it."""
        self.action, self.target = action, target

    async def begin(self) -> None:
        """Note that it is about to be done.

        Raises:
            HttpError: 503 if that cannot be noted; then it is not to be done.
        """
        await self.audit.begin(self.who, self.action, self.target)
        self.has_begun = True

    async def show(self) -> None:
        """Note that what was asked for is about to be shown.

        Raises:
            HttpError: 503 if that cannot be noted; then it is not to be shown.
        """
        await self.audit.show(self.who, self.action, self.target)

    def end(self, result: str) -> None:
        """Note what came of it."""
        self.audit.end(self.who, self.action, self.target, result)
