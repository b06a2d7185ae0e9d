"""No process. Pings the open WebSockets of a server in turn, and drops those that give no sign of life.

One timer serves all: who was pinged longest ago is at the front, so a beat looks only at those that are due. An idle
connection costs one entry, and what it says costs nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from supervision.server.wire import Wire

BATCH = 200
"""Wires that are looked at before others have a turn."""

_Queue: TypeAlias = "dict[Wire, float]"
"""When a wire is due, soonest first: they are put in at the end, each with the same delay."""


class Heartbeat:
    """Watches over wires.

    Args:
        interval: seconds between two pings of a wire; None for none at all
        timeout: seconds until a wire is dropped that has said nothing since
    """

    def __init__(self, interval: float | None, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._pings: _Queue = {}
        self._pongs: _Queue = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, wire: Wire) -> None:
        """Begin with a WebSocket that has just been opened."""
        if self._interval is not None:
            self._pings[wire] = asyncio.get_running_loop().time() + self._interval
            self._wait()

    def answered(self, wire: Wire) -> None:
        """The answer to the last ping has come."""
        self._pongs.pop(wire, None)

    def forget(self, wire: Wire) -> None:
        """End with one."""
        self._pings.pop(wire, None)
        self._pongs.pop(wire, None)
        if not self._pings and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_beating(self) -> bool:
        """Whether there is anybody to watch over."""
        return self._timer is not None

    def _wait(self) -> None:
        """Have the next beat when somebody is due."""
        due = [next(iter(queue.values())) for queue in (self._pings, self._pongs) if queue]
        if due and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(min(due), self._beat)

    def _beat(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for wire in _take_due(self._pongs, now):
            wire.expect_life()
        for wire in _take_due(self._pings, now):
            assert self._interval is not None
            self._pings[wire] = now + self._interval
            if wire not in self._pongs and wire.ping(now):
                self._pongs[wire] = now + self._timeout
        self._wait()


def _take_due(queue: _Queue, now: float) -> list[Wire]:
    """Take those off the front whose time has come, at most a batch."""
    due: list[Wire] = []
    for wire, at in queue.items():
        if at > now or len(due) == BATCH:
            break
        due.append(wire)
    for wire in due:
        del queue[wire]
    return due
