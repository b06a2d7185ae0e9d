"""No process. What comes in on one connection: when to read, long reads in pieces, and the events for the owner."""

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
_OPEN, _CLOSING, _CLOSED = State.OPEN, State.CLOSING, State.CLOSED  # a member looked up on its class costs 40 ns


class _Readable:
    def __repr__(self) -> str:
        return "READABLE"


READABLE: Final = _Readable()
"""The message to the owner: there are events to take."""


class Incoming(Outgoing):
    """The way in of one connection. A base class of `Wire`.

    Attributes:
        session: the protocol state, to be read by the owner
        owner: the process that takes the events; None while there is none
        events: what the peer sent and no owner has taken yet
        bytes_in: bytes that were read
        round_trip: seconds that the last ping took, or None
    """

    __slots__ = (
        "_consumed_bytes",
        "_has_ended",
        "_heard_at_ping",
        "_is_hearing",
        "_is_notified",
        "_is_reading",
        "_ping_waits",
        "_pinged_at",
        "_stride",
        "_unparsed",
        "_written_at_ping",
        "_written_at_pong",
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
        self._consumed_bytes = 0  # of the bytes that came in, those whose events have been taken
        self._unparsed = b""  # read, and not given to the session yet
        self._has_ended = False  # the peer's stream, behind what is unheard
        self._stride = LONG_READ
        self._is_reading = True
        self._is_hearing = False  # the next piece of what is unheard will be taken in by the event loop
        self._is_notified = False
        self._pinged_at: float | None = None
        self._heard_at_ping = 0
        self._written_at_ping = 0
        self._written_at_pong = 0  # at the last ping that was answered: the peer has read so much
        self._ping_waits = False  # behind something that the peer has not taken
        self.round_trip: float | None = None

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Turn bytes into events; answer what the protocol itself answers."""
        self.bytes_in += len(data)
        if self._is_reading and len(data) <= self._stride:
            self._feed(data)
        else:  # libuv would read 32 times in a row, 256 kB each
            self._unparsed += data
            self._read_on()

    def eof_received(self) -> bool:
        """The peer will send no more: it may still be owed an answer."""
        self._has_ended = True
        self._hear_end()
        if self.is_secure:  # TLS has no half of an end
            self._write_all()
        if self._ends_half is None:
            return not (self.is_ending or self.is_secure)  # False has the transport closed
        self._ends_half = False
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the transport, whichever side caused it; what has been read before is still heard."""
        super().connection_lost(error)
        self._has_ended = True
        self._hear_end()
        self._read_on()
        self._notify()

    def _congest(self) -> None:
        """The peer reads slower than we write: hear no more of it, for the answers would only wait, too."""
        super()._congest()
        self._read_on()

    def _drained(self) -> None:
        """The peer has caught up, and is heard again."""
        super()._drained()
        if self.events:
            self._notify()
        self._read_on()

    @property
    def unread(self) -> int:
        """Bytes that wait for this peer, and for no other; those that it sent too, while it is not heard."""
        return super().unread + (0 if self._is_reading else self.bytes_in - self._consumed_bytes)

    # What the owner does.

    def take(self) -> Event | None:
        """Take the oldest event, or None: then the next one brings a new `READABLE`.

        There is none while the peer does not read what it was answered.
        """
        if self.events and not self.is_congested:
            return self.events.pop(0)
        self._is_notified = False
        if not self.events:
            self._consumed_bytes = self.bytes_in
            if not self._is_reading:
                self._read_on()
        return None

    @property
    def is_exhausted(self) -> bool:
        """Whether the connection has ended, and all that came has been taken."""
        return self.is_closed and not self.events and not self._unparsed

    def end(self, *, half: bool) -> None:
        """Flush and close, and throw away what the peer still sends. `half`: close our side first."""
        super().end(half=half)
        self._unparsed = b""
        self._read_on()

    # When to read.

    def _may_hear(self) -> bool:
        """Whether the peer is heard. Nothing else decides it."""
        session = self.session
        if self.is_ending:
            return True  # to throw away what it sends
        if self.is_congested or session.awaits_answer:
            return False
        if self.owner is None and session.state is not _CLOSING:  # then it is the answer to our close frame
            return False
        if self.events and self.bytes_in - self._consumed_bytes > MAX_UNTAKEN:
            return False
        return len(self.events) <= (MAX_INFLATED_EVENTS if session.is_compressed else MAX_EVENTS)

    def _read_on(self) -> None:
        """Hear what has been read, then read on; or pause. To be called when what `_may_hear` looks at has changed."""
        may_hear = self._may_hear()
        if may_hear and self._unparsed and not self._is_hearing:
            self._is_hearing = True
            asyncio.get_running_loop().call_soon(self._hear_more)
        should_read = may_hear and not self._unparsed
        if should_read is not self._is_reading and self._transport is not None and not self._transport.is_closing():
            self._is_reading = should_read
            if self.counted or self.bytes_in - self._consumed_bytes >= COUNTED_FROM:
                self._count_unread()
            if should_read:
                self._transport.resume_reading()
                self._listen_for_pong()
            else:
                self._transport.pause_reading()

    def _hear_more(self) -> None:
        """Take in some of a long read; the rest waits until others have had a turn."""
        self._is_hearing = False
        if self._may_hear():
            data, self._unparsed = self._unparsed[: self._stride], self._unparsed[self._stride :]
            self._feed(data)
            self._hear_end()
            self._read_on()

    def _feed(self, data: bytes) -> None:
        """Take in a piece of what was read; what it cost decides how long the next one may be."""
        if len(data) < COSTLY_READ:  # almost always, and cheap whatever it holds
            self._absorb(self.session.receive(data))
            return
        before = self.session.slow_frames
        self._absorb(self.session.receive(data))
        is_costly = self.session.slow_frames - before >= MANY_FRAMES
        self._stride = COSTLY_READ if is_costly or self.session.is_compressed else LONG_READ

    def _hear_end(self) -> None:
        """Take in the end of the peer's stream, if it has come, behind all that was read."""
        if self._has_ended and not self._unparsed:
            self._has_ended = False
            self._absorb(self.session.receive_eof())

    def _absorb(self, events: list[Event]) -> None:
        output = self.session.output()
        if output:
            self.write(output)
        if events:
            self.events.extend(events)
            if self._pinged_at is not None:
                self._note_pong(events)
            self._notify()
            much = len(self.events) > MAX_INFLATED_EVENTS or self.bytes_in - self._consumed_bytes > MAX_UNTAKEN
            if much or type(events[-1]) is Request:  # else the answer is known: almost always
                self._read_on()
        if self.session.state is _CLOSED:
            self.end(half=self.session.may_receive_more)

    def _notify(self) -> None:
        if self.owner is not None and not self._is_notified:
            self._is_notified = True
            self.owner.tell(READABLE)

    # Signs of life.

    def ping(self) -> bool:
        """Ask for a sign of life; False if this is no time for it: the WebSocket is not open, or does not read."""
        if self.session.state is not _OPEN or self.is_congested:
            return False
        now = asyncio.get_running_loop().time()
        self._look_ahead_of_ping()
        self._pinged_at, self._heard_at_ping, self._written_at_ping = now, self.bytes_in, self.bytes_out
        self.write(self.session.ping(_NUMBER.pack(now)))
        return True

    def pong_overdue(self) -> None:
        """Drop a peer that has said nothing since the last ping, though it has had the time to read up to it."""
        if self.bytes_in != self._heard_at_ping or self._pinged_at is None or self.session.state is not _OPEN:
            return  # a peer that ends its side cannot answer, and has its own deadline
        reads_until = self._pinged_at + (self._written_at_ping - self._written_at_pong) / MIN_RATE
        if self._ping_waits or not self._is_reading or asyncio.get_running_loop().time() < reads_until:
            self._look_ahead_of_ping()
            self._host.deadlines.pongs.start(self)
        else:
            self.cut_off("no_pong")

    def _look_ahead_of_ping(self) -> None:
        """See whether the peer has something else to take before the ping; while it takes some, it is alive."""
        self._ping_waits = self.unacknowledged > 0
        if self._ping_waits:
            self._expect_taking()

    def _listen_for_pong(self) -> None:
        """Give the peer the whole time again: we have not listened for some of it."""
        if self in self._host.deadlines.pongs:
            self._host.deadlines.pongs.start(self)

    def _note_pong(self, events: list[Event]) -> None:
        """Look for the answer to the last ping."""
        assert self._pinged_at is not None
        expected = _NUMBER.pack(self._pinged_at)
        if any(type(event) is Pong and event.data == expected for event in events):
            self.round_trip = asyncio.get_running_loop().time() - self._pinged_at
            self._pinged_at = None
            self._written_at_pong = self._written_at_ping
            self._host.deadlines.pongs.stop(self)
