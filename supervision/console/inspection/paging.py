"""Long looks at many things, a little at a time: nobody waits longer than for one slice, however many look at once."""

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
"""Seconds that a look works before others have a turn."""
REST = 2.0
"""How many times as long others have then: all who look get a third of the time at most."""
CHUNK = 50
"""Items between two looks at the clock: 0.1 to 0.5 ms of them."""


def page_of(keyed: list[tuple[Any, T]], descending: bool, offset: int, limit: int) -> list[T]:
    """Sort things by the keys before them, those with equal keys as they were, and cut out a page."""
    order = sorted(keyed, key=itemgetter(0), reverse=descending)
    return [item for _, item in order[offset : offset + limit]]


class Line:
    """Those who wait for one thing. Who stands first has it.

    Whoever joins has to leave, even if it does not wait any more: a killed process closes its coroutine, and what waits
    inside an asynchronous generator does not hear of that. So neither `asyncio.Lock` nor such a generator will do.
    """

    def __init__(self) -> None:
        self._places: deque[asyncio.Future[None]] = deque()

    def join(self) -> asyncio.Future[None]:
        """Stand last; returns the place, which is done when it is the first."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._places.append(place)
        self._call_first()
        return place

    def leave(self, place: asyncio.Future[None]) -> None:
        """Leave, from whatever place."""
        self._places.remove(place)
        self._call_first()

    def _call_first(self) -> None:
        if self._places and not self._places[0].done():
            self._places[0].set_result(None)


class Looks:
    """Shares a third of the time among the holders of tokens who look.

    One look of each holder goes on at a time, and the others of that holder wait in line. Those that go on take a slice
    each, in turns.

    Args:
        clock: measures, in seconds

    Attributes:
        slices: those who want a slice
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.slices = Line()
        self._lines: WeakValueDictionary[str, Line] = WeakValueDictionary()
        self._rested = 0.0

    def turn(self, holder: str) -> Look:
        """Make a look of `holder`: it begins with `async with`, when no other of that holder goes on."""
        line = self._lines.get(holder)
        if line is None:
            self._lines[holder] = line = Line()
        return Look(self, line)

    async def rest(self) -> None:
        """Wait until others have had their time after the last slice."""
        left = self._rested - self.clock()
        if left > 0:
            await asyncio.sleep(left)

    def note(self, seconds: float) -> None:
        """Note that a slice has ended which took so long."""
        self._rested = max(self._rested, self.clock() + REST * seconds)


class Look:
    """A look, which works in slices.

    Args:
        looks: whose slices
        line: of its holder
    """

    def __init__(self, looks: Looks, line: Line) -> None:
        self._looks = looks
        self._line = line
        self._place: asyncio.Future[None] | None = None
        self._slice: asyncio.Future[None] | None = None
        self._began: float | None = None

    async def __aenter__(self) -> Look:
        self._place = self._line.join()
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
        """Go through `items`, and rest after each `SLICE`: no collection among them may change its size meanwhile.

        Args:
            size: items between two looks at the clock; 1 for such as take long
        """
        left = iter(items)
        while chunk := list(islice(left, size)):
            yield chunk
            if self._began is not None and self._looks.clock() - self._began > SLICE:
                self._end()
                await self._begin()

    async def _begin(self) -> None:
        """Begin a slice, when it is our turn."""
        self._slice = self._looks.slices.join()
        await self._slice
        await self._looks.rest()
        self._began = self._looks.clock()

    def _end(self) -> None:
        """End the slice, or wait for it no more."""
        if self._began is not None:
            self._looks.note(self._looks.clock() - self._began)
        if self._slice is not None:
            self._looks.slices.leave(self._slice)
        self._slice = self._began = None

    def _leave(self) -> None:
        self._end()
        if self._place is not None:
            self._line.leave(self._place)
            self._place = None
