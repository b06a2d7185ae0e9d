"""A network in virtual time, with weather, on which real server trees listen. It makes no system call.

Without weather bytes arrive one pass of the event loop after they were sent. With it they are cut into pieces, and each
takes its time: in order on one connection, in any order between connections. A transport of the server behaves as
asyncio's does. What its clients do is in `client`.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, cast

from actors.testing import Kit
from supervision.server.sockets import Sockets

EOF: Final = "eof"
RESET: Final = "reset"
HIGH_WATER = 64 * 1024
GAP = 1e-6
"""Seconds between two pieces on one connection: the loop's heap does not keep the order of equal times."""


class Weather:
    """What the seed of a kit does to bytes on their way.

    Args:
        cuts, delays: the share of writes that are cut in two, or are late
        longest: seconds that one takes at most
    """

    def __init__(self, kit: Kit, *, cuts: float = 0.1, delays: float = 0.2, longest: float = 0.05) -> None:
        self._cuts = kit.chance.stream("network cuts")
        self._delays = kit.chance.stream("network delays")
        self._shares = cuts, delays
        self._longest = longest

    def pieces(self, data: bytes) -> list[bytes]:
        """Cut what one side wrote, or do not."""
        if len(data) < 2 or not self._cuts.happens(self._shares[0]):
            return [data]
        at = 1 + self._cuts.choose(len(data) - 1)
        return [data[:at], data[at:]]

    def delay(self) -> float:
        """Seconds that a piece takes."""
        return self._delays.between(0.0, self._longest) if self._delays.happens(self._shares[1]) else 0.0


class Endpoint(Protocol):
    """The client's end of a connection, as the network sees it.

    Attributes:
        is_stalled: takes nothing from the network
        address: where it is, or None for a peer on the same machine
    """

    is_stalled: bool
    address: str | None

    def connected(self, transport: VirtualTransport) -> None:
        """The connection is there."""
        ...

    def feed(self, data: bytes) -> None:
        """Bytes of the server."""
        ...

    def lost(self) -> None:
        """The connection has ended."""
        ...


