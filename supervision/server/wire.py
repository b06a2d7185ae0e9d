"""No process. One wire per TCP connection: its ownership, requests, messages and end. It runs no application code.

A wire outlives the actor that owns it. When a connection actor crashes, reading pauses, and the next incarnation adopts
the wire with every event that was not handled yet. A wire that no process adopts in time is closed. The base classes
`Outgoing` and `Incoming` write and read its bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from actors import ExitReason, Ref, watch
from actors.log import get_logger
from actors.shown import shown
from protocol import CloseCode, Limits, Request, Response, SharedMessage, State, Upgrade
from supervision.server.admission import Refusal
from supervision.server.host import WireHost
from supervision.server.incoming import COSTLY_READ, LONG_READ, Incoming
from supervision.server.origins import Origins

log = get_logger("canopy.server")

_OPEN, _FINISHING, _CLOSED = State.OPEN, State.FINISHING, State.CLOSED  # a member looked up on its class costs 40 ns


@shown("id", "bytes_in", "bytes_out")
class Wire(Incoming):
    """The transport and session of one connection. The base classes document the other attributes.

    Attributes:
        connected_at: when the connection began, in seconds of the loop's clock
        upgrade: what the owner leaves for its next incarnation; a `Connection` leaves its `WebSocket`
    """

    # The life of a wire has three parts that change independently:
    #
    # - the protocol: `session.state`, see `protocol.session.TRANSITIONS`; the `Phase` of a `Connection` follows from it
    # - TCP: open, `is_ending`, `is_closed`, see `Outgoing`
    # - the owner: None until `adopt`, and again when the owner dies. Without one, the adoption deadline runs, and
    #   reading pauses unless the peer's close frame is due.
    #
    # One part can be over before the others: after the WebSocket has ended, TCP waits for the peer to end its side;
    # after TCP has ended, the owner still takes the last events (`is_exhausted`).
    #
    # The owner decides how long FINISHING lasts: the peer has ended its side, the last event is a `Closed`, and
    # `finish` sends our part. `hold_end` postpones `finish`, at most until the closing deadline.

    __slots__ = (  # CPython shares the names of 30 attributes; with more, a wire took 2 KiB
        "_admitted_address",
        "_peer_address",
        "_unwatch",
        "connected_at",
        "upgrade",
    )

    def __init__(self, host: WireHost[Wire], address: str) -> None:
        super().__init__(host, address)
        self._peer_address = address
        self.connected_at = 0.0
        self.upgrade: Any = None
        self._admitted_address: str | None = None  # `Admission` counts its WebSocket under this address
        self._unwatch: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<wire {self.id} {self.peer}>"

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the wire with its server, and wait for a request and for an owner."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self.peer = f"[{self.address}]:{name[1]}" if ":" in self.address else f"{self.address}:{name[1]}"
        self.connected_at = asyncio.get_running_loop().time()
        self._host.add(self)
        self._host.deadlines.requests.start(self)
        self._host.deadlines.adoption.start(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Unregister the wire: the transport has ended, whichever side caused it."""
        self._host.remove(self)
        self._host.admission.leave(self._peer_address)
        if self._admitted_address is not None:
            self._host.admission.close(self._admitted_address)
        if error is not None:
            log.debug("wire.lost", wire=self.id, peer=self.peer, error=error)
        super().connection_lost(error)

    # Ownership.

    def adopt(self, owner: Ref) -> None:
        """Make `owner` the owner, which is sent `READABLE` when there are events."""
        if self._unwatch is not None:
            self._unwatch()
        self.owner = owner
        deadlines = self._host.deadlines
        deadlines.adoption.stop(self)
        deadlines.adoption.postpone()  # thousands of others may wait for their turn
        self._unwatch = watch(owner, self._owner_down)
        self._is_notified = False
        if self.events or self.is_closed:
            self._notify_owner()
        self._update_reading()

    def _owner_down(self, ref: Ref, reason: ExitReason) -> None:
        """Wait for the next owner: the last one crashed, or a supervisor restarts it together with a sibling."""
        if ref is not self.owner:
            return
        self.owner = self._unwatch = None
        self.uncork()
        if self._transport is not None and not self.is_ending and not self._transport.is_closing():
            log.info("wire.orphaned", wire=self.id, reason=reason)
            self._update_reading()
            self._host.deadlines.adoption.start(self)

    def adoption_overdue(self) -> None:
        """Close a wire that no process has adopted.

        Wait longer if there is no listener: then the supervisor is restarting the server, after the children that come
        before it, and one of these may wait for a slow disk.
        """
        listener = self._host.listener
        if listener is None or not listener.is_alive():
            self._host.deadlines.adoption.start(self)
        else:
            log.error("wire.not_adopted", wire=self.id, peer=self.peer)
            self.fail()

    # Requests.

    def identify(self, request: Request) -> Request:
        """Return `request` with the address and scheme of its client, as reported by trusted proxies."""
        forwarded = request.headers.tokens("X-Forwarded-For")
        proxies, peer = self._policy.proxies, self._peer_address
        self.address = proxies.client(peer, forwarded)
        is_secure = self.is_secure or proxies.speaks_tls(peer, request.headers.tokens("X-Forwarded-Proto"))
        is_proxied = peer in proxies
        return replace(request, remote=self.address, is_secure=is_secure, is_proxied=is_proxied, connection=self.id)

    def admit(self, request: Request, origin: str | None) -> Refusal | None:
        """Admit a request that wants to open a WebSocket: returns None, or why it is refused."""
        host, refusal = self._host, None
        if host.is_draining:  # the drainer may have closed the others already, and would miss this one
            refusal = Refusal.DRAINING
        elif not self._policy.origins.permit(origin, request.host):
            refusal = Refusal.ORIGIN
        else:
            refusal = host.admission.open(self.address, asyncio.get_running_loop().time())
            self._admitted_address = None if refusal else self.address
        if refusal is not None:
            host.refuse(refusal)
        return refusal

    def accept(
        self,
        upgrade: Upgrade,
        subprotocol: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        limits: Limits | None = None,
    ) -> None:
        """Answer the pending request with 101. From then on the events are those of a WebSocket."""
        compression = self._policy.compression
        events = self.session.accept(
            upgrade, subprotocol=subprotocol, headers=headers, compression=compression, limits=limits
        )
        self._host.deadlines.requests.stop(self)
        self._host.deadlines.pings.start(self)
        self._stride = COSTLY_READ if self.session.is_compressed else LONG_READ
        self._deliver(events)
        self._update_reading()

    def respond(self, response: Response, *, close: bool = False) -> None:
        """Answer the pending request."""
        self._deliver(self.session.respond(response, close=close or self.is_draining))
        if not self.is_closed and not self.is_ending:
            self._host.deadlines.requests.start(self)
        self._update_reading()

    def request_overdue(self) -> None:
        """End HTTP: no complete request came in time. Wait if the peer still reads an answer or reading is paused."""
        if self.session.awaits_answer:
            return  # `respond` restarts the deadline
        if self.unacknowledged or not self._is_reading:
            if self.unacknowledged:
                self._start_stall_timer()
            self._host.deadlines.requests.start(self)
            return
        log.info("wire.idle", wire=self.id, peer=self.peer)
        if self.session.expire():  # the peer had sent part of a request, and gets a 408
            self._host.cut_off["request"] += 1
        self._deliver([])
        self._notify_owner()

    # Messages.

    def send_text(self, data: str | bytes) -> None:
        """Send a text message, given as a string or as UTF-8. After a close frame, do nothing."""
        self.write(self.session.send_text(data))

    def send_binary(self, data: bytes) -> None:
        """Send a binary message. After a close frame, do nothing."""
        self.write(self.session.send_binary(data))

    def send(self, message: SharedMessage) -> None:
        """Send a message that is encoded once for several wires. After a close frame, do nothing."""
        self.write(message.for_session(self.session))

    def send_frames(self, data: bytes) -> None:
        """Send complete frames that were encoded for several wires. After a close frame, do nothing."""
        state = self.session.state
        if state is _OPEN or state is _FINISHING:
            self.write(data)

    def send_shared(self, data: bytes) -> None:
        """Send complete frames that the caller shares between wires and counts itself: they do not count as unread."""
        state = self.session.state
        if state is _OPEN or state is _FINISHING:
            self.write_shared(data)

    # The end.

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake, or end HTTP after the current output; the transport closes later."""
        if self.is_closed:
            return
        if self.session.state is _FINISHING:
            self.finish()
        elif self.session.state is _OPEN:
            self.write(self.session.close(code, reason))
            self.uncork()
            self._host.deadlines.closing.start(self)
            self._update_reading()  # for the peer's close frame, even without an owner
        elif self.session.state is State.HTTP and not self.session.awaits_answer:
            self.end(half=False)

    @property
    def may_answer(self) -> bool:
        """Whether the peer has ended its side and may still read an answer."""
        return self.session.state is _FINISHING and not self.is_closed

    def hold_end(self) -> None:
        """Give the owner `close_timeout` to answer what the peer sent before its end."""
        self._is_notified = False  # the owner has the last event, and needs a READABLE for the end of TCP
        self._host.deadlines.closing.start(self)

    def closing_overdue(self) -> None:
        """Finish a connection whose owner still holds its end, or drop a peer that has not ended its side."""
        if self.session.state is _FINISHING:
            self.finish()
        else:
            super().closing_overdue()

    def finish(self) -> None:
        """Answer the peer's close frame, violation or end of stream (the last event), and end the connection."""
        self.write(self.session.finish())
        if self.session.state is _CLOSED:
            self.end(half=self.session.may_receive_more)

    def fail(self) -> None:
        """End the connection because our side failed: with 1011, or with 500 for a pending request."""
        if self.session.awaits_answer:
            self.respond(Response(500, (("Content-Type", "text/plain"),), b"internal error\n"), close=True)
        self.close(CloseCode.INTERNAL_ERROR, "the server failed to handle this connection")

    def count_closing(self, code: int) -> None:
        """Count a WebSocket that ended with `code`."""
        self._host.closings[code] += 1

    @property
    def origins(self) -> Origins:
        """The origins whose pages may open a WebSocket."""
        return self._policy.origins

    @property
    def is_draining(self) -> bool:
        """Whether the application is stopping."""
        return self._host.is_draining
