"""No process. Pings the open WebSockets of a server in turn, and drops those that give no sign of life.

One timer serves all: who was pinged longest ago is at the front, so a beat looks only at those that are due. An idle
connection costs one entry, and what it says costs nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from supervision.server.wire import Wire

BATCH = 200
"""Wires that are looked at before others have a turn."""


class Heartbeat:
    """Watches over wires.

    Args:
        interval: seconds between two pings of a wire; None for none at all
        timeout: seconds until a wire is dropped that has said nothing since
    """

    def __init__(self, interval: float | None, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._pings: _Queue = OrderedDict()
        self._pongs: _Queue = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, wire: Wire) -> None:
        """Begin with a WebSocket that has just been opened."""
        if self._interval is not None:
            self._pings[wire] = (asyncio.get_running_loop().time() + self._interval, 0)
            self._wait()

    def forget(self, wire: Wire) -> None:
        """End with one."""
        self._pings.pop(wire, None)
        self._pongs.pop(wire, None)
        if not self._pings and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        """Have the next beat when somebody is due."""
        due = [next(iter(queue.values()))[0] for queue in (self._pings, self._pongs) if queue]
        if due and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(min(due), self._beat)

    def _beat(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for wire, heard in _due(self._pongs, now):
            wire.expect_life(heard)
        for wire, _ in _due(self._pings, now):
            assert self._interval is not None
            self._pings[wire] = (now + self._interval, 0)
            if wire.ping(now):
                self._pongs.setdefault(wire, (now + self._timeout, wire.bytes_in))
        self._wait()


_Queue: TypeAlias = "OrderedDict[Wire, tuple[float, int]]"
"""When a wire is due, soonest first, and how many bytes it had sent when it was pinged."""


def _due(queue: _Queue, now: float) -> list[tuple[Wire, int]]:
    """Take those off the front whose time has come, at most a batch."""
    due: list[tuple[Wire, int]] = []
    while queue and len(due) < BATCH:
        wire, (at, heard) = next(iter(queue.items()))
        if at > now:
            break
        del queue[wire]
        due.append((wire, heard))
    return due
