"""Keepalive in virtual time: who is pinged, who is dropped, and what is known of the way there."""

import asyncio

import pytest

from actors.testing import quiet, settle
from protocol import Opcode, encode_frame
from supervision.server import WebSocket
from supervision.server.deadlines import BATCH
from tests.server.test_drainer import Listener
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import MASK, VirtualPeer


def listen_to(request: object) -> WebSocket:
    return WebSocket(Listener)


def pings(peer: VirtualPeer) -> int:
    """How many pings the server wrote."""
    return sum(write[0] == 0x89 for write in peer.writes)


@simulated
async def test_every_websocket_is_pinged_in_each_interval() -> None:
    async with simulated_server(listen_to, ping_interval=20.0, max_connections=1_000) as server:
        peers = [await server.join() for _ in range(2 * BATCH + 1)]
        await settle(60.5)
        assert {pings(peer) for peer in peers} == {3}
        assert all(peer.closed is None for peer in peers)


@simulated
async def test_round_trip_is_measured() -> None:
    async with simulated_server(listen_to, ping_interval=20.0) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        assert wire.round_trip is None
        peer.is_mute = True
        await settle(20.0)
        await quiet()
        ping = peer.writes[-1]
        peer.send_bytes(encode_frame(Opcode.PONG, b"another", mask=MASK))
        await quiet()
        assert wire.round_trip is None
        await settle(0.25)
        peer.send_bytes(encode_frame(Opcode.PONG, ping[2:], mask=MASK))
        await quiet()
        assert wire.round_trip == pytest.approx(0.25, abs=0.01)


@simulated
async def test_client_that_gives_no_sign_of_life_is_dropped_in_time() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(listen_to, ping_interval=20.0, pong_timeout=7.0) as server:
        alive, dead = await server.join(), await server.join()
        began = loop.time()
        dead.is_mute = True
        assert (await dead.end())[0] == 1006
        assert loop.time() - began == pytest.approx(27.0)
        await settle(100.0)
        assert alive.closed is None
        assert server.sockets.cut_off == {"no_pong": 1}


@simulated
async def test_client_that_says_something_else_is_alive() -> None:
    async with simulated_server(listen_to, ping_interval=20.0, pong_timeout=10.0) as server:
        peer = await server.join()
        peer.is_mute = True
        for _ in range(10):
            await settle(9.0)
            peer.send_text("here I am")
        assert peer.closed is None


@simulated
async def test_client_that_does_not_read_is_left_to_the_stall_timeout() -> None:
    loop = asyncio.get_running_loop()
    rules = {"ping_interval": 2.0, "pong_timeout": 2.0, "stall_timeout": 50.0}
    async with simulated_server(listen_to, **rules) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        peer.stall()
        wire.send_binary(b"x" * 100_000)
        began = loop.time()
        await peer.end()
        assert loop.time() - began == pytest.approx(50.0)
        assert server.sockets.cut_off == {"stalled": 1}


@simulated
async def test_without_an_interval_nobody_is_pinged() -> None:
    async with simulated_server(listen_to, ping_interval=None) as server:
        peer = await server.join()
        await settle(1_000.0)
        assert pings(peer) == 0


@simulated
async def test_nothing_is_remembered_of_those_who_have_gone() -> None:
    async with simulated_server(listen_to, ping_interval=20.0) as server:
        peers = [await server.join() for _ in range(3)]
        await settle(20.0)
        for peer in peers:
            peer.say_goodbye()
            await peer.end()
        assert server.sockets.deadlines.is_idle
        assert server.sockets.deadlines._timer is None
