"""Deadlines in virtual time: who is pinged, who is dropped, and who only reads slowly, or was not heard."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from actors.testing import Probe, VirtualLoop, kill, quiet, settle
from protocol import Opcode, Request, Response, encode_frame
from supervision.server import Policy, WebSocket, Wire
from supervision.server.deadlines import ADOPTION_TIMEOUT, BATCH
from supervision.server.incoming import MAX_EVENTS
from supervision.server.outgoing import MIN_RATE
from tests.server.test_drainer import Listener
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, MASK, VirtualBrowser, VirtualPeer

POLICY = Policy()
PING = POLICY.ping_interval or 0.0
MEGABYTE = 1_000_000


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
            assert await peer.end() == (1000, "")
        assert server.sockets.deadlines.is_idle
        assert server.sockets.deadlines._timer is None


# Slow peers: the system holds more than they take in any timeout.


async def sip(peer: VirtualPeer | VirtualBrowser, size: int, seconds: float, *, times: int) -> None:
    """Take so many bytes in each so many seconds."""
    peer.stall()
    for _ in range(times):
        await settle(seconds)
        peer.read_some(size)


@pytest.mark.parametrize(("size", "seconds"), [(5_000, 1.0), (95_000, 19.0), (20_000, 29.0)], ids=str)
@pytest.mark.parametrize("system_buffer", [0, 300_000, 4 * MEGABYTE], ids="{} B in the system".format)
@simulated
async def test_websocket_that_reads_slowly_and_steadily_gets_all(system_buffer: int, size: int, seconds: float) -> None:
    async with simulated_server(listen_to) as server:
        server.door.network.system_buffer = system_buffer
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        peer.stall()
        wire.send_binary(bytes(MEGABYTE))
        await sip(peer, size, seconds, times=MEGABYTE // size + 1)
        assert [len(message) for message in peer.received] == [MEGABYTE]
        peer.catch_up()
        await settle(200.0)
        assert (peer.closed, server.sockets.cut_off) == (None, {})


class FarReader(VirtualPeer):
    """Has a proxy before it that takes everything at once; reads what the proxy holds when it is told to."""

    far = b""

    def feed(self, data: bytes) -> None:
        self.far += data

    def read(self, size: int) -> None:
        data, self.far = self.far[:size], self.far[size:]
        super().feed(data)


@pytest.mark.parametrize("rate", [MIN_RATE, 20_000])
@simulated
async def test_websocket_that_reads_slowly_behind_a_large_buffer_is_alive(rate: int) -> None:
    async with simulated_server(listen_to) as server:
        peer = FarReader()
        peer.begin(server.door, "/")
        await quiet()
        peer.read(1_000)
        (wire,) = server.sockets.wires.values()
        for _ in range(3):
            wire.send_binary(bytes(MEGABYTE))
            for _ in range(MEGABYTE // rate + 1):
                await settle(1.0)
                peer.read(rate)
        assert len(peer.received) == 3
        assert (peer.closed, server.sockets.cut_off) == (None, {})
        peer.say_goodbye()
        await quiet()
        peer.read(1_000)


@pytest.mark.parametrize("far", [False, True])
@simulated
async def test_websocket_that_is_sent_much_and_never_answers_is_dropped(far: bool) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(listen_to) as server:
        peer = FarReader() if far else VirtualPeer()
        peer.is_mute = True
        peer.begin(server.door, "/")
        await quiet()
        (wire,) = server.sockets.wires.values()
        began, sent = loop.time(), 0
        while not wire.is_closed:
            wire.send_binary(bytes(MIN_RATE // 10))
            sent += MIN_RATE // 10
            await settle(1.0)
        assert loop.time() - began <= PING + 2 * POLICY.pong_timeout + sent / MIN_RATE
        assert server.sockets.cut_off == {"no_pong": 1}


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("system_buffer", [0, 300_000, 4 * MEGABYTE], ids="{} B in the system".format)
@simulated
async def test_slow_download_is_whole(system_buffer: int, connection: str) -> None:
    def routes(request: Request) -> Response:
        return Response(200, (), bytes(MEGABYTE))

    async with simulated_server(routes) as server:
        server.door.network.system_buffer = system_buffer
        browser = VirtualBrowser(server.door)
        browser.send_bytes(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n".encode())
        await sip(browser, 20_000, 4.0, times=MEGABYTE // 20_000 + 1)
        assert re.search(rb"\r\n\r\n\0*$", browser.answers)
        assert len(browser.answers) > MEGABYTE
        browser.catch_up()
        if connection == "keep-alive":
            assert browser.closed is None
            browser.hang_up(EOF)
        await browser.end()
        assert server.sockets.cut_off == {}


@pytest.mark.parametrize("system_buffer", [0, 4 * MEGABYTE], ids="{} B in the system".format)
@pytest.mark.parametrize("ends", [False, True], ids=["", "closing"])
@pytest.mark.parametrize("takes", [0, 200_000])
@simulated
async def test_websocket_that_takes_nothing_more_is_dropped(takes: int, ends: bool, system_buffer: int) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(listen_to) as server:
        server.door.network.system_buffer = system_buffer
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        peer.stall()
        wire.send_binary(bytes(MEGABYTE))
        if ends:
            wire.close()
        await settle(0.9 * POLICY.stall_timeout)
        peer.read_some(takes)
        began = loop.time()
        await peer.end()
        assert loop.time() - began <= PING + 3 * POLICY.stall_timeout + takes / MIN_RATE
        assert server.sockets.cut_off == {"stalled": 1}


@pytest.mark.parametrize("system_buffer", [0, 4 * MEGABYTE], ids="{} B in the system".format)
@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@simulated
async def test_download_that_stands_still_is_dropped(connection: str, system_buffer: int) -> None:
    async with simulated_server(lambda request: Response(200, (), bytes(MEGABYTE))) as server:
        server.door.network.system_buffer = system_buffer
        browser = VirtualBrowser(server.door)
        browser.stall()
        browser.send_bytes(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n".encode())
        await settle(POLICY.request_timeout + POLICY.stall_timeout + 2.0)
        assert server.sockets.wires == {}
        assert server.sockets.cut_off == {"stalled": 1}


@simulated
async def test_client_that_catches_up_may_be_silent_afterwards() -> None:
    async with simulated_server(listen_to) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        for _ in range(3):
            peer.stall()
            wire.send_binary(bytes(MEGABYTE))
            await settle(0.5 * POLICY.stall_timeout)
            assert wire.is_congested
            peer.catch_up()
            await settle(3.0 * POLICY.stall_timeout)
        assert (peer.closed, server.sockets.cut_off) == (None, {})


# Peers that are not heard.


@pytest.mark.parametrize("speaks", [True, False], ids=["speaks", "mute"])
@simulated
async def test_peer_has_its_whole_time_after_it_was_not_heard(speaks: bool) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(listen_to) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)  # and takes nothing
        peer.is_mute = not speaks
        for _ in range(2 * MAX_EVENTS):
            peer.send_text("")
        await settle(5.0 * (PING + POLICY.pong_timeout))  # pings go out, their answers are not read
        assert pings(peer) > 0
        assert len(wire.events) == MAX_EVENTS + 1
        while wire.events:
            while wire.next_event() is not None:
                pass
            await settle()
        heard = loop.time()
        if speaks:
            await settle(1_000.0)
            assert peer.closed is None
        else:
            await peer.end()
            assert POLICY.pong_timeout <= loop.time() - heard <= PING + POLICY.pong_timeout
        await kill(probe.ref)


@simulated
async def test_peer_that_has_ended_its_side_owes_no_pong() -> None:
    async with simulated_server(listen_to, ping_interval=20.0, pong_timeout=7.0) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)  # and takes nothing
        peer.is_mute = True
        await settle(21.0)
        assert pings(peer) == 1
        peer.hang_up(EOF)
        await settle(10.0)
        assert (wire.is_closed, server.sockets.cut_off) == (False, {})
        await kill(probe.ref)


def sleep_through(seconds: float) -> None:
    """Have so much time pass at once, as if the process had been stopped."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.jump_to(loop.now + seconds)


