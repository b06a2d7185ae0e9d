"""What of a server outlives its actors: the listening sockets, and the wires. No process, no application code."""

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
from supervision.server.admission import Admission, Refusal, Strangers
from supervision.server.deadlines import Deadlines
from supervision.server.policy import Policy
from supervision.server.unread import Unread
from supervision.server.wire import Wire

log = get_logger("canopy.server")

GOODBYE = "the server is going away"
NO_TIMEOUT = 1e6
"""Seconds; the event loops take neither None nor infinity."""
GOODBYES = 200
"""WebSockets that are closed before others have a turn."""


class Sockets:
    """The sockets of one server. Made before its tree is started; its `Application` closes them after the tree.

    Args:
        listening: bound and listening; see `listen`, `listen_unix` and `inherited`
        policy: what is allowed to its peers
        wall_clock: seconds since the epoch, for the Date header

    Attributes:
        wires: the open ones by their id
        connecting: wires that have not begun yet, and what connects them; it outlives the listener that accepted them
        listener: the process that hears of new wires
        is_listening: the listening sockets are open
        is_draining: the application is about to stop; nobody new is let in
        is_closed: the application has ended; nothing can be served with these sockets any more
        accepted: connections so far
        refused: connections and handshakes turned away, by `Refusal.name` in lower case
        unread: bytes that wait because of clients, in all and by address
        cut_off: connections that we dropped, by the reason: `request`, `no_pong`, `stalled`, `backlog`, `unread`,
            `close`, `tls`, `crowded`
        closings: how WebSockets have ended, by close code
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
        self._strangers: Strangers[Wire] = Strangers()
        self._holders: dict[Wire, tuple[str, int]] = {}  # with what was spared
        self.unread = Unread(policy.max_unread, policy.proxies)
        self._past_bytes_in = 0
        self._past_bytes_out = 0
        self._ids = itertools.count(1)
        self._wall_clock = wall_clock
        self._date = (0, "")
        self._when_gone: list[tuple[set[Wire], Callable[[], object]]] = []

    def next_id(self) -> int:
        """A number for a new wire."""
        return next(self._ids)

    def date(self) -> str:
        """The value of a Date header now."""
        now = int(self._wall_clock())
        if self._date[0] != now:
            self._date = (now, format_date(now))
        return self._date[1]

    def admit(self, address: str) -> Refusal | None:
        """Let a connection from `address` in, or say why not. Who is let in is to be connected, or dismissed."""
        if self.is_draining:
            refusal: Refusal | None = Refusal.DRAINING
        elif self.policy.max_strangers is None and self._count() >= self.policy.max_connections:
            refusal = Refusal.TOO_MANY
        else:
            refusal = self.admission.enter(address, asyncio.get_running_loop().time())
        if refusal is None:
            self.accepted += 1
            self._make_room()
        else:
            self.refuse(refusal)
        return refusal

    def recognize(self, number: int, holder: str, *, spare: int = 0) -> Refusal | None:
        """Say whose a connection is, or why it cannot be theirs as well: then it stays among the strangers.

        Args:
            number: of the connection, as requests have it
            spare: of the `max_connections`, those that are for others alone: who spares none
        """
        wire, policy = self.wires.get(number), self.policy
        if wire is None or self._holders.get(wire) == (holder, spare):
            return None
        known = [spared for other, (_, spared) in self._holders.items() if other is not wire]
        if policy.max_per_holder is not None and self._count_of(holder) >= policy.max_per_holder:
            refusal: Refusal | None = Refusal.TOO_MANY_OF_HOLDER
        elif (known.count(spare) if spare else len(known)) >= policy.max_connections - spare:
            refusal = Refusal.TOO_MANY
        else:
            refusal = None
            self._strangers.discard(wire)
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
        """Whether there are so many strangers that one has to go when another comes."""
        most = self.policy.max_strangers
        return most is not None and len(self._strangers) >= most

    def _make_room(self) -> None:
        """Drop a stranger for one that comes, if there are too many of them."""
        if not self.is_crowded:
            return
        oldest = self._strangers.pop()
        self.cut_off["crowded"] += 1
        if oldest in self.connecting:
            self.connecting[oldest].cancel()
        else:
            oldest.abort()

    def refuse(self, refusal: Refusal) -> None:
        """Count somebody who is turned away."""
        self.refused[refusal.name.lower()] += 1

    def connect(self, accepted: socket.socket, address: str) -> None:
        """Make a wire of an accepted socket, after the TLS handshake if there is one. It is told to the listener."""
        wire = Wire(self, address)
        if self.policy.max_strangers is not None:
            self._strangers.add(wire, address)
        task = asyncio.get_running_loop().create_task(self._connect(accepted, wire))
        self.connecting[wire] = task
        task.add_done_callback(lambda done: self._connected(accepted, wire, done))

    async def _connect(self, accepted: socket.socket, wire: Wire) -> None:
        try:
            await connect_accepted(lambda: wire, accepted, self.policy)
        except OSError as error:  # the peer's fault: TLS that fails, or takes too long
            log.debug("wire.not_connected", address=wire.address, error=error)
            self.cut_off["tls"] += 1

    def _connected(self, accepted: socket.socket, wire: Wire, done: asyncio.Task[None]) -> None:
        """A wire has begun, or never will. One that was dropped before its turn is never connected at all."""
        if self.connecting.pop(wire, None) is not None:  # it has not begun, so it will not end
            self._strangers.discard(wire)
            self.admission.leave(wire.address)
            if done.cancelled():
                accepted.close()

    def welcome(self, wire: Wire) -> None:
        """A wire has begun; it waits for an owner."""
        del self.connecting[wire]
        self.wires[wire.id] = wire
        if self.listener is not None:
            self.listener.tell(wire)

    def forget(self, wire: Wire) -> None:
        """A wire is gone."""
        if self.wires.pop(wire.id, None) is not None:
            self._past_bytes_in += wire.bytes_in
            self._past_bytes_out += wire.bytes_out
        self._strangers.discard(wire)
        self._holders.pop(wire, None)
        self.deadlines.forget(wire)
        self.unread.forget(wire)
        for awaited, tell in tuple(self._when_gone):
            awaited.discard(wire)
            if not awaited:
                self._when_gone.remove((awaited, tell))
                tell()

    def when_gone(self, wires: Iterable[Wire], tell: Callable[[], object]) -> None:
        """Have `tell()` called when none of `wires` is left, which may be now."""
        awaited = {wire for wire in wires if wire.id in self.wires}
        if awaited:
            self._when_gone.append((awaited, tell))
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
        name = self.listening[0].getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def prepare_stop(self) -> None:
        """Let nobody new in: the system refuses new connections from now on. The drainer says goodbye to the others."""
        self.is_draining = True
        if not self.is_listening:
            return
        self.is_listening = False
        loop = asyncio.get_running_loop()
        for listening in self.listening:
            loop.remove_reader(listening)
            listening.close()

    async def say_goodbye(self) -> list[Wire]:
        """Close every WebSocket with 1001, and return them. Who asks over HTTP is still told that we are not ready.

        One whose peer has ended its side ends by itself, when it has been answered.
        """
        websockets = [wire for wire in self.wires.values() if wire.session.state is not State.HTTP]
        for number, wire in enumerate(websockets, start=1):
            if wire.session.state is not State.FINISHING:
                wire.close(CloseCode.GOING_AWAY, GOODBYE)
            if number % GOODBYES == 0:
                await asyncio.sleep(0)
        return websockets

    def close(self) -> None:
        """Close the listening sockets, and drop what is still connected: WebSockets with 1001, and no more waiting."""
        self.is_draining = self.is_closed = True
        self.is_listening = False
        for listening in self.listening:
            listening.close()
        for connecting in self.connecting.values():
            connecting.cancel()
        for wire in list(self.wires.values()):
            wire.close(CloseCode.GOING_AWAY, GOODBYE)
            wire.abort()


async def connect_accepted(factory: Callable[[], asyncio.Protocol], accepted: socket.socket, policy: Policy) -> None:
    """Make a transport of an accepted socket.

    Raises:
        OSError: if the TLS handshake fails, or takes too long.
    """
    loop = asyncio.get_running_loop()
    if policy.tls is None:
        await loop.connect_accepted_socket(factory, accepted)
    else:
        # How long a peer may take for what was written before the end is for the deadlines, which look at its progress.
        timeouts = {"ssl_handshake_timeout": policy.request_timeout, "ssl_shutdown_timeout": NO_TIMEOUT}
        await loop.connect_accepted_socket(factory, accepted, ssl=policy.tls, **timeouts)
