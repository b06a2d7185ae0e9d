"""One wire per TCP connection: the transport and the protocol state. It runs no application code.

A wire outlives the actor that owns it: when a connection actor crashes, reading pauses, and the next incarnation
adopts the wire with every event that was not handled yet. One that nobody adopts in time is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, cast

from actors import ExitReason, Ref, watch
from actors.log import get_logger
from protocol import CloseCode, Event, Limits, Pong, Request, Response, Session, SharedMessage, State, Upgrade
from supervision.server.admission import Refusal

if TYPE_CHECKING:
    from supervision.server.sockets import Sockets

log = get_logger("canopy.server")

ADOPTION_TIMEOUT = 5.0
"""Seconds in which the listener ran and no wire was adopted, until one without an owner is closed with 1011."""
MIN_TAKEN = 16 * 1024
"""Bytes that a peer has to take in a timeout to be given as much time again."""
LONG_READ = 64 * 1024
"""Bytes of one read that are taken in at a time; then others have a turn."""
COSTLY_READ = 16 * 1024
"""The same for a peer that sends many tiny fragments or control frames (in the shortest ones they take 8 ms), or
whose messages are compressed: they may be a thousand times as long."""
MANY_FRAMES = 512
"""Such frames in one piece of a read from which on the peer's reads are costly."""
MAX_EVENTS = 1_024
"""Events that wait for the owner above which reading pauses."""
MAX_INFLATED_EVENTS = 16
"""The same where messages are compressed: a short read may hold many long ones."""
MAX_UNTAKEN = 1024 * 1024
"""Bytes that the events which wait for the owner may have come in above which reading pauses."""


_NUMBER = Struct("!d")
_OPEN, _CLOSED = State.OPEN, State.CLOSED  # a member looked up on its class costs 40 ns


class _Readable:
    def __repr__(self) -> str:
        return "READABLE"


READABLE: Final = _Readable()
"""The message to the owner: there are events to take."""


