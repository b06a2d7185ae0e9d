"""Timeouts of calls: one heap of deadlines, with one timer of the event loop.

Almost every call is answered long before its deadline. A timer per call, set and cancelled, took a sixth of the time of
a call; an entry in a heap takes a third of that. An answered call empties its entry at once, so that nothing keeps its
request alive; an empty entry leaves the heap when it reaches the front, or when a heap that has grown is compacted.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from actors.exits import TIMEOUT, ExitReason

POP_UP_TO = 64
"""Maximum size of a heap whose empty entries are popped one by one; a larger heap is cheaper to compact."""
COMPACT_AT = 1_024
"""Minimum size at which a heap is compacted."""

Entry: TypeAlias = "list[Any]"
"""A deadline in seconds, a number to order equal deadlines, and the call, or None once it is answered."""


class TimedCall(Protocol):
    """A call that may time out. `deadline` is its entry, if any; the call empties it when answered."""

    deadline: Entry | None

    def reject(self, reason: ExitReason) -> None:
        """Fail the call with `reason`."""
        ...


C = TypeVar("C", bound=TimedCall)


class Deadlines(Generic[C]):
    """The deadlines of one scheduler's calls. Its timer runs in `context`."""

    __slots__ = ("_compact_at", "_context", "_count", "_due", "_heap", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        self._loop = loop
        self._context = context
        self._heap: list[Entry] = []
        self._count = 0  # of calls with equal deadlines, the oldest expires first
        self._compact_at = COMPACT_AT
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf  # when the timer fires

    def __len__(self) -> int:
        """Return the number of entries, including empty ones."""
        return len(self._heap)

    def calls(self) -> list[C]:
        """Return the calls that still wait for their reply."""
        return [entry[2] for entry in self._heap if entry[2] is not None]

    def add(self, call: C, timeout: float) -> None:
        """Fail `call` with `TIMEOUT` unless it is answered within `timeout` seconds."""
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
        """Drop the empty entries, in amortised constant time per added call."""
        self._heap[:] = [entry for entry in self._heap if entry[2] is not None]
        heapq.heapify(self._heap)
        self._compact_at = max(COMPACT_AT, 2 * len(self._heap))

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = deadline
        self._timer = self._loop.call_at(deadline, self._expire, context=self._context)

    def _expire(self) -> None:
        """Fail the expired calls, and set the timer for the next deadline."""
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
