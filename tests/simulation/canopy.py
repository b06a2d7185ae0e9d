"""A whole canopy in a simulation: people who come, paint, tear their connection and come again, while actors crash.

What has to hold at the end of every run is in `Canopy.check`.
"""

import asyncio
import contextlib
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any
from unittest import mock

from actors import CallExit, Ref, debug
from actors.testing import Kit, settle
from canvas.application import CanvasApplication
from canvas.config import Config
from canvas.store import MemoryStore
from registry import Registry
from supervision.server.testing import EOF, RESET, VirtualNetwork, Weather
from tests.simulation.faulty_store import FaultyStore
from tests.support.client import Painter
from tests.support.instance import SMALL, mended
from tests.support.screen import Pixels
from tests.support.virtual_network import BinaryClient, VirtualClient

Rectangle = tuple[int, int, int, int]
PEOPLE = 20
CRASHES = 8
TURNS_WITH_CRASHES = 1_500
SUSPENSIONS = 5
QUIET_ROUNDS = 5
"""Times that two people paint while the disk is slow and all others watch: no third one wakes what is left waiting."""
REMEMBERED = 25
"""Changes that can be shown again one by one; a real canvas remembers so many that a simulation never gets there."""
MAX_CRASHES_OF_A_CONNECTION = 5
"""One more within 10 s, and it is given up."""


async def simulated_canopy(kit: Kit, *, people: int = PEOPLE, crashes: int = CRASHES, pixels: int = 1) -> None:
    """Run it once; everybody paints at least so many pixels at a time."""
    with new_canopy(kit, pixels) as canopy:
        await canopy.live(people, crashes)


async def stopped_canopy(kit: Kit, *, people: int = PEOPLE, crashes: int = CRASHES) -> None:
    """Run it, and stop it at any time, in the middle of everything."""
    with new_canopy(kit) as canopy:
        await canopy.be_stopped(people, crashes)


@contextlib.contextmanager
def new_canopy(kit: Kit, pixels: int = 1) -> "Iterator[Canopy]":
    """A canopy that remembers few changes."""
    with (
        tempfile.TemporaryDirectory() as data,
        mock.patch("canvas.live.recent_changes.REMEMBERED", REMEMBERED),
        mock.patch("canvas.live.canvas.REMEMBERED", REMEMBERED),
    ):
        canopy = Canopy(kit, Path(data), pixels)
        try:
            yield canopy
        finally:
            canopy.application.close()


