"""When calls time out: one heap of deadlines, with one timer of the event loop.

Almost every call is answered long before its deadline. A timer for each, set and cancelled, took a sixth of the time of
a call; an entry in a heap takes a third of that. An answered call leaves its entry at once, so that nothing keeps its
request; the empty entry leaves the heap when it is the first, or with all others when the heap has grown.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from actors.exits import TIMEOUT, ExitReason

POP_UP_TO = 64
"""Entries up to which empty ones are popped one by one; of a larger heap that costs more than to compact it."""
COMPACT_AT = 1_024
"""Entries at which a heap is cleared of empty ones."""

Entry: TypeAlias = "list[Any]"
"""A deadline in seconds, a number that tells equal deadlines apart, and the call, or None when it is answered."""


class Limited(Protocol):
    """A call that may time out. `deadline` is its entry, if it has one; the call empties that when it is answered."""

    deadline: Entry | None

    def reject(self, reason: ExitReason) -> None:
        """Let it fail."""
        ...


C = TypeVar("C", bound=Limited)


class Deadlines(Generic[C]):
    """The deadlines of the calls of one scheduler. `context` is what its timer runs in."""

    __slots__ = ("_compact_at", "_context", "_count", "_due", "_heap", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        self._loop = loop
        self._context = context
        self._heap: list[Entry] = []
        self._count = 0  # the oldest of several calls with one deadline comes first
        self._compact_at = COMPACT_AT
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf  # when the timer comes

    def __len__(self) -> int:
        """How many entries it holds, some of which may be empty."""
        return len(self._heap)

    def calls(self) -> list[C]:
        """The calls that wait for their answers."""
        return [entry[2] for entry in self._heap if entry[2] is not None]

    def add(self, call: C, timeout: float) -> None:
        """Let `call` fail with `TIMEOUT` if it is not answered in `timeout` seconds."""
        heap = self._heap
        while heap and len(heap) <= POP_UP_TO and heap[0][2] is None:
            heapq.heappop(heap)
        if len(heap) >= self._compact_at:
            self._compact()
        self._count = count = self._count + 1
        deadline = self._loop.time() + timeout
        call.deadline = entry = [deadline, count, call]
        heapq.heappush(heap, entry)
        if deadline < self._due:
            self._set_timer(deadline)

    def _compact(self) -> None:
        """Drop the empty entries, which takes constant time for each call that was added."""
        self._heap[:] = [entry for entry in self._heap if entry[2] is not None]
        heapq.heapify(self._heap)
        self._compact_at = max(COMPACT_AT, 2 * len(self._heap))

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = deadline
        self._timer = self._loop.call_at(deadline, self._expire, context=self._context)

    def _expire(self) -> None:
        """Let those fail whose time is over, and come back for the next one."""
        self._timer = None
        self._due = math.inf
        heap = self._heap
        now = self._loop.time()
        while heap and (heap[0][2] is None or heap[0][0] <= now):
            call = heapq.heappop(heap)[2]
            if call is not None:
                call.reject(TIMEOUT)
        if heap:
            self._set_timer(heap[0][0])
