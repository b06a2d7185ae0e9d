"""Long looks: however many look at once, others wait for one slice, and have most of the time. In virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle

import pytest

from actors import KILL, GenServer, down, send_exit, start
from actors.testing import Kit
from supervision.console import PageQuery
from supervision.console.inspection.paging import CHUNK, PAUSE_RATIO, SLICE, Inspections

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


async def through(looks: Inspections, work: Work, count: int, holder: str) -> list[int]:
    """Look at so many things, for a page of the application."""
    shown, total = await PageQuery(limit=count, inspections=looks, principal=holder).select(work.items(count), str)
    assert total == count
    return shown


async def look(looks: Inspections, work: Work, count: int, holder: str = "ann") -> list[int]:
    """Look at so many things."""
    async with looks.turn(holder) as its:
        return [item async for chunk in its.chunks(work.items(count)) for item in chunk]


@pytest.mark.parametrize("holders", [1, 3])
@pytest.mark.parametrize("ways", [[look], [through], [look, through]])
@pytest.mark.parametrize("counts", [[5_000], [2_000] * 4, [1] * 200, [10, 3_000, 1, 500]])
async def test_any_number_of_looks_take_a_slice_at_a_time_and_a_third_of_the_time(
    kit: Kit, counts: list[int], ways: list[Callable[[Inspections, Work, int, str], Awaitable[list[int]]]], holders: int
) -> None:
    work = Work(kit)
    looks = Inspections(work)
    longest = seen = 0.0

    async def beat() -> None:
        nonlocal longest, seen
        while True:
            longest, seen = max(longest, work.done - seen), work.done
            await asyncio.sleep(SLICE / 10)

    began = kit.loop.time()
    beating = asyncio.ensure_future(beat())
    names = [str(place % holders) for place in range(len(counts))]
    found = await asyncio.gather(
        *(way(looks, work, count, name) for way, count, name in zip(cycle(ways), counts, names, strict=False))
    )
    beating.cancel()
    assert found == [list(range(count)) for count in counts]
    assert longest <= SLICE + 2 * CHUNK * EACH
    assert kit.loop.time() - began >= PAUSE_RATIO * (work.done - 2 * SLICE)


@pytest.mark.parametrize("many", [1, 8, 32])
async def test_each_holder_has_the_same_share_however_many_looks_one_has(kit: Kit, many: int) -> None:
    work = Work(kit)
    looks = Inspections(work)
    greedy = [asyncio.ensure_future(look(looks, work, 20_000, "greedy")) for _ in range(many)]
    await asyncio.sleep(SLICE)
    for count in (1, 1_000):
        before = work.done
        assert await look(looks, work, count, "ann") == list(range(count))
        assert work.done - before <= 2 * count * EACH + 3 * (SLICE + CHUNK * EACH)
    for each in greedy:
        each.cancel()


async def test_looks_of_one_holder_go_on_one_after_the_other(kit: Kit) -> None:
    looks, ended = Inspections(work := Work(kit)), list[int]()

    async def note(number: int) -> None:
        await look(looks, work, 500)
        ended.append(number)

    await asyncio.gather(*(note(number) for number in range(5)))
    assert ended == [0, 1, 2, 3, 4]
    assert not looks._queues


async def test_look_that_fails_or_is_given_up_makes_room_for_the_next(kit: Kit) -> None:
    work = Work(kit)
    looks = Inspections(work)
    for holder in ("ann", "bob"):  # whoever waits in line, for a slice, or rests
        given_up = [asyncio.ensure_future(look(looks, work, 5_000, each)) for each in ("ann", holder, "eve")]
        for moment in (0.0, SLICE, 2 * SLICE):
            await asyncio.sleep(moment)
            given_up.pop().cancel()
        with pytest.raises(ZeroDivisionError):
            async with looks.turn("ann"):
                _ = 1 / 0
        assert await look(looks, work, 3) == [0, 1, 2]


class Looker(GenServer):
    """Looks when it is told to.

    Args (of `init`):
        looks, work: at what
        holder: whose look it is
    """

    def init(self, looks: Inspections, work: Work, holder: str) -> None:
        self._looks, self._work, self._holder = looks, work, holder

    async def handle_info(self, count: int) -> None:
        await look(self._looks, self._work, count, self._holder)


@pytest.mark.parametrize("after", range(12))
async def test_look_of_a_process_that_is_killed_makes_room_for_the_next(kit: Kit, after: int) -> None:
    looks = Inspections(work := Work(kit))
    lookers = [await start(Looker, looks, work, holder) for holder in ("ann", "ann", "bob", "eve")]
    for looker in lookers:
        looker.tell(5_000)
    for looker in lookers[after % 2 :: 2]:  # whatever it waits for: its line, a slice, or the end of its rest
        await asyncio.sleep(after * SLICE / 2)
        ended = down(looker)
        send_exit(looker, KILL)
        await ended
    assert await look(looks, work, 3) == [0, 1, 2]
    assert await look(looks, work, 3, "new") == [0, 1, 2]
    for looker in lookers:
        send_exit(looker, KILL)


@pytest.mark.parametrize(("search", "offset", "limit", "shown", "total"), [
    ("", 0, 3, ["Ann", "anna", "Bob"], 5), ("", 3, 3, ["HANNA", "Zoe"], 5), ("ann", 0, 2, ["Ann", "anna"], 3),
    ("ann", 2, 2, ["HANNA"], 3), ("nobody", 0, 2, [], 0), ("", 9, 2, [], 5),
])  # fmt: skip
async def test_page_has_what_is_searched_for_in_order(
    kit: Kit, search: str, offset: int, limit: int, shown: list[str], total: int
) -> None:
    query = PageQuery(search, offset, limit, Inspections(kit.loop.time))
    assert await query.select(["Ann", "anna", "Bob", "HANNA", "Zoe"], str) == (shown, total)