class Wire(asyncio.Protocol):
    """The socket of one connection.

    Attributes:
        id: a number no other wire of these sockets has or had
        session: the protocol state, to be read by the owner
        peer: the other end of TCP, as text
        address: the client's, which is not the peer's behind a proxy that is trusted
        is_secure: whether it speaks TLS
        connected_at: when it began, in seconds of the loop's clock
        round_trip: seconds that the last ping took, or None
        keepsake: whatever the owner wants its next incarnation to find
        events: what the peer sent and no owner has taken yet
    """

    __slots__ = (  # more attributes than CPython shares the names of (30) took 2 KiB a wire
        "_admitted",
        "_close_timer",
        "_congested_from",
        "_corked",
        "_heard_at_ping",
        "_is_corked",
        "_is_cut_off",
        "_is_ending",
        "_is_full",
        "_is_notified",
        "_is_paused",
        "_orphan_timer",
        "_peer_address",
        "_pinged_at",
        "_policy",
        "_sockets",
        "_stall_timer",
        "_stride",
        "_transport",
        "_unheard",
        "_untaken_from",
        "_unwatch",
        "_when_drained",
        "address",
        "bytes_in",
        "bytes_out",
        "connected_at",
        "events",
        "id",
        "is_closed",
        "is_congested",
        "is_secure",
        "keepsake",
        "owner",
        "peer",
        "round_trip",
        "session",
    )

    def __init__(self, sockets: Sockets, address: str) -> None:
        self._sockets = sockets
        self._policy = sockets.policy
        self.id = sockets.next_id()
        self.session = Session(sockets.policy.limits, date=sockets.date)
        self.peer = self.address = address
        self.is_secure = sockets.policy.tls is not None
        self.connected_at = 0.0
        self.round_trip: float | None = None
        self.owner: Ref | None = None
        self.keepsake: Any = None
        self.events: list[Event] = []  # an empty deque takes 700 bytes
        self.bytes_in = 0
        self.bytes_out = 0
        self.is_closed = False
        self.is_congested = False
        self._congested_from = 0
        self._untaken_from = 0  # of the bytes that came in, those whose events have been taken
        self._pinged_at: float | None = None
        self._heard_at_ping = 0
        self._admitted: str | None = None  # whose WebSocket it is, once it may be opened
        self._peer_address = address
        self._transport: asyncio.Transport | None = None
        self._unwatch: Callable[[], None] | None = None
        self._when_drained: Callable[[], object] | None = None
        self._is_notified = False
        self._is_paused = False
        self._is_full = False  # some of a long read waits until the events before it have been taken
        self._is_corked = False
        self._is_ending = False
        self._is_cut_off = False
        self._stride = LONG_READ
        self._unheard = b""
        self._corked: list[bytes] = []
        self._orphan_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<wire {self.id} {self.peer}>"

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; nobody owns the wire yet."""
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self.peer = f"[{self.address}]:{name[1]}" if ":" in self.address else f"{self.address}:{name[1]}"
        self.connected_at = asyncio.get_running_loop().time()
        self._sockets.welcome(self)
        self._wait_for_owner()

    def data_received(self, data: bytes) -> None:
        """Turn bytes into events; answer what the protocol itself answers."""
        self.bytes_in += len(data)
        if len(data) <= self._stride and not self._unheard:
            self._hear(data)
        else:
            self._unheard += data
            self._pause()  # libuv would read 32 times in a row, 256 kB each
            self._hear_more()

    def eof_received(self) -> bool:
        """The peer will send no more: it may still be owed an answer."""
        if self._unheard:  # the end of TLS comes even while reading pauses
            data, self._unheard = self._unheard, b""
            self._hear(data)
        self._absorb(self.session.receive_eof())
        return not (self._is_ending or self.is_secure)  # False has the transport closed; TLS has no half of an end

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the transport, whoever caused it."""
        self.is_closed = True
        self._sockets.forget(self)
        self._sockets.admission.leave(self._peer_address)
        if self._admitted is not None:
            self._sockets.admission.close(self._admitted)
        for timer in (self._orphan_timer, self._close_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        if error is not None:
            log.debug("wire.lost", wire=self.id, peer=self.peer, error=error)
        self._absorb(self.session.receive_eof())
        self._notify()

    def pause_writing(self) -> None:
        """The peer reads slower than we write: hear no more of it, for the answers would only wait, too."""
        self.is_congested = True
        self._congested_from = self.backlog
        self._pause()
        self._cut_off_in_time()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.is_congested = False
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        tell, self._when_drained = self._when_drained, None
        if tell is not None:
            tell()
        self._read_on_if_heard()

    # What the owner does.

    def adopt(self, owner: Ref) -> None:
        """Make `owner` the owner: it gets `READABLE` whenever there are events."""
        if self._unwatch is not None:
            self._unwatch()
        self.owner = owner
        self._sockets.adopted_at = asyncio.get_running_loop().time()
        if self._orphan_timer is not None:
            self._orphan_timer.cancel()
            self._orphan_timer = None
        self._unwatch = watch(owner, self._owner_down)
        self._is_notified = False
        if self.events or self.is_closed:
            self._notify()
        self._read_on()

    def take(self) -> Event | None:
        """Take the oldest event, or None: then the next one brings a new `READABLE`."""
        if self.events:
            return self.events.pop(0)
        self._is_notified = False
        self._untaken_from = self.bytes_in
        if self._unheard and self._is_full:
            self._is_full = False
            asyncio.get_running_loop().call_soon(self._hear_more)
        self._read_on()
        return None

    def identify(self, request: Request) -> Request:
        """Say who sent a request, as far as proxies that are trusted tell."""
        forwarded = request.headers.tokens("X-Forwarded-For")
        self.address = self._policy.proxies.client(self._peer_address, forwarded)
        return replace(request, remote=self.address, is_secure=self.is_secure)

    def admit(self, request: Request, origin: str | None) -> Refusal | None:
        """Let a request open a WebSocket, or say why not."""
        sockets, refusal = self._sockets, None
        if sockets.is_draining:  # the drainer may have passed already, and nobody would say goodbye
            refusal = Refusal.DRAINING
        elif not self._policy.origins.permit(origin, request.host):
            refusal = Refusal.ORIGIN
        else:
            refusal = sockets.admission.open(self.address, asyncio.get_running_loop().time())
            self._admitted = None if refusal else self.address
        if refusal is not None:
            sockets.refuse(refusal)
        return refusal

    def accept(
        self,
        upgrade: Upgrade,
        subprotocol: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        limits: Limits | None = None,
    ) -> None:
        """Answer the request that waits with 101; what follows it are WebSocket events."""
        self._sockets.heartbeat.watch(self)
        compression = self._policy.compression
        events = self.session.accept(
            upgrade, subprotocol=subprotocol, headers=headers, compression=compression, limits=limits
        )
        self._stride = COSTLY_READ if self.session.is_compressed else LONG_READ
        self._absorb(events)

    def respond(self, response: Response, *, close: bool = False) -> None:
        """Answer the request that waits."""
        self._absorb(self.session.respond(response, close=close or self.is_draining))

    def send_text(self, data: str | bytes) -> None:
        """Send a text message; UTF-8 bytes are taken as they are. After a close frame nothing is sent."""
        self.write(self.session.send_text(data))

    def send_binary(self, data: bytes) -> None:
        """Send a binary message. After a close frame nothing is sent."""
        self.write(self.session.send_binary(data))

    def send(self, message: SharedMessage) -> None:
        """Send a message that others may be sent, too. After a close frame nothing is sent."""
        self.write(message.for_session(self.session))

    def send_frames(self, data: bytes) -> None:
        """Send whole frames that somebody encoded for many wires at once; nothing unless the WebSocket is open."""
        if self.session.state is _OPEN:
            self.write(data)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake, or end HTTP after what is being sent; the transport follows in time."""
        if self.is_closed:
            return
        if self.session.state is State.FINISHING:
            self.finish()
        elif self.session.state is State.OPEN:
            self.write(self.session.close(code, reason))
            self.uncork()
            self._abort_in_time()
            self._read_on()  # for the peer's answer, even if nobody owns the wire
        elif self.session.state is State.HTTP and not self.session.awaits_answer:
            self._close_transport()

    def expire(self) -> None:
        """End HTTP because no whole request came in time; who has sent a part of one is told so."""
        if self.session.expire():
            self._sockets.cut_off["request"] += 1
        self._absorb([])

    def finish(self) -> None:
        """Answer the peer's close, violation or end, which is the last event, and end the connection."""
        self.write(self.session.finish())
        if self.session.state is _CLOSED:
            self._end_transport()

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def write(self, data: bytes) -> None:
        """Write bytes in order, or keep them until the wire is uncorked. To a closed wire they go nowhere."""
        if not data or self.is_closed or self._transport is None:
            return
        if self._is_corked:
            self._corked.append(data)
            return
        self.bytes_out += len(data)
        self._transport.write(data)
        if self.is_congested and self.backlog > self._policy.max_backlog + self._congested_from:
            self._cut_off("backlog")

    def when_drained(self, tell: Callable[[], object]) -> None:
        """Have `tell()` called once when the peer of a congested wire has caught up; in place of any earlier one."""
        self._when_drained = tell

    def cork(self) -> None:
        """Keep what is written until `uncork`, to send it in one write."""
        self._is_corked = True

    def uncork(self) -> None:
        """Send what was kept."""
        self._is_corked = False
        if self._corked:
            data = self._corked[0] if len(self._corked) == 1 else b"".join(self._corked)
            self._corked.clear()
            self.write(data)

    def count_closing(self, code: int) -> None:
        """Note how the WebSocket has ended."""
        self._sockets.closings[code] += 1

    @property
    def request_timeout(self) -> float:
        """Seconds a client has for a whole request."""
        return self._policy.request_timeout

    @property
    def is_draining(self) -> bool:
        """Whether the application is about to stop."""
        return self._sockets.is_draining

    @property
    def backlog(self) -> int:
        """Bytes that the peer has not taken yet."""
        return 0 if self._transport is None or self.is_closed else self._transport.get_write_buffer_size()

    # The heartbeat.

    def ping(self, now: float) -> bool:
        """Ask for a sign of life; False if this is no time for it: the WebSocket is not open, or does not read."""
        if self.session.state is not _OPEN or self.is_congested:
            return False
        self._pinged_at, self._heard_at_ping = now, self.bytes_in
        self.write(self.session.ping(_NUMBER.pack(now)))
        return True

    def expect_life(self) -> None:
        """Drop a peer that has said nothing since the last ping, and that we would have heard."""
        if self.bytes_in == self._heard_at_ping and not self._is_paused:
            self._cut_off("no_pong")

    def _note_pong(self, events: list[Event]) -> None:
        """Look for the answer to the last ping."""
        expected = _NUMBER.pack(self._pinged_at)
        if any(type(event) is Pong and event.data == expected for event in events):
            assert self._pinged_at is not None
            self.round_trip = asyncio.get_running_loop().time() - self._pinged_at
            self._pinged_at = None
            self._sockets.heartbeat.answered(self)

    # Private.

    def _may_hear_more(self) -> bool:
        """Whether so little waits for the owner that more may be read."""
        if self.events and self.bytes_in - self._untaken_from > MAX_UNTAKEN:
            return False
        return len(self.events) <= (MAX_INFLATED_EVENTS if self.session.is_compressed else MAX_EVENTS)

    def _absorb(self, events: list[Event]) -> None:
        output = self.session.output()
        if output:
            self.write(output)
        if events:
            self.events.extend(events)
            if self._pinged_at is not None:
                self._note_pong(events)
            self._notify()
            few = len(self.events) <= MAX_INFLATED_EVENTS and self.bytes_in - self._untaken_from <= MAX_UNTAKEN
            if type(events[-1]) is Request or not (few or self._may_hear_more()):
                self._pause()
        if self.session.state is _CLOSED:
            self._end_transport()

    def _notify(self) -> None:
        if self.owner is not None and not self._is_notified:
            self._is_notified = True
            self.owner.tell(READABLE)

    def _pause(self) -> None:
        if not self._is_paused and not self._is_ending and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _read_on(self) -> None:
        must_wait = self._unheard or self.session.awaits_answer or (self.is_congested and not self._is_ending)
        if self._is_paused and not must_wait and self._transport is not None:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _read_on_if_heard(self) -> None:
        """Read on, unless there are events to take: then the owner does, or whoever adopts the wire."""
        is_heard = not self.events and (self.owner is not None or self.session.state is State.CLOSING)
        if is_heard or self._is_ending:
            self._read_on()

    def _hear(self, data: bytes) -> None:
        """Take in a piece of what was read; what it cost decides how long the next one may be."""
        if len(data) < COSTLY_READ:  # almost always, and cheap whatever it holds
            self._absorb(self.session.receive(data))
            return
        before = self.session.slow_frames
        self._absorb(self.session.receive(data))
        is_costly = self.session.slow_frames - before >= MANY_FRAMES
        self._stride = COSTLY_READ if is_costly or self.session.is_compressed else LONG_READ

    def _hear_more(self) -> None:
        """Take in some of a long read, and have the rest wait until others have had a turn."""
        data, self._unheard = self._unheard[: self._stride], self._unheard[self._stride :]
        self._hear(data)
        if not self._unheard:
            self._read_on_if_heard()
        elif self._may_hear_more():
            asyncio.get_running_loop().call_soon(self._hear_more)
        else:
            self._is_full = True  # `take` goes on

    def _end_transport(self) -> None:
        """Flush and close; if the peer may still be sending, only our side, and the rest when it has ended its own.

        What it sends meanwhile is thrown away. To a closed socket the system would answer that with a reset, which can
        take the close frame, or the response, from a peer that has not read it yet (RFC 6455 §7.1.1, RFC 9112 §9.6).
        """
        if self._transport is not None and self.session.may_hear_more and self._transport.can_write_eof():
            self._begin_end(self._transport, self._transport.write_eof)
            self._read_on()
        else:
            self._close_transport()

    def _close_transport(self) -> None:
        """Flush and close."""
        if self._transport is not None:
            self._begin_end(self._transport, self._transport.close)

    def _begin_end(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        """Flush, then call `end`; a peer that takes nothing of the rest loses it."""
        if not self._is_ending and not transport.is_closing():
            self._is_ending = True
            self._unheard = b""  # nobody wants it, and reading would wait for it
            self.uncork()
            end()
            self._abort_in_time()

    def _owner_down(self, ref: Ref, reason: ExitReason) -> None:
        """The owner has ended without closing the wire: it crashed, or is restarted for another's sake."""
        if ref is not self.owner:
            return
        self.owner = self._unwatch = None
        self.uncork()
        if self._transport is not None and not self._is_ending and not self._transport.is_closing():
            log.info("wire.orphaned", wire=self.id, reason=reason)
            self._pause()
            self._wait_for_owner()

    def _wait_for_owner(self) -> None:
        if self._orphan_timer is None:
            self._orphan_timer = asyncio.get_running_loop().call_later(ADOPTION_TIMEOUT, self._give_up)

    def _give_up(self) -> None:
        """Close a wire that no process has adopted, unless others are still being adopted: there may be thousands.

        Without a listener the server is being restarted, and that waits for those before it, a slow disk for example.
        """
        self._orphan_timer = None
        loop, listener = asyncio.get_running_loop(), self._sockets.listener
        is_served = listener is not None and listener.is_alive()
        due = (self._sockets.adopted_at if is_served else loop.time()) + ADOPTION_TIMEOUT
        if self.owner is None and due > loop.time():
            self._orphan_timer = loop.call_at(due, self._give_up)
        elif self.owner is None:
            log.error("wire.not_adopted", wire=self.id, peer=self.peer)
            self.fail()

    def fail(self) -> None:
        """End the connection because our side of it is broken: 1011, or 500 to a request that waits."""
        if self.session.awaits_answer:
            self.respond(Response(500, (("Content-Type", "text/plain"),), b"internal error\n"), close=True)
        self.close(CloseCode.INTERNAL_ERROR, "the server failed to handle this connection")

    def _abort_in_time(self) -> None:
        if self._close_timer is None:
            loop = asyncio.get_running_loop()
            self._close_timer = loop.call_later(self._policy.close_timeout, self._abort_unless_taking, self._taken)

    def _abort_unless_taking(self, taken: int) -> None:
        """Drop the peer, unless it has taken something since it had `taken` so much: its network may be slow."""
        self._close_timer = None
        if self._taken - taken >= MIN_TAKEN:
            self._abort_in_time()
        else:
            self._cut_off("close")

    def _cut_off_in_time(self) -> None:
        loop = asyncio.get_running_loop()
        self._stall_timer = loop.call_later(self._policy.stall_timeout, self._cut_off_unless_taking, self._taken)

    def _cut_off_unless_taking(self, taken: int) -> None:
        if self._taken - taken >= MIN_TAKEN:
            self._cut_off_in_time()
        else:
            self._cut_off("stalled")

    def _cut_off(self, reason: str) -> None:
        """Drop the peer, once."""
        if self._transport is not None and not self._is_cut_off:
            self._is_cut_off = True
            log.info("wire.cut_off", wire=self.id, peer=self.peer, reason=reason)
            self._sockets.cut_off[reason] += 1
            self._transport.abort()

    @property
    def _taken(self) -> int:
        """Bytes that the peer has taken."""
        return self.bytes_out - self.backlog
