"""Connection actors and their wires in virtual time: what a client sees while the actors behind it crash."""

import asyncio
import zlib
from typing import Any

import pytest

from actors import KILL, Ignored, send, send_exit, start, stop
from actors.debug import force_exit, processes, resume, suspend
from actors.testing import Probe, kill, quiet, settle
from protocol import Binary, Compression, HttpError, Limits, Opcode, Request, Response, Text, encode_frame
from supervision import Limit, restart_child, terminate_child
from supervision.server import Answer, Connection, Policy, Proxies, WebSocket
from supervision.server.deadlines import ADOPTION_TIMEOUT
from supervision.server.incoming import COSTLY_READ, MAX_EVENTS, MAX_INFLATED_EVENTS, MAX_UNTAKEN
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, MASK, RESET, VirtualBrowser, VirtualPeer

CLOSE_TIMEOUT, STALL_TIMEOUT = Policy().close_timeout, Policy().stall_timeout
MAX_BACKLOG, REQUEST_TIMEOUT = Policy().max_backlog, Policy().request_timeout


class Parrot:
    """Repeats what it hears, and crashes when it is told to."""

    def __init__(self, connection: Connection, diary: list[Any]) -> None:
        self.connection = connection
        self.diary = diary
        diary.append(self)

    def opened(self) -> None:
        self.connection.send_text("hello")

    def received(self, message: Text | Binary) -> None:
        if isinstance(message, Binary):
            self.connection.send_binary(message.data)
        elif message.data == "crash":
            raise RuntimeError("as you wish")
        elif message.data == "bye":
            self.connection.close(1000, "as you wish")
        else:
            self.connection.send_text(message.data)

    def drained(self) -> None:
        """Nothing was held back."""

    def informed(self, message: Any) -> None:
        self.connection.send_text(f"somebody says {message}")

    def closed(self, code: int, reason: str) -> None:
        self.diary.append((code, reason))


class Stillborn(Parrot):
    """Fails as soon as its WebSocket is open."""

    def opened(self) -> None:
        raise RuntimeError("not today")


class Clerk(Parrot):
    """Repeats what it hears when it is told to, and has the end wait for that."""

    def opened(self) -> None:
        self.open: list[str] = []
        self.connection.send_text("hello")

    def received(self, message: Text | Binary) -> None:
        assert isinstance(message, Text)
        self.open.append(message.data)
        self.connection.hold_end()

    def informed(self, message: Any) -> None:
        if message == "crash":
            raise RuntimeError("as you wish")
        self.connection.send_text(self.open.pop(0))
        self.connection.release_end()


class Aviary:
    """Routes to parrots, and to plain answers; remembers every parrot there was, and how it went."""

    def __init__(self) -> None:
        self.diary: list[Any] = []
        self.later: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked = asyncio.Event()

    @property
    def parrots(self) -> int:
        return sum(isinstance(entry, Parrot) for entry in self.diary)

    @property
    def goodbyes(self) -> list[tuple[int, str]]:
        return [entry for entry in self.diary if isinstance(entry, tuple)]

    def __call__(self, request: Request) -> Any:
        match request.path:
            case "/":
                return WebSocket(lambda connection: Parrot(connection, self.diary), label="parrot")
            case "/clerk":
                return WebSocket(lambda connection: Clerk(connection, self.diary))
            case "/stillborn":
                return WebSocket(lambda connection: Stillborn(connection, self.diary))
            case "/spoken":
                return WebSocket(lambda connection: Parrot(connection, self.diary), subprotocols=("squawk", "chirp"))
            case "/plain":
                return Response(200, (), request.target.encode())
            case "/crash":
                raise RuntimeError("as you wish")
            case "/later":
                return self._answer_later()
            case "/later/crash":
                return self._crash_later()
            case "/later/refused":
                return self._refuse_later()
        raise HttpError(404, f"there is no {request.path}")

    async def asked(self) -> None:
        """Wait until a request to `/later` is being served."""
        await self._asked.wait()

    async def _answer_later(self) -> Answer:
        self._asked.set()
        return await self.later

    async def _crash_later(self) -> Answer:
        await asyncio.sleep(1)
        raise RuntimeError("as you wish")

    async def _refuse_later(self) -> Answer:
        await asyncio.sleep(1)
        raise HttpError(418, "no coffee here")


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: canopy", *headers, "", ""]).encode()


