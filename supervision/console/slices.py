"""Long looks at many things, a little at a time: nobody waits longer than for one slice, however many look at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

SLICE = 0.001
"""Seconds that a look works before others have a turn."""
REST = 2.0
"""How many times as long others have then: all who look get a third of the time at most."""
CHUNK = 50
"""Items between two looks at the clock: 0.1 to 0.5 ms of them."""


class Looks:
    """Lets one long look work at a time, a slice of it at a time; the others wait in line.

    Args:
        clock: measures, in seconds
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        self._began = 0.0
        self._ended = 0.0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until nobody else looks, and then look: at many things in `chunks`."""
        async with self._turn:
            await self._rest()
            try:
                yield
            finally:
                self._ended = self._clock()

    async def chunks(self, items: Iterable[T]) -> AsyncIterator[list[T]]:
        """Go through `items`, and rest after each `SLICE`: no collection among them may change its size meanwhile."""
        left = iter(items)
        while chunk := list(islice(left, CHUNK)):
            yield chunk
            self._ended = self._clock()
            if self._ended - self._began > SLICE:
                await self._rest()

    async def _rest(self) -> None:
        """Give others time after the last slice."""
        left = self._ended + REST * (self._ended - self._began) - self._clock()
        if left > 0:
            await asyncio.sleep(left)
        self._began = self._clock()

    async def page_of(
        self, items: Sequence[T], key: Callable[[T], Any], descending: bool, offset: int, limit: int
    ) -> list[T]:
        """Sort `items`, those with equal keys as they were, and cut out a page."""
        keys = [key(item) async for chunk in self.chunks(items) for item in chunk]
        order = sorted(range(len(items)), key=keys.__getitem__, reverse=descending)
        return [items[index] for index in order[offset : offset + limit]]
