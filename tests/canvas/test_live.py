"""The whole canvas over real sockets, with the `websockets` package as the client."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from actors import NORMAL, Ref, down, send_exit, whereis
from actors.debug import force_exit, processes
from canvas.application import CanvasApplication
from canvas.config import read_rate_limit
from protocol import Opcode, encode_frame
from tests.support.client import assert_same_canvas, paint_together
from tests.support.instance import connection_of, find_child, mended, new_application, running
from tests.support.raw_socket import RawSocket, client_frame, request
from tests.support.scenarios import live, live_on_every_loop
from tests.support.websocket_client import WebSocketClient

RED = "#FF0000"


async def gone(application: CanvasApplication) -> None:
    """Wait until no wire is left."""
    empty = asyncio.Event()
    application.sockets.when_gone(application.sockets.wires.values(), empty.set)
    await empty.wait()


# Painting.


@live_on_every_loop
async def test_two_clients_paint_together(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        ann, bob = await WebSocketClient.open(application), await WebSocketClient.open(application)
        assert (ann.screen.width, ann.screen.height, ann.screen.background) == (32, 16, "#FFFFFF")
        ann.paint(1, 2, RED)
        bob.paint(3, 4, "#00ff00")
        for client in (ann, bob):
            await client.until(lambda screen=client.screen: screen.seq == 2)
            assert client.screen.pixels == {(1, 2): RED, (3, 4): "#00FF00"}
        await ann.until(lambda: ann.screen.users == {"user1", "user2"})
        await bob.leave()
        await ann.until(lambda: ann.screen.users == {"user1"})
        assert ann.screen.history == [("joined", "user2"), ("left", "user2")]


@live
async def test_cursor_is_seen_by_the_others(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        ann, bob = await WebSocketClient.open(application), await WebSocketClient.open(application)
        ann.send(type="cursor_move", x=5, y=6)
        await bob.until(lambda: bob.screen.cursors == {"user1": (5, 6)})


@live
async def test_every_bad_message_gets_its_error_and_the_connection_stays(tmp_path: Path) -> None:
    expected: list[tuple[str | bytes, str, str | None]] = [
        ("nonsense", "invalid_json", None),
        ("[]", "invalid_message", None),
        ("{}", "missing_field", "type"),
        ('{"type":"paint"}', "unknown_type", "type"),
        ('{"type":"cursor_move","x":1}', "missing_field", "y"),
        ('{"type":"cursor_move","x":true,"y":1}', "invalid_field", "x"),
        ('{"type":"cursor_move","x":1,"y":16}', "out_of_bounds", "y"),
        ('{"type":"pixel_update","x":1,"y":1,"color":"red"}', "invalid_color", "color"),
        (b"\x00\x01", "unsupported_data", None),
    ]
    async with running(new_application(tmp_path)) as application:
        ann = await WebSocketClient.open(application)
        for message, code, field in expected:
            ann.send_binary(message) if isinstance(message, bytes) else ann.send_text(message)
            error = await ann.error()
            assert (error["code"], error.get("field")) == (code, field)
            assert field is None or field in error["message"]
        ann.paint(0, 0, RED)
        await ann.until(lambda: ann.screen.seq == 1)


@live
async def test_flood_gets_rate_limited_and_then_1008(tmp_path: Path) -> None:
    limit = read_rate_limit("--rate-limit", "10/s")
    async with running(new_application(tmp_path, rate_limit=limit)) as application:
        ann, bob = await WebSocketClient.open(application), await WebSocketClient.open(application)
        for _ in range(2_000):
            ann.paint(0, 0, RED)
        code, reason = await ann.end()
        assert code == 1008
        assert "rate_limited" in reason
        assert {error["code"] for error in ann.screen.errors} == {"rate_limited"}
        bob.paint(1, 1, RED)
        await bob.until(lambda: bool(bob.screen.own))


@live
async def test_message_in_fragments_and_a_ping_between_them_are_understood(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application, await RawSocket.open(application.sockets.port) as raw:
        await raw.upgrade()
        message = b'{"type":"pixel_update","x":0,"y":0,"color":"#FF0000"}'
        raw.send(client_frame(Opcode.TEXT, message[:10], fin=False))
        raw.send(client_frame(Opcode.PING, b"still there?"))
        raw.send(client_frame(Opcode.CONTINUATION, message[10:]))
        frames = [await raw.frame() for _ in range(4)]
        assert (Opcode.PONG, b"still there?") in frames
        kinds = [json.loads(payload)["type"] for opcode, payload in frames if opcode is Opcode.TEXT]
        assert kinds == ["welcome", "canvas_state", "pixel_changed"]


@live
async def test_clients_with_and_without_compression_see_the_same(tmp_path: Path) -> None:
    async with running(new_application(tmp_path, compression=True)) as application:
        ann = await WebSocketClient.open(application)
        for number in range(400):
            ann.paint(number % 32, number // 32, RED)
        await ann.until(lambda: len(ann.screen.own) == 400)
        bob = await WebSocketClient.open(application, compression="deflate")
        assert bob.connection.protocol.extensions, "compression was not agreed on"
        (wire,) = (wire for wire in application.sockets.wires.values() if wire.session.variant is not None)
        assert wire.bytes_out < 5_000, "the state was not compressed"
        ann.paint(31, 15, RED)
        for client in (ann, bob):
            await client.until(lambda screen=client.screen: screen.seq == 401)
            assert client.screen.pixels == ann.screen.pixels


# Frames that break a rule.


@pytest.mark.parametrize(
    ("data", "code", "section"),
    [
        (b"\x81\x05hello", 1002, "§5.1"),  # not masked
        (b"\xc1\x80\0\0\0\0", 1002, "§5.2"),  # RSV1
        (b"\x83\x80\0\0\0\0", 1002, "§5.2"),  # a reserved opcode
        (b"\x89\xfe\0\x80\0\0\0\0", 1002, "§5.5"),  # a ping of 128 bytes
        (b"\x09\x80\0\0\0\0", 1002, "§5.5"),  # a ping in fragments
        (b"\x80\x80\0\0\0\0", 1002, "§5.4"),  # a continuation of nothing
        (client_frame(Opcode.TEXT, b"a", fin=False) + client_frame(Opcode.TEXT, b"b"), 1002, "§5.4"),
        (client_frame(Opcode.TEXT, b"\xff"), 1007, "§"),
        (client_frame(Opcode.CLOSE, b"\x00"), 1002, "§5.5.1"),
        (client_frame(Opcode.CLOSE, (1005).to_bytes(2)), 1002, "§7.4"),
        (b"\x81\xff\0\0\0\0\0\x10\0\x01\0\0\0\0", 1009, ""),  # too long, told by the header alone
    ],
    ids=lambda part: part if isinstance(part, str) else str(part)[:24],
)
def test_frame_that_breaks_a_rule_gets_its_close_code_and_the_rule(
    tmp_path: Path, data: bytes, code: int, section: str
) -> None:
    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path)) as application:
            neighbour = await WebSocketClient.open(application)
            async with await RawSocket.open(application.sockets.port) as raw:
                await raw.upgrade()
                raw.send(data)
                closed, reason = await raw.close_frame()
                assert closed == code
                assert section in reason
                assert await raw.rest() == b""
            neighbour.paint(0, 0, RED)
            await neighbour.until(lambda: neighbour.screen.seq == 1)

    scenario()


@live_on_every_loop
async def test_client_that_does_not_read_is_cut_off_once(tmp_path: Path) -> None:
    async with (
        running(new_application(tmp_path)) as application,
        await RawSocket.open(application.sockets.port) as raw,
    ):
        await raw.upgrade()
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that also reads
        (wire,) = application.sockets.wires.values()
        for _ in range(50):
            wire.send_frames(encode_frame(Opcode.TEXT, b"x" * 1_000_000))
        await gone(application)
        assert application.sockets.cut_off.total() == 1


@pytest.mark.parametrize("upgraded", [True, False], ids=["a frame too long", "a header too long"])
@live_on_every_loop
async def test_client_that_goes_on_sending_can_still_read_which_rule_it_broke(tmp_path: Path, upgraded: bool) -> None:
    async with (
        running(new_application(tmp_path)) as application,
        await RawSocket.open(application.sockets.port) as raw,
    ):
        if upgraded:
            await raw.upgrade()
            raw.send(b"\x82\xff" + (1 << 24).to_bytes(8) + bytes(4))
        else:
            raw.send(b"GET / HTTP/1.1\r\nHost: a\r\nA: ")
        raw.send(b"x" * (1 << 24))
        await raw.writer.drain()  # a reset would break it off
        if upgraded:
            assert (await raw.close_frame())[0] == 1009
        else:
            assert (await raw.answer()).status == 431
        assert await raw.reader.read() == b""


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_close_of_the_client_is_echoed(tmp_path: Path, code: int) -> None:
    @live
    async def scenario() -> None:
        async with (
            running(new_application(tmp_path)) as application,
            await RawSocket.open(application.sockets.port) as raw,
        ):
            await raw.upgrade()
            raw.send(client_frame(Opcode.CLOSE, code.to_bytes(2) + b"bye"))
            assert (await raw.close_frame())[0] == code
            assert await raw.rest() == b""
            await gone(application)

    scenario()


# Clients that vanish.


@pytest.mark.parametrize("how", ["reset", "half close", "close in a frame", "before the handshake"])
@live_on_every_loop
async def test_client_that_vanishes_leaves_no_wire_no_actor_and_no_entry(tmp_path: Path, how: str) -> None:
    async with running(new_application(tmp_path)) as application:
        raw = await RawSocket.open(application.sockets.port)
        if how == "before the handshake":
            raw.send(request("GET", "/healthz"))
            await raw.answer()
            raw.send(b"GET /ws HT")
        else:
            await raw.upgrade()
            await raw.frame()
        (actor,) = connections()
        ended = down(actor)
        match how:
            case "reset":
                raw.reset()
            case "half close":
                raw.writer.write_eof()
            case "close in a frame":
                raw.send(b"\x81\xff\0\0")
        raw.writer.close()
        assert await ended == NORMAL
        await gone(application)
        await mended(application)
        assert connections() == []
        room = application.room
        assert (len(room.users), len(room.viewers)) == (0, 0)


def connections() -> list[Ref]:
    return [process.ref for process in processes() if process.kind == "Connection"]


# Too many.


@live
async def test_connection_too_many_gets_503_and_the_others_never_notice(tmp_path: Path) -> None:
    async with running(new_application(tmp_path, max_connections=2)) as application:
        ann, bob = await WebSocketClient.open(application), await WebSocketClient.open(application)
        async with await RawSocket.open(application.sockets.port) as raw:
            raw.send(request("GET", "/"))
            answer = await raw.answer()
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
            assert await raw.rest() == b""
        ann.paint(0, 0, RED)
        await bob.until(lambda: bob.screen.seq == 1)
        await bob.leave()
        await ann.until(lambda: ann.screen.users == {"user1"})
        await WebSocketClient.open(application)


@live
async def test_a_thousand_connections_are_each_an_actor_and_stop_says_1001_to_each(tmp_path: Path) -> None:
    crowd = 1_000
    application = new_application(tmp_path, max_connections=crowd, drain_timeout=20.0)
    async with running(application):
        raws: list[RawSocket] = []
        for _ in range(crowd // 100):
            batch = [await RawSocket.open(application.sockets.port) for _ in range(100)]
            for raw in batch:
                await raw.upgrade()
            raws += batch
        for raw in raws:
            assert b'"type":"welcome"' in (await raw.frame())[1]
            assert b'"type":"canvas_state"' in (await raw.frame())[1]
        assert len(connections()) == len(application.room.viewers) == crowd

        async def farewell(raw: RawSocket) -> tuple[int, str]:
            closed = await raw.close_frame()
            raw.send(client_frame(Opcode.CLOSE, closed[0].to_bytes(2)))
            assert await raw.rest() == b""
            raw.writer.close()
            return closed

        farewells = asyncio.gather(*map(farewell, raws))
        await application.stop()
        assert set(await farewells) == {(1001, "the server is going away")}


@live_on_every_loop
async def test_stop_closes_each_client_with_1001_while_they_paint(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        clients = [await WebSocketClient.open(application) for _ in range(5)]
        painters = paint_together(clients)
        for painter in painters:
            await painter.paint_more()
        await application.stop()
        for client in clients:
            assert await client.end() == (1001, "the server is going away")


# Crashes.


VICTIMS: list[Any] = [
    "registry", "store", "broadcaster", "canvas", "history", "images", "server.connections", "user1",
    ("canopy", "server"), ("server", "listener"), ("server", "drainer"), ("canopy", "console"),
]  # fmt: skip


def find(application: CanvasApplication, victim: Any) -> Any:
    if isinstance(victim, tuple):
        return find_child(*victim)
    return connection_of(application, victim) if victim == "user1" else whereis(victim)


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("how", ["crash", "kill"])
@live_on_every_loop
async def test_any_actor_crashes_under_painting_clients_and_nobody_notices(
    tmp_path: Path, how: str, store: str
) -> None:
    async with running(new_application(tmp_path, tick=0.001, store=store)) as application:
        clients = [await WebSocketClient.open(application) for _ in range(4)]
        painters = paint_together(clients)
        for victim in VICTIMS:
            for painter in painters:
                await painter.paint_more(10)
            ref = find(application, victim)
            force_exit(ref, "crash") if how == "crash" else send_exit(ref, "kill")
            await mended(application)
        for painter in painters:
            await painter.paint_more()
        await assert_same_canvas(painters, await WebSocketClient.open(application))
        assert [client.screen.user_id for client in clients] == ["user1", "user2", "user3", "user4"]
        assert len(application.sockets.wires) == 5


@live
async def test_newcomers_are_let_in_while_the_listener_crashes(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        for _ in range(10):
            newcomers = asyncio.gather(*(WebSocketClient.open(application) for _ in range(5)))
            await asyncio.sleep(0)
            force_exit(find_child("server", "listener"), "crash")
            await mended(application)
            for client in await newcomers:
                await client.leave()


@live
async def test_visitor_whose_handler_always_crashes_is_closed_with_1011_and_neighbours_never_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from canvas.live.handler import CanvasHandler

    received = CanvasHandler.received

    def crash_on_binary(visitor: CanvasHandler, message: Any) -> None:
        if isinstance(message.data, bytes):
            raise ZeroDivisionError("a bug that one message finds")
        received(visitor, message)

    monkeypatch.setattr(CanvasHandler, "received", crash_on_binary)
    async with running(new_application(tmp_path)) as application:
        ann, bob = await WebSocketClient.open(application), await WebSocketClient.open(application)
        (painter,) = paint_together([bob])
        for _ in range(5):
            states = ann.screen.states
            ann.send_binary(b"boom")
            await ann.until(lambda states=states: ann.screen.states > states)
            await painter.paint_more()
        ann.send_binary(b"boom")
        assert (await ann.end())[0] == 1011
        await painter.paint_more()
        assert bob.screen.states == 1
        await assert_same_canvas([painter], await WebSocketClient.open(application))