def text(message: str) -> bytes:
    return encode_frame(Opcode.TEXT, message.encode(), mask=MASK)


async def greeted(peer: VirtualPeer) -> VirtualPeer:
    assert await peer.message() == "hello"
    return peer


# Messages.


@simulated
async def test_messages_are_handled_in_order_however_they_are_cut() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        frames = b"".join(text(str(number)) for number in range(20))
        for piece in (frames, *(frames[at : at + 1] for at in range(len(frames))), frames[:33], frames[33:]):
            peer.send_bytes(piece)
        await peer.until(lambda: len(peer.received) == 60)
        assert peer.received == [str(number) for number in range(20)] * 3


@simulated
async def test_binary_message_comes_back_as_binary() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(encode_frame(Opcode.BINARY, b"\x00\xff", mask=MASK))
        assert await peer.message() == b"\x00\xff"


@simulated
async def test_answers_to_messages_that_came_together_leave_in_one_write() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        peer.writes.clear()
        peer.send_bytes(text("one") + text("two") + text("three"))
        await peer.until(lambda: len(peer.received) == 3)
        assert len(peer.writes) == 1


@simulated
async def test_what_came_with_the_close_frame_is_answered_before_it() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(text("last words") + encode_frame(Opcode.CLOSE, b"\x03\xe8", mask=MASK))
        await peer.until(lambda: peer.closed is not None)
        assert (peer.received, peer.closed) == (["last words"], (1000, ""))
        assert aviary.goodbyes == [(1000, "")]


@simulated
async def test_what_came_before_a_violation_is_answered_before_the_close_frame() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(text("fine") + b"\x83\x80" + MASK)
        await peer.until(lambda: peer.closed is not None)
        assert peer.received == ["fine"]
        assert peer.closed == (1002, "opcode 0x3 is reserved (RFC 6455 §5.2)")


@simulated
async def test_what_came_before_the_end_of_the_stream_is_answered() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(text("a") + text("b"))
        peer.hang_up(EOF)
        assert (await peer.message(), await peer.message()) == ("a", "b")
        assert (await peer.end())[0] == 1006
        assert aviary.goodbyes == [(1006, "")]


ENDS: dict[str, tuple[bytes, tuple[int, str]]] = {
    "close frame": (encode_frame(Opcode.CLOSE, b"\x03\xe9", mask=MASK), (1001, "")),
    "violation": (b"\x83\x80" + MASK, (1002, "opcode 0x3 is reserved (RFC 6455 §5.2)")),
    "half": (b"", (1006, "")),
}


def end_side(peer: VirtualPeer, words: bytes, how: str) -> None:
    """Say something and end the client's side, in one segment where that can be."""
    last = ENDS[how][0]
    peer.send_bytes(words + last)
    if not last:
        peer.hang_up(EOF)


@pytest.mark.parametrize("how", ENDS)
@simulated
async def test_end_waits_for_the_answers_that_the_handler_owes(how: str) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join("/clerk"))
        end_side(peer, text("a") + text("b") + text("c"), how)
        (connection,) = server.connections()
        for word in ("a", "b", "c"):
            await settle(CLOSE_TIMEOUT / 4)
            assert (peer.received, peer.closed) == ([], None)
            send(connection, "answer")
            await quiet()
            assert peer.received.pop() == word
        answered = loop.time()
        assert await peer.end() == ENDS[how][1]
        assert loop.time() == answered
        assert aviary.goodbyes == [ENDS[how][1]]
        assert server.connections() == []
        assert not server.sockets.cut_off