class Canopy:
    """One canopy and its people."""

    def __init__(self, kit: Kit, data: Path, pixels: int = 1) -> None:
        self.kit = kit
        self.pixels = pixels
        config = Config(data=data, ping_interval=0.0, **SMALL)  # with a heartbeat nothing is ever stuck
        user_ids = map("user{}".format, itertools.count(1))
        self.store = FaultyStore(kit, MemoryStore("epoch", config.width, config.height, config.background))
        self.application = CanvasApplication(
            config,
            new_user_id=lambda: next(user_ids),
            store=self.store,
            identity_key=b"k" * 32,
            wall_clock=lambda: asyncio.get_running_loop().time(),
            silence=inf,
        )
        self.network = VirtualNetwork(Weather(kit))
        self.door = self.network.listen(self.application.sockets)
        self.network.listen(self.application.console.admin)
        self.people: list[Person] = []
        self.clients: list[VirtualClient] = []
        self._crashes_of_wire: Counter[int] = Counter()

    async def live(self, people: int, crashes: int) -> None:
        """Let people paint while actors crash, then check that nothing is missing and nothing is left."""
        await self.application.start()
        self.kit.crash_some(crashes, within=TURNS_WITH_CRASHES, may_crash=self._may_crash)
        self.people = [Person(self, number) for number in range(people)]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._suspend_some())
            for person in self.people:
                group.create_task(person.live())
        self.kit.calm()
        await mended(self.application)
        await self.check()
        await self.application.stop()
        await self.check_end()

    async def be_stopped(self, people: int, crashes: int) -> None:
        """Stop while people paint and actors crash; nothing is left."""
        await self.application.start()
        self.kit.crash_some(crashes, within=TURNS_WITH_CRASHES, may_crash=self._may_crash)
        self.people = [Person(self, number) for number in range(people)]
        painting = [asyncio.create_task(person.live()) for person in self.people]
        painting.append(asyncio.create_task(self._suspend_some()))
        await asyncio.sleep(self.kit.chance.stream("stop").between(0.0, 0.5))
        await self.application.stop()
        self.application.close()
        for task in painting:
            task.cancel()
        for outcome in await asyncio.gather(*painting, return_exceptions=True):
            broken = isinstance(outcome, AssertionError) and not str(outcome).startswith("closed with ")
            assert not broken, f"a promise was broken: {outcome}"
        await self.check_nothing_left()

    async def check(self) -> None:
        """Everybody sees what is committed, and everybody else."""
        last = Person(self, len(self.people))
        await last.come()
        for _ in range(QUIET_ROUNDS):
            await asyncio.gather(self._slow_disk(), self.people[0].paint(0), last.paint_later())
        await settle(10.0)  # what was painted twice because of a crash may still be on its way
        here = [person.client for person in [*self.people, last]]
        log = self.store.log
        pixels = {}
        for x, y, color, _ in log:
            pixels[x, y] = color
        grid = self.store.load()
        assert all(f"#{grid.color(x, y):06X}" == color for (x, y), color in pixels.items())
        for client in here:
            await client.until(lambda: True)  # raises what broke a promise
            seq, area = client.screen.seq, client.screen.area
            assert seq == len(log) or area, f"{client.screen.user_id} saw {seq} of {len(log)} changes"
            assert within(client.screen.pixels, area) == within(pixels, area), "somebody sees another canvas"
        room, wires = self.application.room, self.application.sockets.wires
        present = {client.screen.user_id for client in here}
        for client in here:
            assert client.screen.users == present, "somebody does not know who is here"
        assert {user_id for user_id, _, _ in room.users} == present
        assert len(room.viewers) == len(wires) == len(here)
        self.check_no_dead_is_kept()

    def check_no_dead_is_kept(self) -> None:
        """No living process holds a dead one, and no table has a key of one."""
        assert self.kit.dangling() == []
        registries = [actor for process in debug.processes() if (actor := debug.actor_of(process.ref, Registry))]
        assert registries, "no registry"
        for registry in registries:
            for table in registry.tables:
                held = [(key, ref) for key, ref, _ in table if not ref.is_alive()]
                assert not held, f"the table {table.name!r} keeps keys of the dead: {held}"

    async def check_nothing_left(self) -> None:
        """No process, name, monitor, timer or wire is left, and every connection has ended once."""
        await settle(60.0)  # what was sent for later to somebody who has died meanwhile
        assert self.kit.leaks() == []
        assert self.application.sockets.wires == {}
        assert [transport.ends for transport in self.network.transports] == [1] * len(self.network.transports)

    async def check_end(self) -> None:
        """Everybody was told goodbye, and nothing is left."""
        await self.check_nothing_left()
        for client in self.clients:
            assert client.closed is not None, "a client was not told of the end"
        for person in self.people:
            assert person.client.closed is not None
            assert person.client.closed[0] == 1001, f"{person.client.screen.user_id} ended with {person.client.closed}"

    def saw(self, message: dict[str, Any]) -> None:
        """Somebody was told of a change: it has to be committed."""
        seq = message["seq"]
        if seq is None:  # of several where some were left out, only the order is known
            seq = 1 + self.store.log.index((message["x"], message["y"], message["color"], message["user_id"]))
        assert seq <= len(self.store.log), f"change {seq} was shown before it was committed"
        shown = (message["x"], message["y"], message["color"], message["user_id"])
        assert self.store.log[seq - 1] == shown, f"change {seq} was shown as {shown}"

    def color_at(self, cell: tuple[int, int], seq: int) -> str | None:
        """The committed colour of a cell after a change; None if nobody had painted it."""
        assert seq <= len(self.store.log), f"change {seq} was acknowledged before it was committed"
        return next((color for x, y, color, _ in reversed(self.store.log[:seq]) if (x, y) == cell), None)

    async def _slow_disk(self) -> None:
        """Let a commit take a while in which others paint, and not in one turn."""
        store = next(info.ref for info in debug.processes() if info.label == "store")
        chance = self.kit.chance.stream("slow disk")
        debug.suspend(store)
        await asyncio.sleep(chance.between(0.0, 0.1))
        debug.resume(store)

    async def _suspend_some(self) -> None:
        """Suspend some processes for a while, as somebody at the console may."""
        chance = self.kit.chance.stream("suspended")
        for _ in range(SUSPENSIONS):
            await asyncio.sleep(chance.between(0.0, 0.3))
            if not self.kit.happens("somebody suspends a process", 0.7):
                continue
            victims = [info.ref for info in debug.processes()]
            if not victims:
                return  # the application has stopped
            victim = victims[chance.choose(len(victims))]
            self.kit.fault(f"suspend {victim!r}")
            with contextlib.suppress(CallExit):  # it has died meanwhile
                debug.suspend(victim)
                await asyncio.sleep(chance.between(0.0, 0.5))
                debug.resume(victim)

    def _may_crash(self, victim: Ref) -> bool:
        process = debug.view(victim)
        if process is None or process.parent is None or victim is self.application.top():
            return False
        for wire in self.application.sockets.wires.values():
            if wire.owner is victim:
                self._crashes_of_wire[wire.id] += 1
                return self._crashes_of_wire[wire.id] <= MAX_CRASHES_OF_A_CONNECTION
        return True


