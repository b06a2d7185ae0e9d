"""One wire per TCP connection: who owns it, and what its owner says. It runs no application code.

A wire outlives the actor that owns it: when a connection actor crashes, reading pauses, and the next incarnation
adopts the wire with every event that was not handled yet. One that nobody adopts in time is closed. How bytes go out
and come in is in the base classes.
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
    """The socket of one connection. See the base classes for what else it has.

    Attributes:
        connected_at: when it began, in seconds of the loop's clock
        upgrade: whatever the owner wants its next incarnation to find
    """

    __slots__ = (  # more attributes than CPython shares the names of (30) took 2 KiB a wire
        "_admitted",
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
        self._admitted: str | None = None  # whose WebSocket it is, once it may be opened
        self._unwatch: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<wire {self.id} {self.peer}>"

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; nobody owns the wire yet."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self.peer = f"[{self.address}]:{name[1]}" if ":" in self.address else f"{self.address}:{name[1]}"
        self.connected_at = asyncio.get_running_loop().time()
        self._host.welcome(self)
        self._host.deadlines.requests.start(self)
        self._host.deadlines.adoption.start(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the transport, whichever side caused it."""
        self._host.forget(self)
        self._host.admission.leave(self._peer_address)
        if self._admitted is not None:
            self._host.admission.close(self._admitted)
        if error is not None:
            log.debug("wire.lost", wire=self.id, peer=self.peer, error=error)
        super().connection_lost(error)

    # Ownership.

    def adopt(self, owner: Ref) -> None:
        """Make `owner` the owner: it gets `READABLE` whenever there are events."""
        if self._unwatch is not None:
            self._unwatch()
        self.owner = owner
        deadlines = self._host.deadlines
        deadlines.adoption.stop(self)
        deadlines.adoption.postpone()  # there may be thousands to be adopted
        self._unwatch = watch(owner, self._owner_down)
        self._is_notified = False
        if self.events or self.is_closed:
            self._notify()
        self._read_on()

    def _owner_down(self, ref: Ref, reason: ExitReason) -> None:
        """The owner has ended without closing the wire: it crashed, or is restarted for another's sake."""
        if ref is not self.owner:
            return
        self.owner = self._unwatch = None
        self.uncork()
        if self._transport is not None and not self.is_ending and not self._transport.is_closing():
            log.info("wire.orphaned", wire=self.id, reason=reason)
            self._read_on()
            self._host.deadlines.adoption.start(self)

    def adoption_overdue(self) -> None:
        """Close a wire that no process has adopted.

        Without a listener the server is being restarted, and that waits for those before it, a slow disk for example.
        """
        listener = self._host.listener
        if listener is None or not listener.is_alive():
            self._host.deadlines.adoption.start(self)
        else:
            log.error("wire.not_adopted", wire=self.id, peer=self.peer)
            self.fail()

    # Requests.

    def identify(self, request: Request) -> Request:
        """Say who sent a request, as far as proxies that are trusted tell."""
        forwarded = request.headers.tokens("X-Forwarded-For")
        proxies, peer = self._policy.proxies, self._peer_address
        self.address = proxies.client(peer, forwarded)
        is_secure = self.is_secure or proxies.speaks_tls(peer, request.headers.tokens("X-Forwarded-Proto"))
        is_proxied = peer in proxies
        return replace(request, remote=self.address, is_secure=is_secure, is_proxied=is_proxied, connection=self.id)

    def admit(self, request: Request, origin: str | None) -> Refusal | None:
        """Let a request open a WebSocket, or say why not."""
        host, refusal = self._host, None
        if host.is_draining:  # the drainer may have passed already, and nobody would say goodbye
            refusal = Refusal.DRAINING
        elif not self._policy.origins.permit(origin, request.host):
            refusal = Refusal.ORIGIN
        else:
            refusal = host.admission.open(self.address, asyncio.get_running_loop().time())
            self._admitted = None if refusal else self.address
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
        """Answer the request that waits with 101; what follows it are WebSocket events."""
        compression = self._policy.compression
        events = self.session.accept(
            upgrade, subprotocol=subprotocol, headers=headers, compression=compression, limits=limits
        )
        self._host.deadlines.requests.stop(self)
        self._host.deadlines.pings.start(self)
        self._stride = COSTLY_READ if self.session.is_compressed else LONG_READ
        self._absorb(events)
        self._read_on()

    def respond(self, response: Response, *, close: bool = False) -> None:
        """Answer the request that waits."""
        self._absorb(self.session.respond(response, close=close or self.is_draining))
        if not self.is_closed and not self.is_ending:
            self._host.deadlines.requests.start(self)
        self._read_on()

    def request_overdue(self) -> None:
        """End HTTP because no whole request came in time, unless the peer has an answer to take, or is not heard."""
        if self.session.awaits_answer:
            return  # `respond` starts the time for the next request
        if self.unacknowledged or not self._is_reading:
            if self.unacknowledged:
                self._expect_taking()
            self._host.deadlines.requests.start(self)
            return
        log.info("wire.idle", wire=self.id, peer=self.peer)
        if self.session.expire():  # who has sent a part of one is told so
            self._host.cut_off["request"] += 1
        self._absorb([])
        self._notify()

    # Messages.

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
        """Send whole frames that somebody encoded for many wires at once. After a close frame nothing is sent."""
        state = self.session.state
        if state is _OPEN or state is _FINISHING:
            self.write(data)

    def send_shared(self, data: bytes) -> None:
        """Send whole frames that the caller keeps for others, too, and counts itself: they do not count as unread."""
        state = self.session.state
        if state is _OPEN or state is _FINISHING:
            self.write_shared(data)

    # The end.

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake, or end HTTP after what is being sent; the transport follows in time."""
        if self.is_closed:
            return
        if self.session.state is _FINISHING:
            self.finish()
        elif self.session.state is _OPEN:
            self.write(self.session.close(code, reason))
            self.uncork()
            self._host.deadlines.closing.start(self)
            self._read_on()  # for the peer's answer, even if nobody owns the wire
        elif self.session.state is State.HTTP and not self.session.awaits_answer:
            self.end(half=False)

    @property
    def may_answer(self) -> bool:
        """Whether the peer has ended its side, and can still be answered."""
        return self.session.state is _FINISHING and not self.is_closed

    def hold_end(self) -> None:
        """Give the owner the time of a closing handshake for answers to what the peer said before its end."""
        self._is_notified = False  # it has taken the last event, and is to hear of the end of TCP
        self._host.deadlines.closing.start(self)

    def closing_overdue(self) -> None:
        """End a connection whose owner still holds its end, or drop a peer that does not end its side."""
        if self.session.state is _FINISHING:
            self.finish()
        else:
            super().closing_overdue()

    def finish(self) -> None:
        """Answer the peer's close, violation or end, which is the last event, and end the connection."""
        self.write(self.session.finish())
        if self.session.state is _CLOSED:
            self.end(half=self.session.may_receive_more)

    def fail(self) -> None:
        """End the connection because our side of it is broken: 1011, or 500 to a request that waits."""
        if self.session.awaits_answer:
            self.respond(Response(500, (("Content-Type", "text/plain"),), b"internal error\n"), close=True)
        self.close(CloseCode.INTERNAL_ERROR, "the server failed to handle this connection")

    def count_closing(self, code: int) -> None:
        """Note how the WebSocket has ended."""
        self._host.closings[code] += 1

    @property
    def origins(self) -> Origins:
        """The pages that may open a WebSocket."""
        return self._policy.origins

    @property
    def is_draining(self) -> bool:
        """Whether the application is about to stop."""
        return self._host.is_draining
