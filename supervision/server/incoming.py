"""No process. The incoming side of one connection: when to read, how to split long reads, and the owner's events."""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Any, Final

from actors import Ref
from protocol import Event, Pong, Request, Session, State
from supervision.server.host import WireHost
from supervision.server.outgoing import MIN_RATE, Outgoing
from supervision.server.unread import COUNTED_FROM

LONG_READ = 64 * 1024
"""Bytes of one read that are parsed at a time, before other connections get a turn."""
COSTLY_READ = 16 * 1024
"""The same for a peer that sends many tiny fragments or control frames (so many bytes of the shortest ones take 8 ms),
or compresses its messages, which may be a thousand times as long."""
MANY_FRAMES = 512
"""Number of tiny frames in one piece of a read that makes the peer's next reads costly."""
MAX_EVENTS = 1_024
"""Reading pauses above this number of events that wait for the owner."""
MAX_INFLATED_EVENTS = 16
"""The same for compressed messages: a short read may hold many long ones."""
MAX_UNCONSUMED = 1024 * 1024
"""Reading pauses above this number of received bytes whose events wait for the owner."""

_PING_DATA = Struct("!d")
_OPEN, _CLOSING, _CLOSED = State.OPEN, State.CLOSING, State.CLOSED  # a member looked up on its class costs 40 ns


class _Readable:
    def __repr__(self) -> str:
        return "READABLE"


READABLE: Final = _Readable()
"""The message to the owner: call `next_event`."""


