"""A callback that is a coroutine, on its way: a process drives it as asyncio drives a task.

It is what `asyncio.current_task()` returns in that callback, so that `asyncio.timeout`, `TaskGroup` and the libraries
that use them work there (asyncio: Extending, task lifetime support).
"""

from __future__ import annotations

import asyncio
import inspect
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine
from typing import Any, cast

Wake = Callable[["asyncio.Future[Any] | None"], None]


class Activity:
    """One coroutine and what it waits for.

    `wake` is called with that when it has come; to continue then is up to the process.
    """

    __slots__ = ("_cancellations", "_coroutine", "_is_cancelled", "_loop", "_wake", "awaited")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop, wake: Wake) -> None:
        self.awaited: asyncio.Future[Any] | None = None
        self._coroutine = coroutine
        self._loop = loop
        self._wake = wake
        self._cancellations = 0
        self._is_cancelled = False

    def begin(self) -> None:
        """Have `wake` called soon, for the first part."""
        self._loop.call_soon(self._wake, None)

    def advance(self) -> None:
        """Run up to the next wait.

        Raises:
            StopIteration: with the result, at the end; any other exception is the coroutine's own.
        """
        self.awaited = None
        _enter_task(self._loop, cast(Any, self))
        try:
            if self._is_cancelled:
                self._is_cancelled = False
                awaited = self._coroutine.throw(asyncio.CancelledError())
            else:
                awaited = self._coroutine.send(None)
        finally:
            _leave_task(self._loop, cast(Any, self))
        if awaited is None:  # asyncio.sleep(0)
            self._loop.call_soon(self._wake, None)
        elif getattr(awaited, "_asyncio_future_blocking", None):
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._wake)
            self.awaited = awaited
            if self._is_cancelled and awaited.cancel():
                self._is_cancelled = False
        else:
            self._coroutine.close()
            raise TypeError(f"a callback awaited {awaited!r}, which is no asyncio future")

    def close(self) -> None:
        """Unwind the coroutine: its `finally` blocks run, and may not wait."""
        if inspect.getcoroutinestate(cast(Any, self._coroutine)) != inspect.CORO_RUNNING:
            self._coroutine.close()

    # What asyncio asks of a task.

    def cancel(self, msg: Any = None) -> bool:
        """Let the coroutine get a `CancelledError` where it waits, or will wait next."""
        if self.done():
            return False
        self._cancellations += 1
        if self.awaited is None or not self.awaited.cancel(msg=msg):
            self._is_cancelled = True
        return True

    def cancelling(self) -> int:
        """How many cancellations are on their way."""
        return self._cancellations

    def uncancel(self) -> int:
        """Take one back; returns how many are left."""
        self._cancellations = max(0, self._cancellations - 1)
        return self._cancellations

    def done(self) -> bool:
        """Tell whether the coroutine has ended."""
        return inspect.getcoroutinestate(cast(Any, self._coroutine)) == inspect.CORO_CLOSED