class VirtualNetwork:
    """The sockets of the running loop. `listen` puts a server on it.

    Attributes:
        passes: of the event loop, that an accepted socket takes to become a transport
        system_buffer: bytes that the system holds for each client that does not take them
        transports: the server's ends of all connections there were
    """

    def __init__(self, weather: Weather | None = None) -> None:
        self.passes = 1
        self.system_buffer = 0
        self.weather = weather
        self.transports: list[VirtualTransport] = []
        self.loop = cast(Any, asyncio.get_running_loop())
        self.loop.add_reader = self._add_reader
        self.loop.remove_reader = self._remove_reader
        self.loop.connect_accepted_socket = self._connect_accepted_socket

    def listen(self, sockets: Sockets | None = None) -> VirtualSocket:
        """A listening socket, in place of the real one of `sockets`."""
        listening = VirtualSocket(self)
        if sockets is not None:
            for door in sockets.listening:
                door.close()
            sockets.listening = [listening.as_socket()]
        return listening

    def _add_reader(self, listening: VirtualSocket, callback: Callable[..., object], *args: object) -> None:
        listening.reader = partial(callback, *args)
        listening.tell()

    def _remove_reader(self, listening: VirtualSocket) -> None:
        listening.reader = None

    async def _connect_accepted_socket(
        self, factory: Callable[[], asyncio.Protocol], accepted: Accepted
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        protocol = factory()
        transport = VirtualTransport(self, protocol, accepted.client)
        self.transports.append(transport)
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
        self._knocking: deque[Endpoint] = deque()

    def as_socket(self) -> socket.socket:
        """Itself: it does all that a server asks of a socket."""
        return cast(socket.socket, self)

    def knock(self, client: Endpoint) -> None:
        """A client wants to connect."""
        self._knocking.append(client)
        self.tell()

    def tell(self) -> None:
        """Call the reader in the next pass, if somebody waits and it is still there."""
        if self._knocking and self.reader is not None:
            reader = self.reader
            self.network.loop.call_soon(lambda: self._knocking and self.reader is reader and reader())

    def accept(self) -> tuple[Accepted, Any]:
        """Take one who knocks, and where it is."""
        if not self._knocking:
            raise BlockingIOError
        if self.errors:
            raise self.errors.popleft()
        client = self._knocking.popleft()
        return Accepted(client), (client.address, 1024) if client.address else "virtual"

    def getsockname(self) -> str:
        """Its address."""
        return "virtual"

    def close(self) -> None:
        """Forget who knocks."""
        self._knocking.clear()


class Accepted:
    """What `accept` returns."""

    family = socket.AF_UNIX

    def __init__(self, client: Endpoint) -> None:
        self.client = client

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def close(self) -> None:
        """Drop the client without a word."""
        self.client.lost()


class VirtualTransport(asyncio.Transport):
    """The server's end of one connection.

    Attributes:
        writes: what the server wrote, call by call
        ends: how often the server was told of the end
    """

    def __init__(self, network: VirtualNetwork, protocol: asyncio.Protocol, client: Endpoint) -> None:
        super().__init__()
        self._network = network
        self._loop = network.loop
        self._weather = network.weather
        self._protocol = protocol
        self._client = client
        self._incoming: deque[bytes | str] = deque()
        self._outgoing: deque[bytes] = deque()
        self._is_reading = False
        self._is_closing = False
        self._is_lost = False
        self._is_half_closed = False
        self._is_congested = False
        self._taken = 0
        self._last_in = self._last_out = 0.0
        self.writes: list[bytes] = []
        self.ends = 0

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
        """Bytes, EOF or RESET come in, one pass later or when the weather says so, if the server reads."""
        if self._weather is None:
            self._incoming.append(what)
            self._loop.call_soon(self._deliver)
            return
        for piece in self._weather.pieces(what) if isinstance(what, bytes) else [what]:
            self._last_in = self._in_time(self._last_in)
            self._loop.call_at(self._last_in, self._arrived, piece)

    def _arrived(self, what: bytes | str) -> None:
        self._incoming.append(what)
        self._deliver()

    def _in_time(self, last: float) -> float:
        """When a piece arrives that follows one which arrives at `last`."""
        assert self._weather is not None
        return max(last + GAP, float(self._loop.time()) + self._weather.delay())

    def _send(self, function: Callable[..., object], *args: Any) -> None:
        """Have something happen at the client's side, after what was sent before."""
        self._last_out = self._in_time(self._last_out)
        self._loop.call_at(self._last_out, function, *args)

    def read_all(self) -> None:
        """The client takes what waits for it."""
        while self._outgoing and not self._client.is_stalled:
            self._deliver_out(self._outgoing.popleft())
        self._end_if_drained()

    def read_some(self, size: int) -> None:
        """The client takes so many bytes of what waits for it."""
        while self._outgoing and size:
            data = self._outgoing.popleft()
            if len(data) > size:
                self._outgoing.appendleft(data[size:])
                data = data[:size]
            size -= len(data)
            self._deliver_out(data)
        self._end_if_drained()

    def _deliver_out(self, data: bytes) -> None:
        self._taken += len(data)
        if self._weather is None:
            self._client.feed(data)
        else:
            for piece in self._weather.pieces(data):
                self._send(self._client.feed, piece)
        if self._is_congested and not self.get_write_buffer_size():
            self._is_congested = False
            self._protocol.resume_writing()  # which may write more

    def _end_if_drained(self) -> None:
        if self._is_half_closed and not self._outgoing and not self._client.is_stalled:
            self.arrive(EOF)  # a client that is told no more has nothing to say either
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
            self._loop.call_soon(self._end, error)
            if self._weather is None:
                self._loop.call_soon(self._client.lost)
            else:
                self._send(self._client.lost)

    def _end(self, error: Exception | None) -> None:
        self.ends += 1
        self._protocol.connection_lost(error)

    # The server's side.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Only `progress` is known."""
        return self if name == "progress" else default

    def held(self) -> int:
        """Bytes that the system holds, because the client has not taken them."""
        return min(sum(map(len, self._outgoing)), self._network.system_buffer)

    def acknowledged(self, written: int) -> int:
        """Bytes that the client has taken."""
        return self._taken

    def is_closing(self) -> bool:
        """Whether it has been closed."""
        return self._is_closing

    def pause_reading(self) -> None:
        """Let what comes wait."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Take what waits."""
        self._is_reading = True
        self._loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        """Bytes that the system has not taken."""
        return max(0, sum(map(len, self._outgoing)) - self._network.system_buffer)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send bytes to the client."""
        if self._is_half_closed:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._is_closing:
            return
        if RESET in self._incoming:
            self._lose(BrokenPipeError())
            return
        self.writes.append(bytes(data))
        self._outgoing.append(bytes(data))
        self._loop.call_soon(self.read_all)
        if self._client.is_stalled and not self._is_congested and self.get_write_buffer_size() > HIGH_WATER:
            self._is_congested = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """It can be closed for writing alone."""
        return True

    def write_eof(self) -> None:
        """Send no more."""
        self._is_half_closed = True
        self._loop.call_soon(self.read_all)

    def close(self) -> None:
        """End when everything has been sent."""
        self._is_closing = True
        self._loop.call_soon(self.read_all)

    def abort(self) -> None:
        """End now."""
        self._lose(None)
