"""A network in virtual time, with simulated weather, for real server trees. It makes no system calls.

Without weather, bytes arrive one pass of the event loop after they were sent. With it, they are cut into pieces that
arrive after random delays: in order on one connection, in any order between connections. The server's transports behave
as asyncio's do. The clients are in `client`.
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
"""Seconds between two pieces on one connection: the loop's timer heap does not keep the order of equal times."""


class Weather:
    """Cuts and delays bytes at random, from the seed of a kit.

    Args:
        cuts: the share of writes that are cut in two
        delays: the share of pieces that are late
        longest: maximum delay in seconds
    """

    def __init__(self, kit: Kit, *, cuts: float = 0.1, delays: float = 0.2, longest: float = 0.05) -> None:
        self._cuts = kit.chance.stream("network cuts")
        self._delays = kit.chance.stream("network delays")
        self._shares = cuts, delays
        self._longest = longest

    def pieces(self, data: bytes) -> list[bytes]:
        """Return `data` whole, or cut in two."""
        if len(data) < 2 or not self._cuts.happens(self._shares[0]):
            return [data]
        at = 1 + self._cuts.choose(len(data) - 1)
        return [data[:at], data[at:]]

    def delay(self) -> float:
        """Draw the delay of a piece, in seconds."""
        return self._delays.between(0.0, self._longest) if self._delays.happens(self._shares[1]) else 0.0


class Endpoint(Protocol):
    """The client's end of a connection, as the network sees it.

    Attributes:
        is_stalled: reads nothing
        address: IP address, or None for a client on a Unix socket
    """

    is_stalled: bool
    address: str | None

    def connected(self, transport: VirtualTransport) -> None:
        """Handle the start of the connection."""
        ...

    def feed(self, data: bytes) -> None:
        """Handle bytes from the server."""
        ...

    def lost(self) -> None:
        """Handle the end of the connection."""
        ...


class VirtualNetwork:
    """A network that replaces the socket functions of the running loop. `listen` makes a listening socket.

    Attributes:
        passes: passes of the event loop before an accepted socket becomes a transport
        system_buffer: bytes that the operating system buffers for a client that does not read
        transports: the server's ends of all connections so far
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
        """Return a listening socket; it replaces the real ones of `sockets`, if given."""
        listening = VirtualSocket(self)
        if sockets is not None:
            for each in sockets.listening:
                each.close()
            sockets.listening = [listening.as_socket()]
        return listening

    def _add_reader(self, listening: VirtualSocket, callback: Callable[..., object], *args: object) -> None:
        listening.reader = partial(callback, *args)
        listening.notify_reader()

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
        errors: raised by the next calls of `accept`, in order
    """

    def __init__(self, network: VirtualNetwork) -> None:
        self.network = network
        self.reader: Callable[[], object] | None = None
        self.errors: deque[OSError] = deque()
        self._waiting: deque[Endpoint] = deque()

    def as_socket(self) -> socket.socket:
        """Return itself, typed as a socket: it has all the methods that a server uses."""
        return cast(socket.socket, self)

    def connect(self, client: Endpoint) -> None:
        """Queue a client that connects."""
        self._waiting.append(client)
        self.notify_reader()

    def notify_reader(self) -> None:
        """Call the reader in the next pass, if a client waits and the reader is still the same."""
        if self._waiting and self.reader is not None:
            reader = self.reader
            self.network.loop.call_soon(lambda: self._waiting and self.reader is reader and reader())

    def accept(self) -> tuple[Accepted, Any]:
        """Accept the first client in the queue; returns it with its address."""
        if not self._waiting:
            raise BlockingIOError
        if self.errors:
            raise self.errors.popleft()
        client = self._waiting.popleft()
        return Accepted(client), (client.address, 1024) if client.address else "virtual"

    def getsockname(self) -> str:
        """Return the address of the socket."""
        return "virtual"

    def close(self) -> None:
        """Drop the clients in the queue."""
        self._waiting.clear()


class Accepted:
    """The connection that `accept` returns."""

    family = socket.AF_UNIX

    def __init__(self, client: Endpoint) -> None:
        self.client = client

    def setblocking(self, flag: bool) -> None:
        """Do nothing: it never blocks."""

    def close(self) -> None:
        """Drop the client."""
        self.client.lost()