@simulated
async def test_end_of_tcp_is_not_held_for_an_answer_that_would_go_nowhere() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join("/clerk"))
        (wire,), (connection,) = server.sockets.wires.values(), server.connections()
        suspend(connection)
        peer.send_bytes(text("a") + encode_frame(Opcode.CLOSE, b"\x03\xe8", mask=MASK))
        await quiet()
        wire.abort()  # before the owner has taken anything
        await quiet()
        assert wire.is_closed
        resume(connection)
        await quiet()
        assert (server.connections(), aviary.goodbyes) == ([], [(1000, "")])
        assert server.sockets.deadlines.is_idle


@pytest.mark.parametrize("how", ENDS)
@simulated
async def test_end_waits_for_an_answer_no_longer_than_a_closing_handshake_may_take(how: str) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join("/clerk"))
        (connection,) = server.connections()
        began = loop.time()
        end_side(peer, text("a"), how)
        assert await peer.end() == ENDS[how][1]
        assert loop.time() - began == pytest.approx(CLOSE_TIMEOUT)
        send(connection, "too late")
        await quiet()
        assert (peer.received, aviary.goodbyes) == ([], [ENDS[how][1]])
        assert server.connections() == []


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("fate", ["crash", "kill", "reset", "stop"])
@simulated
async def test_end_that_waits_is_over_when_nobody_can_answer_or_hear_it(how: str, fate: str) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join("/clerk"))
        end_side(peer, text("a"), how)
        await quiet()
        (connection,) = server.connections()
        assert peer.closed is None
        if fate == "stop":
            stopping = asyncio.ensure_future(server.application.stop())
            send(connection, "answer")
            await stopping
            assert peer.received == ["a"]
        elif fate == "reset":
            peer.hang_up(RESET)
        elif fate == "kill":
            send_exit(connection, KILL)
        else:
            send(connection, "crash")
        await peer.until(lambda: peer.closed is not None)
        await quiet()
        assert aviary.goodbyes == [ENDS[how][1]]
        assert server.sockets.wires == {}
        assert server.connections() == []
    assert loop.time() == began


@simulated
async def test_close_frame_of_ours_waits_for_nothing() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join("/clerk"))
        peer.send_bytes(text("a"))
        await quiet()
        aviary.diary[0].connection.close(1000, "as you wish")
        assert await peer.end() == (1000, "as you wish")
        assert server.connections() == []


@simulated
async def test_more_messages_than_one_turn_handles_are_all_handled() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(b"".join(text(str(number)) for number in range(5_000)))
        await peer.until(lambda: len(peer.received) == 5_000)
        assert peer.received == [str(number) for number in range(5_000)]


@simulated
async def test_long_read_of_one_client_does_not_hold_up_the_others() -> None:
    async with simulated_server(Aviary()) as server:
        loud, quick = await greeted(await server.join()), await greeted(await server.join())
        pieces = encode_frame(Opcode.CONTINUATION, b"a", fin=False, mask=MASK) * 60_000
        loud.send_bytes(encode_frame(Opcode.BINARY, b"", fin=False, mask=MASK) + pieces)
        loud.send_bytes(encode_frame(Opcode.CONTINUATION, b"", mask=MASK))
        quick.send_text("me too")
        assert await quick.message() == "me too"
        assert loud.received == []
        assert await loud.message() == b"a" * 60_000


@simulated
async def test_message_of_another_actor_reaches_the_handler() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        send(server.connections()[0], "boo")
        assert await peer.message() == "somebody says boo"


@simulated
async def test_connection_is_labelled_with_what_it_serves() -> None:
    async with simulated_server(Aviary()) as server:
        await greeted(await server.join())
        browser = VirtualBrowser(server.door)
        await quiet()
        assert [ref.label for ref in server.connections()] == ["parrot #1", "connection #2"]
        browser.hang_up(EOF)