def within(pixels: Pixels, area: Rectangle | None) -> Pixels:
    """The pixels in an area, or all."""
    x, y, width, height = area or (0, 0, 32, 16)
    return {cell: color for cell, color in pixels.items() if x <= cell[0] < x + width and y <= cell[1] < y + height}


class Person:
    """Somebody who paints a column of the canvas, and the pixel (0, 0) that all of them fight for."""

    client: VirtualClient

    def __init__(self, canopy: Canopy, number: int) -> None:
        self.canopy = canopy
        self.kit = canopy.kit
        self._name = f"person {number}"
        self._chance = canopy.kit.chance.stream(self._name)
        self._column = 1 + number
        self._color = 0
        self._area: Rectangle | None = (0, 0, 12, 9) if self._chance.happens(0.2) else None

    async def live(self) -> None:
        """Come and paint, twice; stay after that."""
        await asyncio.sleep(self._chance.between(0.0, 0.2))
        await self.come()
        await self.paint(self.canopy.pixels + self._chance.choose(3))
        if self._area is not None and isinstance(self.client, BinaryClient):
            self._area = (3, 2, 12, 9)
            self.client.subscribe(*self._area)
            await self.client.until(lambda: self.client.screen.area == self._area, "for another part")
        if self.kit.happens(f"{self._name} stalls", 0.2):
            self.client.stall()
            await asyncio.sleep(self._chance.between(0.05, 1.0))
            self.client.catch_up()
        if self.kit.happens("the machine sleeps", 0.02):
            self.kit.jump(1.0)
        if self.kit.happens(f"{self._name} goes", 0.5):
            await self._go()
            await self.come()
        await self.paint(self.canopy.pixels + self._chance.choose(3))

    async def come(self) -> None:
        """Connect, and wait until the canvas is there."""
        before = getattr(self, "client", None)
        kind = (VirtualClient, BinaryClient)[self._chance.choose(2)] if before is None else type(before)
        self.client = client = kind()
        path = "/ws?" if self._area is None else "/ws?x={}&y={}&width={}&height={}&".format(*self._area)
        if before is not None and self._chance.happens(0.7):
            client.screen = before.screen
            path += f"epoch={client.screen.epoch}&seq={client.screen.seq}"
        shown = client.screen.states + client.screen.resumes
        self.canopy.clients.append(client)
        cells = [(self._column, y) for y in range(16)] + [(0, 0)]
        self._painter = Persistent(client, cells, self.canopy)
        client.begin(self.canopy.door, path)
        await client.until(lambda: client.screen.states + client.screen.resumes > shown, "for the canvas")

    async def paint(self, count: int) -> None:
        """Paint until `count` more pixels are acknowledged, and all that are under way are; at least three at once."""
        self._painter.begin()
        await self._painter.paint_more(count)
        await self._painter.pause()

    async def paint_later(self) -> None:
        """Paint some pixels a little later."""
        await asyncio.sleep(self._chance.between(0.0, 0.1))
        await self.paint(0)

    async def _go(self) -> None:
        how = self._chance.choose(3)
        if self._chance.happens(0.5):
            self._painter.begin()  # and hang up in the middle of it
        if how == 0:
            self.client.say_goodbye()
        else:
            self.kit.fault(f"{self._name} hangs up with {(RESET, EOF)[how - 1]}")
            self.client.hang_up((RESET, EOF)[how - 1])
        await self.client.end()


class Persistent(Painter):
    """Paints again what the store refused; checks all it is told."""

    def __init__(self, client: VirtualClient, cells: list[tuple[int, int]], canopy: Canopy) -> None:
        super().__init__(client, cells)
        self._canopy = canopy

    def _note(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "pixel_changed":
            self._canopy.saw(message)
        if kind == "error":
            assert message["code"] == "store_unavailable", message
            self.paint_again()
        if kind == "ack":
            for cell, (color, id_) in self._underway.items():
                assert id_ != message["id"] or self._canopy.color_at(cell, message["seq"]) == color, message
        super()._note(kind, message)
