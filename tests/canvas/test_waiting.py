"""Questions that wait: bounded in all and for each address, and let go of when their caller has left."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import CallExit, GenServer, call, start
from actors.debug import resume, suspend
from actors.testing import quiet, settle
from canvas.board.grid import Change
from canvas.history.historian import AskPixelHistory, AskRollbackPlan, Historian, PixelHistory, PlannedRollback
from canvas.live.room import Room
from canvas.live.waiting import Waiting
from canvas.store import MemoryStore
from canvas.store.chunk import Cells, Local
from canvas.store.memory import MemoryReader
from canvas.web.pixel_history import SHARE, PixelRoute
from protocol import Headers, HttpError, Request
from tests.support.scenarios import simulated

ANN, BOB = "192.0.2.1", "192.0.2.2"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([ANN, BOB, "2001:db8::1", "2001:db8::2", "2001:db8:0:1::"]))))
def test_so_many_wait_in_all_and_so_many_of_one_address(steps: list[tuple[bool, str]]) -> None:
    waiting = Waiting(most=4, share=2)
    inside: list[tuple[str, ExitStack]] = []
    for comes, address in steps:
        who = "2001:db8::/64" if address in ("2001:db8::1", "2001:db8::2") else address
        places = Counter(asker for asker, _ in inside)
        if comes:
            refusal = 429 if places[who] == 2 else 503 if len(inside) == 4 else None
            if refusal is None:
                inside.append((who, ExitStack()))
                inside[-1][1].enter_context(waiting.place(address))
            else:
                with pytest.raises(HttpError) as refused, waiting.place(address):
                    pass
                assert (refused.value.status, dict(refused.value.headers)) == (refusal, {"Retry-After": "1"})
        elif places[who]:
            index = next(index for index, (asker, _) in enumerate(inside) if asker == who)
            inside.pop(index)[1].close()
        assert len(waiting) == len(inside)
    for _, place in inside:
        place.close()
    assert (len(waiting), waiting._askers) == (0, Counter())


@simulated
async def test_one_address_leaves_places_to_the_others() -> None:
    await start(GenServer, name="history")
    suspend("history")
    room = cast(Room, MemoryStore("an epoch", 32, 16, 0))  # it has a width and a height
    waiting = Waiting(SHARE + 1, SHARE)
    route = PixelRoute(room, waiting)

    def question(address: str) -> asyncio.Future[Any]:
        return asyncio.ensure_future(route(Request("GET", "/api/pixel?x=1&y=2", (1, 1), Headers(()), remote=address)))

    asked = [question(ANN) for _ in range(SHARE)]
    await quiet()
    with pytest.raises(HttpError, match="too many requests at once from one address"):
        await question(ANN)
    asked.append(question(BOB))
    await quiet()
    with pytest.raises(HttpError, match="too many requests at once"):
        await question(BOB)
    asked.pop().cancel()
    await settle(10.0)
    for each in asked:
        with pytest.raises(HttpError, match="the history is busy"):
            await each
    assert len(waiting) == 0


class Counting(MemoryStore):
    """A canvas of four tiles that counts who looks at it."""

    def __init__(self) -> None:
        super().__init__("an epoch", 512, 512, 0)
        self.readers = 0
        self.tiles = 0
        self.leaving: asyncio.Future[Any] | None = None
        """Who leaves when the first tile is read."""
        for seq, (x, y) in enumerate(((0, 0), (300, 0), (0, 300), (300, 300)), start=1):
            self.append([Change(x, y, seq, "ann", seq)], float(seq))

    def reader(self) -> MemoryReader:
        self.readers += 1
        return CountingReader(self)


class CountingReader(MemoryReader):
    def by_tile(
        self, tiles: Iterable[tuple[int, Cells | None]], user: int | None = None
    ) -> Iterator[tuple[int, Iterable[Local]]]:
        store = cast(Counting, self._store)
        for found in super().by_tile(tiles, user):
            store.tiles += 1
            if store.leaving is not None:
                store.leaving.cancel()
            yield found


@simulated
async def test_history_is_not_read_for_those_who_have_left() -> None:
    store = Counting()
    await start(Historian, store, name="history")
    await quiet()
    before = store.readers
    suspend("history")
    questions = (AskPixelHistory(0, 0, 1), AskRollbackPlan("ann", None, None, None))
    asked = [asyncio.ensure_future(call("history", question, timeout=1.0)) for question in questions]
    await settle(2.0)
    for each in asked:
        with pytest.raises(CallExit):
            await each
    gone = asyncio.ensure_future(call("history", questions[0], timeout=None))
    await quiet()
    gone.cancel()
    await quiet()
    resume("history")
    answer = await call("history", questions[0])
    assert isinstance(answer, PixelHistory)
    assert store.readers == before + 1


@simulated
async def test_rollback_whose_caller_leaves_reads_no_further() -> None:
    store = Counting()
    await start(Historian, store, name="history")
    question = AskRollbackPlan(None, None, None, None)
    store.leaving = asyncio.ensure_future(call("history", question, timeout=None))
    await settle(1.0)
    assert store.leaving.cancelled()
    assert store.tiles == 1
    store.leaving = None
    answer = await call("history", question)
    assert isinstance(answer, PlannedRollback)
    assert (answer.plan.changes, store.tiles) == (4, 5)
