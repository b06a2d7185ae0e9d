"""Sockets of a simulation: in virtual time clients connect to a real server tree, and no system call is made.

Bytes arrive one pass of the event loop after they were sent. A transport of the server behaves as asyncio's does.
"""

import asyncio
import base64
import re
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from protocol import Opcode, encode_frame
from protocol.frames import parse_close, parse_frame
from supervision.server import Sockets
from tests.support.client import Client

MASK = b"\x01\x02\x03\x04"
EOF = "eof"
RESET = "reset"
HIGH_WATER = 64 * 1024


class VirtualNetwork:
    """The sockets of the running loop. `listen` puts a server on it.

    Attributes:
        passes: of the event loop, that an accepted socket takes to become a transport
    """

    def __init__(self) -> None:
        self.passes = 1
        self.loop: Any = asyncio.get_running_loop()
        self.loop.add_reader = self._add_reader
        self.loop.remove_reader = self._remove_reader
        self.loop.connect_accepted_socket = self._connect_accepted_socket

    def listen(self, sockets: Sockets | None = None) -> "VirtualSocket":
        """A listening socket, in place of the real one of `sockets`."""
        listening = VirtualSocket(self)
        if sockets is not None:
            sockets.listening.close()
            sockets.listening = listening  # type: ignore[assignment]  # it does all that is asked of it
        return listening

    def _add_reader(self, listening: "VirtualSocket", callback: Callable[[], object]) -> None:
        listening.reader = callback
        listening.tell()

    def _remove_reader(self, listening: "VirtualSocket") -> None:
        listening.reader = None

    async def _connect_accepted_socket(
        self, factory: Callable[[], asyncio.Protocol], accepted: "Accepted"
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        protocol = factory()
        transport = VirtualTransport(self.loop, protocol, accepted.client)
        connected = self.loop.create_future()
        try:
            for _ in range(self.passes):
                await asyncio.sleep(0)
            transport.begin(connected)
            await connected
        except BaseException:
            transport.close()
            raise
        return transport, protocol


class VirtualSocket:
    """A listening socket.

    Attributes:
        errors: what the next calls of `accept` fail with
    """

    def __init__(self, network: VirtualNetwork) -> None:
        self.network = network
        self.reader: Callable[[], object] | None = None
        self.errors: deque[OSError] = deque()
        self._knocking: deque[VirtualClient] = deque()

    def knock(self, client: "VirtualClient") -> None:
        """A client wants to connect."""
        self._knocking.append(client)
        self.tell()

    def tell(self) -> None:
        """Call the reader in the next pass, if somebody waits and it is still there."""
        if self._knocking and self.reader is not None:
            reader = self.reader
            self.network.loop.call_soon(lambda: self._knocking and self.reader is reader and reader())

    def accept(self) -> tuple["Accepted", str]:
        if not self._knocking:
            raise BlockingIOError
        if self.errors:
            raise self.errors.popleft()
        return Accepted(self._knocking.popleft()), "virtual"

    def getsockname(self) -> str:
        return "virtual"

    def close(self) -> None:
        self._knocking.clear()


class Accepted:
    """What `accept` returns."""

    family = socket.AF_UNIX

    def __init__(self, client: "VirtualClient") -> None:
        self.client = client

    def setblocking(self, flag: bool) -> None:
        pass


class VirtualTransport(asyncio.Transport):
    """The server's end of one connection.

    Attributes:
        writes: what the server wrote, call by call
    """

    def __init__(self, loop: Any, protocol: asyncio.Protocol, client: "VirtualClient") -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._client = client
        self._incoming: deque[bytes | str] = deque()
        self._outgoing: deque[bytes] = deque()
        self._is_reading = False
        self._is_closing = False
        self._is_lost = False
        self._is_half_closed = False
        self._is_congested = False
        self.writes: list[bytes] = []

    def begin(self, connected: asyncio.Future[None]) -> None:
        """The connection is there."""
        if self._is_closing:
            return
        self._is_reading = True
        self._protocol.connection_made(self)
        self._client.connected(self)
        if not connected.done():
            connected.set_result(None)

    # The client's side.

    def arrive(self, what: bytes | str) -> None:
        """Bytes, EOF or RESET come in, one pass later, if the server reads."""
        self._incoming.append(what)
        self._loop.call_soon(self._deliver)

    def drain(self) -> None:
        """The client takes what waits for it."""
        while self._outgoing and not self._client.is_stalled:
            self._client.feed(self._outgoing.popleft())
        if self._is_half_closed and not self._outgoing and not self._client.is_stalled:
            self.arrive(EOF)  # a client that is told no more has nothing to say either
        if self._is_congested and not self._outgoing:
            self._is_congested = False
            self._protocol.resume_writing()
        if self._is_closing and not self._outgoing:
            self._lose(None)

    def _deliver(self) -> None:
        while self._incoming and self._is_reading and not self._is_lost and not self._is_closing:
            what = self._incoming.popleft()
            if isinstance(what, bytes):
                self._protocol.data_received(what)
            elif what == RESET:
                self._lose(ConnectionResetError())
            elif not self._protocol.eof_received():
                self.close()

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self._outgoing.clear()
            self._loop.call_soon(self._protocol.connection_lost, error)
            self._loop.call_soon(self._client.lost)

    # The server's side.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self._outgoing))

    def write(self, data: bytes) -> None:
        if self._is_closing:
            return
        if RESET in self._incoming:
            self._lose(BrokenPipeError())
            return
        self.writes.append(data)
        self._outgoing.append(data)
        self._loop.call_soon(self.drain)
        if self._client.is_stalled and not self._is_congested and self.get_write_buffer_size() > HIGH_WATER:
            self._is_congested = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._is_half_closed = True
        self._loop.call_soon(self.drain)

    def close(self) -> None:
        self._is_closing = True
        self._loop.call_soon(self.drain)

    def abort(self) -> None:
        self._lose(None)


class VirtualClient(Client):
    """A WebSocket client of the simulation.

    Attributes:
        response: the head of the answer to the handshake
        is_stalled: takes nothing from the network
        is_mute: does not answer a close frame
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_stalled = self.is_mute = False
        self.response = b""
        self._close = (1006, "")
        self._transport: VirtualTransport | None = None
        self._outbox: list[bytes] = []
        self._inbox = b""
        self._is_open = False

    @classmethod
    async def open(cls, listening: VirtualSocket, path: str = "/ws") -> "VirtualClient":
        """Connect and wait until the canvas is there."""
        client = cls()
        client.begin(listening, path)
        await client.until(lambda: client.screen.states > 0, "for the canvas")
        return client

    def begin(self, listening: VirtualSocket, path: str = "/ws") -> None:
        """Connect."""
        listening.knock(self)
        key = base64.b64encode(b"sixteen bytes ok").decode()
        self.send_bytes(
            f"GET {path} HTTP/1.1\r\nHost: canopy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def send_text(self, text: str) -> None:
        self.send_bytes(encode_frame(Opcode.TEXT, text.encode(), mask=MASK))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self._transport is None:
            self._outbox.append(data)
        else:
            self._transport.arrive(data)

    async def leave(self) -> None:
        self.send_bytes(encode_frame(Opcode.CLOSE, (1000).to_bytes(2), mask=MASK))
        await self.end()

    def stall(self) -> None:
        """Take nothing from the network any more."""
        self.is_stalled = True

    def catch_up(self) -> None:
        """Read again."""
        self.is_stalled = False
        if self._transport is not None:
            self._transport.drain()

    def hang_up(self, how: str) -> None:
        """End without a close frame: EOF or RESET."""
        assert self._transport is not None
        self._transport.arrive(how)

    @property
    def writes(self) -> list[bytes]:
        """What the server wrote, call by call."""
        assert self._transport is not None
        return self._transport.writes

    # The transport's side.

    def connected(self, transport: VirtualTransport) -> None:
        self._transport = transport
        for data in self._outbox:
            transport.arrive(data)

    def feed(self, data: bytes) -> None:
        self._inbox += data
        if not self._is_open:
            head, separator, rest = self._inbox.partition(b"\r\n\r\n")
            if not separator:
                return
            self.response, self._inbox = head, rest
            self._is_open = head.startswith(b"HTTP/1.1 101 ")
            self._wake()
            if not self._is_open:
                return
        self._read_frames()

    def _read_frames(self) -> None:
        position = 0
        while position < len(self._inbox):
            parsed = parse_frame(self._inbox, position, masked=False)
            if parsed is None:
                break
            frame, position = parsed
            if frame.opcode is Opcode.CLOSE:
                self._close = tuple(parse_close(frame.payload))
                if not self.is_mute:
                    self.send_bytes(encode_frame(Opcode.CLOSE, frame.payload, mask=MASK))
            else:
                self._received(frame.payload.decode() if frame.opcode is Opcode.TEXT else frame.payload)
        self._inbox = self._inbox[position:]

    def lost(self) -> None:
        self._ended(*self._close)


class VirtualPeer(VirtualClient):
    """A WebSocket client of any server: keeps the messages as they are.

    Attributes:
        received: the messages, oldest first
    """

    def __init__(self) -> None:
        super().__init__()
        self.received: list[str | bytes] = []

    def _received(self, text: str | bytes) -> None:
        self.received.append(text)
        self._wake()

    async def message(self) -> str | bytes:
        """Wait for the next message and take it."""
        await self.until(lambda: bool(self.received), "for a message")
        return self.received.pop(0)


class VirtualBrowser(VirtualClient):
    """A client that speaks plain HTTP.

    Attributes:
        answers: all the server has sent
    """

    def __init__(self, listening: VirtualSocket) -> None:
        super().__init__()
        self.answers = b""
        listening.knock(self)

    def feed(self, data: bytes) -> None:
        self.answers += data
        self._wake()

    async def answer(self) -> bytes:
        """Wait for a whole response and take it."""
        await self.until(lambda: self._end_of_answer() is not None, "for an answer")
        end = self._end_of_answer()
        answer, self.answers = self.answers[:end], self.answers[end:]
        return answer

    def _end_of_answer(self) -> int | None:
        head, separator, _ = self.answers.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        end = len(head) + len(separator) + (int(length[1]) if length else 0)
        return end if separator and len(self.answers) >= end else None
