"""Long looks: however many look at once, others wait for one slice, and have most of the time. In virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle

import pytest

from actors.testing import Kit
from supervision.console import PageQuery
from supervision.console.slices import CHUNK, REST, SLICE, Looks

EACH = SLICE / CHUNK / 2
"""Seconds of work for an item: two chunks fill a slice."""


class Work:
    """The clock of the loop, and the work that was done."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.done = 0.0

    def __call__(self) -> float:
        return self._kit.loop.time() + self.done

    def items(self, count: int) -> Iterator[int]:
        """Things that take time to look at."""
        for number in range(count):
            self.done += EACH
            yield number


async def through(looks: Looks, work: Work, count: int) -> list[int]:
    """Look at so many things, for a page of the application."""
    shown, total = await PageQuery(limit=count, looks=looks).select(work.items(count), str)
    assert total == count
    return shown


async def look(looks: Looks, work: Work, count: int) -> list[int]:
    """Look at so many things."""
    async with looks.turn():
        return [item async for chunk in looks.chunks(work.items(count)) for item in chunk]


@pytest.mark.parametrize("ways", [[look], [through], [look, through]])
@pytest.mark.parametrize("counts", [[5_000], [2_000] * 4, [1] * 200, [10, 3_000, 1, 500]])
async def test_any_number_of_looks_take_a_slice_at_a_time_and_a_third_of_the_time(
    kit: Kit, counts: list[int], ways: list[Callable[[Looks, Work, int], Awaitable[list[int]]]]
) -> None:
    work = Work(kit)
    looks = Looks(work)
    longest = seen = 0.0

    async def beat() -> None:
        nonlocal longest, seen
        while True:
            longest, seen = max(longest, work.done - seen), work.done
            await asyncio.sleep(SLICE / 10)

    began = kit.loop.time()
    beating = asyncio.ensure_future(beat())
    found = await asyncio.gather(*(way(looks, work, count) for count, way in zip(counts, cycle(ways), strict=False)))
    beating.cancel()
    assert found == [list(range(count)) for count in counts]
    assert longest <= SLICE + 2 * CHUNK * EACH
    assert kit.loop.time() - began >= REST * (work.done - 2 * SLICE)


async def test_look_that_fails_or_is_given_up_makes_room_for_the_next(kit: Kit) -> None:
    work = Work(kit)
    looks = Looks(work)
    given_up = asyncio.ensure_future(look(looks, work, 5_000))
    waiting = asyncio.ensure_future(look(looks, work, 5_000))
    await asyncio.sleep(0)
    waiting.cancel()
    given_up.cancel()
    with pytest.raises(ZeroDivisionError):
        async with looks.turn():
            _ = 1 / 0
    assert await look(looks, work, 3) == [0, 1, 2]


@pytest.mark.parametrize(("search", "offset", "limit", "shown", "total"), [
    ("", 0, 3, ["Ann", "anna", "Bob"], 5), ("", 3, 3, ["HANNA", "Zoe"], 5), ("ann", 0, 2, ["Ann", "anna"], 3),
    ("ann", 2, 2, ["HANNA"], 3), ("nobody", 0, 2, [], 0), ("", 9, 2, [], 5),
])  # fmt: skip
async def test_page_has_what_is_searched_for_in_order(
    kit: Kit, search: str, offset: int, limit: int, shown: list[str], total: int
) -> None:
    query = PageQuery(search, offset, limit, Looks(kit.loop.time))
    assert await query.select(["Ann", "anna", "Bob", "HANNA", "Zoe"], str) == (shown, total)
