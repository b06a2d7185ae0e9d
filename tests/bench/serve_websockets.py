"""The same jobs on the `websockets` package: its asyncio server on uvloop, as its documentation has them.

An echo is `async for message in connection: await connection.send(message)`; the canvas is `broadcast()` of one
frame per change to the set of viewers. Compression and keep-alive pings are off and the message limit is 1 MiB, as
in the other servers. TCP_NODELAY is set by uvloop.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import suppress

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from tests.bench.pixels import Pixels

viewers: set[ServerConnection] = set()
pixels = Pixels()


async def echo(connection: ServerConnection) -> None:
    """Send every message back."""
    async for message in connection:
        await connection.send(message)


async def paint(connection: ServerConnection) -> None:
    """Tell everybody of every change."""
    user_id = secrets.token_hex(4)
    for text in pixels.greeting(user_id):
        await connection.send(text, text=True)
    viewers.add(connection)
    try:
        async for message in connection:
            assert isinstance(message, str)
            broadcast(viewers, pixels.paint(message, user_id), text=True)
    finally:
        viewers.discard(connection)


async def handle(connection: ServerConnection) -> None:
    """Choose the job by the path."""
    assert connection.request is not None
    with suppress(ConnectionClosed):  # the load generator may be interrupted
        await (echo if connection.request.path == "/echo" else paint)(connection)


async def run(port: int) -> None:
    """Serve until the process is ended."""
    async with serve(handle, "127.0.0.1", port, compression=None, ping_interval=None, max_size=2**20, backlog=1_024):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))
