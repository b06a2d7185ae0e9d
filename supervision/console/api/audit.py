"""The audit log: every attempt, its principal and its result, as JSON lines in a file that only its owner may read.

A process with its own thread writes the file, so a slow disk delays only the requests that wait for their line.
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
"""The audit log's file name in the data folder."""
BEGUN = "begun"
"""The result in the line that is written before an action runs."""
DEADLINE = 5.0
"""Seconds within which a line must be written; otherwise its action does not run."""
MAX_WAITING = 200
"""Lines that may wait for a slow disk; beyond that, actions are refused at once."""
WINDOW = 60.0
"""Seconds over which lines of one kind are counted."""
MAX_SINGLE = 10
"""Lines of one kind that are written individually per window; one line at its end sums up the others."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the audit log.

    Attributes:
        at: seconds since 1970
    """

    at: float
    who: str
    action: str
    target: str
    result: str

    def encode(self) -> bytes:
        """Encode as one line of JSON. Unprintable characters are escaped, so the text cannot control a terminal."""
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        fields = {"at": at, "who": self.who, "action": self.action, "target": self.target, "result": self.result}
        text = to_json(fields).decode()
        if not text.isprintable():
            text = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
        return text.encode() + b"\n"


class FloodFilter:
    """Pure. Passes the first `MAX_SINGLE` lines of each kind in a window, and counts the others."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._held: dict[str, tuple[AuditLine, int]] = {}

    def permits(self, kind: str, line: AuditLine) -> bool:
        """Count a line; returns whether to write it individually."""
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        if count > MAX_SINGLE:
            _, held = self._held.get(kind, (line, 0))
            self._held[kind] = line, held + 1
        return count <= MAX_SINGLE

    @property
    def is_over(self) -> bool:
        """Whether no window is open: nothing has been counted since the last one ended."""
        return not self._counts

    def end(self, at: float) -> list[AuditLine]:
        """End the window; returns one line per kind that sums up the lines held back."""
        held, self._counts, self._held = self._held, {}, {}
        return [
            AuditLine(at, last.who if count == 1 else f"{last.who} and others", last.action, last.target,
                 last.result if count == 1 else f"{last.result}; {count} such attempts")
            for last, count in held.values()
        ]  # fmt: skip


class Audit:
    """The client side of the audit log: sends lines to the writer. Not a process: it outlives the writer.

    `_sent` counts the lines sent to writers, `_handled` those that a writer has written or failed to write. Their
    difference is the number of lines that wait; a new writer sets it to 0, since the mailbox of the last one is lost.
    Lines that are sent while the writer is dead go to `_unsent`, and the next writer begins with them.

    Args:
        path: the file to append to
        wall_clock: seconds since 1970

    Attributes:
        writer: the process that writes the file
    """

    def __init__(self, path: Path, wall_clock: Callable[[], float]) -> None:
        self.path = path
        self.writer: Ref | None = None
        self._wall_clock = wall_clock
        self._floods = FloodFilter()
        self._sent = self._handled = 0
        self._unsent: deque[AuditLine] = deque(maxlen=MAX_WAITING)

    async def begin(self, who: str, action: str, target: str) -> None:
        """Record an action before it runs.

        Raises:
            HttpError: 503 if the line cannot be written; then the action must not run.
        """
        await self._must_write(self._line(who, action, target, BEGUN))

    async def show(self, who: str, action: str, target: str) -> None:
        """Record, in a single line, something that is about to be shown and has no other effect.

        Raises:
            HttpError: 503 if the line cannot be written; then it must not be shown.
        """
        line = self._line(who, action, target, "done")
        await self._must_write(line)
        _log(line)

    def end(self, who: str, action: str, target: str, result: str) -> None:
        """Record the result of an action, without waiting: the action has run, and may have ended the caller."""
        self._note(self._line(who, action, target, result))

    def count(self, who: str, action: str, result: str, target: str = "", *, kind: str | None = None) -> None:
        """Record something that may flood the log, without waiting: beyond `MAX_SINGLE` per window, only the sum.

        Args:
            kind: lines of one kind are counted together; by default the action and its result
        """
        line = self._line(who, action, target, result)
        if self._floods.is_over:
            asyncio.get_running_loop().call_later(WINDOW, self._end_window)
        if self._floods.permits(kind or f"{action}: {result}", line):
            self._note(line)

    def _end_window(self) -> None:
        for line in self._floods.end(self._wall_clock()):
            self._note(line)

    def _note(self, line: AuditLine) -> None:
        _log(line)
        self._send(line)

    def _line(self, who: str, action: str, target: str, result: str) -> AuditLine:
        return AuditLine(self._wall_clock(), who, action, target, result)

    async def _must_write(self, line: AuditLine) -> None:
        error = await self._write(line)
        if error is not None:
            raise HttpError(503, f"nothing was done, because the audit log cannot be written: {error}")

    async def _write(self, line: AuditLine) -> str | None:
        """Write a line through the writer; returns the error, or None."""
        if self._is_slow or self.writer is None:
            return "the disk does not answer"
        self._sent += 1
        try:
            error: str | None = await call(self.writer, line, timeout=DEADLINE)
        except CallExit as exit:
            slow = f"the disk has not answered for {DEADLINE:g} s"
            return slow if exit.reason == TIMEOUT else f"its process has ended ({exit.reason})"
        return error

    def _send(self, line: AuditLine) -> None:
        if self._is_slow or self.writer is None:
            log.error("console.audit_failed", action=line.action, result=line.result, error="the disk does not answer")
        elif self.writer.is_alive():
            self._sent += 1
            cast(self.writer, line)
        else:
            self._unsent.append(line)

    @property
    def _is_slow(self) -> bool:
        return self._sent - self._handled >= MAX_WAITING

    # The writer calls these, on its thread.

    def started(self, writer: Ref) -> list[AuditLine]:
        """Set the writer; returns the lines sent while it was dead. The mailbox of the last one is lost."""
        self._handled, lines = self._sent, list(self._unsent)
        self._unsent.clear()
        self.writer = writer
        return lines

    def handled(self) -> None:
        """Count a line that has been written, or could not be."""
        self._handled += 1

    def stopped(self) -> list[AuditLine]:
        """End the window when the writer ends; returns the lines that sum it up."""
        return self._floods.end(self._wall_clock())


def _log(line: AuditLine) -> None:
    log.warning("console.action", who=line.who, action=line.action, target=line.target, result=line.result)


class AuditWriter(BlockingServer):
    """Writes the audit log. It opens the file for each line, so the file may be rotated at any time.

    Args (of `init`):
        audit: sends the lines
    """

    def init(self, audit: Audit) -> None:
        self.trap_exit = True  # so that `terminate` is called
        self._audit = audit
        for line in audit.started(self.ref):
            self._append(line)

    def handle_call(self, request: Any, from_: Any) -> str | None:
        """Write a line; returns the error, or None."""
        return self._handle(request)

    def handle_cast(self, request: Any) -> None:
        """Write a line, and log an error."""
        error = self._handle(request)
        if error is not None:
            log.error("console.audit_failed", action=request.action, result=request.result, error=error)

    def terminate(self, reason: ExitReason) -> None:
        """Write the sums of the current window."""
        for line in self._audit.stopped():
            self._append(line)

    def _handle(self, line: AuditLine) -> str | None:
        """Write a line that was sent; it no longer counts as waiting, written or not."""
        try:
            return self._append(line)
        finally:
            self._audit.handled()

    def _append(self, line: AuditLine) -> str | None:
        try:
            append(self._audit.path, line.encode())
        except OSError as error:
            return str(error.strerror)
        return None


def append(path: Path, line: bytes) -> None:
    """Append a line to a file that only its owner may access.

    A line that a full disk or a crash has truncated stays a line of its own.

    Raises:
        OSError: if the file cannot be written, or its permissions are not safe.
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
    """One attempt at an action, from the request to its result.

    Attributes:
        who: the principal, as the audit log names it
        action, target: what is done, and to what
        has_begun: whether the audit log has the first line
    """

    audit: Audit
    who: str
    action: str
    target: str = ""
    has_begun: bool = field(default=False, init=False)

    def describe(self, action: str, target: str) -> None:
        """Set the action and its target, before any check can refuse it."""
        self.action, self.target = action, target

    async def begin(self) -> None:
        """Record the action before it runs.

        Raises:
            HttpError: 503 if the line cannot be written; then the action must not run.
        """
        await self.audit.begin(self.who, self.action, self.target)
        self.has_begun = True

    async def show(self) -> None:
        """Record that the target is about to be shown.

        Raises:
            HttpError: 503 if the line cannot be written; then it must not be shown.
        """
        await self.audit.show(self.who, self.action, self.target)

    def end(self, result: str) -> None:
        """Record the result."""
        self.audit.end(self.who, self.action, self.target, result)
