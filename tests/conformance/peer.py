"""The other end of a socket, that knows only the RFCs: nothing here comes from the code under test."""

import re
import socket
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
KEY = b"\x37\xfa\x21\x3d"
TIMEOUT = 20.0
"""Seconds after which a server that says nothing and keeps the connection open has failed the case."""

HANDSHAKE = {
    "Host": "example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


# -- what a client sends ---------------------------------------------------------------------------------------------


def frame(opcode: int, payload: bytes | str = b"", *, fin: bool = True, rsv: int = 0, key: bytes = KEY) -> bytes:
    """Build a masked frame with any bits (RFC 6455 §5.2)."""
    data = payload.encode() if isinstance(payload, str) else payload
    masked = bytes(byte ^ key[i % 4] for i, byte in enumerate(data)) if any(key) else data
    return bytes([fin << 7 | rsv << 4 | opcode]) + length(len(data)) + key + masked


def length(size: int) -> bytes:
    """Encode a length in the fewest bytes, with the bit for a mask."""
    if size < 126:
        return bytes([0x80 | size])
    return b"\xfe" + struct.pack("!H", size) if size < 65_536 else b"\xff" + struct.pack("!Q", size)


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """Build a close frame."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def deflated(data: bytes, bits: int = 15) -> bytes:
    """Compress a message (RFC 7692 §7.2.1)."""
    compressor = zlib.compressobj(wbits=-bits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def request(start: str, *lines: str, body: str = "") -> bytes:
    """Build a request from its lines."""
    return "\r\n".join([start, *lines, "", body]).encode("latin-1")


def handshake(start: str = "GET /echo HTTP/1.1", /, **changes: str | None) -> bytes:
    """Build a handshake with some headers changed; None leaves one out."""
    fields = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return request(start, *(f"{name}: {value}" for name, value in fields.items() if value is not None))


# -- what the server answers -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """A response, and what has followed it."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes

    @property
    def frames(self) -> list[str]:
        """The frames that followed the handshake, told in words: `text hello`, `close 1000`."""
        return [tell(*each) for each in read_frames(self.rest)]


def exchange(port: int, data: bytes, *, bytewise: bool = False, half_close: bool = False) -> bytes:
    """Send `data` on a connection of its own; return all that comes back until the server closes it.

    With `half_close` we end our side of the connection behind `data`.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces(data) if bytewise else [data]:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def pieces(data: bytes) -> Iterable[bytes]:
    """Cut into single bytes."""
    return (data[i : i + 1] for i in range(len(data)))


def converse(port: int, *frames: bytes, extensions: str | None = None, bytewise: bool = False) -> list[str]:
    """Open a WebSocket, send `frames` in the segment of the handshake, and tell all frames that come back."""
    opening = handshake(Sec_WebSocket_Extensions=extensions)
    answer = read_answer(exchange(port, opening + b"".join(frames), bytewise=bytewise))
    assert answer.status == 101, answer
    return answer.frames


def ask(port: int, data: bytes, *, bytewise: bool = False) -> Answer:
    """Send one request and end our side; return its answer."""
    return read_answer(exchange(port, data, bytewise=bytewise, half_close=True), head_only=data.startswith(b"HEAD"))


def read_answers(data: bytes) -> list[Answer]:
    """Read every response of a pipeline; `rest` is empty but in the last."""
    answers = []
    while data:
        answer = read_answer(data)
        answers.append(answer)
        data = answer.rest
    return answers


def read_answer(data: bytes, *, head_only: bool = False) -> Answer:
    """Read one response (RFC 9112 §4)."""
    head, found, rest = data.partition(b"\r\n\r\n")
    assert found, data
    status_line, *lines = head.decode("latin-1").split("\r\n")
    status = re.fullmatch(r"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]*", status_line)
    assert status is not None, status_line
    headers: dict[str, str] = {}
    for line in lines:
        field = re.fullmatch(r"([A-Za-z-]+): ([\t -~]*)", line)
        assert field is not None, line
        name = field[1].lower()
        headers[name] = f"{headers[name]}, {field[2]}" if name in headers else field[2]
    size = 0 if head_only else int(headers.get("content-length", 0))
    assert len(rest) >= size, data
    return Answer(int(status[1]), headers, rest[:size], rest[size:])


def read_frames(data: bytes) -> list[tuple[int, int, bytes]]:
    """Read a server's frames as (first byte, opcode, payload): unmasked, whole, with the shortest lengths."""
    frames, at = [], 0
    while at < len(data):
        first, size = data[at], data[at + 1]
        at += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + width])
            assert size > (125 if width == 2 else 65_535)
            at += width
        assert len(data) >= at + size, "the server has closed in the middle of a frame"
        frames.append((first, first & 15, data[at : at + size]))
        at += size
    return frames


def tell(first: int, opcode: int, payload: bytes) -> str:
    """Tell a frame in words; a compressed one is inflated, and marked by a tilde."""
    assert first & 0x80, "the server has sent a fragment"
    mark = ""
    if first & 0x40:
        payload, mark = zlib.decompress(payload + b"\x00\x00\xff\xff\x03\x00", wbits=-15), "~"
    if opcode == CLOSE:
        code = int.from_bytes(payload[:2]) if payload else None
        payload[2:].decode()
        return "close" if code is None else f"close {code}"
    return f"{mark}{NAMES[opcode]} {payload.decode() if opcode == TEXT else payload.hex()}".rstrip()