class VirtualTransport(asyncio.Transport):
    """The server's end of one connection.

    Attributes:
        writes: what the server wrote, one item per call of `write`
        ends: number of calls of the server's `connection_lost`
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
        self._bytes_read = 0
        self._last_in = self._last_out = 0.0
        self.writes: list[bytes] = []
        self.ends = 0

    def begin(self, connected: asyncio.Future[None]) -> None:
        """Start the connection."""
        if self._is_closing:
            return
        self._is_reading = True
        self._protocol.connection_made(self)
        self._client.connected(self)
        if not connected.done():
            connected.set_result(None)

    # The client's side.

    def arrive(self, item: bytes | str) -> None:
        """Deliver bytes, EOF or RESET to the server once it reads, one pass later or when the weather says so."""
        if self._weather is None:
            self._incoming.append(item)
            self._loop.call_soon(self._deliver)
            return
        for piece in self._weather.pieces(item) if isinstance(item, bytes) else [item]:
            self._last_in = self._next_arrival(self._last_in)
            self._loop.call_at(self._last_in, self._arrived, piece)

    def _arrived(self, item: bytes | str) -> None:
        self._incoming.append(item)
        self._deliver()

    def _next_arrival(self, last: float) -> float:
        """Draw the arrival time of a piece whose predecessor arrives at `last`."""
        assert self._weather is not None
        return max(last + GAP, float(self._loop.time()) + self._weather.delay())

    def _send(self, function: Callable[..., object], *args: Any) -> None:
        """Call `function` on the client's side, after everything that was sent before."""
        self._last_out = self._next_arrival(self._last_out)
        self._loop.call_at(self._last_out, function, *args)

    def read_all(self) -> None:
        """Let the client read everything that waits."""
        while self._outgoing and not self._client.is_stalled:
            self._deliver_out(self._outgoing.popleft())
        self._end_if_all_read()

    def read_some(self, size: int) -> None:
        """Let the client read `size` bytes of what waits."""
        while self._outgoing and size:
            data = self._outgoing.popleft()
            if len(data) > size:
                self._outgoing.appendleft(data[size:])
                data = data[:size]
            size -= len(data)
            self._deliver_out(data)
        self._end_if_all_read()

    def _deliver_out(self, data: bytes) -> None:
        self._bytes_read += len(data)
        if self._weather is None:
            self._client.feed(data)
        else:
            for piece in self._weather.pieces(data):
                self._send(self._client.feed, piece)
        if self._is_congested and not self.get_write_buffer_size():
            self._is_congested = False
            self._protocol.resume_writing()  # which may write again

    def _end_if_all_read(self) -> None:
        if self._is_half_closed and not self._outgoing and not self._client.is_stalled:
            self.arrive(EOF)  # a client that is sent no more ends its side, too
        if self._is_closing and not self._outgoing:
            self._lose(None)

    def _deliver(self) -> None:
        while self._incoming and self._is_reading and not self._is_lost and not self._is_closing:
            item = self._incoming.popleft()
            if isinstance(item, bytes):
                self._protocol.data_received(item)
            elif item == RESET:
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
        """Return itself as `progress` (see `progress_of`), and the default for any other name."""
        return self if name == "progress" else default

    def held(self) -> int:
        """Return the bytes that the operating system buffers because the client has not read them."""
        return min(sum(map(len, self._outgoing)), self._network.system_buffer)

    def acknowledged(self, written: int) -> int:
        """Return the number of bytes that the client has read."""
        return self._bytes_read

    def is_closing(self) -> bool:
        """Whether the transport was closed."""
        return self._is_closing

    def pause_reading(self) -> None:
        """Stop delivering; what arrives waits."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Deliver what waits."""
        self._is_reading = True
        self._loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        """Return the bytes that the operating system has not accepted."""
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
        """Whether it can be half-closed: yes."""
        return True

    def write_eof(self) -> None:
        """Close the server's side."""
        self._is_half_closed = True
        self._loop.call_soon(self.read_all)

    def close(self) -> None:
        """End once everything has been sent."""
        self._is_closing = True
        self._loop.call_soon(self.read_all)

    def abort(self) -> None:
        """End now."""
        self._lose(None)
