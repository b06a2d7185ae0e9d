"""The memory of states is bounded, whatever clients read, in virtual time."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from actors.testing import run, settle
from canvas.board.area import TILE, Area
from canvas.board.grid import Grid, Tile
from canvas.live import broadcaster, snapshot_cache
from canvas.live.delivery import snapshot_key_of
from canvas.live.held import Meter
from canvas.live.room import Viewer
from canvas.live.snapshot_cache import (
    BYTES_PER_CHANGE,
    BYTES_PER_PIXEL,
    DELIVERY_TIMEOUT,
    KEPT_FOR,
    LARGE_SNAPSHOT,
    SnapshotCache,
    max_bytes,
)
from canvas.live.snapshot_encoder import MAX_TILES, Encode, SnapshotEncoder, SnapshotKey, Tiles
from canvas.live.view import View
from canvas.messages.binary_codec import BINARY
from canvas.messages.codec import Codec
from canvas.messages.json_codec import JSON
from tests.support.instance import Simulation, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import RESET, VirtualClient

WIDTH, HEIGHT = 100, 60
STATE = BYTES_PER_PIXEL * WIDTH * HEIGHT
"""Bytes that a state of all of it takes at most."""


class Spied(SnapshotCache):
    """Remembers the states of the last broadcaster, and the most that they took."""

    newest: "Spied"
    most = 0

    def __init__(self, whole: Area, meter: Meter) -> None:
        super().__init__(whole, meter)
        Spied.newest = self
        Spied.most = 0

    def release(self, now: float) -> None:
        Spied.most = max(Spied.most, self.size)
        super().release(now)


@pytest.fixture(autouse=True)
def _spy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcaster, "SnapshotCache", Spied)
    monkeypatch.setattr(snapshot_cache, "MAX_BYTES", 3 * STATE)


async def full_canvas(canvas: Simulation) -> None:
    """Paint every pixel."""
    ann = await canvas.join()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            ann.paint(x, y, f"#{y * WIDTH + x:06X}")
    await ann.until(lambda: ann.screen.seq == WIDTH * HEIGHT)
    await settle(KEPT_FOR + 2.0)
    assert Spied.newest.size == 0


async def come(canvas: Simulation, number: int, address: str | None = None) -> VirtualClient:
    """A client that asks for a part that no other asks for, and reads nothing of it."""
    client = VirtualClient(address)
    client.begin(canvas.door, f"/ws?x=0&y=0&width={WIDTH}&height={HEIGHT - 1 - number}")
    await client.until(lambda: bool(client.response))
    client.stall()
    await settle(0.0)
    return client


@simulated
async def test_states_that_clients_do_not_take_are_bounded_and_make_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_cache, "DELIVERY_TIMEOUT", 5.0)  # before they are cut off as stalled
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        await full_canvas(canvas)
        stuck = [await come(canvas, number, "192.0.2.1") for number in range(9)]
        await settle(1.0)
        assert 2 * STATE < Spied.newest.size <= 3 * STATE
        bob = await VirtualClient.open(canvas.door, "/ws?x=0&y=0&width=90&height=50")
        assert len(bob.screen.pixels) == 90 * 50  # one of another address has precedence over those who hold states
        await settle(20.0)
        assert Spied.most <= 3 * STATE
        assert sum(client.closed is not None for client in stuck) >= 6  # each made room for others
        for client in stuck:
            client.catch_up()
            if client.closed is None:
                await client.until(lambda client=client: client.screen.states == 1)
        await settle(KEPT_FOR + 2.0)
        assert Spied.newest.size == 0


@pytest.mark.parametrize("greedy", [["192.0.2.1"], ["2001:db8::1", "2001:db8::2", "2001:db8::3"]], ids=str)
@simulated
async def test_address_that_takes_too_much_makes_room_at_once_for_others(tmp_path: Path, greedy: list[str]) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        await full_canvas(canvas)
        stuck = [await come(canvas, number, greedy[number % len(greedy)]) for number in range(3)]
        await settle(1.0)
        assert Spied.newest.size > 2 * STATE
        bob = await come(canvas, 5, "192.0.2.9")
        bob.catch_up()
        await settle(1.0)
        assert bob.screen.states == 1
        assert [client.closed is not None for client in stuck].count(True) == 1
        for client in stuck:
            client.catch_up()


@simulated
async def test_nobody_is_dropped_at_once_where_each_address_takes_its_share(tmp_path: Path) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        await full_canvas(canvas)
        stuck = [await come(canvas, number, f"192.0.2.{number}") for number in range(3)]
        await settle(1.0)
        bob = await come(canvas, 5, "192.0.2.9")
        bob.catch_up()
        await settle(DELIVERY_TIMEOUT / 2)
        assert [client.closed for client in [*stuck, bob]] == [None] * 4
        assert bob.screen.states == 0
        for client in stuck:
            client.catch_up()
        await bob.until(lambda: bob.screen.states == 1)


@simulated
async def test_no_state_is_made_for_a_client_that_has_gone(tmp_path: Path) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        await full_canvas(canvas)
        stuck = [await come(canvas, number, f"192.0.2.{number}") for number in range(3)]
        await settle(1.0)
        bob = await come(canvas, 5, "192.0.2.9")
        await settle(1.0)
        assert len(Spied.newest.waiting) == 1  # there is no room for his
        bob.hang_up(RESET)
        before = Spied.newest.size
        for client in stuck:
            client.catch_up()
        await settle(5.0)
        assert Spied.newest.waiting == []
        assert Spied.newest.size <= before


@simulated
async def test_state_counts_for_nobody_who_has_to_take_it(tmp_path: Path) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        await full_canvas(canvas)
        stuck = [await come(canvas, 0, "192.0.2.1") for _ in range(5)]
        await settle(1.0)
        wires = canvas.application.sockets.wires.values()
        assert sum(wire.backlog > STATE // 2 for wire in wires) > 1
        assert sum(wire.unread for wire in wires) < STATE // 2
        assert canvas.application.room.held.snapshots.used == Spied.newest.size
        for client in stuck:
            client.catch_up()


@simulated
async def test_state_is_forgotten_when_no_client_needs_it(tmp_path: Path) -> None:
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        await full_canvas(canvas)
        bob = await canvas.join()
        assert Spied.newest.size > STATE // 2
        bob.hang_up("eof")
        await settle(KEPT_FOR + 2.0)
        assert Spied.newest.size == 0
        assert len((await canvas.join()).screen.pixels) >= WIDTH * HEIGHT - 1


@simulated
async def test_no_more_is_kept_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_cache, "KEPT_BYTES", STATE)
    async with simulation(tmp_path, width=WIDTH, height=HEIGHT) as canvas:
        await full_canvas(canvas)
        for number in range(4):
            await VirtualClient.open(canvas.door, f"/ws?x=0&y=0&width={WIDTH}&height={HEIGHT - number}")
        await settle(2.0)
        assert STATE // 2 < Spied.newest.size <= STATE


@pytest.mark.parametrize(
    ("size", "age", "is_given"),
    [
        (LARGE_SNAPSHOT - 1, 0, True),
        (LARGE_SNAPSHOT - 1, 1, False),
        (LARGE_SNAPSHOT, LARGE_SNAPSHOT // BYTES_PER_CHANGE, True),
        (LARGE_SNAPSHOT, LARGE_SNAPSHOT // BYTES_PER_CHANGE + 1, False),
    ],
)
def test_newcomer_is_given_an_older_state_only_if_it_is_large(size: int, age: int, is_given: bool) -> None:
    whole = Area(0, 0, WIDTH, HEIGHT)
    made = SnapshotCache(whole, Meter("states", 1))
    viewer = Viewer("ann", "", cast(Any, None), cast(Any, None), View(BINARY, True, whole))
    made.keep(1_000, {snapshot_key_of(viewer, whole): bytes(size)}, 0.0)
    assert (made.find(viewer, 1_000 + age) is not None) == is_given
    made.wait(viewer, 1_000)
    assert made.find(viewer, 1_000 + age) is not None  # made since it waits
    viewer.view.seq = 1_001
    assert made.find(viewer, 1_001 + age) is None  # it has seen more


def test_no_state_is_wanted_for_those_who_have_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Area(0, 0, WIDTH, HEIGHT)
    gone: set[Viewer] = set()
    monkeypatch.setattr(snapshot_cache, "is_there", lambda viewer: viewer not in gone)
    wire = cast(Any, SimpleNamespace(address="192.0.2.1"))
    viewers = [Viewer("ann", "", cast(Any, None), wire, View(BINARY, True, Area(0, 0, 9, y))) for y in (1, 2, 3)]
    made = SnapshotCache(whole, Meter("states", 1))
    for viewer in viewers:
        made.wait(viewer, 7)
    gone.add(viewers[1])
    wanted = made.take_keys(0.0)
    assert list(wanted) == [snapshot_key_of(viewers[0], whole), snapshot_key_of(viewers[2], whole)]
    assert made.waiting == [viewers[0], viewers[2]]
    made.keep(7, dict.fromkeys(wanted, b""), 0.0)
    gone.update(viewers)
    assert (made.take_keys(0.0), made.waiting) == ((), [])
    gone.clear()
    made.wait(viewers[1], 7)  # those who have gone hold up nobody
    assert list(made.take_keys(0.0)) == [snapshot_key_of(viewers[1], whole)]


@pytest.mark.parametrize(
    "part", [None, Area(1_255, 1_000, 2, 1), Area(1_100, 1_000, 300, 200), Area(1_009, 1_009, 1, 1)], ids=str
)
@pytest.mark.parametrize("codec", [JSON, BINARY], ids=str)
def test_no_state_takes_more_than_the_room_that_is_made_for_it(codec: Codec, part: Area | None) -> None:
    colors = np.random.default_rng(1).integers(0, 0xFFFFFF, (1_200, 1_400), dtype=np.uint32)
    grid = Grid.restored(1_400, 1_200, 0xFFFFFF, 10**15, (colors[y : y + TILE] for y in range(0, 1_200, TILE)))
    want = SnapshotKey(codec, part, None, None)

    async def encode() -> bytes | None:
        encoder = SnapshotEncoder()
        encoder.init(Meter("tiles", MAX_TILES))
        return encoder._frames(Encode(grid, "e" * 16, (want,), "nobody"), want)

    frames = run(encode())
    assert frames is not None
    assert len(frames) <= max_bytes(want, grid.whole) < 2 * len(frames) + 2_048


def test_compressed_tiles_that_were_needed_last_are_kept() -> None:
    tiles = [np.full((TILE, TILE), number, dtype=np.uint32) for number in range(8)]
    grid = Grid.restored(8 * TILE, TILE, 0xFFFFFF, 1, [np.hstack(tiles)])
    places: list[Tile] = [tile for number in range(8) if (tile := grid.tile(number)) is not None]
    assert len(places) == 8
    size = max(len(Tiles(Meter("", 10**9)).deflated(0, tile)) for tile in places)
    meter = Meter("compressed tiles", 4 * size)
    kept = Tiles(meter)
    for number in (0, 1, 2, 3, 0, 4, 5):
        kept.deflated(number, places[number])
        assert meter.used <= meter.most
    assert list(kept._kept) == [3, 0, 4, 5]
    assert kept.deflated(0, places[0]) is kept.deflated(0, places[0])
    kept.deflated(0, places[1])  # the tile at this place has changed
    assert meter.used == sum(len(deflated) for _, deflated in kept._kept.values())
    assert kept.deflated(3, places[3]) == Tiles(Meter("", 10**9)).deflated(3, places[3])
