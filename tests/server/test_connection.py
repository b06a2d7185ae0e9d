"""A connection in virtual time: messages reach the handler whole and in order, and are answered."""

from actors import send
from actors.testing import quiet, settle
from protocol import Limits, Opcode, encode_frame
from supervision.server import WebSocket
from tests.server.aviary import Aviary, Parrot, get, greeted, text
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, MASK, VirtualBrowser


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
async def test_websocket_may_be_silent_for_hours() -> None:
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        await settle(10_000.0)
        peer.send_text("still there?")
        assert await peer.message() == "still there?"
