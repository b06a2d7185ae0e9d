"""Clients of a virtual network: one sends bytes, one speaks WebSocket."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from protocol import Opcode, encode_frame
from protocol.frames import parse_close, parse_frame
from supervision.server.testing.network import VirtualSocket, VirtualTransport

MASK = b"\x01\x02\x03\x04"


class VirtualEndpoint:
    """The client's end of one connection.

    Attributes:
        is_stalled: reads nothing
        address: IP address, or None for a client on a Unix socket
    """

    def __init__(self, address: str | None = None) -> None:
        self.is_stalled = False
        self.address = address
        self._transport: VirtualTransport | None = None
        self._outbox: list[bytes | str] = []

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are. Before the connection is open, they wait."""
        self._send(data)

    def hang_up(self, how: str) -> None:
        """End the connection without a close frame, by EOF or RESET."""
        self._send(how)

    def stall(self) -> None:
        """Stop reading."""
        self.is_stalled = True

    def catch_up(self) -> None:
        """Read everything that waits, and go on reading."""
        self.is_stalled = False
        if self._transport is not None:
            self._transport.read_all()

    def read_some(self, size: int) -> None:
        """Read `size` bytes, although the client is stalled."""
        if self._transport is not None:
            self._transport.read_some(size)

    @property
    def writes(self) -> list[bytes]:
        """What the server wrote, one item per call of `write`."""
        assert self._transport is not None
        return self._transport.writes

    def _send(self, item: bytes | str) -> None:
        if self._transport is None:
            self._outbox.append(item)
        else:
            self._transport.arrive(item)

    # Called by the transport.

    def connected(self, transport: VirtualTransport) -> None:
        """Handle the start of the connection."""
        self._transport = transport
        for item in self._outbox:
            transport.arrive(item)

    def feed(self, data: bytes) -> None:
        """Handle bytes from the server."""

    def lost(self) -> None:
        """Handle the end of the connection."""


class VirtualWebSocket(VirtualEndpoint):
    """A WebSocket client. Override `on_open`, `on_data` and `on_end`.

    Attributes:
        response: the head of the response to the handshake
        is_mute: answers neither close frames nor pings
    """

    def __init__(self, address: str | None = None) -> None:
        super().__init__(address)
        self.is_mute = False
        self.response = b""
        self._close: tuple[int, str] = (1006, "")
        self._inbox = bytearray()
        self._is_open = False

    def begin(self, listening: VirtualSocket, path: str = "/ws", headers: Iterable[str] = ()) -> None:
        """Connect and send the handshake; `headers` are further lines of the request."""
        listening.connect(self)
        key = base64.b64encode(b"sixteen bytes ok").decode()
        lines = [f"GET {path} HTTP/1.1", "Host: canopy", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers, "\r\n"]
        self.send_bytes("\r\n".join(lines).encode())

    def send_text(self, text: str) -> None:
        """Send a text message."""
        self.send_bytes(encode_frame(Opcode.TEXT, text.encode(), mask=MASK))

    def say_goodbye(self) -> None:
        """Begin the closing handshake."""
        self.send_bytes(encode_frame(Opcode.CLOSE, (1000).to_bytes(2, "big"), mask=MASK))

    def on_open(self) -> None:
        """Handle the response to the handshake, see `response`."""

    def on_data(self, payload: str | bytes) -> None:
        """Handle a message from the server."""

    def on_end(self, code: int, reason: str) -> None:
        """Handle the end of TCP, with the code and reason of the server's close frame, or 1006."""

    def feed(self, data: bytes) -> None:
        """Parse bytes from the server."""
        self._inbox += data
        if not self._is_open:
            head, separator, rest = self._inbox.partition(b"\r\n\r\n")
            if not separator:
                return
            self.response, self._inbox = bytes(head), rest
            self._is_open = head.startswith(b"HTTP/1.1 101 ")
            self.on_open()
            if not self._is_open:
                return
        self._read_frames()

    def lost(self) -> None:
        """Call `on_end`."""
        self.on_end(*self._close)

    def _read_frames(self) -> None:
        position = 0
        while position < len(self._inbox):
            parsed = parse_frame(self._inbox, position, masked=False)
            if parsed is None:
                break
            frame, position = parsed
            if frame.opcode is Opcode.CLOSE:
                code_and_reason = parse_close(frame.payload)
                self._close = (code_and_reason[0], code_and_reason[1])
                if not self.is_mute:
                    self.send_bytes(encode_frame(Opcode.CLOSE, frame.payload, mask=MASK))
            elif frame.opcode is Opcode.PING:
                if not self.is_mute:
                    self.send_bytes(encode_frame(Opcode.PONG, frame.payload, mask=MASK))
            elif frame.opcode is not Opcode.PONG:
                self.on_data(frame.payload.decode() if frame.opcode is Opcode.TEXT else bytes(frame.payload))
        del self._inbox[:position]
