"""No process. What goes out on one connection: writing, congestion, and the end. It knows of bytes only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from actors.log import get_logger
from supervision.server.progress import progress_of

if TYPE_CHECKING:
    from supervision.server.sockets import Sockets
    from supervision.server.wire import Wire

log = get_logger("canopy.server")

MIN_RATE = 5_000
"""Bytes a second: a peer that reads so many is alive, however much the buffers on the way hold."""
MAX_CORKED = 64 * 1024
"""Bytes that a corked connection keeps; beyond them it writes, to learn whether the peer reads."""


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
        peer: the other end of TCP, as text
        bytes_out: bytes that were written
        is_closed: the connection has ended
        is_ending: it has been closed on our side; what the peer sends is thrown away
        is_congested: the peer reads slower than we write
        is_secure: whether it speaks TLS
    """

    __slots__ = (
        "_acknowledged",
        "_congested_from",
        "_corked",
        "_corked_size",
        "_is_corked",
        "_is_cut_off",
        "_policy",
        "_reads_until",
        "_sockets",
        "_transport",
        "_when_drained",
        "bytes_out",
        "id",
        "is_closed",
        "is_congested",
        "is_ending",
        "is_secure",
        "peer",
    )

    def __init__(self, sockets: Sockets, peer: str) -> None:
        self._sockets = sockets
        self._policy = sockets.policy
        self.id = sockets.next_id()
        self.peer = peer
        self.is_secure = sockets.policy.tls is not None
        self.bytes_out = 0
        self.is_closed = False
        self.is_ending = False
        self.is_congested = False
        self._is_cut_off = False
        self._is_corked = False
        self._corked: list[bytes] = []
        self._corked_size = 0
        self._congested_from = 0
        self._acknowledged = 0  # at the last look; no position in the stream
        self._reads_until = 0.0  # what it took before the last look, if it reads at the least rate
        self._transport: asyncio.Transport | None = None
        self._when_drained: Callable[[], object] | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the transport, whichever side caused it."""
        self.is_closed = True
        self.is_congested = False
        self._when_drained = None

    def pause_writing(self) -> None:
        """The peer reads slower than we write."""
        self.is_congested = True
        self._congested_from = self.backlog
        self._expect_taking()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.is_congested = False
        tell, self._when_drained = self._when_drained, None
        if tell is not None:
            tell()

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
        self._transport.write(data)
        if self.is_congested and self.backlog > self._policy.max_backlog + self._congested_from:
            self.cut_off("backlog")

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

    def when_drained(self, tell: Callable[[], object]) -> None:
        """Have `tell()` called once when the peer of a congested wire has caught up; in place of any earlier one."""
        self._when_drained = tell

    # What the peer has taken.

    @property
    def backlog(self) -> int:
        """Bytes that the system has not taken yet."""
        return 0 if self._transport is None or self.is_closed else self._transport.get_write_buffer_size()

    @property
    def unacknowledged(self) -> int:
        """Bytes that the peer has not acknowledged, as far as the system tells; else those it has not taken."""
        if self._transport is None or self.is_closed:
            return 0
        return self.backlog + progress_of(self._transport).held()

    def _expect_taking(self) -> None:
        """From now on, the peer has to take something in every stall timeout, until it has taken all."""
        if self._transport is not None and self._wire not in self._sockets.deadlines.taking:
            self._acknowledged = self._count_acknowledged(self._transport)
            self._sockets.deadlines.taking.start(self._wire)

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
        self._sockets.deadlines.taking.start(self._wire)

    def _count_acknowledged(self, transport: asyncio.Transport) -> int:
        return progress_of(transport).acknowledged(self.bytes_out - self.backlog)

    # The end.

    def end(self, *, half: bool) -> None:
        """Flush and close. `half`: only our side, and the rest when the peer has ended its own."""
        transport = self._transport
        if transport is None or self.is_ending or transport.is_closing():
            return
        self.is_ending = True
        self.uncork()
        if half:
            end_half(transport)
        else:
            transport.close()
        self._sockets.deadlines.closing.start(self._wire)

    def closing_overdue(self) -> None:
        """Drop a peer that has taken all and does not end its side. One that still takes has its time afterwards."""
        if self.unacknowledged:
            self._expect_taking()
            self._sockets.deadlines.closing.start(self._wire)
        else:
            self.cut_off("close")

    def cut_off(self, reason: str) -> None:
        """Drop the peer, and count it, once."""
        if self._transport is not None and not self._is_cut_off:
            self._is_cut_off = True
            log.info("wire.cut_off", wire=self.id, peer=self.peer, reason=reason)
            self._sockets.cut_off[reason] += 1
            self._transport.abort()

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def _wire(self) -> Wire:
        return cast("Wire", self)
