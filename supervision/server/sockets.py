"""What of a server outlives its actors: the listening socket, and the wires. No process, no application code."""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from protocol import Compression, Limits, format_date
from supervision.server.wire import Wire

BACKLOG = 1_024
"""Connections the kernel holds for us while the listener is away."""


class Sockets:
    """The sockets of one server. Made before its tree is started, closed after it has stopped.

    Args:
        listening: bound and listening; see `listen` and `listen_unix`
        max_connections: how many wires there may be at a time; the next one is refused with 503
        compression: how messages are compressed with clients that offer it; None for not at all
        limits: what one peer may make us hold
        wall_clock: seconds since the epoch, for the Date header

    Attributes:
        wires: the open ones by their id
        connecting: what makes a wire of an accepted socket; outlives the listener that accepted it
        is_draining: the application is about to stop; nobody new is let in
        accepted: connections let in so far
        refused: connections turned away, by reason
        cut_off: connections ended by us because of what the client did, by reason
    """

    def __init__(
        self,
        listening: socket.socket,
        *,
        max_connections: int = 10_000,
        compression: Compression | None = None,
        limits: Limits = Limits(),  # noqa: B008  # immutable
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.listening = listening
        self.max_connections = max_connections
        self.compression = compression
        self.limits = limits
        self.wires: dict[int, Wire] = {}
        self.connecting: set[asyncio.Task[Wire]] = set()
        self.is_draining = False
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.cut_off: Counter[str] = Counter()
        self._past_bytes_in = 0
        self._past_bytes_out = 0
        self._ids = itertools.count(1)
        self._wall_clock = wall_clock
        self._date = (0, "")
        self._when_empty: list[Callable[[], object]] = []

    def next_id(self) -> int:
        """A number for a new wire."""
        return next(self._ids)

    def date(self) -> str:
        """The value of a Date header now."""
        now = int(self._wall_clock())
        if self._date[0] != now:
            self._date = (now, format_date(now))
        return self._date[1]

    def connect(self, accepted: socket.socket) -> asyncio.Task[Wire]:
        """Make a wire of an accepted socket."""
        task = asyncio.get_running_loop().create_task(self._connect(accepted))
        self.accepted += 1
        self.connecting.add(task)
        task.add_done_callback(self.connecting.discard)
        return task

    async def _connect(self, accepted: socket.socket) -> Wire:
        _, wire = await asyncio.get_running_loop().connect_accepted_socket(lambda: Wire(self), accepted)
        return wire

    def forget(self, wire: Wire) -> None:
        """A wire is gone."""
        if self.wires.pop(wire.id, None) is not None:
            self._past_bytes_in += wire.bytes_in
            self._past_bytes_out += wire.bytes_out
        if not self.wires:
            waiting, self._when_empty = self._when_empty, []
            for tell in waiting:
                tell()

    def when_empty(self, tell: Callable[[], object]) -> None:
        """Have `tell()` called when no wire is left, which may be now."""
        if self.wires:
            self._when_empty.append(tell)
        else:
            tell()

    @property
    def bytes_in(self) -> int:
        """Bytes that came from all clients so far."""
        return self._past_bytes_in + sum(wire.bytes_in for wire in self.wires.values())

    @property
    def bytes_out(self) -> int:
        """Bytes that went to all clients so far."""
        return self._past_bytes_out + sum(wire.bytes_out for wire in self.wires.values())

    def orphans(self) -> list[Wire]:
        """The wires that nobody owns, oldest first."""
        return [wire for wire in self.wires.values() if wire.owner is None and not wire.is_closed]

    @property
    def port(self) -> int:
        """The TCP port it listens on, or 0 of a unix socket."""
        name = self.listening.getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def close(self) -> None:
        """Close the listening socket, and drop what is still connected."""
        self.listening.close()
        for wire in list(self.wires.values()):
            wire.abort()


def listen(host: str, port: int) -> socket.socket:
    """Bind a TCP socket and listen. Port 0 lets the system choose.

    Raises:
        OSError: if the address is in use, unknown, or not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def listen_unix(path: Path) -> socket.socket:
    """Bind a unix socket that only its owner may use (mode 0600), in place of one that nobody listens on any more.

    Raises:
        OSError: with the path as `filename`: `EADDRINUSE` if somebody listens there, or why it cannot be.
    """
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink()
            else:
                raise OSError(errno.EADDRINUSE, "another process listens there", str(path))
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        # A path that is too long has no errno, and no error of a socket names the path.
        raise OSError(error.errno or errno.ENAMETOOLONG, error.strerror or str(error), str(path)) from None
    listening.setblocking(False)
    return listening
