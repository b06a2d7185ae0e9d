"""A leading-edge tick: the first request is served at once, a busy process serves at most one per interval."""

from __future__ import annotations

from typing import Any

from actors import Ref, Scheduler, send_after


class Tick:
    """Sends `message` to a process on request, but at most once per `interval` seconds.

    An immediate message is queued behind those already in the mailbox, so that requests that arrive together are served
    together.
    """

    __slots__ = ("_is_due", "_last", "_message", "_ref", "interval")

    def __init__(self, ref: Ref, interval: float, message: Any) -> None:
        self._ref = ref
        self.interval = interval
        self._message = message
        self._is_due = False
        self._last = float("-inf")

    def request(self) -> None:
        """Request the message; further requests before it arrives have no effect."""
        if self._is_due:
            return
        self._is_due = True
        wait = self._last + self.interval - Scheduler.current().loop.time()
        if wait <= 0:
            self._ref.tell(self._message)
        else:
            send_after(wait, self._ref, self._message)

    def begin(self) -> None:
        """Start the next interval; call this when the message arrives."""
        self._is_due = False
        self._last = Scheduler.current().loop.time()
