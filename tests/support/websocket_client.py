"""A client of the canvas over a real socket: the `websockets` package."""

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from canvas.application import CanvasApplication
from tests.support.client import Client


class WebSocketClient(Client):
    """One open WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        super().__init__()
        self.connection = connection
        self._outgoing: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]

    @classmethod
    async def open(cls, application: CanvasApplication, path: str = "/ws", **options: Any) -> "WebSocketClient":
        """Connect and wait until the canvas is there."""
        url = f"ws://127.0.0.1:{application.sockets.port}{path}"
        options = {"compression": None, "max_size": None, "ping_interval": None, "proxy": None, **options}
        client = cls(await connect(url, **options))
        await client.until(lambda: client.screen.states > 0, "for the canvas")
        return client

    def send_text(self, text: str) -> None:
        self._outgoing.put_nowait(text)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self._outgoing.put_nowait(data)

    async def leave(self) -> None:
        await self.connection.close()
        await self.end()

    async def _read(self) -> None:
        try:
            async for message in self.connection:
                self._received(message)
        except ConnectionClosed:
            pass
        self._tasks[1].cancel()
        self._ended(self.connection.close_code or 0, self.connection.close_reason or "")

    async def _write(self) -> None:
        while True:
            message = await self._outgoing.get()
            try:
                await self.connection.send(message)
            except ConnectionClosed:
                return
