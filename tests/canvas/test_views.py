"""Random clients of a small canvas, in virtual time: they stall, subscribe, crash and come back.

The model is the canvas itself: each client that reads is live again soon, and shows it. Besides, every `Screen` fails
on a change that is missing, comes twice or is out of order.
"""

import random
from pathlib import Path

import pytest

from actors import cast, whereis
from actors.debug import force_exit, resume, suspend
from actors.testing import run, settle
from canvas.board import area, grid
from canvas.board.grid import Change, Grid
from canvas.live import broadcaster, canvas, recent_changes, snapshot_cache, snapshot_encoder
from canvas.live.canvas import Paint
from supervision.server import testing
from tests.support import binary_screen
from tests.support.instance import Simulation, connection_of, mended, simulation
from tests.support.screen import Pixels
from tests.support.virtual_network import EOF, BinaryClient, VirtualClient

SEEDS, PARTS = 500, 10
WIDTH, HEIGHT = 28, 20
COLORS = [0xFFFFFF, 0x000001, 0x000002, 0x000003]
STEPS = 14
KINDS = ["paint", "paint", "storm", "own", "stall", "read", "subscribe", "pan", "pan", "crash", "fall", "again"]
ACTORS = ["broadcaster", "canvas", "encoder", "store"]
MAX_CRASHES_OF_A_CONNECTION = 4
"""More within 10 s, and it is given up."""
Area = tuple[int, int, int, int]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 8 x 8 pixels, few changes that are remembered, little that may be left unread."""
    for module, values in {
        area: {"SHIFT": 3, "TILE": 8},
        grid: {"SHIFT": 3, "TILE": 8, "_MASK": 7},
        recent_changes: {"SHIFT": 3, "REMEMBERED": 120, "RUN": 15, "ENCODED": 20},
        canvas: {"REMEMBERED": 120},
        broadcaster: {"MAX_BEHIND": 60, "PORTION": 8},
        snapshot_cache: {"BYTES_PER_CHANGE": 60, "BYTES_PER_TILE": 250},
        testing: {"HIGH_WATER": 300},
        binary_screen: {"TILE": 8},
    }.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


class People:
    """Three clients, and all that befalls them."""

    def __init__(self, simulated: Simulation, chance: random.Random) -> None:
        self.application, self.door, self.chance = simulated.application, simulated.door, chance
        self.clients: list[VirtualClient] = []
        self.areas: dict[VirtualClient, Area | None] = {}
        self.crashes: dict[str, int] = {}
        self.steps: list[str] = []

    def come(self, index: int, client: VirtualClient, query: str, part: Area | None) -> None:
        """Connect a client, in place of the one at `index`."""
        if part is not None:
            query += "&x={}&y={}&width={}&height={}".format(*part)
        client.begin(self.door, "/ws?" + query)
        self.areas[client] = part
        self.clients[index : index + 1] = [client]

    def area(self) -> Area:
        """Any part of the canvas, often one of whole tiles."""
        draw = self.chance.randrange
        if self.chance.random() < 0.5:
            x, y = 8 * draw(3), 8 * draw(2)
            return x, y, min(WIDTH - x, 8 * draw(1, 4)), min(HEIGHT - y, 8 * draw(1, 3))
        x, y = draw(WIDTH), draw(HEIGHT)
        return x, y, draw(1, WIDTH - x + 1), draw(1, HEIGHT - y + 1)

    def paint(self, count: int) -> None:
        """Have so many pixels painted."""
        draw, choose = self.chance.randrange, self.chance.choice
        cast("canvas", Paint([Change(draw(WIDTH), draw(HEIGHT), choose(COLORS), "x") for _ in range(count)]))

    async def step(self) -> None:
        """Do something to somebody."""
        chance, index = self.chance, self.chance.randrange(len(self.clients))
        client = self.clients[index]
        what = chance.choice(KINDS)
        self.steps.append(f"{what} {index}")
        if what == "paint":
            self.paint(chance.choice([1, 3, 10]))
        elif what == "storm":
            for _ in range(chance.randrange(1, 12)):
                self.paint(chance.choice([5, 20]))
                await settle(0.001)
        elif what == "own":
            client.paint(chance.randrange(WIDTH), chance.randrange(HEIGHT), f"#{chance.choice(COLORS):06X}")
        elif what == "stall":
            client.stall()
        elif what == "read":
            client.catch_up()
        elif what == "subscribe":
            self.subscribe(client)
        elif what == "pan":  # while much is left unread
            client.stall()
            for _ in range(chance.randrange(1, 8)):
                self.paint(chance.choice([5, 20]))
                await settle(0.001)
            self.subscribe(client)
            if chance.random() < 0.3:
                self.crash_connection(client)
            if chance.random() < 0.7:
                client.catch_up()
        elif what == "crash":
            self.crash_connection(client)
        elif what == "fall":
            ref = whereis(chance.choice(ACTORS))
            if ref is not None:
                force_exit(ref, "crash")
        elif client.screen.epoch:
            await self.come_again(index, client)
        if chance.random() < 0.2:
            slow = whereis("encoder")
            if slow is not None:
                suspend(slow)
                await settle(chance.choice([0.0, 0.01]))
                self.paint(chance.choice([1, 30]))
                await settle(chance.choice([0.0, 0.01]))
                if slow.is_alive():
                    resume(slow)
        await settle(chance.choice([0.0, 0.0, 0.001, 0.02]))

    def subscribe(self, client: VirtualClient) -> None:
        """Ask for another part, or for all."""
        part = self.areas[client] = self.area()
        client.subscribe(*part)

    def crash_connection(self, client: VirtualClient) -> None:
        """Crash the actor of a client's connection."""
        user_id = client.screen.user_id
        self.crashes[user_id] = self.crashes.get(user_id, 0) + 1
        if self.application.room.users.whereis(user_id) and self.crashes[user_id] <= MAX_CRASHES_OF_A_CONNECTION:
            force_exit(connection_of(self.application, user_id), "crash")

    async def come_again(self, index: int, client: VirtualClient) -> None:
        """Tear a connection, and come back from where it was."""
        client.catch_up()
        client.hang_up(EOF)
        await client.end()
        screen, again = client.screen, type(client)()
        again.screen = screen
        screen._welcome = None  # a state that was not sent any more
        self.paint(self.chance.choice([0, 5, 50, 150]))
        await settle(0.01)
        self.come(index, again, f"epoch={screen.epoch}&seq={screen.seq}", screen.area)

    async def check(self) -> None:
        """Whoever reads is live, and shows the canvas."""
        await mended(self.application)
        await settle(1.5)
        self.paint(3)
        await settle(0.1)
        now = self.application.store.load()
        for index, client in enumerate(self.clients):
            if client.is_stalled:
                continue
            await client.until(lambda: True)  # raises what broke a promise
            screen, part = client.screen, self.areas[client]
            where = f"client {index}, {type(client).__name__}, after {', '.join(self.steps)}"
            assert client.closed is None, where
            assert (screen.area or (0, 0, WIDTH, HEIGHT)) == (part or (0, 0, WIDTH, HEIGHT)), where
            assert screen.seq == now.seq or screen.area, where
            shown = within(screen.pixels, part)
            assert shown == within(pixels_of(now), part), where


