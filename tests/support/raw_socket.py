"""A client that sends bytes as they are: HTTP requests, right and wrong, and WebSocket frames."""

import asyncio
import socket
import struct
from dataclasses import dataclass

from protocol import Opcode, encode_frame
from protocol.frames import parse_frame

HANDSHAKE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
MASK = b"\x0a\x0b\x0c\x0d"


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(method: str, target: str, version: str = "HTTP/1.1", /, **headers: str | None) -> bytes:
    """Build a request; `If_None_Match="x"` becomes a header, None leaves one out."""
    fields = {"Host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"{method} {target} {version}", *lines, "", ""]).encode("latin-1")


def handshake(method: str = "GET", target: str = "/ws", version: str = "HTTP/1.1", /, **changes: str | None) -> bytes:
    """Build a handshake with some headers changed; None leaves one out."""
    fields = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return request(method, target, version, **fields)


def client_frame(opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Build a masked frame."""
    return encode_frame(opcode, payload, fin=fin, mask=MASK)


class RawSocket:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._buffer = b""

    @classmethod
    async def open(cls, port: int) -> "RawSocket":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def __aenter__(self) -> "RawSocket":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def answer(self, *, to_head: bool = False) -> Answer:
        """Read one response."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = 0 if to_head else int(headers.get("content-length", 0))
        return Answer(int(status_line.split()[1]), headers, await self.reader.readexactly(size))

    async def rest(self) -> bytes:
        """Read until the server closes; empty too if it resets."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    async def upgrade(self) -> None:
        """Make it a WebSocket."""
        self.send(handshake())
        assert (await self.answer()).status == 101

    async def frame(self) -> tuple[Opcode, bytes]:
        """Read one frame."""
        while (parsed := parse_frame(self._buffer, masked=False)) is None:
            data = await self.reader.read(65_536)
            assert data, "closed in the middle of a frame"
            self._buffer += data
        frame, end = parsed
        self._buffer = self._buffer[end:]
        return frame.opcode, frame.payload

    async def close_frame(self) -> tuple[int, str]:
        """Read up to the close frame; returns its code and reason."""
        while True:
            opcode, payload = await self.frame()
            if opcode is Opcode.CLOSE:
                return int.from_bytes(payload[:2]), payload[2:].decode()

    def reset(self) -> None:
        """Drop the connection with a RST."""
        transport = self.writer.transport
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def ask(port: int, data: bytes, *, to_head: bool = False) -> Answer:
    """Send one request on a connection of its own; returns the response."""
    async with await RawSocket.open(port) as raw:
        raw.send(data)
        return await raw.answer(to_head=to_head)


async def get(port: int, target: str, method: str = "GET", /, **headers: str | None) -> Answer:
    """Request `target`."""
    return await ask(port, request(method, target, **headers), to_head=method == "HEAD")
