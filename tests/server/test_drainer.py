"""The end of a server in virtual time: nobody new, a goodbye to everybody, and no longer than allowed."""

import asyncio
from typing import Any

import pytest

from actors.debug import force_exit
from actors.testing import quiet, settle
from protocol import Request, Response
from supervision import which_children
from supervision.server import Policy, WebSocket
from tests.support.instance import find_child, simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, VirtualBrowser

CLOSE_TIMEOUT = Policy().close_timeout


class Listener:
    """A handler that says nothing."""

    def __init__(self, connection: object) -> None:
        pass

    def opened(self) -> None: ...

    def received(self, message: object) -> None: ...

    def drained(self) -> None: ...

    def informed(self, message: object) -> None: ...

    def closed(self, code: int, reason: str) -> None: ...


class Office:
    """Routes to a WebSocket, and to an answer that takes a second."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def __call__(self, request: Request) -> Any:
        return self._answer() if request.path == "/slow" else WebSocket(Listener)

    async def _answer(self) -> Response:
        self.asked.set()
        await asyncio.sleep(1)
        return Response(200, (), b"done")


@simulated
async def test_stop_says_1001_to_every_websocket() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Office(), max_connections=1_000) as server:
        peers = [await server.join() for _ in range(450)]
        began = loop.time()
        await server.application.stop()
        assert loop.time() == began
        assert {peer.closed for peer in peers} == {(1001, "the server is going away")}


@simulated
async def test_stop_ends_http_connections_that_wait_for_a_request() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Office()) as server:
        idle, halfway = VirtualBrowser(server.door), VirtualBrowser(server.door)
        halfway.send_bytes(b"GET / HT")
        await quiet()
        began = loop.time()
        await server.application.stop()
        assert loop.time() == began
        await idle.end()
        await halfway.end()


@simulated
async def test_who_asks_over_http_is_answered_as_long_as_websockets_say_goodbye() -> None:
    office, loop = Office(), asyncio.get_running_loop()
    async with simulated_server(office) as server:
        mute, asking, idle = await server.join(), VirtualBrowser(server.door), VirtualBrowser(server.door)
        mute.is_mute = True
        await quiet()
        began = loop.time()
        stopping = asyncio.ensure_future(server.application.stop())
        await settle(2.0)
        asking.send_bytes(b"GET /slow HTTP/1.1\r\nHost: canopy\r\n\r\n")
        answer = await asking.answer()
        assert answer.endswith(b"\r\n\r\ndone")
        assert b"\r\nConnection: close\r\n" in answer
        assert loop.time() - began == pytest.approx(3.0)
        await stopping
        await idle.end()
        assert loop.time() - began == pytest.approx(CLOSE_TIMEOUT)


@simulated
async def test_request_that_is_being_served_at_the_stop_is_answered() -> None:
    office, loop = Office(), asyncio.get_running_loop()
    async with simulated_server(office) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(b"GET /slow HTTP/1.1\r\nHost: canopy\r\n\r\n")
        await office.asked.wait()
        began = loop.time()
        await server.application.stop()
        answer = await browser.answer()
        assert answer.endswith(b"\r\n\r\ndone")
        assert b"\r\nConnection: close\r\n" in answer
        assert loop.time() - began == pytest.approx(1.0)


@simulated
async def test_client_that_does_not_say_goodbye_is_dropped_in_time() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Office()) as server:
        polite, mute = await server.join(), await server.join()
        mute.is_mute = True
        began = loop.time()
        await server.application.stop()
        assert loop.time() - began == pytest.approx(CLOSE_TIMEOUT)
        assert polite.closed == mute.closed == (1001, "the server is going away")


@simulated
async def test_client_that_does_not_read_is_dropped_at_the_drain_timeout() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Office(), drain_timeout=2.0) as server:
        peer = await server.join()
        peer.stall()
        began = loop.time()
        await server.application.stop()
        assert (await peer.end())[0] == 1006
        assert loop.time() - began == pytest.approx(2.0)


@simulated
async def test_handshake_that_arrives_during_the_stop_opens_nothing() -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(Office()) as server:
        early = VirtualBrowser(server.door)
        await quiet()
        server.sockets.prepare_stop()
        early.send_bytes(
            b"GET / HTTP/1.1\r\nHost: canopy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert (await early.answer()).startswith(b"HTTP/1.1 503 ")
        await early.end()
        began = loop.time()
        await server.application.stop()
        assert loop.time() == began


@simulated
async def test_drainer_that_is_only_restarted_closes_nobody() -> None:
    async with simulated_server(Office()) as server:
        peer = await server.join()
        for child in ("drainer", "listener", "drainer"):
            force_exit(find_child("server", child), "crash")
            await which_children(find_child("server master", "server"))
        await quiet()
        assert peer.closed is None
        peer.hang_up(EOF)
        await peer.end()
