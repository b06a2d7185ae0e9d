"""Non-blocking standard error: lines wait in a bounded queue, and a thread writes them. Thread-safe and fork-safe.

A write blocks while a pipe is full and its reader has stopped, while a terminal is paused by Ctrl-S, or while a disk is
slow. Then only that thread waits.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from actors.guard import attempt

MAX_WAITING: Final = 1024 * 1024
"""Maximum size of the queue in bytes; a line that would exceed it is dropped."""
FLUSH_TIMEOUT: Final = 1.0
"""Seconds that the exit of the OS process waits for the queue to empty."""


class LineWriter:
    """Writes lines to a file descriptor, on a thread that the first line starts.

    A forked child starts with an empty queue: its parent writes what is queued.

    Args:
        descriptor: the file descriptor
        on_flow: called on the thread with the number of dropped lines, once lines are written again

    Attributes:
        dropped: number of lines lost since the start of the OS process, because the queue was full or a write failed
        waiting: size of the queue in bytes
    """

    def __init__(self, descriptor: int, on_flow: Callable[[int], object]) -> None:
        self.descriptor = descriptor
        self._on_flow = on_flow
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)
        atexit.register(self.flush)

    def _reset(self) -> None:
        self._changed = threading.Condition()  # reentrant, because a signal handler or a finalizer may log
        self._lines: deque[bytes] = deque()
        self._thread: threading.Thread | None = None
        self._unreported = 0
        self.dropped = 0
        self.waiting = 0

    def put(self, line: bytes) -> None:
        """Queue a line; drop it if the queue is full. Never waits for the descriptor."""
        with self._changed:
            if self.waiting + len(line) > MAX_WAITING:
                self._count_dropped()
                return
            self._lines.append(line)
            self.waiting += len(line)
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def flush(self, timeout: float = FLUSH_TIMEOUT) -> bool:
        """Wait at most `timeout` seconds until the queue is empty; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines, timeout)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads: the next line tries again
            self._thread = None
            return
        if util := sys.modules.get("multiprocessing.util"):  # its children exit without running `atexit`
            util.Finalize(None, self.flush, exitpriority=0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                line = self._lines[0]
            is_written = attempt(self._write, line, default=False)
            with self._changed:
                self._lines.popleft()
                self.waiting -= len(line)
                if not is_written:
                    self._count_dropped()
                self._changed.notify_all()
            if is_written:
                self._report()

    def _write(self, line: bytes) -> bool:
        """Write a whole line. Not through `sys.stderr`, whose lock would block the exit if this thread held it."""
        while line:
            try:
                line = line[os.write(self.descriptor, line) :]
            except BlockingIOError:  # another OS process has made the shared pipe non-blocking
                select.select((), (self.descriptor,), ())
        return True

    def _count_dropped(self) -> None:
        self.dropped += 1
        self._unreported += 1

    def _report(self) -> None:
        with self._changed:
            if not self._unreported or self.waiting > MAX_WAITING // 2:  # leave room for the report
                return
            count, self._unreported = self._unreported, 0
        attempt(self._on_flow, count, default=None)


class Stderr(io.TextIOBase):
    """Standard error as a stream that never blocks or fails.

    Text for the standard error of the OS process is queued. A stream that replaces it is written immediately.

    Args:
        writer: queue for the standard error of the OS process
        stream: the stream to write to; by default the value of `sys.stderr` at each write
    """

    def __init__(self, writer: LineWriter, stream: Any = None) -> None:
        self._writer = writer
        self._stream = stream

    def write(self, text: str, /) -> int:
        """Write a text, or drop it if that fails."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes a str, got {type(text).__name__}")
        attempt(self._write, text, default=None)
        return len(text)

    def flush(self) -> None:
        """Do nothing: waiting for the thread would mean waiting for the reader."""

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return bool(attempt(lambda: self._current().isatty(), default=False))

    def _write(self, text: str) -> None:
        stream = self._current()
        if stream is None:  # the OS process was started without standard error
            return
        if attempt(lambda: stream.fileno(), default=None) == self._writer.descriptor:
            self._writer.put(text.encode(stream.encoding, "backslashreplace"))
            return
        try:
            stream.write(text)
        except UnicodeError:
            stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        stream.flush()

    def _current(self) -> Any:
        return sys.stderr if self._stream is None else self._stream
