"""No process. What goes out on one connection: writing, congestion, and the end. It knows of bytes only.

The transport is given a piece at a time: what it does not take waits here, where it is counted, and where it is the
same object for all who are sent the same. Over TLS the transport keeps an encrypted copy of what it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from actors.log import get_logger
from supervision.server.host import WireHost
from supervision.server.progress import progress_of
from supervision.server.unread import COUNTED_FROM

log = get_logger("canopy.server")

MIN_RATE = 5_000
"""Bytes a second: a peer that reads so many is alive, however much the buffers on the way hold."""
MAX_CORKED = 64 * 1024
"""Bytes that a corked connection keeps; beyond them it writes, to learn whether the peer reads."""
PIECE = 128 * 1024
"""Bytes that a transport is given at a time."""


def end_half(transport: asyncio.WriteTransport) -> None:
    """Flush and end our side of a connection; all of it where there are no halves, or no peer any more."""
    try:
        if transport.can_write_eof():
            transport.write_eof()
            return
    except OSError:  # asyncio's own loop passes on that the peer has reset the connection, before it has heard of it
        pass
    transport.close()


class Outgoing(asyncio.Protocol):
    """The way out of one connection. A base class of `Wire`, because a call from object to object costs 50 ns.

    Attributes:
        id: a number no other wire of these sockets has or had
        address: the client's, which is not the peer's behind a proxy that is trusted
        peer: the other end of TCP, as text
        bytes_out: bytes that were written
        is_closed: the connection has ended
        is_ending: it has been closed on our side; what the peer sends is thrown away
        is_congested: the peer reads slower than we write
        counted: bytes that count as unread for its address
        is_secure: whether it speaks TLS
    """

    __slots__ = (
        "_acknowledged",
        "_congested_from",
        "_corked",
        "_corked_size",
        "_ends_half",
        "_host",
        "_is_corked",
        "_is_cut_off",
        "_is_full",
        "_policy",
        "_queue",
        "_reads_until",
        "_shared",
        "_shared_until",
        "_transport",
        "_waiting",
        "_when_drained",
        "address",
        "bytes_out",
        "counted",
        "id",
        "is_closed",
        "is_congested",
        "is_ending",
        "is_secure",
        "peer",
    )

    def __init__(self, host: WireHost[Any], address: str) -> None:
        self._host = host
        self._policy = host.policy
        self.id = host.next_id()
        self.address = self.peer = address
        self.is_secure = host.policy.tls is not None
        self.bytes_out = 0
        self.is_closed = False
        self.is_ending = False
        self.is_congested = False
        self._is_cut_off = False
        self._is_corked = False
        self._corked: list[bytes] = []
        self._corked_size = 0
        self._queue: list[bytes | memoryview] = []
        self._waiting = 0
        self._shared = 0  # bytes of the last message that the sender keeps and counts
        self._shared_until = 0  # where it ends among the bytes that were written
        self._is_full = False  # the transport
        self.counted = 0
        self._ends_half: bool | None = None  # how to end when the queue is empty
        self._congested_from = 0
        self._acknowledged = 0  # at the last look; no position in the stream
        self._reads_until = 0.0  # what it took before the last look, if it reads at the least rate
        self._transport: asyncio.Transport | None = None
        self._when_drained: Callable[[], object] | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        if self.is_secure:
            self._transport.set_write_buffer_limits(PIECE)  # of what it has encrypted; by default 512 KiB

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the transport, whichever side caused it."""
        self.is_closed = True
        self.is_congested = False
        self._when_drained = None
        self._forget_queue()

    def pause_writing(self) -> None:
        """The transport takes no more for now."""
        self._is_full = True
        if not self.is_congested:
            self._congest()

    def resume_writing(self) -> None:
        """The transport takes more."""
        self._is_full = False
        self._write_on()

    # Writing.

    def write(self, data: bytes) -> None:
        """Write bytes in order, or keep some until the wire is uncorked. To a closed wire they go nowhere."""
        if not data or self.is_closed or self._transport is None:
            return
        if self._is_corked:
            self._corked.append(data)
            self._corked_size += len(data)
            if self._corked_size < MAX_CORKED:
                return
            data = self._take_corked()
        self.bytes_out += len(data)
        if self.is_congested or len(data) > PIECE:
            self._enqueue(data)
        else:
            self._transport.write(data)

    def write_shared(self, data: bytes) -> None:
        """Write bytes that the caller keeps for others, too, and counts: this wire counts them no more."""
        self.write(data)
        self._shared, self._shared_until = len(data), self.bytes_out

    def _enqueue(self, data: bytes) -> None:
        """Write what the transport may not take at once."""
        self._queue.append(data)
        self._waiting += len(data)
        if not self.is_congested:
            self._write_on()
        elif self.backlog > self._policy.max_backlog + self._congested_from:
            self.cut_off("backlog")
        else:
            self._count_unread()

    def _write_on(self) -> None:
        """Give the transport pieces of what waits, until it takes no more."""
        assert self._transport is not None
        while self._queue and not self._is_full and not self._transport.is_closing():
            self._transport.write(self._next_piece())
        if self.is_congested and not self._queue and not self._is_full:
            self.is_congested = False
            self._drained()
        self._count_unread()
        if self._ends_half is not None and not self._queue:
            self._end_transport(half=self._ends_half)

    def _write_all(self) -> None:
        """Give the transport all that waits: it is about to close, and takes no more afterwards."""
        assert self._transport is not None
        for data in self._queue:
            self._transport.write(data)
        self._forget_queue()
        self._shared = 0  # the transport has copies
        self._count_unread()

    def _next_piece(self) -> bytes | memoryview:
        """Take a piece from the queue: a part of a long message, or several short ones."""
        first = self._queue[0]
        if len(first) > PIECE:
            rest = memoryview(first)
            self._queue[0] = rest[PIECE:]
            self._waiting -= PIECE
            return rest[:PIECE]
        count, size = 0, 0
        for data in self._queue:
            if size + len(data) > PIECE:
                break
            count, size = count + 1, size + len(data)
        piece = first if count == 1 else b"".join(self._queue[:count])
        del self._queue[:count]
        self._waiting -= size
        return piece

    def _forget_queue(self) -> None:
        self._queue.clear()
        self._waiting = 0

    def _congest(self) -> None:
        """The peer reads slower than we write."""
        self.is_congested = True
        self._congested_from = self.backlog
        self._count_unread()
        self._expect_taking()

    def _drained(self) -> None:
        """The peer has caught up."""
        tell, self._when_drained = self._when_drained, None
        if tell is not None:
            tell()

    def cork(self) -> None:
        """Keep what is written until `uncork`, to send it in one write."""
        self._is_corked = True

    def uncork(self) -> None:
        """Send what was kept."""
        self._is_corked = False
        if self._corked:
            self.write(self._take_corked())

    def _take_corked(self) -> bytes:
        data = self._corked[0] if len(self._corked) == 1 else b"".join(self._corked)
        self._corked.clear()
        self._corked_size = 0
        return data

    def when_writable(self, tell: Callable[[], object]) -> None:
        """Have `tell()` called once when the peer of a congested wire has caught up; in place of any earlier one."""
        self._when_drained = tell

    # What the peer has taken.

    @property
    def backlog(self) -> int:
        """Bytes that the system has not taken yet."""
        if self._transport is None or self.is_closed:
            return 0
        return self._waiting + self._transport.get_write_buffer_size()

    @property
    def unread(self) -> int:
        """Bytes that wait for this peer, and for no other, if it is congested: else they are few."""
        if not self.is_congested:
            return 0
        backlog = self.backlog
        return backlog - max(0, min(self._shared, self._shared_until - (self.bytes_out - backlog)))

    def _count_unread(self) -> None:
        """Have what waits counted for the address, if it is much or was."""
        size = self.unread
        if size >= COUNTED_FROM or self.counted:
            self._host.unread.count(self, size)

    @property
    def unacknowledged(self) -> int:
        """Bytes that the peer has not acknowledged, as far as the system tells; else those it has not taken."""
        if self._transport is None or self.is_closed:
            return 0
        return self.backlog + progress_of(self._transport).held()

    def _expect_taking(self) -> None:
        """From now on, the peer has to take something in every stall timeout, until it has taken all."""
        if self._transport is not None and self not in self._host.deadlines.taking:
            self._acknowledged = self._count_acknowledged(self._transport)
            self._host.deadlines.taking.start(self)

    def taking_overdue(self) -> None:
        """Drop a peer that has bytes to take and has taken none, unless it may be reading what it took before.

        The buffers behind the acknowledgement may be large, and tell of no reader until much of them is free.
        """
        if self._transport is None or not self.unacknowledged:
            return
        now, before = asyncio.get_running_loop().time(), self._acknowledged
        self._acknowledged = self._count_acknowledged(self._transport)
        if self._acknowledged != before:
            self._reads_until = now + (self._acknowledged - before) / MIN_RATE
        elif now >= self._reads_until:
            self.cut_off("stalled")
            return
        self._host.deadlines.taking.start(self)

    def _count_acknowledged(self, transport: asyncio.Transport) -> int:
        return progress_of(transport).acknowledged(self.bytes_out - self.backlog)

    # The end.

    def end(self, *, half: bool) -> None:
        """Flush and close. `half`: only our side, and the rest when the peer has ended its own."""
        transport = self._transport
        if transport is None or self.is_ending or transport.is_closing():
            return
        self.uncork()
        self.is_ending = True
        if self._queue:
            self._ends_half = half
        else:
            self._end_transport(half=half)
        self._host.deadlines.closing.start(self)

    def _end_transport(self, *, half: bool) -> None:
        """Have the transport flush what it was given, and end."""
        assert self._transport is not None
        self._ends_half = None
        if half:
            end_half(self._transport)
        else:
            self._transport.close()

    def closing_overdue(self) -> None:
        """Drop a peer that has taken all and does not end its side. One that still takes has its time afterwards."""
        if self.unacknowledged:
            self._expect_taking()
            self._host.deadlines.closing.start(self)
        else:
            self.cut_off("close")

    def cut_off(self, reason: str) -> None:
        """Drop the peer, and count it, once."""
        if self._transport is not None and not self._is_cut_off:
            self._is_cut_off = True
            log.info("wire.cut_off", wire=self.id, peer=self.peer, reason=reason)
            self._host.cut_off[reason] += 1
            self.abort()

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._forget_queue()
            self._transport.abort()
