"""Messages sent later, by the loop's clock (Erlang's `send_after/3`)."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.process import send
from actors.ref import Target
from actors.scheduler import Scheduler


class Timer:
    """A message on its way to the future."""

    __slots__ = ("_handle", "_loop", "_sent")

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float, target: Target, message: Any) -> None:
        self._loop = loop
        self._sent = False
        self._handle = loop.call_later(delay, self._send, target, message)

    def _send(self, target: Target, message: Any) -> None:
        self._sent = True
        send(target, message)

    def remaining(self) -> float | None:
        """Seconds until the message is sent, or None if it was sent or cancelled."""
        if self._sent or self._handle.cancelled():
            return None
        return max(0.0, self._handle.when() - self._loop.time())

    def cancel(self) -> float | None:
        """Do not send the message. Returns what `remaining` would."""
        left = self.remaining()
        self._handle.cancel()
        return left


def send_after(delay: float, target: Target, message: Any) -> Timer:
    """Send `message` in `delay` seconds. A name is looked up then; the dead get nothing."""
    scheduler = Scheduler.current()
    return scheduler.invoke(Timer, scheduler.loop, delay, target, message)