def pixels_of(now: Grid) -> Pixels:
    """What the canvas is."""
    rows = enumerate(now.colors.tolist())
    return {(x, y): f"#{color:06X}" for y, row in rows for x, color in enumerate(row) if color != 0xFFFFFF}


def within(pixels: Pixels, part: Area | None) -> Pixels:
    """What is to be seen of it."""
    x, y, width, height = part or (0, 0, WIDTH, HEIGHT)
    return {cell: c for cell, c in pixels.items() if x <= cell[0] < x + width and y <= cell[1] < y + height}


async def scenario(folder: Path, seed: int) -> None:
    """One run."""
    chance = random.Random(seed)
    async with simulation(folder, width=WIDTH, height=HEIGHT) as simulated:
        people = People(simulated, chance)
        for index, kind in enumerate([BinaryClient, VirtualClient, BinaryClient]):
            query = chance.choice(["", "epoch=&seq=0"])
            people.come(index, kind(), query, chance.choice([None, people.area()]))
        await settle(0.01)
        for number in range(1, STEPS + 1):
            await people.step()
            if number % (STEPS // 2) == 0:
                if number == STEPS:
                    for client in people.clients:
                        client.catch_up()
                await people.check()


@pytest.mark.parametrize("part", range(PARTS))
def test_everybody_who_reads_is_live_and_shows_the_canvas(
    tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(part, SEEDS, PARTS):
        monkeypatch.setattr(snapshot_cache, "LARGE_SNAPSHOT", 0 if seed % 3 else 10_000)
        monkeypatch.setattr(snapshot_encoder, "MAX_SNAPSHOT", 1_000_000)
        monkeypatch.setattr(snapshot_cache, "MAX_BYTES", 30_000 if seed % 2 else 10_000_000)
        try:
            run(scenario(tmp_path / str(seed), seed), seed=seed if seed % 4 else None)
        except BaseException as failure:
            failure.add_note(f"seed {seed}")
            raise