@simulated
async def test_first_subprotocol_of_the_client_that_the_route_speaks_is_chosen() -> None:
    async with simulated_server(Aviary()) as server:
        peer = VirtualBrowser(server.door)
        handshake = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        peer.send_bytes(get("/spoken", *handshake, key, "Sec-WebSocket-Protocol: roar, chirp, squawk"))
        await peer.until(lambda: b"hello" in peer.answers)
        assert b"\r\nSec-WebSocket-Protocol: chirp\r\n" in peer.answers


# Crashes of the connection actor.


@pytest.mark.parametrize("how", ["crash", "force_exit", "kill", "signal"])
@simulated
async def test_socket_survives_the_crash_of_its_actor(how: str) -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        (ref,) = server.connections()
        match how:
            case "crash":
                peer.send_text("crash")
            case "force_exit":
                force_exit(ref, "crash")
            case _:
                send_exit(ref, how)
        await greeted(peer)  # by its next incarnation
        peer.send_text("still there?")
        assert await peer.message() == "still there?"
        (successor,) = server.connections()
        assert successor is not ref
        assert aviary.parrots == 2
        assert peer.closed is None


@simulated
async def test_messages_behind_the_one_that_crashed_are_handled_and_that_one_is_not_again() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(text("before") + text("crash") + text("after") + text("later"))
        await peer.until(lambda: "later" in peer.received)
        assert peer.received == ["before", "hello", "after", "later"]


@simulated
async def test_message_cut_in_two_by_a_crash_arrives_whole() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        frame = text("half and half")
        peer.send_bytes(frame[:9])
        await quiet()
        force_exit(server.connections()[0], "crash")
        peer.send_bytes(frame[9:])
        await peer.until(lambda: len(peer.received) == 2)
        assert peer.received == ["hello", "half and half"]


@simulated
async def test_handler_that_crashes_on_every_message_is_closed_with_1011_and_neighbours_never_notice() -> None:
    aviary = Aviary()
    async with simulated_server(aviary, crash_budget=Limit(3, 10.0)) as server:
        neighbour = await greeted(await server.join())
        victim = await greeted(await server.join())
        before = server.connections()[0]
        for _ in range(3):
            victim.send_text("crash")
            await greeted(victim)
        victim.send_text("crash")
        code, reason = await victim.end()
        assert (code, reason) == (1011, "the server failed to handle this connection")
        neighbour.send_text("what was that?")
        assert await neighbour.message() == "what was that?"
        assert server.connections() == [before]
        assert aviary.parrots == 1 + 4
        assert list(server.sockets.wires) == [1]


@simulated
async def test_crashes_that_are_far_apart_are_forgiven() -> None:
    async with simulated_server(Aviary(), crash_budget=Limit(1, 10.0)) as server:
        peer = await greeted(await server.join())
        for _ in range(5):
            peer.send_text("crash")
            await greeted(peer)
            await settle(10.1)
        assert peer.closed is None


@simulated
async def test_handler_that_cannot_open_is_closed_with_1011() -> None:
    async with simulated_server(Aviary(), crash_budget=Limit(3, 10.0)) as server:
        peer = await server.join("/stillborn")
        assert (await peer.end())[0] == 1011
        await quiet()
        assert server.connections() == []


@simulated
async def test_actor_that_ends_by_itself_takes_its_socket_along() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        await stop(server.connections()[0])
        assert await peer.end() == (1001, "")


@simulated
async def test_nothing_of_the_client_is_read_while_nobody_would_handle_it() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        send_exit("server.connections", "kill")
        for number in range(100):
            peer.send_text(str(number))
        await peer.until(lambda: len(peer.received) == 101)
        assert peer.received == ["hello", *map(str, range(100))]
        assert wire.owner is server.connections()[0]


