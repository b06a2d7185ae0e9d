"""Wires in virtual time: what they hear of a peer that does not read, of one without an owner, and who may write."""

import asyncio
import random
from typing import Any

import pytest

from actors.debug import force_exit
from actors.testing import Probe, kill, quiet, run, settle
from protocol import Binary, Closed, Event, Opcode, Request, Response, Text, encode_frame, validate
from supervision.server import Connection, Policy, Sockets, WebSocket, Wire
from supervision.server.incoming import COSTLY_READ, LONG_READ
from supervision.server.outgoing import MAX_CORKED
from tests.server.aviary import Aviary, get, greeted, text
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import MASK, VirtualBrowser

HIGH_WATER = 64 * 1024
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = encode_frame(Opcode.CLOSE, b"\x03\xe8", mask=MASK)


# How much is taken in at once.


@simulated
async def test_peer_that_was_costly_to_hear_is_heard_in_long_pieces_again() -> None:
    """Control frames take longer than their bytes: while they come, others have their turn more often."""
    pings, text = encode_frame(Opcode.PONG, b"", mask=MASK), encode_frame(Opcode.TEXT, bytes(COSTLY_READ), mask=MASK)
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        strides = []
        for data in (text, pings * (COSTLY_READ // 2), text, text):
            peer.send_bytes(data)
            await settle(0.1)
            strides.append(wire._stride)
        assert strides == [LONG_READ, COSTLY_READ, LONG_READ, LONG_READ]


# Signs of life.


@simulated
async def test_ping_is_sent_neither_behind_a_backlog_nor_behind_a_close_frame() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        assert wire.ping()
        await settle(0.1)
        peer.stall()
        wire.send_binary(bytes(2 * HIGH_WATER))
        wire.uncork()
        await quiet()
        assert wire.is_congested
        written = wire.bytes_out
        assert not wire.ping()
        assert wire.bytes_out == written
        peer.catch_up()
        await settle(0.1)
        assert not wire.is_congested
        wire.close()
        written = wire.bytes_out
        assert not wire.ping()
        assert wire.bytes_out == written


# Peers that do not read.


@pytest.mark.parametrize(("count", "size"), [(2_000, 100), (200, 15_000), (20, 300_000)])
@simulated
async def test_requests_of_a_peer_that_reads_no_answers_wait(count: int, size: int) -> None:
    answered = 0

    def routes(request: Request) -> Response:
        nonlocal answered
        answered += 1
        return Response(200, (), bytes(size))

    async with simulated_server(routes) as server:
        browser = VirtualBrowser(server.door)
        browser.stall()
        browser.send_bytes(GET * count)
        await settle(1.0)
        (wire,) = server.sockets.wires.values()
        assert wire.backlog <= HIGH_WATER + MAX_CORKED + 2 * (size + 1_000)
        assert answered * size <= wire.backlog
        while browser.answers.count(b"HTTP/1.1 200 OK\r\n") < count:
            browser.catch_up()
            browser.stall()
            await settle(0.001)
        assert answered == count
        assert browser.answers.count(b"HTTP/1.1 200 OK\r\n") == count
        browser.catch_up()
        await browser.leave()


@simulated
async def test_nothing_is_read_behind_a_request_that_waits_for_its_answer() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        browser = VirtualBrowser(server.door)
        first = get("/later")
        browser.send_bytes(first)
        await aviary.asked()
        (wire,) = server.sockets.wires.values()
        for number in range(100):
            browser.send_bytes(get(f"/plain?{number}"))
        await settle(1.0)
        assert wire.bytes_in == len(first)
        aviary.later.set_result(Response(200, (), b"here"))
        for expected in (b"here", *(b"/plain?%d" % number for number in range(100))):
            assert (await browser.answer()).endswith(b"\r\n\r\n" + expected)


@simulated
async def test_messages_of_a_peer_that_does_not_read_wait_though_they_have_been_read() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        peer.stall()
        (wire,) = server.sockets.wires.values()
        peer.send_bytes(text("x" * 1_000) * 900)  # all in one read, before it is congested
        await settle(1.0)
        assert wire.backlog <= HIGH_WATER + 2 * MAX_CORKED
        for _ in range(900):
            peer.catch_up()
            peer.stall()
            await settle(0.001)
        assert peer.received == ["x" * 1_000] * 900
        peer.catch_up()


@simulated
async def test_much_that_is_said_at_once_is_not_kept_until_the_end_of_a_turn() -> None:
    class Talker:
        def __init__(self, connection: Connection) -> None:
            self.connection = connection

        def opened(self) -> None: ...

        def received(self, message: Text | Binary) -> None:
            for _ in range(100):
                self.connection.send_text("x" * 10_000)

        def drained(self) -> None: ...

        def informed(self, message: Any) -> None: ...

        def closed(self, code: int, reason: str) -> None: ...

    async with simulated_server(lambda request: WebSocket(Talker)) as server:
        peer = await server.join()
        peer.writes.clear()
        peer.send_text("go on")
        await peer.until(lambda: len(peer.received) == 100)
        assert max(map(len, peer.writes)) < MAX_CORKED + 10_100
        assert len(peer.writes) <= 1_000_000 // MAX_CORKED + 1


# What comes with the end.


@pytest.mark.parametrize("crashes", [False, True], ids=["", "with a crash between"])
@pytest.mark.parametrize("count", [1, 3, 100, 5_000])
@simulated
async def test_messages_that_come_with_the_close_frame_are_handled(count: int, crashes: bool) -> None:
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join())
        crash = text("crash") if crashes else b""
        peer.send_bytes(text("m") * count + crash + text("n") + CLOSE)
        assert await peer.end() == (1000, "")
        assert [said for said in peer.received if said != "hello"] == ["m"] * count + ["n"]
        await settle(1_000.0)
        assert aviary.goodbyes == [(1000, "")]
        assert server.sockets.cut_off == {}


@simulated
async def test_messages_before_the_end_of_tls_are_handled_by_the_next_owner() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        force_exit(server.connections()[0], "crash")
        wire.data_received(text("x" * 1_000) * 200 + CLOSE)
        wire.eof_received()  # TLS tells of it though reading pauses
        wire.abort()
        await quiet()
        assert aviary.goodbyes == [(1000, "")]
        assert (server.connections(), server.sockets.wires) == ([], {})


# Wires without an owner.


@simulated
async def test_wire_without_an_owner_reads_nothing_and_its_next_owner_gets_all() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        first, second = await Probe.begin(), await Probe.begin()
        wire.adopt(first.ref)
        peer.send_text("one")
        await quiet()
        await kill(first.ref)
        before = wire.bytes_in
        for number in range(100):
            peer.send_text(str(number))
        await settle(1.0)
        assert (wire.bytes_in, len(wire.events)) == (before, 1)
        wire.adopt(second.ref)
        await quiet()
        events = [wire.next_event() for _ in range(102)]
        assert events == [Text("one"), *(Text(str(number)) for number in range(100)), None]
        await kill(second.ref)


@simulated
async def test_long_read_stops_where_its_owner_dies_and_goes_on_with_the_next() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        first, second = await Probe.begin(), await Probe.begin()
        wire.adopt(first.ref)
        peer.send_bytes(text("x" * 10_000) * 40)
        while not wire.events:
            await asyncio.sleep(0)
        heard = len(wire.events)
        await kill(first.ref)
        await settle(1.0)
        assert heard <= len(wire.events) < 40
        wire.adopt(second.ref)
        await quiet()
        taken = 0
        while wire.next_event() is not None:
            taken += 1
        assert taken == 40
        await kill(second.ref)


@simulated
async def test_close_frame_is_answered_though_nobody_owns_the_wire() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        await kill(probe.ref)
        wire.close(1001, "bye")
        assert await peer.end() == (1001, "bye")
        assert server.sockets.cut_off == {}


@simulated
async def test_nothing_is_written_for_an_owner_that_is_dead() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        ghost = aviary.diary[0].connection
        force_exit(server.connections()[0], "crash")
        ghost.send_text("boo")  # before the next one has it
        await greeted(peer)
        ghost.send_text("boo")
        ghost.send_binary(b"boo")
        ghost.close(1000, "boo")
        peer.send_text("still there?")
        assert await peer.message() == "still there?"
        assert not wire.is_closed


# Any order of events.


class Transport(asyncio.Transport):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.is_paused = False
        self.size = 0

    def pause_reading(self) -> None:
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self) -> None:
        assert self.is_paused
        self.is_paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return self.size

    def write(self, data: Any) -> None: ...

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Model:
    """What has to hold of a wire: it hears its peer exactly if all conditions are met, and loses nothing."""

    def __init__(self, wire: Wire, transport: Transport, chance: random.Random) -> None:
        self.wire, self.transport, self.chance = wire, transport, chance
        self.sent = self.taken = 0
        self.owner: Probe | None = None

    async def step(self) -> None:
        wire, chance = self.wire, self.chance
        match chance.randrange(7):
            case 0 | 1 if not self.transport.is_paused:
                count = chance.choice([1, 2, 40, 700])
                size = chance.choice([4, 100, 2_000])
                frames = [
                    encode_frame(Opcode.TEXT, str(number).encode().ljust(size), mask=MASK)
                    for number in range(self.sent, self.sent + count)
                ]
                self.sent += count
                wire.data_received(b"".join(frames))
            case 2 if wire.is_congested:
                self.transport.size = 0
                wire.resume_writing()
            case 2:
                self.transport.size = 100_000
                wire.pause_writing()
            case 3 if self.owner is not None:
                await kill(self.owner.ref)
                self.owner = None
            case 4 if self.owner is None:
                self.owner = await Probe.begin()
                wire.adopt(self.owner.ref)
            case 5 | 6 if self.owner is not None:
                for _ in range(chance.choice([1, 10, 2_000])):
                    if not self.next_event():
                        break
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)

    def next_event(self) -> bool:
        event = self.wire.next_event()
        if event is None:
            return False
        assert not self.wire.is_congested
        assert isinstance(event, Text)
        assert event.data.strip() == str(self.taken)
        self.taken += 1
        return True

    async def check(self) -> None:
        await settle(0.001)
        if self.owner is None or self.wire.is_congested:
            assert self.transport.is_paused
        elif not self.next_event():
            await settle(0.001)
            assert self.wire.events or not self.transport.is_paused
        assert len(self.wire.events) <= 1_024 + 700

    async def finish(self) -> None:
        if self.wire.is_congested:
            self.wire.resume_writing()
        if self.owner is None:
            self.owner = await Probe.begin()
            self.wire.adopt(self.owner.ref)
        while self.taken < self.sent:
            assert self.next_event() or self.wire.events or self.wire._unparsed, "something was lost"
            await settle(0.001)
        await self.check()
        await kill(self.owner.ref)