class Incoming(Outgoing):
    """The incoming side of one connection. A base class of `Wire`.

    Attributes:
        session: the protocol state; the owner may read it
        owner: the process that handles the events, or None
        events: received, and not handled by an owner yet
        bytes_in: bytes read
        round_trip: seconds from the last ping to its pong, or None
    """

    # How bytes become events: the transport reads them (`bytes_in`), a long read waits in `_unparsed`, `_feed` passes
    # one piece of at most `_stride` bytes to the session, and the events wait in `events` until the owner takes them.
    # When it has taken all, `_consumed_bytes` catches up with `bytes_in`.
    #
    # - `_should_read` alone decides whether the peer is read. `_update_reading` carries the decision out and must be
    #   called after each change of what it depends on.
    # - `_is_reading`: the transport reads. False as well while `_unparsed` holds bytes.
    # - `_is_feed_scheduled`: `_unparsed` holds bytes, and the event loop will feed the next piece.
    # - `_is_eof_pending`: the peer has ended its stream, but the session is told only after the last unparsed byte.
    # - `_is_notified`: the owner was sent READABLE, and `next_event` has not returned None since. So at most one
    #   READABLE is under way, however many events there are.
    # - `_pinged_at` is None unless a ping waits for its pong. `_is_ping_queued`: the peer has other bytes to read
    #   first, so the stall timer decides whether it is alive; the pong timer only restarts.

    __slots__ = (
        "_bytes_in_at_ping",
        "_bytes_out_at_ping",
        "_bytes_out_at_pong",
        "_consumed_bytes",
        "_is_eof_pending",
        "_is_feed_scheduled",
        "_is_notified",
        "_is_ping_queued",
        "_is_reading",
        "_pinged_at",
        "_stride",
        "_unparsed",
        "bytes_in",
        "events",
        "owner",
        "round_trip",
        "session",
    )

    def __init__(self, host: WireHost[Any], address: str) -> None:
        super().__init__(host, address)
        self.session = Session(host.policy.limits, date=host.date)
        self.owner: Ref | None = None
        self.events: list[Event] = []  # an empty deque takes 700 bytes
        self.bytes_in = 0
        self._consumed_bytes = 0  # of `bytes_in`, those whose events the owner has taken
        self._unparsed = b""
        self._is_eof_pending = False
        self._stride = LONG_READ
        self._is_reading = True
        self._is_feed_scheduled = False
        self._is_notified = False
        self._pinged_at: float | None = None
        self._bytes_in_at_ping = 0
        self._bytes_out_at_ping = 0
        self._bytes_out_at_pong = 0  # before the last ping that was answered: the peer has read these
        self._is_ping_queued = False
        self.round_trip: float | None = None

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Parse bytes into events, and send the protocol's own answers (pongs, closes, errors)."""
        self.bytes_in += len(data)
        if self._is_reading and len(data) <= self._stride:
            self._feed(data)
        else:  # libuv reads up to 32 times in a row, 256 kB each
            self._unparsed += data
            self._update_reading()

    def eof_received(self) -> bool:
        """Handle the end of the peer's stream. Returns whether to keep our side open, for answers that are due."""
        self._is_eof_pending = True
        self._feed_eof()
        if self.is_secure:  # TLS cannot be half-closed
            self._hand_over_queue()
        if self._pending_half_close is None:
            return not (self.is_ending or self.is_secure)  # False closes the transport
        self._pending_half_close = False
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the end of the transport, whichever side caused it. What was read before is still parsed."""
        super().connection_lost(error)
        self._is_eof_pending = True
        self._feed_eof()
        self._update_reading()
        self._notify_owner()

    def _congest(self) -> None:
        """Stop reading from a peer that does not read: the answers would only queue up."""
        super()._congest()
        self._update_reading()

    def _decongest(self) -> None:
        """Read again from a peer that has caught up."""
        super()._decongest()
        if self.events:
            self._notify_owner()
        self._update_reading()

    @property
    def unread(self) -> int:
        """Bytes that wait for this peer alone; while reading is paused, also bytes it sent that wait for the owner."""
        return super().unread + (0 if self._is_reading else self.bytes_in - self._consumed_bytes)

    # What the owner does.

    def next_event(self) -> Event | None:
        """Remove and return the oldest event, or None; after None, the next event sends a new `READABLE`.

        Returns None on a congested wire: the peer does not read our answers.
        """
        if self.events and not self.is_congested:
            return self.events.pop(0)
        self._is_notified = False
        if not self.events:
            self._consumed_bytes = self.bytes_in
            if not self._is_reading:
                self._update_reading()
        return None

    @property
    def is_exhausted(self) -> bool:
        """Whether the connection has ended, and the owner has taken every event."""
        return self.is_closed and not self.events and not self._unparsed

    def end(self, *, half: bool) -> None:
        """Flush and close, and discard what the peer still sends. With `half`, close our side only."""
        super().end(half=half)
        self._unparsed = b""
        self._update_reading()

    # When to read.

    def _should_read(self) -> bool:
        """Whether to read from the peer, and to parse what has been read."""
        session = self.session
        if self.is_ending:
            return True  # to discard what it sends
        if self.is_congested or session.awaits_answer:
            return False
        if self.owner is None and session.state is not _CLOSING:  # a closing peer sends only its close frame
            return False
        if self.events and self.bytes_in - self._consumed_bytes > MAX_UNCONSUMED:
            return False
        return len(self.events) <= (MAX_INFLATED_EVENTS if session.is_compressed else MAX_EVENTS)

    def _update_reading(self) -> None:
        """Carry out what `_should_read` says: pause reading, or feed what has been read and then resume reading."""
        should_read = self._should_read()
        if should_read and self._unparsed and not self._is_feed_scheduled:
            self._is_feed_scheduled = True
            asyncio.get_running_loop().call_soon(self._feed_next)
        should_read = should_read and not self._unparsed
        if should_read is not self._is_reading and self._transport is not None and not self._transport.is_closing():
            self._is_reading = should_read
            if self.counted or self.bytes_in - self._consumed_bytes >= COUNTED_FROM:
                self._count_unread()
            if should_read:
                self._transport.resume_reading()
                self._restart_pong_timer()
            else:
                self._transport.pause_reading()

    def _feed_next(self) -> None:
        """Feed one piece of a long read; the rest waits until other connections have had a turn."""
        self._is_feed_scheduled = False
        if self._should_read():
            data, self._unparsed = self._unparsed[: self._stride], self._unparsed[self._stride :]
            self._feed(data)
            self._feed_eof()
            self._update_reading()

    def _feed(self, data: bytes) -> None:
        """Parse one piece of a read. The kind of frames in it decides how long the next piece may be."""
        if len(data) < COSTLY_READ:  # almost always, and cheap whatever it contains
            self._deliver(self.session.receive(data))
            return
        before = self.session.slow_frames
        self._deliver(self.session.receive(data))
        is_costly = self.session.slow_frames - before >= MANY_FRAMES
        self._stride = COSTLY_READ if is_costly or self.session.is_compressed else LONG_READ

    def _feed_eof(self) -> None:
        """Tell the session of the end of the peer's stream, once all bytes before it are parsed."""
        if self._is_eof_pending and not self._unparsed:
            self._is_eof_pending = False
            self._deliver(self.session.receive_eof())

    def _deliver(self, events: list[Event]) -> None:
        """Write what the session answered, queue `events` for the owner, and end the wire if the session has ended."""
        output = self.session.output()
        if output:
            self.write(output)
        if events:
            self.events.extend(events)
            if self._pinged_at is not None:
                self._match_pong(events)
            self._notify_owner()
            much = len(self.events) > MAX_INFLATED_EVENTS or self.bytes_in - self._consumed_bytes > MAX_UNCONSUMED
            if much or type(events[-1]) is Request:  # otherwise `_should_read` has not changed
                self._update_reading()
        if self.session.state is _CLOSED:
            self.end(half=self.session.may_receive_more)

    def _notify_owner(self) -> None:
        if self.owner is not None and not self._is_notified:
            self._is_notified = True
            self.owner.tell(READABLE)

    # Signs of life.

    def ping(self) -> bool:
        """Send a ping. Returns False if the WebSocket is not open, or is congested."""
        if self.session.state is not _OPEN or self.is_congested:
            return False
        now = asyncio.get_running_loop().time()
        self._check_queue_before_ping()
        self._pinged_at, self._bytes_in_at_ping, self._bytes_out_at_ping = now, self.bytes_in, self.bytes_out
        self.write(self.session.ping(_PING_DATA.pack(now)))
        return True

    def pong_overdue(self) -> None:
        """Drop a peer that has sent nothing since the last ping, although it had time to read up to that ping."""
        if self.bytes_in != self._bytes_in_at_ping or self._pinged_at is None or self.session.state is not _OPEN:
            return  # it has sent something, or closes and has another deadline
        reads_until = self._pinged_at + (self._bytes_out_at_ping - self._bytes_out_at_pong) / MIN_RATE
        if self._is_ping_queued or not self._is_reading or asyncio.get_running_loop().time() < reads_until:
            self._check_queue_before_ping()
            self._host.deadlines.pongs.start(self)
        else:
            self.cut_off("no_pong")

    def _check_queue_before_ping(self) -> None:
        """Note whether other bytes are queued before the ping. A peer that acknowledges some of them is alive."""
        self._is_ping_queued = self.unacknowledged > 0
        if self._is_ping_queued:
            self._start_stall_timer()

    def _restart_pong_timer(self) -> None:
        """Restart the timer of a pong: while reading was paused, we could not receive it."""
        if self in self._host.deadlines.pongs:
            self._host.deadlines.pongs.start(self)

    def _match_pong(self, events: list[Event]) -> None:
        """Look for the pong to the last ping, and measure the round trip."""
        assert self._pinged_at is not None
        expected = _PING_DATA.pack(self._pinged_at)
        if any(type(event) is Pong and event.data == expected for event in events):
            self.round_trip = asyncio.get_running_loop().time() - self._pinged_at
            self._pinged_at = None
            self._bytes_out_at_pong = self._bytes_out_at_ping
            self._host.deadlines.pongs.stop(self)