# Wires without an owner.


@simulated
async def test_wire_that_nobody_adopts_is_closed_with_1011() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        probe = await Probe.begin()
        wire.adopt(probe.ref)  # takes it from the connection actor, and dies
        began = loop.time()
        send_exit(probe.ref, "kill")
        assert (await peer.end())[0] == 1011
        assert loop.time() - began == pytest.approx(ADOPTION_TIMEOUT)
        force_exit(server.connections()[0], "crash")  # its wire is gone, so nobody follows it
        await quiet()
        assert server.connections() == []


@simulated
async def test_wire_waits_for_its_owner_as_long_as_its_server_is_being_restarted() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        (supervisor,) = (process.parent for process in processes() if process.kind == "Listener")
        assert supervisor is not None
        await terminate_child(supervisor, "listener")
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        await kill(probe.ref)
        await settle(20.0 * ADOPTION_TIMEOUT)  # as long as those before it take to start
        assert peer.closed is None
        await restart_child(supervisor, "listener")
        await quiet()
        peer.send_text("after the restart")
        await peer.until(lambda: "after the restart" in peer.received)


@simulated
async def test_wire_is_not_given_up_while_others_are_being_adopted() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        await greeted(await server.join())
        last = await greeted(await server.join())
        for wire in server.sockets.wires.values():
            probe = await Probe.begin()
            wire.adopt(probe.ref)
            await kill(probe.ref)
        first = next(iter(server.sockets.wires.values()))
        began = loop.time()
        probe = await Probe.begin()
        for _ in range(3):  # as if there were thousands to be adopted
            await settle(0.9 * ADOPTION_TIMEOUT)
            first.adopt(probe.ref)
        assert last.closed is None
        assert (await last.end())[0] == 1011
        assert loop.time() - began == pytest.approx(3.7 * ADOPTION_TIMEOUT)
        await kill(probe.ref)


@simulated
async def test_wire_is_owned_by_one_actor_only() -> None:
    async with simulated_server(Aviary()) as server:
        await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        with pytest.raises(Ignored):
            await start(Connection, Aviary(), wire)
        assert len(server.connections()) == 1
        assert wire.owner is server.connections()[0]


@simulated
async def test_orphans_are_the_open_wires_without_an_owner() -> None:
    async with simulated_server(Aviary()) as server:
        await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        assert server.sockets.orphans() == []
        probe = await Probe.begin()
        wire.adopt(probe.ref)
        await kill(probe.ref)
        assert server.sockets.orphans() == [wire]
        wire.abort()
        await quiet()
        assert server.sockets.orphans() == []


@simulated
async def test_limits_of_a_websocket_hold_instead_of_those_of_the_server() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        limited = WebSocket(lambda connection: Parrot(connection, aviary.diary), limits=Limits(message=10))
        aviary.later.set_result(limited)
        peer = await greeted(await server.join("/later"))
        peer.send_text("x" * 10)
        assert await peer.message() == "x" * 10
        peer.send_text("x" * 11)
        await settle(1.0)
        assert peer.closed is not None
        assert peer.closed[0] == 1009


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
            while (event := wire.take()) is not None:
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
        assert len(wire.events) <= MAX_UNTAKEN // 600_000 + 1
        taken = 0
        while taken < 20:
            assert wire.events, "reading did not go on"
            while wire.take() is not None:
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
            while wire.take() is not None:
                taken += 1
            await settle(0.001)
        await kill(probe.ref)


# Clients that go.


@simulated
async def test_clients_close_is_answered_and_nothing_is_left() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        await peer.leave()
        await quiet()
        assert aviary.goodbyes == [(1000, "")]
        assert (server.connections(), server.sockets.wires) == ([], {})


@pytest.mark.parametrize("how", [EOF, RESET])
@simulated
async def test_client_that_vanishes_leaves_nothing(how: str) -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        peer.hang_up(how)
        await peer.end()
        await quiet()
        assert aviary.goodbyes == [(1006, "")]
        assert (server.connections(), server.sockets.wires) == ([], {})


