"""Threads and event loops: posting to the loop of another thread, and the check that no loop is blocked."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable
from typing import Any, Final, Protocol

CHECK_EVERY = 1.0
"""Seconds between two checks of a thread that waits for a reply whether the loop still exists."""
NO_THREAD: Final = 0
"""An identifier that no thread has."""


class BlockingOnLoopError(RuntimeError):
    """A blocking wait was refused because this thread runs an event loop."""


def refuse_to_block(remedy: str) -> None:
    """Check that this thread may block.

    Raises:
        BlockingOnLoopError: if it runs an event loop.
    """
    try:
        get_running_loop()
    except RuntimeError:
        return
    raise BlockingOnLoopError(f"this would block the event loop: {remedy}")


class Fenced(Protocol):
    """A thread that is fenced when its process exits: a `scheduler.ProcessThread`."""

    is_fenced: bool


class Post:
    """A function to call on the loop's thread, posted by another thread."""

    __slots__ = ("args", "dropped", "function", "thread")

    def __init__(
        self,
        function: Callable[..., object],
        args: tuple[Any, ...],
        thread: Fenced | None,
        dropped: Callable[[], object] | None,
    ) -> None:
        self.function = function
        self.args = args
        self.thread = thread
        self.dropped = dropped

    def is_fenced(self) -> bool:
        """Return whether it was posted by the thread of a process that was killed."""
        return self.thread is not None and self.thread.is_fenced

    def drop(self) -> None:
        """Discard it, and notify the thread that waits for it, if any."""
        if self.dropped is not None:
            self.dropped()
