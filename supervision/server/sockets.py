"""No process. The part of a server that outlives its actors: the listening sockets and the wires."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable

from actors import Ref
from actors.log import get_logger
from protocol import CloseCode, State, format_date
from supervision.server.admission import Admission, Refusal, Unrecognized
from supervision.server.deadlines import Deadlines
from supervision.server.policy import Policy
from supervision.server.unread import UnreadLimiter
from supervision.server.wire import Wire

log = get_logger("canopy.server")

GOING_AWAY_TEXT = "the server is going away"
NO_TIMEOUT = 1e6
"""Seconds; event loops accept neither None nor infinity here."""
CLOSES_PER_TURN = 200
"""WebSockets that are closed before other work gets a turn."""


class Sockets:
    """The sockets of one server. Create them before its tree starts; its `Application` closes them after the tree.

    Args:
        listening: bound and listening; see `listen`, `listen_unix` and `inherited`
        policy: the limits, timeouts and rules
        wall_clock: seconds since the epoch, for the Date header

    Attributes:
        wires: open wires by id
        connecting: wires whose connection is being set up, with the task that does so; they survive the listener
        listener: the process that is sent each new wire
        is_listening: the listening sockets are open
        is_draining: the application is stopping, and no client is admitted
        is_closed: the application has ended, and no server can use these sockets again
        accepted: number of connections admitted so far
        refused: number of refused connections and handshakes, by `Refusal.name` in lower case
        unread: limits the bytes that wait because of clients
        cut_off: number of connections that we dropped, by reason: `request`, `no_pong`, `stalled`, `backlog`, `unread`,
            `close`, `tls`, `crowded`
        closings: number of WebSockets that ended, by close code
    """

    def __init__(
        self,
        listening: Iterable[socket.socket],
        policy: Policy = Policy(),  # noqa: B008  # immutable
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.listening = list(listening)
        self.policy = policy
        self.wires: dict[int, Wire] = {}
        self.connecting: dict[Wire, asyncio.Task[None]] = {}
        self.listener: Ref | None = None
        self.is_listening = True
        self.is_draining = False
        self.is_closed = False
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.cut_off: Counter[str] = Counter()
        self.closings: Counter[int] = Counter()
        self.deadlines = Deadlines(policy)
        self.admission = Admission(policy)
        self._unrecognized: Unrecognized[Wire] = Unrecognized()
        self._holders: dict[Wire, tuple[str, int]] = {}  # the holder and `spare` of each recognized wire
        self.unread = UnreadLimiter(policy.max_unread, policy.proxies)
        self._ended_bytes_in = 0
        self._ended_bytes_out = 0
        self._ids = itertools.count(1)
        self._wall_clock = wall_clock
        self._date = (0, "")
        self._when_gone: list[tuple[set[Wire], Callable[[], object]]] = []

    def next_id(self) -> int:
        """Return the id of a new wire."""
        return next(self._ids)

    def date(self) -> str:
        """Return the value of the Date header (RFC 9110 §6.6.1)."""
        now = int(self._wall_clock())
        if self._date[0] != now:
            self._date = (now, format_date(now))
        return self._date[1]

    def admit(self, address: str) -> Refusal | None:
        """Admit a connection from `address`: returns None, or why it is refused. Call `connect` for an admitted one."""
        if self.is_draining:
            refusal: Refusal | None = Refusal.DRAINING
        elif self.policy.max_unrecognized is None and self._count() >= self.policy.max_connections:
            refusal = Refusal.TOO_MANY
        else:
            refusal = self.admission.enter(address, asyncio.get_running_loop().time())
        if refusal is None:
            self.accepted += 1
            self._replace_unrecognized()
        else:
            self.refuse(refusal)
        return refusal

    def recognize(self, number: int, holder: str, *, spare: int = 0) -> Refusal | None:
        """Assign a connection to its holder: returns None, or why the holder may have no more connections.

        A refused connection stays unrecognized.

        Args:
            number: `Request.connection`
            holder: who the connection belongs to; for example, the holder of a token
            spare: how many of the `max_connections` are reserved for connections that spare none
        """
        wire, policy = self.wires.get(number), self.policy
        if wire is None or self._holders.get(wire) == (holder, spare):
            return None
        spares = [reserved for other, (_, reserved) in self._holders.items() if other is not wire]
        if policy.max_per_holder is not None and self._count_of(holder) >= policy.max_per_holder:
            refusal: Refusal | None = Refusal.TOO_MANY_OF_HOLDER
        elif (spares.count(spare) if spare else len(spares)) >= policy.max_connections - spare:
            refusal = Refusal.TOO_MANY
        else:
            refusal = None
            self._unrecognized.discard(wire)
            self._holders[wire] = holder, spare
        if refusal is not None:
            self.refuse(refusal)
        return refusal

    def _count(self) -> int:
        return len(self.wires) + len(self.connecting)

    def _count_of(self, holder: str) -> int:
        return sum(other == holder for other, _ in self._holders.values())

    @property
    def is_crowded(self) -> bool:
        """Whether a new connection must replace an unrecognized one."""
        limit = self.policy.max_unrecognized
        return limit is not None and len(self._unrecognized) >= limit

    def _replace_unrecognized(self) -> None:
        """Drop an unrecognized connection if a new one must replace it."""
        if not self.is_crowded:
            return
        oldest = self._unrecognized.pop()
        self.cut_off["crowded"] += 1
        if oldest in self.connecting:
            self.connecting[oldest].cancel()
        else:
            oldest.abort()

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self.refused[refusal.name.lower()] += 1

    def connect(self, accepted: socket.socket, address: str) -> None:
        """Make a wire of an accepted socket, after the TLS handshake if there is one, and send it to the listener."""
        wire = Wire(self, address)
        if self.policy.max_unrecognized is not None:
            self._unrecognized.add(wire, address)
        task = asyncio.get_running_loop().create_task(self._connect(accepted, wire))
        self.connecting[wire] = task
        task.add_done_callback(lambda done: self._connected(accepted, wire, done))

    async def _connect(self, accepted: socket.socket, wire: Wire) -> None:
        try:
            await connect_accepted(lambda: wire, accepted, self.policy)
        except OSError as error:  # the peer's fault: the TLS handshake failed or timed out
            log.debug("wire.not_connected", address=wire.address, error=error)
            self.cut_off["tls"] += 1

    def _connected(self, accepted: socket.socket, wire: Wire, done: asyncio.Task[None]) -> None:
        """Clean up after a wire that was not connected: its handshake failed, or it was dropped before."""
        if self.connecting.pop(wire, None) is not None:  # `connection_made` never ran, so `connection_lost` will not
            self._unrecognized.discard(wire)
            self.admission.leave(wire.address)
            if done.cancelled():
                accepted.close()

    def add(self, wire: Wire) -> None:
        """Add a wire that is connected and has no owner yet, and send it to the listener."""
        del self.connecting[wire]
        self.wires[wire.id] = wire
        if self.listener is not None:
            self.listener.tell(wire)

    def remove(self, wire: Wire) -> None:
        """Remove a wire that has ended."""
        if self.wires.pop(wire.id, None) is not None:
            self._ended_bytes_in += wire.bytes_in
            self._ended_bytes_out += wire.bytes_out
        self._unrecognized.discard(wire)
        self._holders.pop(wire, None)
        self.deadlines.forget(wire)
        self.unread.forget(wire)
        for awaited, callback in tuple(self._when_gone):
            awaited.discard(wire)
            if not awaited:
                self._when_gone.remove((awaited, callback))
                callback()

    def when_gone(self, wires: Iterable[Wire], callback: Callable[[], object]) -> None:
        """Call `callback()` once all `wires` have ended, or at once if they have."""
        awaited = {wire for wire in wires if wire.id in self.wires}
        if awaited:
            self._when_gone.append((awaited, callback))
        else:
            callback()

    @property
    def bytes_in(self) -> int:
        """Bytes received from all clients so far."""
        return self._ended_bytes_in + sum(wire.bytes_in for wire in self.wires.values())

    @property
    def bytes_out(self) -> int:
        """Bytes sent to all clients so far."""
        return self._ended_bytes_out + sum(wire.bytes_out for wire in self.wires.values())

    def orphans(self) -> list[Wire]:
        """Return the open wires without an owner, oldest first."""
        return [wire for wire in self.wires.values() if wire.owner is None and not wire.is_closed]

    @property
    def port(self) -> int:
        """The TCP port of the first listening socket, or 0 for a Unix socket."""
        name = self.listening[0].getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def prepare_stop(self) -> None:
        """Close the listening sockets, so that the system refuses new connections. The drainer ends the others."""
        self.is_draining = True
        if not self.is_listening:
            return
        self.is_listening = False
        loop = asyncio.get_running_loop()
        for listening in self.listening:
            loop.remove_reader(listening)
            listening.close()

    async def close_websockets(self) -> list[Wire]:
        """Close every WebSocket with 1001; returns them all. HTTP connections still get answers, such as "not ready".

        A WebSocket whose peer has ended its side ends by itself once the peer has its answers.
        """
        websockets = [wire for wire in self.wires.values() if wire.session.state is not State.HTTP]
        for number, wire in enumerate(websockets, start=1):
            if wire.session.state is not State.FINISHING:
                wire.close(CloseCode.GOING_AWAY, GOING_AWAY_TEXT)
            if number % CLOSES_PER_TURN == 0:
                await asyncio.sleep(0)
        return websockets

    def close(self) -> None:
        """Close the listening sockets and drop the remaining connections, WebSockets with 1001, without waiting."""
        self.is_draining = self.is_closed = True
        self.is_listening = False
        for listening in self.listening:
            listening.close()
        for connecting in self.connecting.values():
            connecting.cancel()
        for wire in list(self.wires.values()):
            wire.close(CloseCode.GOING_AWAY, GOING_AWAY_TEXT)
            wire.abort()


async def connect_accepted(factory: Callable[[], asyncio.Protocol], accepted: socket.socket, policy: Policy) -> None:
    """Make a transport of an accepted socket.

    Raises:
        OSError: if the TLS handshake fails or times out.
    """
    loop = asyncio.get_running_loop()
    if policy.tls is None:
        await loop.connect_accepted_socket(factory, accepted)
    else:
        # No timeout for the shutdown: the deadlines limit it, and they know whether the peer still reads.
        timeouts = {"ssl_handshake_timeout": policy.request_timeout, "ssl_shutdown_timeout": NO_TIMEOUT}
        await loop.connect_accepted_socket(factory, accepted, ssl=policy.tls, **timeouts)
