"""Timers: messages sent after a delay on the loop's clock (Erlang's `send_after/3`)."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from actors.kernel.ref import Ref, Target
from actors.kernel.scheduler import Scheduler
from actors.kernel.system import send


class Timer:
    """A scheduled message. One addressed to a reference is cancelled when that process exits, as in Erlang."""

    __slots__ = ("_handle", "_scheduler", "_target")

    def __init__(self, scheduler: Scheduler, delay: float, target: Target, message: Any) -> None:
        self._scheduler = scheduler
        self._target = target
        self._handle: asyncio.TimerHandle | None = None
        cell = target._cell if isinstance(target, Ref) else None
        if cell is None and isinstance(target, Ref):
            return
        self._handle = scheduler.loop.call_later(delay, self._send, target, message, context=scheduler.outside)
        if cell is not None and cell.scheduler is scheduler:
            cell.add_timer(self)

    def _send(self, target: Target, message: Any) -> None:
        self.drop()
        send(target, message)

    def remaining(self) -> float | None:
        """Return the seconds until the message is sent, or None if it was sent or cancelled."""
        handle = self._handle
        return None if handle is None else max(0.0, handle.when() - self._scheduler.loop.time())

    def cancel(self) -> float | None:
        """Cancel the message; return what `remaining` would have returned."""
        return self._scheduler.invoke(self._cancel)

    def _cancel(self) -> float | None:
        left = self.remaining()
        self.drop()
        return left

    def drop(self) -> None:
        """Release the message after it was sent or cancelled, or its receiver exited."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()
            cell = self._target._cell if isinstance(self._target, Ref) else None
            if cell is not None:
                cell.remove_timer(self)


def send_after(delay: float, target: Target, message: Any) -> Timer:
    """Send `message` after `delay` seconds; it is dropped if the target is dead then.

    A name is resolved when the message is sent.

    Raises:
        ValueError, TypeError: if `delay` is not a finite number of at least 0.
    """
    if not 0 <= delay < math.inf:
        raise ValueError(f"delay must be a finite number of seconds of at least 0, got {delay!r}")
    scheduler = Scheduler.current()
    return scheduler.invoke(Timer, scheduler, delay, target, message)
