"""One process per server: accepts, and has every wire owned by a connection actor.

The sockets are not its own: they outlive the listener, and the system keeps newcomers waiting meanwhile. When a
listener starts, it has those wires adopted that nobody owns.
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
ACCEPTS_IN_A_CROWD = 4
"""Where each newcomer drops a stranger: those who are there are heard before too many others come."""
BACK_OFF = 0.2
"""Seconds to wait when the system has no file descriptor or memory left for another socket."""
LINGER = 1.0
"""Seconds a refused client has to send its request, and then to read why."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_GONE = {errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTDOWN, errno.ENETUNREACH}


@dataclass(frozen=True, slots=True)
class Acceptable:
    """The message of the event loop: somebody knocks at `listening`."""

    listening: socket.socket


class Listener(GenServer):
    """Accepts connections and starts an actor for each.

    Args (of `init`):
        sockets: what it listens on
        connections: the dynamic supervisor whose children are started with a wire
    """

    async def init(self, sockets: Sockets, connections: Target) -> None:
        if sockets.is_closed:
            raise RuntimeError("these Sockets are closed, because their application has ended: listen with new ones")
        self._sockets = sockets
        self._connections = connections
        self._dismissed: set[asyncio.Task[None]] = set()
        loop, listening = self.scheduler.loop, sockets.listening

        def stop_listening(_ref: Ref, _reason: ExitReason) -> None:
            if sockets.is_listening:
                for door in listening:
                    loop.remove_reader(door)

        watch(self.ref, stop_listening)
        sockets.listener = self.ref  # from here on it hears of new wires; those before are orphans
        sockets.deadlines.adoption.postpone()
        for wire in sockets.orphans():
            await self._hand_over(wire)
        for door in listening:
            self._listen(door)

    async def handle_info(self, message: Any) -> Any:
        """Accept those who wait, or hand over a wire that has begun."""
        if isinstance(message, Acceptable):
            self._accept_some(message)
        elif isinstance(message, Wire):
            await self._hand_over(message)
        else:
            return super().handle_info(message)
        return None

    def _accept_some(self, message: Acceptable) -> None:
        """Accept a bounded number; the loop says so again for the rest."""
        try:
            for _ in range(ACCEPTS_IN_A_CROWD if self._sockets.is_crowded else ACCEPTS_PER_TURN):
                if not self._accept(message.listening):
                    break
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            log.error("listener.exhausted", error=error, retry_in=BACK_OFF)
            send_after(BACK_OFF, self.ref, message)
        else:
            self._listen(message.listening)

    def _listen(self, listening: socket.socket) -> None:
        """Wait for the next one; nothing while the application drains."""
        if not self._sockets.is_draining:
            self.scheduler.loop.add_reader(listening, self._knocked, listening)

    def _knocked(self, listening: socket.socket) -> None:
        self.scheduler.loop.remove_reader(listening)
        self.ref.tell(Acceptable(listening))

    def _accept(self, listening: socket.socket) -> bool:
        """Take one from the queue of the system; False if nobody waits, or whoever did is gone.

        Raises:
            OSError: if the machine has nothing left for another socket, or the error is unknown.
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
            if error.errno in _GONE:
                return False
            raise
        address = plain_address(name[0]) if isinstance(name, tuple) else LOCAL
        refusal = self._sockets.admit(address)
        if refusal is None:
            self._sockets.connect(accepted, address)
        else:
            self._dismiss(accepted, refusal)
        return True

    def _dismiss(self, accepted: socket.socket, refusal: Refusal) -> None:
        """Tell somebody why not, if not too many are being told."""
        if len(self._dismissed) >= self._sockets.policy.max_dismissals:
            accepted.close()
            return
        task = self.scheduler.loop.create_task(_dismiss(accepted, refusal, self._sockets))
        self._dismissed.add(task)
        task.add_done_callback(self._dismissed.discard)

    async def _hand_over(self, wire: Wire) -> None:
        if wire.owner is not None:
            return
        try:
            await start_dynamic_child(self._connections, wire)
        except ChildError as error:
            log.error("listener.not_handed_over", wire=wire.id, reason=error.reason)
            wire.fail()


async def _dismiss(accepted: socket.socket, refusal: Refusal, sockets: Sockets) -> None:
    farewell = Farewell(refusal, sockets.policy)
    try:
        await connect_accepted(lambda: farewell, accepted, sockets.policy)
        await farewell.ended
    except OSError:  # it did not want to know
        accepted.close()


class Farewell(asyncio.Protocol):
    """A connection that is not wanted: its first request gets the refusal for an answer, and it is dropped.

    One that sends no whole request in time is told as well.
    """

    def __init__(self, refusal: Refusal, policy: Policy) -> None:
        self._refusal = refusal
        self._origins = policy.origins
        self._session = Session(policy.limits)
        self._has_told = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for its request, which shows whether a page has sent it."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._linger = asyncio.get_running_loop().call_later(LINGER, self._tell_unasked)

    def data_received(self, data: bytes) -> None:
        """Answer the first request; what follows is thrown away, since a closed socket would answer with a reset."""
        if self._has_told:
            return
        for event in self._session.receive(data):
            if isinstance(event, Request):
                self._refuse(event)
        if self._session.should_close:
            self._tell(self._session.output())

    def connection_lost(self, error: Exception | None) -> None:
        """The client has read it, or is gone."""
        self._linger.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def _refuse(self, request: Request) -> None:
        error, session = self._refusal.error, self._session
        upgrade = page_handshake(request, self._origins)
        if upgrade is None:
            session.respond(error.response, close=True)
        else:
            session.accept(upgrade, subprotocol=first_subprotocol(upgrade))
            self._tell(session.close(error.close_code, error.message))

    def _tell_unasked(self) -> None:
        self._tell(encode_response(self._refusal.error.response, connection="close"))

    def _tell(self, said: bytes) -> None:
        """Say why, end our side, and give it time to read."""
        self._has_told = True
        self._linger.cancel()
        self._transport.write(said)
        end_half(self._transport)
        self._linger = asyncio.get_running_loop().call_later(LINGER, self._transport.abort)
