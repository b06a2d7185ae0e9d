"""No process. The outgoing side of one connection: writes, congestion and the end. It handles bytes only.

The transport gets one piece at a time. The rest waits in the queue of the wire, where it is counted, and where all
recipients of a broadcast share one bytes object. Over TLS the transport keeps an encrypted copy of what it was given.
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
"""Bytes per second: a peer that reads at this rate counts as alive, however large the buffers on the path are."""
MAX_CORKED = 64 * 1024
"""Bytes a corked wire holds back. Beyond them it writes, to find out whether the peer reads."""
PIECE = 128 * 1024
"""Bytes handed to the transport at a time."""


def end_half(transport: asyncio.WriteTransport) -> None:
    """Flush and close our side of a connection, or both sides if TCP cannot be half-closed or the peer is gone."""
    try:
        if transport.can_write_eof():
            transport.write_eof()
            return
    except OSError:  # the peer reset the connection, and asyncio's own loop has not reported that yet
        pass
    transport.close()


class Outgoing(asyncio.Protocol):
    """The outgoing side of one connection. A base class of `Wire`, because a call between two objects costs 50 ns.

    Attributes:
        id: unique among all wires that its `Sockets` ever had
        address: of the client; behind a trusted proxy it differs from the address of the peer
        peer: the other end of the TCP connection, as text
        bytes_out: bytes written
        is_closed: the connection has ended
        is_ending: our side is closed; what the peer still sends is discarded
        is_congested: the peer reads slower than we write
        counted: bytes that `UnreadLimiter` counts for the wire's client network
        is_secure: the connection uses TLS
    """

    # How the flags interlock:
    #
    # - `_is_corked`: writes collect in `_corked` until `uncork`, or until there are MAX_CORKED bytes. Only then do they
    #   count in `bytes_out`.
    # - `_is_transport_full`: between the transport's `pause_writing` and `resume_writing`.
    # - `is_congested` begins with `_is_transport_full`, but ends only when the queue is empty as well, so that bytes
    #   never overtake the queue. Without congestion the queue is empty, and short writes go straight to the transport.
    # - `_pending_half_close` is None unless `end` found a queue: then it says how to end once the queue is empty (True:
    #   close our side, False: close both), and `is_ending` is set already.
    # - The end: `is_ending` (`end` was called), then `is_closed` (the event loop has called `connection_lost`). A
    #   dropped connection goes to `is_closed` directly.
    # - The stall timer runs from congestion, or from another reason to expect progress, until the peer has acknowledged
    #   everything; it restarts itself while the peer makes progress.

    __slots__ = (
        "_acknowledged",
        "_backlog_at_congestion",
        "_corked",
        "_corked_size",
        "_host",
        "_is_corked",
        "_is_cut_off",
        "_is_transport_full",
        "_on_writable",
        "_pending_half_close",
        "_policy",
        "_queue",
        "_queued_bytes",
        "_reading_until",
        "_shared_end",
        "_shared_size",
        "_transport",
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
        self._queued_bytes = 0
        self._shared_size = 0  # bytes of the last message that its sender keeps, and counts itself
        self._shared_end = 0  # value of `bytes_out` behind that message
        self._is_transport_full = False
        self.counted = 0
        self._pending_half_close: bool | None = None
        self._backlog_at_congestion = 0
        self._acknowledged = 0  # when the stall timer last checked; good to compare only
        self._reading_until = 0.0  # when a reader at MIN_RATE is through with what it acknowledged
        self._transport: asyncio.Transport | None = None
        self._on_writable: Callable[[], object] | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's only has the methods of one
        if self.is_secure:
            self._transport.set_write_buffer_limits(PIECE)  # of encrypted bytes; the default is 512 KiB

    def connection_lost(self, error: Exception | None) -> None:
        """Discard the queue: the transport has ended, whichever side caused it."""
        self.is_closed = True
        self.is_congested = False
        self._on_writable = None
        self._clear_queue()

    def pause_writing(self) -> None:
        """Stop writing: the transport's buffer is full."""
        self._is_transport_full = True
        if not self.is_congested:
            self._congest()

    def resume_writing(self) -> None:
        """Write what waits: the transport's buffer has room again."""
        self._is_transport_full = False
        self._write_queue()

    # Writing.

    def write(self, data: bytes) -> None:
        """Write bytes in order. A corked wire holds them back; a closed one discards them."""
        if not data or self.is_closed or self._transport is None:
            return
        if self._is_corked:
            self._corked.append(data)
            self._corked_size += len(data)
            if self._corked_size < MAX_CORKED:
                return
            data = self._pop_corked()
        self.bytes_out += len(data)
        if self.is_congested or len(data) > PIECE:
            self._enqueue(data)
        else:
            self._transport.write(data)

    def write_shared(self, data: bytes) -> None:
        """Write bytes that the caller shares between wires and counts itself: they do not count as unread here."""
        self.write(data)
        self._shared_size, self._shared_end = len(data), self.bytes_out

    def _enqueue(self, data: bytes) -> None:
        """Write bytes that the transport may not take at once; cut off a peer whose backlog exceeds the limit."""
        self._queue.append(data)
        self._queued_bytes += len(data)
        if not self.is_congested:
            self._write_queue()
        elif self.backlog > self._policy.max_backlog + self._backlog_at_congestion:
            self.cut_off("backlog")
        else:
            self._count_unread()

    def _write_queue(self) -> None:
        """Hand the queue to the transport piece by piece until it is full; carry out an `end` that waits for this."""
        assert self._transport is not None
        while self._queue and not self._is_transport_full and not self._transport.is_closing():
            self._transport.write(self._next_piece())
        if self.is_congested and not self._queue and not self._is_transport_full:
            self.is_congested = False
            self._decongest()
        self._count_unread()
        if self._pending_half_close is not None and not self._queue:
            self._end_transport(half=self._pending_half_close)

    def _hand_over_queue(self) -> None:
        """Hand the whole queue to the transport, which takes nothing more once it closes."""
        assert self._transport is not None
        for data in self._queue:
            self._transport.write(data)
        self._clear_queue()
        self._shared_size = 0  # the transport has copies
        self._count_unread()

    def _next_piece(self) -> bytes | memoryview:
        """Remove one piece from the queue: part of a long message, or several short ones."""
        first = self._queue[0]
        if len(first) > PIECE:
            rest = memoryview(first)
            self._queue[0] = rest[PIECE:]
            self._queued_bytes -= PIECE
            return rest[:PIECE]
        count, size = 0, 0
        for data in self._queue:
            if size + len(data) > PIECE:
                break
            count, size = count + 1, size + len(data)
        piece = first if count == 1 else b"".join(self._queue[:count])
        del self._queue[:count]
        self._queued_bytes -= size
        return piece

    def _clear_queue(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def _congest(self) -> None:
        """Begin congestion: the peer reads slower than we write."""
        self.is_congested = True
        self._backlog_at_congestion = self.backlog
        self._count_unread()
        self._start_stall_timer()

    def _decongest(self) -> None:
        """End congestion: the peer has caught up."""
        callback, self._on_writable = self._on_writable, None
        if callback is not None:
            callback()

    def cork(self) -> None:
        """Hold back writes until `uncork`, which sends them in one write."""
        self._is_corked = True

    def uncork(self) -> None:
        """Send what `cork` held back."""
        self._is_corked = False
        if self._corked:
            self.write(self._pop_corked())

    def _pop_corked(self) -> bytes:
        data = self._corked[0] if len(self._corked) == 1 else b"".join(self._corked)
        self._corked.clear()
        self._corked_size = 0
        return data

    def when_writable(self, callback: Callable[[], object]) -> None:
        """Call `callback()` once, when the congestion ends. Replaces an earlier callback."""
        self._on_writable = callback

    # What the peer has read.

    @property
    def backlog(self) -> int:
        """Bytes that the operating system has not accepted yet."""
        if self._transport is None or self.is_closed:
            return 0
        return self._queued_bytes + self._transport.get_write_buffer_size()

    @property
    def unread(self) -> int:
        """Bytes that wait for this peer alone; 0 unless the wire is congested, as they are few then."""
        if not self.is_congested:
            return 0
        backlog = self.backlog
        return backlog - max(0, min(self._shared_size, self._shared_end - (self.bytes_out - backlog)))

    def _count_unread(self) -> None:
        """Report the unread bytes to the limiter, if they are many or were."""
        size = self.unread
        if size >= COUNTED_FROM or self.counted:
            self._host.unread.count(self, size)

    @property
    def unacknowledged(self) -> int:
        """Bytes that the peer has not acknowledged; where the system does not tell, those that it has not accepted."""
        if self._transport is None or self.is_closed:
            return 0
        return self.backlog + progress_of(self._transport).held()

    def _start_stall_timer(self) -> None:
        """From now on, drop the peer if it acknowledges nothing for a stall timeout, until it has acknowledged all."""
        if self._transport is not None and self not in self._host.deadlines.stalls:
            self._acknowledged = self._count_acknowledged(self._transport)
            self._host.deadlines.stalls.start(self)

    def stall_overdue(self) -> None:
        """Drop a peer that has acknowledged nothing, unless it may still be reading what it acknowledged before.

        The peer's system acknowledges what its buffers hold. Large buffers acknowledge nothing more until the program
        has read much of them.
        """
        if self._transport is None or not self.unacknowledged:
            return
        now, before = asyncio.get_running_loop().time(), self._acknowledged
        self._acknowledged = self._count_acknowledged(self._transport)
        if self._acknowledged != before:
            self._reading_until = now + (self._acknowledged - before) / MIN_RATE
        elif now >= self._reading_until:
            self.cut_off("stalled")
            return
        self._host.deadlines.stalls.start(self)

    def _count_acknowledged(self, transport: asyncio.Transport) -> int:
        return progress_of(transport).acknowledged(self.bytes_out - self.backlog)

    # The end.

    def end(self, *, half: bool) -> None:
        """Flush and close. With `half`, close our side only; the peer's end closes the rest."""
        transport = self._transport
        if transport is None or self.is_ending or transport.is_closing():
            return
        self.uncork()
        self.is_ending = True
        if self._queue:
            self._pending_half_close = half
        else:
            self._end_transport(half=half)
        self._host.deadlines.closing.start(self)

    def _end_transport(self, *, half: bool) -> None:
        """Let the transport flush and close."""
        assert self._transport is not None
        self._pending_half_close = None
        if half:
            end_half(self._transport)
        else:
            self._transport.close()

    def closing_overdue(self) -> None:
        """Drop a peer that has acknowledged everything and has not ended its side; wait for one that still reads."""
        if self.unacknowledged:
            self._start_stall_timer()
            self._host.deadlines.closing.start(self)
        else:
            self.cut_off("close")

    def cut_off(self, reason: str) -> None:
        """Drop the peer, log it and count it, once; `reason` is the label of the metric."""
        if self._transport is not None and not self._is_cut_off:
            self._is_cut_off = True
            log.info("wire.cut_off", wire=self.id, peer=self.peer, reason=reason)
            self._host.cut_off[reason] += 1
            self.abort()

    def abort(self) -> None:
        """Drop the connection without a close frame, and discard what waits."""
        if self._transport is not None:
            self._clear_queue()
            self._transport.abort()
