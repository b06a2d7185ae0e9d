"""TLS over real sockets: the same server, and handshakes that never end hold up nobody."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme

from actors.debug import force_exit, processes
from protocol import Binary, Opcode, Request, Response, Text
from supervision import Application
from supervision.server import Connection, Policy, Sockets, WebSocket, listen, server
from supervision.server.outgoing import PIECE
from supervision.server.progress import progress_of
from tests.support.raw_socket import RawSocket, client_frame, handshake, request
from tests.support.scenarios import live, live_on_every_loop


class Echo:
    """Repeats texts."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def opened(self) -> None: ...

    def received(self, message: Text | Binary) -> None:
        self.connection.send_text(message.data)

    def drained(self) -> None: ...

    def informed(self, message: Any) -> None: ...

    def closed(self, code: int, reason: str) -> None: ...


def routes(request: Request) -> Response | WebSocket:
    if request.path == "/ws":
        return WebSocket(Echo)
    if request.path[1:].isdigit():
        return Response(200, (), bytes(int(request.path[1:])))
    return Response(200, (), f"{request.is_secure}".encode())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs certificates here."""
    return trustme.CA()


class Site:
    """A server that speaks TLS, and the way to it."""

    def __init__(self, authority: trustme.CA, **rules: Any) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.sockets = Sockets(listen("127.0.0.1", 0), Policy(tls=context, **rules))
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)

    async def open(self) -> RawSocket:
        """A client, after its TLS handshake."""
        return RawSocket(*await asyncio.open_connection("127.0.0.1", self.sockets.port, ssl=self.trust))

    async def open_plain(self) -> RawSocket:
        """A client that speaks no TLS."""
        return await RawSocket.open(self.sockets.port)


@contextlib.asynccontextmanager
async def serving(authority: trustme.CA, **rules: Any) -> AsyncIterator[Site]:
    """Run a site, and check that it leaves nothing behind."""
    site = Site(authority, **rules)
    application = Application(server("server", site.sockets, routes))
    await application.start()
    yield site
    await application.stop()
    assert (site.sockets.wires, site.sockets.connecting, processes()) == ({}, {}, [])


@live_on_every_loop
async def test_requests_and_websockets_pass_through_tls(authority: trustme.CA) -> None:
    async with serving(authority) as site, await site.open() as client:
        client.send(request("GET", "/"))
        assert (await client.answer()).body == b"True"
        client.send(handshake() + client_frame(Opcode.TEXT, b"hello"))
        assert (await client.answer()).status == 101
        assert await client.reader.readexactly(7) == b"\x81\x05hello"
        client.send(client_frame(Opcode.CLOSE, b"\x03\xe8"))
        assert await client.rest() == b"\x88\x02\x03\xe8"


@live_on_every_loop
async def test_plain_text_to_a_tls_port_is_dropped_and_nobody_notices(authority: trustme.CA) -> None:
    async with serving(authority) as site, await site.open_plain() as stranger:
        stranger.send(request("GET", "/"))
        await stranger.rest()
        async with await site.open() as client:
            client.send(request("GET", "/"))
            assert (await client.answer()).status == 200


@live
async def test_handshake_that_is_never_made_is_cut_in_time_and_holds_up_nobody(authority: trustme.CA) -> None:
    async with serving(authority, request_timeout=0.3) as site, await site.open_plain() as silent:
        async with await site.open() as client:
            client.send(request("GET", "/"))
            assert (await client.answer()).status == 200
        assert await silent.rest() == b""
        assert site.sockets.cut_off["tls"] == 1


@live
async def test_handshakes_count_as_connections(authority: trustme.CA) -> None:
    async with serving(authority, max_connections=1) as site, await site.open_plain(), await site.open() as second:
        second.send(request("GET", "/"))
        assert (await second.answer()).status == 503


@live
async def test_stop_does_not_wait_for_handshakes(authority: trustme.CA) -> None:
    async with serving(authority, request_timeout=60.0) as site, await site.open_plain(), await site.open() as client:
        client.send(request("GET", "/"))
        assert (await client.answer()).status == 200
        assert len(site.sockets.connecting) == 1


@live
async def test_tls_connection_survives_the_crash_of_its_actor(authority: trustme.CA) -> None:
    async with serving(authority) as site, await site.open() as client:
        client.send(handshake())
        assert (await client.answer()).status == 101
        (connection,) = (process.ref for process in processes() if process.kind == "Connection")
        force_exit(connection, "crash")
        client.send(client_frame(Opcode.TEXT, b"still here"))
        assert await client.reader.readexactly(12) == b"\x81\x0astill here"


@live_on_every_loop
async def test_little_is_encrypted_for_a_peer_that_does_not_read(authority: trustme.CA) -> None:
    size = 30_000_000
    async with serving(authority) as site:
        client = await site.open()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a reading transport, too
        client.send(request("GET", f"/{size}"))
        while not site.sockets.unread.total:
            await asyncio.sleep(0)
        (wire,) = site.sockets.wires.values()
        assert wire._transport is not None
        progress = progress_of(wire._transport)
        given = wire.bytes_out - wire._queued_bytes
        assert given - progress.acknowledged(given) - progress.held() < 6 * PIECE
        assert wire.unread > size // 3
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len((await client.answer()).body) == size
        assert site.sockets.unread.total == 0
        client.writer.close()
