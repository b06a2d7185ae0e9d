"""Messages sent later, by the loop's clock (Erlang's `send_after/3`)."""

from __future__ import annotations

from typing import Any

from actors.ref import Target
from actors.scheduler import Scheduler
from actors.system import send


class Timer:
    """A message on its way to the future."""

    __slots__ = ("_handle", "_scheduler", "_sent")

    def __init__(self, scheduler: Scheduler, delay: float, target: Target, message: Any) -> None:
        self._scheduler = scheduler
        self._sent = False
        self._handle = scheduler.loop.call_later(delay, self._send, target, message)

    def _send(self, target: Target, message: Any) -> None:
        self._sent = True
        send(target, message)

    def remaining(self) -> float | None:
        """Seconds until the message is sent, or None if it was sent or cancelled."""
        if self._sent or self._handle.cancelled():
            return None
        return max(0.0, self._handle.when() - self._scheduler.loop.time())

    def cancel(self) -> float | None:
        """Do not send the message. Returns what `remaining` would."""
        return self._scheduler.invoke(self._cancel)

    def _cancel(self) -> float | None:
        left = self.remaining()
        self._handle.cancel()
        return left


def send_after(delay: float, target: Target, message: Any) -> Timer:
    """Send `message` in `delay` seconds. A name is looked up then; the dead get nothing."""
    scheduler = Scheduler.current()
    return scheduler.invoke(Timer, scheduler, delay, target, message)
