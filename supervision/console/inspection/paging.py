"""Inspections of many items, in slices: however many run at once, other actors wait for one slice at most."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")

SLICE = 0.001
"""Seconds for which an inspection works at a time."""
PAUSE_RATIO = 2.0
"""Length of the pause after a slice, as a multiple of the slice: inspections get a third of the time at most."""
CHUNK = 50
"""Items between two readings of the clock, which take 0.1 to 0.5 ms."""


def page_of(keyed: list[tuple[Any, T]], descending: bool, offset: int, limit: int) -> list[T]:
    """Sort (key, item) pairs by key, in a stable order, and return the items of one page."""
    order = sorted(keyed, key=itemgetter(0), reverse=descending)
    return [item for _, item in order[offset : offset + limit]]


class WaitQueue:
    """A queue for one resource; the first in the queue holds it.

    A task that joins must leave, even if it no longer waits. When a process is killed, its coroutine is closed, but an
    asynchronous generator that waits inside it is not told. So neither `asyncio.Lock` nor such a generator works here.
    """

    def __init__(self) -> None:
        self._places: deque[asyncio.Future[None]] = deque()

    def join(self) -> asyncio.Future[None]:
        """Join at the end; returns the place, a future that is done when the place is the first."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._places.append(place)
        self._admit_first()
        return place

    def leave(self, place: asyncio.Future[None]) -> None:
        """Leave from any position."""
        self._places.remove(place)
        self._admit_first()

    def _admit_first(self) -> None:
        if self._places and not self._places[0].done():
            self._places[0].set_result(None)


class Inspections:
    """Shares a third of the time fairly among the principals that inspect the system.

    One inspection per principal runs at a time; the others of that principal wait in its queue. The running ones take
    turns of one slice each.

    Args:
        clock: returns seconds

    Attributes:
        slices: the queue for the next slice
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.slices = WaitQueue()
        self._queues: WeakValueDictionary[str, WaitQueue] = WeakValueDictionary()
        self._paused_until = 0.0

    def turn(self, principal: str) -> Inspection:
        """Create an inspection for a principal's name; `async with` waits until no other one of that principal runs."""
        queue = self._queues.get(principal)
        if queue is None:
            self._queues[principal] = queue = WaitQueue()
        return Inspection(self, queue)

    async def pause(self) -> None:
        """Wait until the pause after the last slice is over."""
        left = self._paused_until - self.clock()
        if left > 0:
            await asyncio.sleep(left)

    def note(self, seconds: float) -> None:
        """Note that a slice of this length has ended."""
        self._paused_until = max(self._paused_until, self.clock() + PAUSE_RATIO * seconds)


class Inspection:
    """An inspection, which works in slices.

    `_place` is its position among the inspections of its principal, from `__aenter__` to `__aexit__`. `_slice` is its
    position in the queue for slices, and `_began` the time at which the current slice began; both are None between two
    slices, and `_began` also while it waits for one.

    Args:
        inspections: grants the slices
        queue: the queue of the principal
    """

    def __init__(self, inspections: Inspections, queue: WaitQueue) -> None:
        self._inspections = inspections
        self._queue = queue
        self._place: asyncio.Future[None] | None = None
        self._slice: asyncio.Future[None] | None = None
        self._began: float | None = None

    async def __aenter__(self) -> Inspection:
        self._place = self._queue.join()
        try:
            await self._place
            await self._begin()
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    async def chunks(self, items: Iterable[T], size: int = CHUNK) -> AsyncIterator[list[T]]:
        """Iterate over `items` in chunks, with a pause after each `SLICE`.

        Args:
            items: a collection that they come from must not change its size during the iteration
            size: items between two readings of the clock; 1 for slow items
        """
        left = iter(items)
        while chunk := list(islice(left, size)):
            yield chunk
            if self._began is not None and self._inspections.clock() - self._began > SLICE:
                self._end()
                await self._begin()

    async def _begin(self) -> None:
        """Wait for our turn, and begin a slice."""
        self._slice = self._inspections.slices.join()
        await self._slice
        await self._inspections.pause()
        self._began = self._inspections.clock()

    def _end(self) -> None:
        """End the slice, or stop waiting for one."""
        if self._began is not None:
            self._inspections.note(self._inspections.clock() - self._began)
        if self._slice is not None:
            self._inspections.slices.leave(self._slice)
        self._slice = self._began = None

    def _leave(self) -> None:
        self._end()
        if self._place is not None:
            self._queue.leave(self._place)
            self._place = None