def owe_pong(peer: VirtualPeer, wire: Wire) -> float:
    peer.is_mute = True
    return PING + 0.5 * POLICY.pong_timeout


def owe_taking(peer: VirtualPeer, wire: Wire) -> float:
    peer.stall()
    wire.send_binary(bytes(MEGABYTE))
    return 0.5 * POLICY.stall_timeout


def owe_close(peer: VirtualPeer, wire: Wire) -> float:
    peer.is_mute = True
    wire.close()
    return 0.5 * POLICY.close_timeout


@pytest.mark.parametrize(
    ("owe", "timeout", "reason"),
    [
        (owe_pong, POLICY.pong_timeout, "no_pong"),
        (owe_taking, POLICY.stall_timeout, "stalled"),
        (owe_close, POLICY.close_timeout, "close"),
    ],
)
@simulated
async def test_time_in_which_the_process_was_stopped_does_not_count(
    owe: Callable[[VirtualPeer, Wire], float], timeout: float, reason: str
) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(listen_to) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        await settle(owe(peer, wire))
        for _ in range(3):
            sleep_through(0.9 * timeout)
            await settle(0.9 * timeout)
            assert not wire.is_closed
        sleep_through(10.0 * timeout)
        woken = loop.time()
        await peer.end()
        assert timeout <= loop.time() - woken <= timeout + 1.1
        assert server.sockets.cut_off == {reason: 1}


@simulated
async def test_request_is_answered_that_came_while_the_process_was_stopped() -> None:
    async with simulated_server(lambda request: Response(200, (), b"here")) as server:
        browser = VirtualBrowser(server.door)
        await settle(0.5 * POLICY.request_timeout)
        sleep_through(10.0 * POLICY.request_timeout)
        await settle(0.9 * POLICY.request_timeout)
        browser.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await browser.answer()).endswith(b"here")


@simulated
async def test_wire_is_not_given_up_for_a_time_in_which_the_process_was_stopped() -> None:
    async with simulated_server(listen_to) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        await kill(probe.ref)
        await settle(0.5 * ADOPTION_TIMEOUT)
        sleep_through(10.0 * ADOPTION_TIMEOUT)
        await settle(0.9 * ADOPTION_TIMEOUT)
        assert peer.closed is None
        assert (await peer.end())[0] == 1011


# Ends in order.


def client_closes(peer: VirtualPeer, wire: Wire) -> None:
    peer.say_goodbye()


def server_closes(peer: VirtualPeer, wire: Wire) -> None:
    wire.close()


def both_close(peer: VirtualPeer, wire: Wire) -> None:
    peer.say_goodbye()
    wire.close()


def client_breaks_a_rule(peer: VirtualPeer, wire: Wire) -> None:
    peer.send_bytes(b"\x83\x80" + MASK)


@pytest.mark.parametrize("close", [client_closes, server_closes, both_close, client_breaks_a_rule])
@simulated
async def test_nobody_who_closes_in_order_is_counted_as_cut_off(close: Callable[[VirtualPeer, Wire], Any]) -> None:
    async with simulated_server(listen_to) as server:
        peer = await server.join()
        (wire,) = server.sockets.wires.values()
        await settle(1.5 * PING)
        close(peer, wire)
        await peer.end()
        await settle(1_000.0)
        assert (server.sockets.cut_off, server.sockets.wires) == ({}, {})
        assert server.sockets.deadlines.is_idle
