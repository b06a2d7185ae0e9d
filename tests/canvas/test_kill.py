"""`kill -9` at random moments while people paint: whatever anybody was shown is there afterwards."""

import asyncio
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import uvloop
from websockets.asyncio.client import connect

from canvas.store import DATABASE, SqliteReader
from tests.canvas.store_contract import past
from tests.support.client import Painter, paint_together
from tests.support.killable import KillableCanvas
from tests.support.websocket_client import WebSocketClient

KILLS = 50
PEOPLE = 4
PATIENCE = 300.0
"""Seconds after which the scenario waits for what will never come."""

Shown = dict[int, tuple[int, int, str, str]]
"""seq -> x, y, colour and painter, as some client was told."""


async def open_client(canvas: KillableCanvas) -> WebSocketClient:
    """A new client that has the canvas."""
    url = f"ws://127.0.0.1:{canvas.port}/ws"
    client = WebSocketClient(await connect(url, compression=None, max_size=None, ping_interval=None, proxy=None))
    await client.until(lambda: client.screen.states > 0, "for the canvas")
    return client


class Witness:
    """Remembers what every client was shown, and kills the canvas when enough was."""

    def __init__(self, canvas: KillableCanvas, shown: Shown, until_kill: int) -> None:
        self._canvas = canvas
        self._shown = shown
        self._until_kill = until_kill

    def watch(self, painter: Painter) -> None:
        """See what this client sees."""
        note = painter.client.on_message

        def see(kind: str, message: dict[str, Any]) -> None:
            if kind == "pixel_changed":
                self._see(message)
            note(kind, message)

        painter.client.on_message = see

    def _see(self, message: dict[str, Any]) -> None:
        change = (message["x"], message["y"], message["color"], message["user_id"])
        assert self._shown.setdefault(message["seq"], change) == change, "one number for two changes"
        self._until_kill -= 1
        if self._until_kill == 0:
            self._canvas.kill()


async def paint_until_killed(canvas: KillableCanvas, shown: Shown, chance: random.Random) -> str:
    """Let people paint until the canvas is killed; returns its epoch."""
    clients = [await open_client(canvas) for _ in range(PEOPLE)]
    for client in clients:
        assert client.screen.seq >= max(shown, default=0), "the canvas went back"
    painters = paint_together(clients)
    witness = Witness(canvas, shown, chance.randrange(1, 400))
    for painter in painters:
        witness.watch(painter)
    for client in clients:
        await client.end()
    canvas.end()
    return clients[0].screen.epoch


def check(data: Path, shown: Shown) -> None:
    """Everything that anybody was shown is in the history, which has no gap."""
    with closing(SqliteReader(data / DATABASE)) as reader:
        reader.verify()
        kept = {seq: (x, y, f"#{color:06X}", user_id) for seq, x, y, color, user_id, _ in past(reader)}
    assert list(kept) == list(range(1, len(kept) + 1))
    assert {seq: kept.get(seq) for seq in shown} == shown


async def scenario(data: Path, seed: int) -> None:
    chance = random.Random(seed)
    shown: Shown = {}
    epochs = set()
    for _ in range(KILLS):
        canvas = KillableCanvas(data, width=32, height=16, rate_limit=None, tick=chance.choice((0.0, 0.001, 0.010)))
        epochs.add(await paint_until_killed(canvas, shown, chance))
        check(data, shown)
    assert len(epochs) == 1
    assert len(shown) > KILLS


def test_kill_at_random_moments_loses_nothing_that_anybody_was_shown(tmp_path: Path) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE):
            await scenario(tmp_path, seed=1)

    uvloop.run(in_time())
