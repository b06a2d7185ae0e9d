"""What threads may do with an event loop that is not theirs: post to it, and not block it."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable
from typing import Any, Final, Protocol

CHECK_EVERY = 1.0
"""Seconds after which a thread that waits for an answer looks whether the loop still exists."""
NO_THREAD: Final = 0
"""No thread has this number."""


class BlockingOnLoopError(RuntimeError):
    """A blocking wait was asked for on the thread of an event loop, which it would stop."""


def refuse_to_block(remedy: str) -> None:
    """Check that this thread may wait.

    Raises:
        BlockingOnLoopError: if it runs an event loop.
    """
    try:
        get_running_loop()
    except RuntimeError:
        return
    raise BlockingOnLoopError(f"this would block the event loop: {remedy}")


class Fenced(Protocol):
    """A thread that is fenced when its process is killed: a `scheduler.ProcessThread`."""

    is_fenced: bool


class Post:
    """Something to be called on the loop's thread, for another thread."""

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
        """Tell whether it comes from the thread of a process that was killed."""
        return self.thread is not None and self.thread.is_fenced

    def drop(self) -> None:
        """Let it go nowhere, and tell a thread that waits for it."""
        if self.dropped is not None:
            self.dropped()
