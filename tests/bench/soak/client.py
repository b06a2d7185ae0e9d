"""One connection of a client that may break every rule: bytes, frames and messages, on a socket of its own."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import zlib
from typing import Any

from protocol import Opcode, encode_frame

PATIENCE = 10.0
"""Seconds that the server has to answer a handshake."""
_RESET = struct.pack("ii", 1, 0)
_WINDOW = 4_096  # bytes of the receive buffer: the server soon notices who does not read


class Refused(Exception):
    """The server did not answer a handshake with 101."""


class Client:
    """One connection, from an address of the loopback network.

    Args:
        port: where the server listens
        chance: what it draws from: its address, whether it speaks binary, whether it offers compression

    Attributes:
        is_binary, is_compressed: how its WebSocket speaks
    """

    def __init__(self, port: int, chance: random.Random) -> None:
        self.chance = chance
        self.is_binary = chance.random() < 0.5
        self.is_compressed = chance.random() < 0.5
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()

    async def open(self) -> None:
        """Connect."""
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW)
        self._socket.bind((f"127.0.0.{self.chance.randint(2, 40)}", 0))  # allowances are for addresses, too
        await self._loop.sock_connect(self._socket, ("127.0.0.1", self._port))

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while the server does not read."""
        await self._loop.sock_sendall(self._socket, data)

    async def receive(self, size: int = 65_536) -> bytes:
        """Receive some bytes.

        Raises:
            ConnectionError: if the server has closed.
        """
        data = await self._loop.sock_recv(self._socket, size)
        if not data:
            raise ConnectionResetError("the server has closed")
        return data

    async def receive_all(self) -> None:
        """Read, and answer nothing, until the server closes."""
        while True:
            await self.receive()

    async def join(self, query: str = "") -> None:
        """Connect, and become a viewer of the canvas; the head of the answer is read, and perhaps more.

        Raises:
            Refused: if the server does not let it in.
        """
        await self.open()
        await self.send(self.handshake(query))
        head = b""
        async with asyncio.timeout(PATIENCE):
            while b"\r\n\r\n" not in head:
                head += await self.receive()
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Refused(head.partition(b"\r\n")[0].decode())

    def handshake(self, query: str = "") -> bytes:
        """A handshake for `/ws`."""
        lines = [
            *(f"GET /ws{query} HTTP/1.1", f"Host: 127.0.0.1:{self._port}", "Upgrade: websocket"),
            *("Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"),
        ]
        if self.is_binary:
            lines.append("Sec-WebSocket-Protocol: canopy.v1.bin")
        if self.is_compressed:
            lines.append("Sec-WebSocket-Extensions: permessage-deflate")
        return "\r\n".join([*lines, "", ""]).encode()

    def frame(self, opcode: int, payload: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
        """A masked frame."""
        return encode_frame(Opcode(opcode), payload, fin=fin, rsv1=rsv1, mask=self.chance.randbytes(4))

    def message(self, payload: bytes) -> bytes:
        """A whole message in the client's own opcode, compressed if that was offered."""
        opcode = Opcode.BINARY if self.is_binary else Opcode.TEXT
        if not self.is_compressed:
            return self.frame(opcode, payload)
        deflater = zlib.compressobj(wbits=-15)
        deflated = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
        return self.frame(opcode, deflated[:-4], rsv1=True)

    def pixel(self, x: int, y: int, color: int, id_: int | None = None) -> bytes:
        """A message that paints a pixel."""
        if not self.is_binary:
            message: dict[str, Any] = {"type": "pixel_update", "x": x, "y": y, "color": f"#{color:06X}"}
            return self.message(json.dumps(message if id_ is None else {**message, "id": id_}).encode())
        head = b"\x01" if id_ is None else struct.pack("<BI", 4, id_)
        return self.message(head + struct.pack("<HH", x, y) + color.to_bytes(3, "big"))

    def cursor(self, x: int, y: int) -> bytes:
        """A message that moves the pointer."""
        if self.is_binary:
            return self.message(struct.pack("<BHH", 2, x, y))
        return self.message(json.dumps({"type": "cursor_move", "x": x, "y": y}).encode())

    def subscription(self, x: int, y: int, width: int, height: int) -> bytes:
        """A message that subscribes to an area."""
        if self.is_binary:
            return self.message(struct.pack("<BHHHH", 3, x, y, width, height))
        message = {"type": "subscribe", "x": x, "y": y, "width": width, "height": height}
        return self.message(json.dumps(message).encode())

    def reset(self) -> None:
        """Drop the connection with a RST, unless it is closed."""
        if self._socket.fileno() < 0:
            return
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()

    def close(self) -> None:
        """Close the connection: with a FIN, or a RST if something is unread."""
        self._socket.close()