def begin_wire() -> tuple[Wire, Transport]:
    sockets, transport = Sockets([], Policy(stall_timeout=1e6, pong_timeout=1e6)), Transport()
    wire = Wire(sockets, "192.0.2.1")
    task = asyncio.get_running_loop().create_future()
    sockets.connecting[wire] = task  # type: ignore[assignment]  # as the listener does
    wire.connection_made(transport)
    return wire, transport


async def open_websocket(wire: Wire) -> None:
    owner = await Probe.begin()
    wire.adopt(owner.ref)
    lines = ["GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    wire.data_received("\r\n".join([*lines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]).encode())
    event: Event | None = wire.next_event()
    assert isinstance(event, Request)
    wire.accept(validate(event))
    wire.next_event()
    await kill(owner.ref)


@pytest.mark.parametrize("seed", range(60))
def test_peer_is_read_exactly_while_it_is_heard_and_nothing_is_lost(seed: int) -> None:
    async def scenario() -> None:
        wire, transport = begin_wire()
        await open_websocket(wire)
        model = Model(wire, transport, random.Random(seed))
        for _ in range(60):
            await model.step()
            if model.chance.random() < 0.3:
                await model.check()
        await model.finish()
        wire.connection_lost(None)
        assert not wire.is_exhausted
        assert isinstance(wire.next_event(), Closed)
        assert wire.is_exhausted

    run(scenario())
