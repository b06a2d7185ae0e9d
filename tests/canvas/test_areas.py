"""Clients that see a part of the canvas, in virtual time: all that changes there, and nothing else but their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from actors import whereis
from actors.debug import force_exit, resume, suspend
from actors.testing import quiet
from canvas.live import snapshot_encoder
from tests.support.instance import Simulation, connection_of, mended, simulation
from tests.support.scenarios import simulated
from tests.support.screen import Pixels
from tests.support.virtual_network import EOF, BinaryClient, VirtualClient

WIDTH, HEIGHT = 600, 300
CLIENTS = pytest.mark.parametrize("kind", [VirtualClient, BinaryClient])
Area = tuple[int, int, int, int]


class Painted:
    """What somebody has painted all over the canvas."""

    def __init__(self, canvas: Simulation, ann: VirtualClient) -> None:
        self.canvas = canvas
        self.ann = ann
        self.count = 0

    async def more(self, count: int = 60) -> None:
        """Paint on, and wait until it is acknowledged."""
        for _ in range(count):
            self.count += 1
            self.ann.paint(self.count * 37 % WIDTH, self.count * 11 % HEIGHT, f"#{self.count:06X}")
        await self.ann.until(lambda: self.ann.screen.seq >= self.count)
        await quiet()

    def within(self, area: Area) -> Pixels:
        """What is to be seen there."""
        x, y, width, height = area
        pixels = self.ann.screen.pixels.items()
        return {cell: c for cell, c in pixels if x <= cell[0] < x + width and y <= cell[1] < y + height}


def areas(*, kinds: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    shapes = pytest.mark.parametrize("area", [(0, 0, 256, 256), (250, 100, 20, 30), (300, 255, 300, 45)], ids=str)
    return lambda test: CLIENTS(shapes(test)) if kinds else shapes(test)


@areas()
@simulated
async def test_subscriber_sees_its_area_and_nothing_else(tmp_path: Path, kind: type[VirtualClient], area: Area) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await canvas.join())
        await painted.more()
        bob = await kind.open(canvas.door)
        bob.subscribe(*area)
        await bob.until(lambda: bob.screen.area == area, "for the area")
        assert bob.screen.pixels == painted.within(area)
        outside: list[object] = []
        bob.on_message = lambda what, change: (
            outside.append(change)
            if what == "pixel_changed" and (change["x"], change["y"]) not in painted.within(area)
            else None
        )
        for _ in range(5):
            await painted.more()
            assert bob.screen.pixels == painted.within(area)
        assert outside == []


@CLIENTS
@simulated
async def test_area_that_moves_shows_what_becomes_visible(tmp_path: Path, kind: type[VirtualClient]) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await canvas.join())
        bob = await kind.open(canvas.door)
        for area in [(0, 0, 300, 300), (10, 0, 300, 300), (256, 0, 344, 256), (0, 0, 1, 1), (0, 0, 512, 300)]:
            await painted.more()
            bob.subscribe(*area)
            painted.ann.paint(0, 0, f"#{0x123456 + painted.count:06X}")  # while the state is made
            painted.count += 1
            await bob.until(lambda area=area: bob.screen.area == area, "for the area")
            await painted.more()
            assert bob.screen.pixels == painted.within(area)
        bob.subscribe(0, 0, WIDTH, HEIGHT)
        await bob.until(lambda: bob.screen.area is None, "for all of it")
        await painted.more()
        assert bob.screen.pixels == painted.ann.screen.pixels


@simulated
async def test_binary_subscriber_is_sent_only_the_tiles_that_it_does_not_know(tmp_path: Path) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await canvas.join())
        await painted.more(200)
        bob = await BinaryClient.open(canvas.door, "/ws?x=0&y=0&width=256&height=300")
        assert bob.screen.inflated == 2
        bob.subscribe(0, 0, 512, 300)
        await bob.until(lambda: bob.screen.states == 2)
        assert bob.screen.inflated == 4
        assert bob.screen.pixels == painted.within((0, 0, 512, 300))


@CLIENTS
@simulated
async def test_own_pixel_outside_of_the_area_is_acknowledged(tmp_path: Path, kind: type[VirtualClient]) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        bob = await kind.open(canvas.door, "/ws?x=0&y=0&width=10&height=10")
        assert bob.screen.area == (0, 0, 10, 10)
        bob.paint(500, 200, "#FF0000")
        await bob.until(lambda: bob.screen.own == [(500, 200, "#FF0000")], "for the acknowledgement")


@areas()
@simulated
async def test_subscriber_that_comes_back_gets_what_it_missed_there(
    tmp_path: Path, kind: type[VirtualClient], area: Area
) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await canvas.join())
        x, y, width, height = area
        query = f"x={x}&y={y}&width={width}&height={height}"
        bob = await kind.open(canvas.door, f"/ws?{query}")
        await painted.more()
        bob.hang_up(EOF)
        await bob.end()
        await painted.more()
        bob = await kind.resume(canvas.door, bob.screen, f"&{query}")
        await painted.more()
        assert (bob.screen.states, bob.screen.resumes) == (1, 1)
        assert bob.screen.pixels == painted.within(area)


@CLIENTS
@simulated
async def test_subscription_that_a_crashed_broadcaster_did_not_get_to_is_not_forgotten(
    tmp_path: Path, kind: type[VirtualClient]
) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        bob = await kind.open(canvas.door)
        broadcaster = whereis("broadcaster")
        assert broadcaster is not None
        suspend(broadcaster)
        bob.subscribe(250, 100, 20, 30)
        await quiet()
        force_exit(broadcaster, "crash")
        await bob.until(lambda: bob.screen.area == (250, 100, 20, 30), "for the area")


@CLIENTS
@simulated
async def test_subscription_survives_a_crash_of_its_connection(tmp_path: Path, kind: type[VirtualClient]) -> None:
    area = (250, 100, 20, 30)
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await canvas.join())
        bob = await kind.open(canvas.door)
        bob.subscribe(*area)
        await bob.until(lambda: bob.screen.area == area)
        await painted.more()
        force_exit(connection_of(canvas.application, "user2"), "crash")
        await mended(canvas.application)
        await painted.more()
        assert bob.screen.area == area
        assert bob.screen.pixels == painted.within(area)


@simulated
async def test_slow_subscriber_catches_up_on_its_area(tmp_path: Path) -> None:
    area = (0, 0, 300, 300)
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await canvas.join())
        bob = await VirtualClient.open(canvas.door, "/ws?x=0&y=0&width=300&height=300")
        bob.stall()
        for _ in range(10):
            await painted.more(500)
        bob.catch_up()
        await quiet()
        assert bob.screen.pixels == painted.within(area)


@CLIENTS
@simulated
async def test_canvas_that_is_too_large_is_shown_in_parts(
    tmp_path: Path, kind: type[VirtualClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_encoder, "MAX_SNAPSHOT", 1_000)
    area = (0, 0, 10, 10)
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await kind.open(canvas.door))
        await painted.more(300)
        bob = kind()
        bob.begin(canvas.door)
        await bob.until(lambda: bool(bob.screen.user_id), "for the welcome")
        assert (await bob.error())["code"] == "canvas_too_large"
        bob.subscribe(*area)
        await bob.until(lambda: bob.screen.area == area, "for the area")
        assert bob.screen.pixels == painted.within(area)


@CLIENTS
@simulated
async def test_what_is_painted_while_a_state_is_made_is_neither_lost_nor_shown_before_it(
    tmp_path: Path, kind: type[VirtualClient]
) -> None:
    area = (200, 0, 200, 200)
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        painted = Painted(canvas, await canvas.join())
        bob = await kind.open(canvas.door, "/ws?x=0&y=0&width=10&height=10")
        await painted.more()
        suspend("encoder")
        bob.subscribe(*area)
        await quiet()  # the state of now has been asked for
        await painted.more(200)
        seq = bob.screen.seq
        resume("encoder")
        await bob.until(lambda: bob.screen.area == area, "for the area")
        await painted.more()
        assert seq <= 60
        assert bob.screen.pixels == painted.within(area)
