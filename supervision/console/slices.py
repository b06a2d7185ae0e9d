"""Long looks at many things, a little at a time: nobody waits longer than for one slice, however many look at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")

SLICE = 0.001
"""Seconds that a look works before others have a turn."""
REST = 2.0
"""How many times as long others have then: all who look get a third of the time at most."""
CHUNK = 50
"""Items between two looks at the clock: 0.1 to 0.5 ms of them."""

ITEMS = 1_000
"""Items of a page of the application between which others have a turn: some 2 ms of them."""


async def sliced(items: Sequence[T]) -> AsyncIterator[T]:
    """Go through `items`, and let others run after each `ITEMS` of them: for the pages of an application."""
    for begin in range(0, len(items), ITEMS):
        if begin:
            await asyncio.sleep(0)
        for item in items[begin : begin + ITEMS]:
            yield item


class Line:
    """A line of those who wait for one thing: who came first has it first.

    Not `asyncio.Lock`: a process that is killed closes its coroutine without cancelling it, and that lock would be lost
    if it had been given to the coroutine already.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait until it is ours; then it must be released."""
        if not self._is_taken:
            self._is_taken = True
            return
        ours: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(ours)
        try:
            await ours
        except BaseException:
            if not ours.cancel() and not ours.cancelled():
                self.release()  # it was given to us meanwhile
            raise

    def release(self) -> None:
        """Give it to the next in line."""
        while self._waiting:
            given = self._waiting.popleft()
            if not given.done():
                given.set_result(None)
                return
        self._is_taken = False


class Looks:
    """Shares a third of the time among the holders of tokens who look.

    One look of each holder goes on at a time, and the others of that holder wait in line. Those that go on take a slice
    each, in turns.

    Args:
        clock: measures, in seconds
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._lines: WeakValueDictionary[str, Line] = WeakValueDictionary()
        self._slices = Line()
        self._rested = 0.0

    @contextlib.asynccontextmanager
    async def turn(self, holder: str) -> AsyncIterator[Look]:
        """Wait until no other look of `holder` goes on, and then look."""
        line = self._lines.get(holder)
        if line is None:
            self._lines[holder] = line = Line()
        await line.acquire()
        look = Look(self)
        try:
            await look.begin()
            yield look
        finally:
            look.end()
            line.release()

    async def acquire(self) -> None:
        """Wait for a slice; who has it must `release` it."""
        await self._slices.acquire()

    async def rest(self) -> None:
        """Wait until others have had their time after the last slice."""
        left = self._rested - self.clock()
        if left > 0:
            await asyncio.sleep(left)

    def release(self, seconds: float) -> None:
        """End a slice in which somebody has worked so long."""
        self._rested = max(self._rested, self.clock() + REST * seconds)
        self._slices.release()


class Look:
    """A look that goes on, in slices.

    Args:
        looks: who gives them
    """

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self._has_slice = False
        self._began: float | None = None

    async def begin(self) -> None:
        """Begin a slice, when it is our turn."""
        await self._looks.acquire()
        self._has_slice = True
        await self._looks.rest()
        self._began = self._looks.clock()

    def end(self) -> None:
        """End the slice, if there is one: the look may have been given up before it began."""
        if self._has_slice:
            worked = 0.0 if self._began is None else self._looks.clock() - self._began
            self._has_slice, self._began = False, None
            self._looks.release(worked)

    async def chunks(self, items: Iterable[T]) -> AsyncIterator[list[T]]:
        """Go through `items`, and rest after each `SLICE`: no collection among them may change its size meanwhile."""
        left = iter(items)
        while chunk := list(islice(left, CHUNK)):
            yield chunk
            await self.pause()

    async def pause(self) -> None:
        """Let others have a turn, if the slice is over."""
        if self._began is not None and self._looks.clock() - self._began > SLICE:
            self.end()
            await self.begin()

    async def page_of(
        self, items: Sequence[T], key: Callable[[T], Any], descending: bool, offset: int, limit: int
    ) -> list[T]:
        """Sort `items`, those with equal keys as they were, and cut out a page."""
        keys = [key(item) async for chunk in self.chunks(items) for item in chunk]
        order = sorted(range(len(items)), key=keys.__getitem__, reverse=descending)
        return [items[index] for index in order[offset : offset + limit]]
