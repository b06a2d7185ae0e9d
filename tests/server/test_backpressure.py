"""Slow clients and slow owners: the bytes and messages that wait for them are bounded."""

import asyncio
import zlib
from typing import Any

import pytest

from actors.testing import Probe, kill, settle
from protocol import Compression, Opcode, Text, encode_frame
from supervision.server import Policy
from supervision.server.incoming import COSTLY_READ, MAX_EVENTS, MAX_INFLATED_EVENTS, MAX_UNCONSUMED
from tests.server.aviary import Aviary, greeted
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import MASK, VirtualPeer

CLOSE_TIMEOUT = Policy().close_timeout
STALL_TIMEOUT = Policy().stall_timeout
MAX_BACKLOG = Policy().max_backlog


@simulated
async def test_wire_stops_reading_when_too_much_waits_for_its_owner() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        for number in range(2 * MAX_EVENTS):
            peer.send_text(str(number))
        await settle()
        assert len(wire.events) == MAX_EVENTS + 1
        taken: list[Any] = []
        while len(taken) < 2 * MAX_EVENTS:
            assert wire.events, "reading did not go on"
            while (event := wire.next_event()) is not None:
                taken.append(event)
            await settle()
        assert taken == [Text(str(number)) for number in range(2 * MAX_EVENTS)]
        await kill(probe.ref)


@simulated
async def test_wire_stops_reading_when_a_few_long_messages_wait_for_its_owner() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        long = encode_frame(Opcode.BINARY, b"x" * 600_000, mask=MASK)
        for _ in range(20):
            peer.send_bytes(long)
        await settle(0.001)
        assert len(wire.events) <= MAX_UNCONSUMED // 600_000 + 1
        taken = 0
        while taken < 20:
            assert wire.events, "reading did not go on"
            while wire.next_event() is not None:
                taken += 1
            await settle(0.001)
        await kill(probe.ref)


@simulated
async def test_wire_stops_inflating_when_much_waits_for_its_owner() -> None:
    async with simulated_server(Aviary(), compression=Compression()) as server:
        peer = VirtualPeer()
        peer.begin(server.door, "/", headers=("Sec-WebSocket-Extensions: permessage-deflate",))
        await greeted(peer)
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        squeeze = zlib.compressobj(wbits=-15)
        bomb = squeeze.compress(bytes(500_000)) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        frame = encode_frame(Opcode.BINARY, bomb[:-4], rsv1=True, mask=MASK)
        peer.send_bytes(frame * 400)  # 200 MB in a read of 200 kB
        await settle(0.001)
        assert len(wire.events) <= MAX_INFLATED_EVENTS + COSTLY_READ // len(frame) + 1
        taken = 0
        while taken < 400:
            assert wire.events, "reading did not go on"
            while wire.next_event() is not None:
                taken += 1
            await settle(0.001)
        await kill(probe.ref)


@simulated
async def test_client_that_does_not_read_is_cut_off_and_the_others_are_served() -> None:
    async with simulated_server(Aviary()) as server:
        slow, quick = await greeted(await server.join()), await greeted(await server.join())
        slow.stall()
        frame = encode_frame(Opcode.TEXT, b"x" * 1_000_000)
        wire = server.sockets.wires[1]
        while not wire.is_closed:
            assert wire.backlog <= MAX_BACKLOG + 2 * len(frame)
            for each in list(server.sockets.wires.values()):
                each.send_frames(frame)
            quick.received.clear()
            await settle()
        assert (await slow.end())[0] == 1006
        assert server.sockets.cut_off == {"backlog": 1}
        quick.received.clear()
        quick.send_text("am I still here?")
        assert await quick.message() == "am I still here?"


@simulated
async def test_client_that_takes_long_for_one_large_message_is_not_cut_off_for_small_ones() -> None:
    async with simulated_server(Aviary()) as server:
        slow = await greeted(await server.join())
        wire = server.sockets.wires[1]
        slow.stall()
        wire.send_frames(encode_frame(Opcode.TEXT, b"x" * 3 * MAX_BACKLOG))  # a whole canvas, say
        for _ in range(1_000):
            wire.send_frames(encode_frame(Opcode.TEXT, b"x" * 1_000))
        await settle()
        assert not wire.is_closed
        slow.catch_up()
        assert len(slow.received) == 1_001


@simulated
async def test_client_that_answers_wait_for_is_not_heard_until_it_has_read_some() -> None:
    async with simulated_server(Aviary()) as server:
        slow = await greeted(await server.join())
        slow.stall()
        wire = server.sockets.wires[1]
        for _ in range(40):
            slow.send_text("x" * 1_000_000)
            await settle()
        assert wire.backlog < 2_000_000
        assert not wire.is_closed
        while len(slow.received) < 40:
            slow.catch_up()
            slow.stall()
            await settle()


@simulated
async def test_client_that_reads_nothing_for_long_is_cut_off() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        slow = await greeted(await server.join())
        slow.stall()
        slow.send_text("x" * 1_000_000)
        began = loop.time()
        assert (await slow.end())[0] == 1006
        assert loop.time() - began == pytest.approx(STALL_TIMEOUT)
        assert server.sockets.cut_off == {"stalled": 1}


class Sipper(VirtualPeer):
    """Takes what the server wrote one write at a time, once it has been told to sip."""

    sips = False

    def feed(self, data: bytes) -> None:
        self.is_stalled = self.sips
        super().feed(data)


@simulated
async def test_slow_client_gets_all_that_was_sent_before_the_close() -> None:
    async with simulated_server(Aviary()) as server:
        slow = Sipper()
        slow.begin(server.door, "/")
        await greeted(slow)
        slow.sips = True
        wire = server.sockets.wires[1]
        for _ in range(4):
            wire.send_frames(encode_frame(Opcode.TEXT, b"x" * 32 * 1024))
        wire.close(1001, "the server is going away")
        for number in range(1, 5):
            await settle(CLOSE_TIMEOUT - 1)
            assert len(slow.received) == number
            slow.catch_up()
        slow.sips = False
        slow.catch_up()
        assert await slow.end() == (1001, "the server is going away")


@simulated
async def test_slow_client_that_catches_up_stays() -> None:
    async with simulated_server(Aviary()) as server:
        slow = await greeted(await server.join())
        slow.stall()
        frame = encode_frame(Opcode.TEXT, b"x" * 1_000_000)
        for _ in range(10):
            server.sockets.wires[1].send_frames(frame)
        await settle()
        assert server.sockets.wires[1].is_congested
        slow.catch_up()
        assert not server.sockets.wires[1].is_congested
        assert len(slow.received) == 10
        assert slow.closed is None
