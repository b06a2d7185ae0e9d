"""The client's end of WebSockets as bare sockets: frames are built beforehand, and no library costs time."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

KEY: Final = bytes.fromhex("37fa213d")
"""One masking key for all frames: what it is makes no difference to a server."""
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
BUFFER_SIZE: Final = 256 * 1024
TOGETHER: Final = 64
"""Connections whose handshakes are under way at a time."""
TIMEOUT: Final = 20.0
"""Seconds in which something has to arrive."""

_REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Broken(RuntimeError):
    """A server did not do its job."""


def masked_frame(opcode: int, payload: bytes) -> bytes:
    """Build a client's frame (RFC 6455 §5.2)."""
    length = len(payload)
    repeated = (KEY * (length // 4 + 1))[:length]
    masked = (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(length)
    return bytes((0x80 | opcode,)) + _length(length, 0x80) + KEY + masked


def server_frame(opcode: int, payload: bytes) -> bytes:
    """Build a server's frame."""
    return bytes((0x80 | opcode,)) + _length(len(payload), 0) + payload


def parse_server_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Read whole frames of a server: opcode and payload."""
    position = 0
    while position + 2 <= len(data):
        first, length = data[position], data[position + 1]
        position += 2
        extra = {126: 2, 127: 8}.get(length, 0)
        if extra:
            length = int.from_bytes(data[position : position + extra])
            position += extra
        if not first & 0x80 or first & 0x70:
            raise Broken(f"a frame begins with {first:#x}: a fragment, or with reserved bits")
        yield first & 0x0F, data[position : position + length]
        position += length


def _length(length: int, mask: int) -> bytes:
    if length < 126:
        return bytes((mask | length,))
    if length < 65_536:
        return bytes((mask | 126,)) + length.to_bytes(2)
    return bytes((mask | 127,)) + length.to_bytes(8)


class Group:
    """Open WebSockets to one server, and an epoll that watches them all."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.by_fd: dict[int, socket.socket] = {}
        self.epoll = select.epoll()
        self.buffer = bytearray(BUFFER_SIZE)

    def open(self, port: int, path: str, count: int) -> None:
        """Open `count` more, some at a time.

        Raises:
            Broken: if one is refused.
        """
        request = _REQUEST.format(path=path, port=port).encode()
        while count > 0:
            batch = [_connect(port, request) for _ in range(min(count, TOGETHER))]
            for opened in batch:
                _await_upgrade(opened)
                opened.setblocking(False)
                self.by_fd[opened.fileno()] = opened
                self.epoll.register(opened, select.EPOLLIN)
            self.sockets += batch
            count -= len(batch)

    def settle(self, quiet: float) -> None:
        """Read and drop until nothing has come for `quiet` seconds."""
        while ready := self.epoll.poll(quiet):
            for fd, _ in ready:
                self.receive(fd)

    def receive(self, fd: int) -> int:
        """Read into the buffer.

        Raises:
            Broken: at the end of the stream.
        """
        size = self.by_fd[fd].recv_into(self.buffer)
        if not size:
            raise Broken("a connection was closed")
        return size

    def close(self) -> None:
        """Say goodbye on all, and close them."""
        goodbye = masked_frame(CLOSE, b"\x03\xe8")
        self.epoll.close()
        for opened in self.sockets:
            with suppress(OSError):  # a server that failed may be gone
                opened.send(goodbye)
                opened.shutdown(socket.SHUT_WR)
            opened.close()


def send_all(to: socket.socket, data: bytes | memoryview) -> None:
    """Send all of `data`, waiting for the server to read if it must."""
    try:
        sent = to.send(data)
    except BlockingIOError:
        sent = 0
    while sent < len(data):
        if not select.select((), (to,), (), TIMEOUT)[1]:
            raise Broken(f"the server has not read for {TIMEOUT:g} s")
        sent += to.send(memoryview(data)[sent:])


def _connect(port: int, request: bytes) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.sendall(request)
    return opened


def _await_upgrade(opened: socket.socket) -> None:
    """Read the head of the response and nothing behind it."""
    head = b""
    deadline = time.monotonic() + TIMEOUT
    while not head.endswith(b"\r\n\r\n"):
        piece = opened.recv(4096, socket.MSG_PEEK)
        if not piece or time.monotonic() > deadline:
            raise Broken(f"no WebSocket: {head!r}")
        end = (head + piece).find(b"\r\n\r\n")
        head += opened.recv(len(piece) if end < 0 else end + 4 - len(head))
    if not head.startswith(b"HTTP/1.1 101"):
        raise Broken(f"no WebSocket: {head[:200]!r}")
