"""A pixel's way through the whole tree in virtual time: in order, in batches, never shown before it is committed."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from actors import call, cast, whereis
from actors.testing import quiet, settle
from canvas.board.grid import Change
from canvas.config import read_rate_limit
from canvas.live.canvas import GetPicture, Paint
from canvas.store import MemoryStore, StoreError
from tests.support.client import Client
from tests.support.instance import Simulation, simulation
from tests.support.scenarios import simulated

RED, GREEN = "#FF0000", "#00FF00"


class WatchedStore(MemoryStore):
    """A memory store that notes its batches, asks a question before each commit, and may be full."""

    def __init__(self) -> None:
        super().__init__("an epoch", 32, 16, 0xFFFFFF)
        self.batches: list[int] = []
        self.is_full = False
        self.before_commit: Callable[[Sequence[Change]], None] = lambda changes: None

    def append(self, changes: Sequence[Change], at: float) -> None:
        self.batches.append(len(changes))
        if self.is_full:
            raise StoreError("no space left on device")
        self.before_commit(changes)
        super().append(changes, at)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> WatchedStore:
    """The store of the application that the test starts."""
    store = WatchedStore()
    monkeypatch.setattr("canvas.application.open_store", lambda config: store)
    return store


async def acknowledged(client: Client, count: int) -> None:
    await client.until(lambda: len(client.screen.own) >= count, "for acknowledgements")


async def shown(clients: Sequence[Client], seq: int) -> None:
    for client in clients:
        await client.until(lambda screen=client.screen: screen.seq >= seq)


# The way of a pixel.


@simulated
async def test_pixel_comes_back_to_its_painter_and_goes_to_everybody(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        ann.paint(3, 4, "#ff00aa")
        await shown([ann, bob], 1)
        assert ann.screen.own == [(3, 4, "#FF00AA")]
        assert bob.screen.own == []
        assert ann.screen.pixels == bob.screen.pixels == {(3, 4): "#FF00AA"}


@simulated
async def test_newcomer_sees_what_was_painted_before(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.paint(0, 0, RED)
        ann.paint(31, 15, GREEN)
        await acknowledged(ann, 2)
        bob = await canvas.join()
        assert bob.screen.pixels == {(0, 0): RED, (31, 15): GREEN}
        assert bob.screen.seq == 2
        assert bob.screen.epoch == ann.screen.epoch


@simulated
async def test_everybody_sees_one_order(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        clients = [await canvas.join() for _ in range(4)]
        for number in range(40):
            for place, client in enumerate(clients):
                client.paint(number % 2, 0, f"#{4 * number + place:06X}")
            if number % 10 == 9:
                await settle(0.005)
        await shown(clients, 160)  # every screen has checked that the numbers have no gap
        assert len({tuple(sorted(client.screen.pixels.items())) for client in clients}) == 1
        assert [len(client.screen.own) for client in clients] == [40] * 4


@simulated
async def test_own_pixels_are_acknowledged_in_the_order_they_were_painted(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        painted = [(x, y, RED) for y in range(16) for x in range(32)]
        for x, y, color in painted:
            ann.paint(x, y, color)
        await acknowledged(ann, len(painted))
        assert ann.screen.own == painted


@simulated
async def test_pixel_painted_white_is_gone(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.paint(0, 0, RED)
        ann.paint(0, 0, "#FFFFFF")
        await acknowledged(ann, 2)
        assert ann.screen.pixels == {}
        assert (await canvas.join()).screen.pixels == {}


@simulated
async def test_picture_is_the_canvas(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.paint(1, 0, "#010203")
        await acknowledged(ann, 1)
        grid = (await call("canvas", GetPicture())).grid
        assert (grid.width, grid.height, grid.seq) == (32, 16, 1)
        assert grid.rgb() == b"\xff\xff\xff" + b"\x01\x02\x03" + b"\xff\xff\xff" * (32 * 16 - 2)


# The tick.


@simulated
async def test_idle_canvas_shows_a_pixel_at_once(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with simulation(tmp_path, tick=0.010) as canvas:
        ann = await canvas.join()
        for number in range(3):
            await settle(1.0)
            began = loop.time()
            ann.paint(0, number, RED)
            await acknowledged(ann, number + 1)
            assert loop.time() == began


@simulated
async def test_busy_canvas_commits_once_per_tick(tmp_path: Path, store: WatchedStore) -> None:
    loop = asyncio.get_running_loop()
    async with simulation(tmp_path, tick=0.010) as canvas:
        ann = await canvas.join()
        began = loop.time()
        for number in range(100):
            ann.paint(number % 32, number // 32, RED)
            await asyncio.sleep(0.001)
        await acknowledged(ann, 100)
        assert loop.time() - began <= 0.100 + 0.011
        assert sum(store.batches) == 100
        assert 10 <= len(store.batches) <= 12


@simulated
async def test_what_came_together_is_committed_together(tmp_path: Path, store: WatchedStore) -> None:
    async with simulation(tmp_path) as canvas:
        await canvas.join()
        store.batches.clear()
        for number in range(5):
            cast("canvas", Paint([Change(number, 0, 0, "somebody")]))
        await quiet()
        assert store.batches == [5]


# Commit before show.


@simulated
async def test_nothing_is_shown_before_it_is_committed(tmp_path: Path, store: WatchedStore) -> None:
    async with simulation(tmp_path, tick=0.0) as canvas:
        clients = [await canvas.join() for _ in range(2)]
        ahead: list[int] = []

        def look(changes: Sequence[Change]) -> None:
            ahead.extend(client.screen.seq for client in clients if client.screen.seq >= changes[0].seq)

        store.before_commit = look
        for number in range(50):
            clients[number % 2].paint(number % 32, 0, f"#{number:06X}")
            await asyncio.sleep(0)
        await shown(clients, 50)
        assert ahead == []


@simulated
async def test_painter_is_told_what_could_not_be_kept_and_nobody_sees_it(tmp_path: Path, store: WatchedStore) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        ann.paint(0, 0, RED)
        await shown([ann, bob], 1)
        store.is_full = True
        ann.paint(1, 1, RED)
        ann.paint(2, 2, RED)
        error = await ann.error()
        assert error["code"] == "store_unavailable"
        assert error["message"] == "the pixel could not be saved: the store cannot be used now"
        store.is_full = False
        bob.paint(3, 3, GREEN)
        await shown([ann, bob], 2)
        assert ann.screen.pixels == bob.screen.pixels == {(0, 0): RED, (3, 3): GREEN}
        assert bob.screen.errors == []
        assert whereis("canvas") is not None


@simulated
async def test_store_that_cannot_keep_anything_crashes_nobody(tmp_path: Path, store: WatchedStore) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        canvas_before = whereis("canvas")
        store.is_full = True
        for number in range(20):
            ann.paint(number, 0, RED)
            await ann.error()
        store.is_full = False
        ann.paint(0, 0, GREEN)
        await acknowledged(ann, 1)
        assert ann.screen.pixels == {(0, 0): GREEN}
        assert whereis("canvas") is canvas_before


# What a visitor may do.


@simulated
async def test_bad_message_gets_an_error_and_changes_nothing(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.send(type="pixel_update", x=True, y=0, color=RED)
        assert await ann.error() == {
            "code": "invalid_field", "field": "x", "message": "x must be an integer, got a boolean"
        }  # fmt: skip
        ann.paint(0, 0, RED)
        await acknowledged(ann, 1)
        assert ann.screen.seq == 1


@simulated
async def test_painting_at_the_rate_limit_meets_no_error(tmp_path: Path) -> None:
    async with simulation_with_limit(tmp_path, "100/s") as canvas:
        ann = await canvas.join()
        for number in range(500):
            ann.paint(number % 32, 0, f"#{number:06X}")
            await asyncio.sleep(0.010)
        await acknowledged(ann, 500)
        assert ann.screen.errors == []


@simulated
async def test_what_exceeds_the_burst_is_refused_and_the_rest_is_painted(tmp_path: Path) -> None:
    async with simulation_with_limit(tmp_path, "10/s") as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        for number in range(25):
            ann.paint(number, 0, RED)
        await acknowledged(ann, 20)
        await ann.until(lambda: len(ann.screen.errors) == 5)
        assert {error["code"] for error in ann.screen.errors} == {"rate_limited"}
        assert ann.screen.errors[0]["message"] == "at most 10 pixel updates a second, 20 at once"
        await settle(0.3)
        ann.paint(31, 0, GREEN)
        await acknowledged(ann, 21)
        bob.paint(0, 15, GREEN)
        await acknowledged(bob, 1)


@simulated
async def test_cursor_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async with simulation_with_limit(tmp_path, "10/s") as canvas:
        ann = await canvas.join()
        for number in range(20):
            ann.send(type="cursor_move", x=number, y=0)
        for number in range(20):
            ann.paint(number, 0, RED)
        await acknowledged(ann, 20)
        assert ann.screen.errors == []
        ann.send(type="cursor_move", x=0, y=0)
        assert (await ann.error())["message"] == "at most 10 cursor moves a second, 20 at once"


@simulated
async def test_flood_is_rate_limited_and_then_closed_with_1008(tmp_path: Path) -> None:
    async with simulation_with_limit(tmp_path, "10/s") as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        for number in range(500):
            ann.paint(0, 0, f"#{number:06X}")
        assert await ann.end() == (1008, "too many bad messages, the last one: rate_limited")
        assert {error["code"] for error in ann.screen.errors} == {"rate_limited"}
        assert len(ann.screen.errors) == 100
        bob.paint(1, 1, GREEN)
        await acknowledged(bob, 1)
        assert bob.screen.seq == 21


@simulated
async def test_banned_client_paints_no_more(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        for _ in range(101):
            ann.send_text("nonsense")
        ann.paint(0, 0, RED)
        assert await ann.end() == (1008, "too many bad messages, the last one: invalid_json")
        bob.paint(1, 1, GREEN)
        await acknowledged(bob, 1)
        assert bob.screen.pixels == {(1, 1): GREEN}


@simulated
async def test_client_that_errs_now_and_then_is_never_closed(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        for _ in range(300):
            ann.send_text("nonsense")
            await asyncio.sleep(0.2)
        await ann.until(lambda: len(ann.screen.errors) == 300)
        assert ann.closed is None


def simulation_with_limit(tmp_path: Path, limit: str) -> "contextlib.AbstractAsyncContextManager[Simulation]":
    return simulation(tmp_path, rate_limit=read_rate_limit("--rate-limit", limit))
