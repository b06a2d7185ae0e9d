"""When calls time out: one heap of deadlines, with one timer of the event loop.

Almost every call is answered long before its deadline. A timer for each, set and cancelled, took a sixth of the time of
a call; an entry in a heap takes a third of that. Answered calls leave it when they are its first, or all at once when
it has grown.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from typing import TYPE_CHECKING

from actors.exits import TIMEOUT

if TYPE_CHECKING:
    from actors.call import Call

POP_UP_TO = 64
"""Entries up to which answered calls are popped one by one; of a larger heap that costs more than to compact it."""
COMPACT_AT = 1_024
"""Entries at which a heap is cleared of answered calls."""


class Deadlines:
    """The deadlines of the calls of one scheduler."""

    __slots__ = ("_compact_at", "_count", "_due", "_heap", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Call]] = []
        self._count = 0  # tells equal deadlines apart: the oldest call first
        self._compact_at = COMPACT_AT
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf  # when the timer comes

    def __len__(self) -> int:
        """How many calls it holds, some of which may be answered."""
        return len(self._heap)

    def add(self, call: Call, timeout: float) -> None:
        """Let `call` fail with `TIMEOUT` if it is not answered in `timeout` seconds."""
        heap = self._heap
        while heap and len(heap) <= POP_UP_TO and heap[0][2].is_closed():
            heapq.heappop(heap)
        if len(heap) >= self._compact_at:
            self._compact()
        self._count = count = self._count + 1
        deadline = self._loop.time() + timeout
        heapq.heappush(heap, (deadline, count, call))
        if deadline < self._due:
            self._set_timer(deadline)

    def _compact(self) -> None:
        """Forget the answered ones, which takes constant time for each call that was added."""
        self._heap[:] = [entry for entry in self._heap if not entry[2].is_closed()]
        heapq.heapify(self._heap)
        self._compact_at = max(COMPACT_AT, 2 * len(self._heap))

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = deadline
        self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        """Let those fail whose time is over, and come back for the next one."""
        self._timer = None
        self._due = math.inf
        heap = self._heap
        now = self._loop.time()
        while heap and (heap[0][2].is_closed() or heap[0][0] <= now):
            heapq.heappop(heap)[2].reject(TIMEOUT)
        if heap:
            self._set_timer(heap[0][0])
