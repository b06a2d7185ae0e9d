"""No wake-up is lost: whatever happens on the way, all goes on until everybody has been told everything.

The owner of the wire moves only when it is told that there is something to take, and the other writer, which writes as
the broadcaster does, only when it is told that the peer has caught up.
"""

import asyncio
import random

import pytest

from actors.debug import force_exit
from actors.testing import run, settle
from supervision import Limit
from supervision.server import Wire
from tests.server.aviary import Aviary, greeted, text
from tests.server.test_wire import CLOSE
from tests.support.instance import ServerSimulation, simulated_server
from tests.support.virtual_network import VirtualPeer

STEPS = ["say", "say", "say", "write", "write", "stall", "sip", "catch up", "crash"]
BURSTS = [(1, 8), (3, 8), (2, 20_000), (1, 150_000), (100, 600), (100, 600), (1_500, 8)]
"""Messages that come at once, and their bytes. Some are more than the owner takes in a turn, or than may wait."""


class Writer:
    """Writes to a wire that it does not own, and nothing while the peer is behind."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.written: list[str] = []
        self._waiting: list[str] = []

    def write(self, message: str) -> None:
        self.written.append(message)
        self._waiting.append(message)
        if len(self._waiting) == 1:
            self._go_on()

    def _go_on(self) -> None:
        while self._waiting:
            if self.wire.is_congested:
                self.wire.when_writable(self._go_on)
                return
            self.wire.send_text(self._waiting.pop(0))


class Life:
    """One client, its owner and the other writer."""

    def __init__(self, server: ServerSimulation, peer: VirtualPeer, chance: random.Random) -> None:
        self.server, self.peer, self.chance = server, peer, chance
        (wire,) = server.sockets.wires.values()
        self.writer = Writer(wire)
        self.said: list[str] = []

    def new_messages(self, by: str) -> list[str]:
        count, size = self.chance.choice(BURSTS)
        return [f"{by} {self.chance.random()}".ljust(size) for _ in range(count)]

    def say(self, after: bytes = b"") -> None:
        messages = self.new_messages("peer")
        self.said += messages
        self.peer.send_bytes(b"".join(map(text, messages)) + after)

    def write(self) -> None:
        for message in self.new_messages("writer"):
            self.writer.write(message)

    async def step(self) -> None:
        match self.chance.choice(STEPS):
            case "say":
                self.say()
            case "write":
                self.write()
            case "stall":
                self.peer.stall()
            case "sip":
                self.peer.read_some(self.chance.choice([1, 1_000, 200_000]))
            case "catch up":
                self.peer.catch_up()
            case "crash":
                for connection in self.server.connections():
                    force_exit(connection, "crash")
        for _ in range(self.chance.choice([0, 1, 3, 30])):
            await asyncio.sleep(0)

    def check(self) -> None:
        received = [str(message) for message in self.peer.received if message != "hello"]
        assert [message for message in received if message.startswith("writer")] == self.writer.written
        assert [message for message in received if message.startswith("peer")] == self.said


@pytest.mark.parametrize("seed", range(24))
def test_everything_is_heard_and_told_whatever_the_peer_reads_and_whoever_crashes(seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        async with simulated_server(Aviary(), crash_budget=Limit(100, 1.0), stall_timeout=1e6) as server:
            life = Life(server, await greeted(await server.join()), chance)
            for _ in range(12):
                for _ in range(chance.randint(2, 5)):
                    await life.step()
                life.peer.catch_up()
                await settle(1.0)
                life.check()
            life.peer.stall()
            life.write()
            life.say(CLOSE)
            await settle()
            life.peer.catch_up()
            await settle(1.0)
            life.check()
            assert life.peer.closed == (1000, "")

    run(scenario(), seed=seed or None)
