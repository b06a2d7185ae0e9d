"""What the clients of a server and its port see of the end of an application, whichever end that is."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets

from actors import GenServer, StartError
from actors.debug import force_exit, processes
from protocol import Request, Response
from supervision import Application, Supervisor, child
from supervision.server import Answer, Sockets, WebSocket, listen, server
from supervision.server.outgoing import end_half
from tests.server.test_mistakes import Echo
from tests.support.scenarios import live_on_every_loop, simulated
from tests.support.virtual_network import VirtualNetwork


def routes(request: Request) -> Answer:
    return WebSocket(Echo) if request.path == "/ws" else Response(200, (), b"here")


class Broken(GenServer):
    """Fails to start, as soon as it may."""

    async def init(self, started: asyncio.Event, may_fail: asyncio.Event) -> None:
        started.set()
        await may_fail.wait()
        raise RuntimeError("no")


def application_of(sockets: Sockets, *more: Any) -> Application:
    return Application(child(Supervisor, [server("server", sockets, routes), *more], id="top"))


@asynccontextmanager
async def stopped(sockets: Sockets) -> AsyncIterator[Application]:
    application = application_of(sockets)
    await application.start()
    yield application
    await application.stop()


@asynccontextmanager
async def killed(sockets: Sockets) -> AsyncIterator[Application]:
    application = application_of(sockets)
    await application.start()
    yield application
    await application.kill()


@asynccontextmanager
async def ended_by_itself(sockets: Sockets) -> AsyncIterator[Application]:
    application = application_of(sockets)
    top = await application.start()
    yield application
    force_exit(top, "crash")
    await application.wait()


@asynccontextmanager
async def not_started_whole(sockets: Sockets) -> AsyncIterator[Application]:
    started, may_fail = asyncio.Event(), asyncio.Event()
    application = application_of(sockets, child(Broken, started, may_fail))
    starting = asyncio.ensure_future(application.start())
    await started.wait()
    yield application
    may_fail.set()
    with pytest.raises(StartError):
        await starting


@asynccontextmanager
async def stopped_during_the_start(sockets: Sockets) -> AsyncIterator[Application]:
    started = asyncio.Event()
    application = application_of(sockets, child(Broken, started, asyncio.Event()))
    starting = asyncio.ensure_future(application.start())
    await started.wait()
    yield application
    await application.stop()
    with pytest.raises(StartError):
        await starting


LIVES = [stopped, killed, ended_by_itself, not_started_whole, stopped_during_the_start]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
@live_on_every_loop
async def test_every_end_says_1001_to_websockets_and_closes_the_port(life: Callable[[Sockets], Any]) -> None:
    sockets = Sockets(listen("127.0.0.1", 0))
    port = sockets.port
    async with life(sockets):
        client = await websockets.connect(f"ws://127.0.0.1:{port}/ws")
        await client.send("hello")
        assert await client.recv() == "hello"
    with pytest.raises(websockets.ConnectionClosed) as caught:
        await client.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert processes() == []
    (again,) = listen("127.0.0.1", port)
    again.close()


@simulated
async def test_sockets_of_an_application_that_has_ended_cannot_be_served_again() -> None:
    sockets = Sockets([VirtualNetwork().listen().as_socket()])
    application = application_of(sockets)
    await application.start()
    await application.stop()
    for another in (application, application_of(sockets)):
        with pytest.raises(StartError, match="these Sockets are closed, because their application has ended"):
            await another.start()
        assert processes() == []


@live_on_every_loop
async def test_connection_that_the_peer_has_reset_can_still_be_ended() -> None:
    ended = asyncio.get_running_loop().create_future()

    class Deaf(asyncio.Protocol):
        """Hears of the reset when it reads, so later than the system."""

        def connection_lost(self, exc: Exception | None) -> None:
            ended.set_result(None)

    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as peer:
        accepted, _ = listening.accept()
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(Deaf, accepted)
        transport.pause_reading()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        end_half(transport)
        transport.abort()
        await ended