@pytest.mark.parametrize("how", [EOF, RESET])
@simulated
async def test_client_that_vanishes_before_the_handshake_leaves_nothing(how: str) -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(b"GET / HT")
        await quiet()
        assert len(server.connections()) == 1
        browser.hang_up(how)
        await browser.end()
        await quiet()
        assert (server.connections(), server.sockets.wires) == ([], {})


@simulated
async def test_client_that_vanishes_while_its_actor_crashes_leaves_nothing() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        force_exit(server.connections()[0], "crash")
        peer.hang_up(RESET)
        await peer.end()
        await quiet()
        assert (server.connections(), server.sockets.wires) == ([], {})


@simulated
async def test_wire_that_is_lost_before_its_handshake_is_answered_leaves_nothing() -> None:
    aviary = Aviary()
    async with simulated_server(aviary, proxies=Proxies(local=True), max_per_address=1) as server:
        peer = VirtualPeer()
        peer.begin(server.door, "/later", ["X-Forwarded-For: 192.0.2.1"])
        await aviary.asked()
        (wire,) = server.sockets.wires.values()
        wire.abort()  # with TLS a reset is noticed even while reading pauses
        await peer.end()
        aviary.later.set_result(WebSocket(lambda connection: Parrot(connection, aviary.diary)))
        await quiet()
        assert (server.connections(), server.sockets.wires, aviary.diary) == ([], {}, [])
        assert server.sockets.admission.websockets.present == {}
        assert server.sockets.deadlines.is_idle


@simulated
async def test_what_came_behind_a_violation_holds_nobody_up() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        began = loop.time()
        unmasked = encode_frame(Opcode.TEXT, b"")
        peer.send_bytes(text("") * (MAX_EVENTS + 100) + unmasked + bytes(200_000))
        await peer.end()
        await quiet()
        assert peer.closed is not None
        assert peer.closed[0] == 1002
        assert loop.time() == began
        assert server.sockets.cut_off == {}


@simulated
async def test_what_came_before_the_end_of_tls_is_heard() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        wire.data_received(text("x" * 1_000) * 200 + encode_frame(Opcode.CLOSE, b"\x03\xe8", mask=MASK))
        assert wire.eof_received()  # TLS tells of it though reading pauses
        await quiet()
        assert aviary.goodbyes == [(1000, "")]
        assert server.connections() == []


@simulated
async def test_handler_may_close() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        peer = await greeted(await server.join())
        peer.send_bytes(text("bye") + text("too late"))
        assert await peer.end() == (1000, "as you wish")
        await quiet()
        assert "too late" not in peer.received
        assert aviary.goodbyes == [(1000, "as you wish")]


@simulated
async def test_client_that_does_not_answer_a_close_frame_is_dropped_in_time() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        peer.is_mute = True
        began = loop.time()
        peer.send_text("bye")
        assert await peer.end() == (1000, "as you wish")
        assert loop.time() - began == pytest.approx(CLOSE_TIMEOUT)


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


# HTTP.


@simulated
async def test_one_connection_serves_many_requests() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        for number in range(3):
            browser.send_bytes(get(f"/plain?{number}"))
            assert (await browser.answer()).endswith(f"\r\n\r\n/plain?{number}".encode())
        browser.send_bytes(get("/nowhere"))
        assert b"404 Not Found" in await browser.answer()
        browser.send_bytes(get("/plain", "Connection: close"))
        assert b"\r\nConnection: close\r\n" in await browser.answer()
        await browser.end()


