"""The whole tree crashes in virtual time, anywhere and at any moment, while clients paint.

No WebSocket is closed, painting goes on, all clients end on the same canvas, no acknowledged pixel is lost, and every
screen checks what `docs/wire-protocol.md` promises on the way.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors import Ref, call, cast, down, send_exit, whereis
from actors.debug import ProcessInfo, force_exit, processes
from actors.testing import Probe, kill, quiet, run, settle
from canvas.live.canvas import GetPicture
from canvas.store import MemoryStore
from tests.support.client import assert_same_canvas, paint_together
from tests.support.instance import Simulation, connection_of, find_child, mended, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import VirtualClient

NAMED = ["registry", "store", "broadcaster", "canvas", "history", "images", "server.connections", "admin.connections"]
OTHERS = [
    ("canopy", "server"),
    ("server", "listener"),
    ("server", "drainer"),
    ("canopy", "console"),
    ("canopy", "on_demand"),
]
ENDS = [
    (victim, how)
    for victim in (*NAMED, *OTHERS, "user1")
    for how in ("crash", "kill", "shutdown")
    if (victim, how) != ("user1", "shutdown")  # it is not restarted, see below
]
MAX_CRASHES_OF_A_CONNECTION = 5
"""One more within 10 s, and it is given up."""


def crash(ref: Any, how: str) -> None:
    force_exit(ref, "crash") if how == "crash" else send_exit(ref, how)


@pytest.mark.parametrize(("victim", "how"), ENDS, ids=str)
@simulated
async def test_crash_of_any_actor_goes_unnoticed(tmp_path: Path, victim: Any, how: str) -> None:
    async with simulation(tmp_path) as canvas:
        clients = [await canvas.join() for _ in range(3)]
        painters = paint_together(clients)
        for _ in range(3):
            for painter in painters:
                await painter.paint_more()
            if isinstance(victim, tuple):
                crash(find_child(*victim), how)
            elif victim == "user1":
                crash(connection_of(canvas.application, "user1"), how)
            else:
                crash(whereis(victim), how)
            await mended(canvas.application)
        for painter in painters:
            await painter.paint_more()
        await assert_same_canvas(painters, await canvas.join())


@simulated
async def test_connection_that_is_shut_down_is_closed_and_no_other(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob, carl = [await canvas.join() for _ in range(3)]
        painters = paint_together([bob, carl])
        crash(connection_of(canvas.application, "user1"), "shutdown")
        assert (await ann.end())[0] == 1011  # no process adopts its wire
        await mended(canvas.application)
        for painter in painters:
            await painter.paint_more()
        await assert_same_canvas(painters, await canvas.join())


@simulated
async def test_two_crashes_at_the_same_moment_go_unnoticed(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        painters = paint_together([await canvas.join() for _ in range(2)])
        for first, second in zip(NAMED, NAMED[1:] + NAMED[:1], strict=True):
            for painter in painters:
                await painter.paint_more(5)
            crash(whereis(first), "crash")
            crash(whereis(second), "kill")
            await mended(canvas.application)
        await assert_same_canvas(painters, await canvas.join())


@simulated
async def test_crash_of_the_store_after_the_commit_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = MemoryStore.append
    left = [3]  # how many commits until the crash

    def commit_and_crash(store: MemoryStore, changes: Any, at: float) -> None:
        commit(store, changes, at)
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("died before it could say so")

    monkeypatch.setattr(MemoryStore, "append", commit_and_crash)
    async with simulation(tmp_path) as canvas:
        painters = paint_together([await canvas.join() for _ in range(2)])
        for painter in painters:
            await painter.paint_more()
        assert left[0] < 0
        await assert_same_canvas(painters, await canvas.join())


@simulated
async def test_message_that_an_actor_does_not_know_crashes_it_and_nobody_notices(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        painters = paint_together([await canvas.join() for _ in range(2)])
        for name in ("registry", "store", "broadcaster", "canvas"):
            ref = whereis(name)
            assert ref is not None
            ended = down(ref)
            cast(name, "a request from nowhere")
            await ended
            await mended(canvas.application)
            for painter in painters:
                await painter.paint_more(5)
        await assert_same_canvas(painters, await canvas.join())


@simulated
async def test_picture_can_be_had_again_after_a_crash(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.paint(0, 0, "#010203")
        await ann.until(lambda: ann.screen.seq == 1)
        crash(whereis("canvas"), "kill")
        await mended(canvas.application)
        picture = await call("canvas", GetPicture())
        assert (picture.grid.seq, picture.grid.rgb()[:3]) == (1, b"\x01\x02\x03")


@simulated
async def test_actors_of_a_crashed_tree_are_all_gone(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        for _ in range(3):
            await canvas.join()
        await quiet()
        before = Counter(process.label for process in processes())
        for name in NAMED:
            crash(whereis(name), "crash")
            await mended(canvas.application)
            await quiet()
            assert Counter(process.label for process in processes()) == before


# Anywhere, at any moment.


class Storm:
    """Crashes drawn from a seed, with clients that come and go in between."""

    def __init__(self, canvas: Simulation, seed: int) -> None:
        self.canvas = canvas
        self.chance = random.Random(seed)
        self.crashes: list[str] = []
        self.visitors: list[VirtualClient] = []
        self._of_wire: Counter[int | None] = Counter()

    async def rage(self, crashes: int, seconds: float) -> None:
        """Crash `crashes` actors, at most `seconds` apart; some within the same pass of the event loop."""
        chance = self.chance
        for _ in range(crashes):
            if chance.random() < 0.3:
                self._come()
            if chance.random() < 0.2:
                await self._go()
            self.strike()
            if chance.random() < 0.5:
                await settle(seconds * chance.random())
            else:
                for _ in range(chance.randrange(8)):
                    await asyncio.sleep(0)

    def strike(self) -> None:
        """Crash somebody, unless the root is the only one left at this moment."""
        candidates = self._candidates()
        if not candidates:
            return
        victim = self.chance.choice(candidates)
        how = self.chance.choice(["crash", "kill", "a reason"])
        self.crashes.append(f"{victim.ref!r} {victim.state} {how}")
        wire = self._wires().get(victim.ref)
        if wire is not None:
            self._of_wire[wire] += 1
        crash(victim.ref, how)

    def _candidates(self) -> list[ProcessInfo]:
        wires, application = self._wires(), self.canvas.application
        return [
            process
            for process in processes()
            if process.parent is not None
            and process.ref is not application.top()
            and self._of_wire[wires.get(process.ref)] < MAX_CRASHES_OF_A_CONNECTION
        ]

    def _wires(self) -> dict[Ref | None, int]:
        return {wire.owner: wire.id for wire in self.canvas.application.sockets.wires.values()}

    def _come(self) -> None:
        client = VirtualClient()
        client.begin(self.canvas.door)
        self.visitors.append(client)

    async def _go(self) -> None:
        if self.visitors and self.visitors[0].screen.states:
            await self.visitors.pop(0).leave()


async def weather(tmp_path: Path, seed: int, crashes: int, seconds: float, store: str = "memory") -> None:
    async with simulation(tmp_path, store=store) as canvas:
        painters = paint_together([await canvas.join() for _ in range(3)])
        for painter in painters:
            await painter.paint_more(3)
        storm = Storm(canvas, seed)
        try:
            await storm.rage(crashes, seconds)
            await mended(canvas.application)
            for painter in painters:
                await painter.paint_more(3)
            for visitor in storm.visitors:
                await visitor.until(lambda screen=visitor.screen: screen.states > 0, "to be let in")
            await assert_same_canvas(painters, await canvas.join())
            await settle(10.0)
            check_people(canvas, [painter.client for painter in painters] + storm.visitors)
        except BaseException as exception:
            exception.add_note("crashes: " + ", ".join(storm.crashes))
            raise


def check_people(canvas: Simulation, clients: list[Any]) -> None:
    """Everybody knows of everybody, and there is one actor, one wire and one entry for each."""
    room, sockets = canvas.application.room, canvas.application.sockets
    present = {user_id for user_id, _, _ in room.users}
    for client in clients:
        assert client.screen.users == present
    actors = [process for process in processes() if process.kind == "Connection"]
    assert len(present) == len(clients) + 1 == len(actors) == len(sockets.wires) == len(room.viewers)


@pytest.mark.parametrize("seconds", [0.4, 0.02], ids="{} s apart".format)
@pytest.mark.parametrize("seed", range(1, 16))
def test_storm_of_random_crashes_costs_nothing(tmp_path: Path, seed: int, seconds: float) -> None:
    run(weather(tmp_path, seed, crashes=30, seconds=seconds), seed=seed)


@pytest.mark.parametrize("seed", range(1, 4))
def test_storm_of_random_crashes_costs_nothing_that_is_on_disk(tmp_path: Path, seed: int) -> None:
    run(weather(tmp_path, seed, crashes=30, seconds=0.1, store="sqlite"), seed=seed)


def test_five_random_crashes_a_second_do_not_end_the_application(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with simulation(tmp_path) as canvas:
            clients = [await canvas.join() for _ in range(20)]
            storm = Storm(canvas, seed=1)
            for _ in range(20 * 5):
                storm.strike()
                await settle(0.2)
            await mended(canvas.application)
            await assert_same_canvas(paint_together(clients), await canvas.join())

    run(scenario())


@simulated
async def test_nothing_is_written_to_a_viewer_whose_connection_is_dead_and_its_next_one_gets_what_it_missed(
    tmp_path: Path,
) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await canvas.join()
        await quiet()
        (wire,) = (wire for wire in canvas.application.sockets.wires.values() if wire.id == 2)
        dead, connection = await Probe.begin(), wire.owner
        assert connection is not None
        wire.adopt(dead.ref)
        await kill(dead.ref)
        bob.writes.clear()
        ann.paint(1, 1, "#FF0000")
        ann.send(type="cursor_move", x=1, y=1)
        await ann.until(lambda: bool(ann.screen.own))
        await settle(1.0)
        assert bob.writes == []
        force_exit(connection, "crash")
        await bob.until(lambda: bob.screen.seq == 1, "for what it missed")
