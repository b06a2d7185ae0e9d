"""The end of a connection: earlier messages are answered, and nothing is left behind."""

import asyncio

import pytest

from actors import KILL, send, send_exit
from actors.debug import force_exit, resume, suspend
from actors.testing import quiet, settle
from protocol import Opcode, encode_frame
from supervision.server import Policy, Proxies, WebSocket
from supervision.server.incoming import MAX_EVENTS
from tests.server.aviary import Aviary, Parrot, greeted, text
from tests.support.instance import simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, MASK, RESET, VirtualBrowser, VirtualPeer

CLOSE_TIMEOUT = Policy().close_timeout


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