@pytest.mark.parametrize("data", [b"G", b"GET /plain HT", b"GET /plain HTTP/1.1\r\nHost: a"])
@pytest.mark.parametrize("before", [b"", get("/plain")], ids=["first request", "second request"])
@simulated
async def test_client_that_does_not_finish_a_request_gets_408_in_time(before: bytes, data: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(before + data[:1])
        if before:
            await browser.answer()
        began = loop.time()
        await settle(0.9 * REQUEST_TIMEOUT)  # a trickle wins no time
        browser.send_bytes(data[1:])
        assert (await browser.answer()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert loop.time() - began == pytest.approx(REQUEST_TIMEOUT)
        browser.hang_up(EOF)
        await browser.end()
        await quiet()
        assert server.connections() == []
        assert server.sockets.cut_off == {"request": 1}


@pytest.mark.parametrize("before", [b"", get("/plain")], ids=["never a request", "after a request"])
@simulated
async def test_client_that_sends_nothing_is_dropped_in_time_without_a_word(before: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(before)
        if before:
            await browser.answer()
        began = loop.time()
        await settle(REQUEST_TIMEOUT)
        browser.hang_up(EOF)
        await browser.end()
        assert loop.time() - began == pytest.approx(REQUEST_TIMEOUT)
        assert browser.answers == b""
        assert server.sockets.cut_off == {}


@simulated
async def test_request_that_comes_in_the_last_moment_is_answered() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        loop.call_at(loop.time() + REQUEST_TIMEOUT, browser.send_bytes, get("/plain"))
        assert (await browser.answer()).endswith(b"/plain")
        browser.send_bytes(get("/plain?again"))
        assert (await browser.answer()).endswith(b"/plain?again")


@simulated
async def test_websocket_may_be_silent_for_hours() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        await settle(10_000.0)
        peer.send_text("still there?")
        assert await peer.message() == "still there?"


@simulated
async def test_pipelined_requests_are_answered_in_order() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(get("/later") + get("/plain?2") + get("/plain?3"))
        await aviary.asked()
        assert browser.answers == b""
        aviary.later.set_result(Response(200, (), b"first"))
        for expected in (b"first", b"/plain?2", b"/plain?3"):
            assert (await browser.answer()).endswith(b"\r\n\r\n" + expected)


@simulated
async def test_client_that_sends_no_more_still_gets_its_answer() -> None:
    aviary = Aviary()
    async with simulated_server(aviary) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(get("/later"))
        await aviary.asked()
        browser.hang_up(EOF)
        aviary.later.set_result(Response(200, (), b"here you are"))
        assert (await browser.answer()).endswith(b"here you are")
        await browser.end()


@simulated
async def test_request_whose_actor_crashes_gets_500_and_the_socket_is_closed() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Aviary()) as server:
        for path, crashes_after in (("/crash", 0.0), ("/later/crash", 1.0)):
            began = loop.time()
            browser = VirtualBrowser(server.door)
            browser.send_bytes(get(path))
            answer = await browser.answer()
            assert loop.time() - began == pytest.approx(crashes_after)
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert b"\r\nConnection: close\r\n" in answer
            await browser.end()
        await quiet()
        assert server.connections() == []


@simulated
async def test_request_that_waits_behind_a_crash_is_served() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        await quiet()
        browser.send_bytes(get("/plain"))
        (wire,) = server.sockets.wires.values()
        while not wire.events:
            await asyncio.sleep(0)
        force_exit(server.connections()[0], "crash")  # before it took the request
        assert (await browser.answer()).endswith(b"/plain")


@simulated
async def test_error_of_an_answer_that_takes_time_is_sent() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(get("/later/refused") + get("/plain"))
        assert b"418" in await browser.answer()
        assert (await browser.answer()).endswith(b"/plain")


@simulated
async def test_request_that_cannot_be_understood_is_answered_and_nothing_is_left() -> None:
    async with simulated_server(Aviary()) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(b"NONSENSE\r\n\r\n")
        assert (await browser.answer()).startswith(b"HTTP/1.1 400 ")
        await browser.end()
        await quiet()
        assert server.connections() == []
