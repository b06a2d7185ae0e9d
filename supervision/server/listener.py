"""One process per server: accepts connections, and starts a connection actor for every wire.

The listening sockets outlive the listener; while it restarts, new connections wait in the operating system's queue. A
listener that starts hands the wires without an owner to new connection actors.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass
from typing import Any, cast

from actors import ExitReason, GenServer, Ref, Target, send_after, watch
from actors.log import get_logger
from protocol import Request, Session, encode_response
from supervision import ChildError, start_dynamic_child
from supervision.server.addresses import LOCAL, plain_address
from supervision.server.admission import Refusal
from supervision.server.outgoing import end_half
from supervision.server.policy import Policy
from supervision.server.refusing import first_subprotocol, page_handshake
from supervision.server.sockets import Sockets, connect_accepted
from supervision.server.wire import Wire

log = get_logger("canopy.server")

ACCEPTS_PER_TURN = 64
"""Connections accepted before other processes get a turn."""
ACCEPTS_WHEN_CROWDED = 4
"""The same while each new connection replaces an unrecognized one, which gets time to identify itself first."""
BACK_OFF = 0.2
"""Seconds to wait when the system has no file descriptor or memory for another socket."""
LINGER = 1.0
"""Seconds that a refused client has to send its request, and again to read the refusal."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PEER_GONE = {errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTDOWN, errno.ENETUNREACH}


@dataclass(frozen=True, slots=True)
class AcceptReady:
    """The event loop's message: a connection waits at `listening`."""

    listening: socket.socket


class Listener(GenServer):
    """Accepts connections and starts a connection actor for each.

    Args (of `init`):
        sockets: the listening sockets and the wires
        connections: the dynamic supervisor of the connection actors
    """

    async def init(self, sockets: Sockets, connections: Target) -> None:
        if sockets.is_closed:
            raise RuntimeError("these Sockets are closed, because their application has ended: create new ones")
        self._sockets = sockets
        self._connections = connections
        self._refusals: set[asyncio.Task[None]] = set()
        loop, listening = self.scheduler.loop, sockets.listening

        def stop_listening(_ref: Ref, _reason: ExitReason) -> None:
            if sockets.is_listening:
                for each in listening:
                    loop.remove_reader(each)

        watch(self.ref, stop_listening)
        sockets.listener = self.ref  # it is sent new wires from now on; the others are orphans
        sockets.deadlines.adoption.postpone()
        for wire in sockets.orphans():
            await self._hand_over(wire)
        for each in listening:
            self._wait_for_clients(each)

    async def handle_info(self, message: Any) -> Any:
        """Accept waiting connections, or hand over a wire that is connected."""
        if isinstance(message, AcceptReady):
            self._accept_some(message)
        elif isinstance(message, Wire):
            await self._hand_over(message)
        else:
            return super().handle_info(message)
        return None

    def _accept_some(self, message: AcceptReady) -> None:
        """Accept a bounded number of connections; the event loop reports the rest again."""
        try:
            for _ in range(ACCEPTS_WHEN_CROWDED if self._sockets.is_crowded else ACCEPTS_PER_TURN):
                if not self._accept(message.listening):
                    break
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            log.error("listener.exhausted", error=error, retry_in=BACK_OFF)
            send_after(BACK_OFF, self.ref, message)
        else:
            self._wait_for_clients(message.listening)

    def _wait_for_clients(self, listening: socket.socket) -> None:
        """Wait for the next connection, unless the application drains."""
        if not self._sockets.is_draining:
            self.scheduler.loop.add_reader(listening, self._on_acceptable, listening)

    def _on_acceptable(self, listening: socket.socket) -> None:
        self.scheduler.loop.remove_reader(listening)
        self.ref.tell(AcceptReady(listening))

    def _accept(self, listening: socket.socket) -> bool:
        """Accept one connection. Returns False if none waits, or the peer has gone already.

        Raises:
            OSError: if the system has no resources for another socket, or the error is unknown.
        """
        if self._sockets.is_draining:
            return False
        try:
            accepted, name = listening.accept()
            accepted.setblocking(False)
            if accepted.family != socket.AF_UNIX:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno in _PEER_GONE:
                return False
            raise
        address = plain_address(name[0]) if isinstance(name, tuple) else LOCAL
        refusal = self._sockets.admit(address)
        if refusal is None:
            self._sockets.connect(accepted, address)
        else:
            self._send_refusal(accepted, refusal)
        return True

    def _send_refusal(self, accepted: socket.socket, refusal: Refusal) -> None:
        """Send a refusal, or only close the connection if too many refusals are pending."""
        if len(self._refusals) >= self._sockets.policy.max_pending_refusals:
            accepted.close()
            return
        task = self.scheduler.loop.create_task(_send_refusal(accepted, refusal, self._sockets))
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)

    async def _hand_over(self, wire: Wire) -> None:
        if wire.owner is not None:
            return
        try:
            await start_dynamic_child(self._connections, wire)
        except ChildError as error:
            log.error("listener.not_handed_over", wire=wire.id, reason=error.reason)
            wire.fail()


async def _send_refusal(accepted: socket.socket, refusal: Refusal, sockets: Sockets) -> None:
    protocol = RefusalProtocol(refusal, sockets.policy)
    try:
        await connect_accepted(lambda: protocol, accepted, sockets.policy)
        await protocol.ended
    except OSError:  # the peer has gone
        accepted.close()


class RefusalProtocol(asyncio.Protocol):
    """Serves a refused connection: answers its first request with the refusal, and ends.

    A client that sends no complete request within `LINGER` gets the same answer.
    """

    def __init__(self, refusal: Refusal, policy: Policy) -> None:
        self._refusal = refusal
        self._origins = policy.origins
        self._session = Session(policy.limits)
        self._is_answered = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request: it shows whether a page sent it."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's only has the methods of one
        self._linger_timer = asyncio.get_running_loop().call_later(LINGER, self._answer_silence)

    def data_received(self, data: bytes) -> None:
        """Answer the first request. Discard what follows: a socket closed with unread bytes would send a reset."""
        if self._is_answered:
            return
        for event in self._session.receive(data):
            if isinstance(event, Request):
                self._refuse(event)
        if self._session.should_close:
            self._send_and_close(self._session.output())

    def connection_lost(self, error: Exception | None) -> None:
        """Resolve `ended`."""
        self._linger_timer.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def _refuse(self, request: Request) -> None:
        error, session = self._refusal.error, self._session
        upgrade = page_handshake(request, self._origins)
        if upgrade is None:
            session.respond(error.response, close=True)
        else:
            session.accept(upgrade, subprotocol=first_subprotocol(upgrade))
            self._send_and_close(session.close(error.close_code, error.message))

    def _answer_silence(self) -> None:
        self._send_and_close(encode_response(self._refusal.error.response, connection="close"))

    def _send_and_close(self, data: bytes) -> None:
        """Send the answer, close our side, and give the client time to read."""
        self._is_answered = True
        self._linger_timer.cancel()
        self._transport.write(data)
        end_half(self._transport)
        self._linger_timer = asyncio.get_running_loop().call_later(LINGER, self._transport.abort)
