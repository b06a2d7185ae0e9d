"""One process per listening socket: accepts, and has every wire owned by a connection actor.

The socket is not its own: it outlives the listener, and the system keeps newcomers waiting meanwhile. When a listener
starts, it has those wires adopted that nobody owns.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any, Final, cast

import structlog

from actors import ExitReason, GenServer, Ref, Target, send_after, watch
from protocol import Response, encode_response
from supervision import ChildError, start_dynamic_child
from supervision.server.connection import RETRY_AFTER
from supervision.server.sockets import Sockets
from supervision.server.wire import Wire

log = structlog.get_logger("canopy.server")

ACCEPTS_PER_TURN = 64
BACK_OFF = 0.2
"""Seconds to wait when the system has no file descriptor or memory left for another socket."""
LINGER = 1.0
"""Seconds a refused client has to read why."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_GONE = {errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTDOWN, errno.ENETUNREACH}


class _Acceptable:
    def __repr__(self) -> str:
        return "ACCEPTABLE"


ACCEPTABLE: Final = _Acceptable()
"""The message of the event loop: somebody knocks."""


class Listener(GenServer):
    """Accepts connections and starts an actor for each.

    Args (of `init`):
        sockets: what it listens on
        connections: the dynamic supervisor whose children are started with a wire
    """

    async def init(self, sockets: Sockets, connections: Target) -> None:
        self._sockets = sockets
        self._connections = connections
        loop, listening = self.scheduler.loop, sockets.listening

        def stop_listening(_ref: Ref, _reason: ExitReason) -> None:
            loop.remove_reader(listening)

        watch(self.ref, stop_listening)
        if sockets.connecting:
            await asyncio.wait(sockets.connecting)
        for wire in sockets.orphans():
            await self._hand_over(wire)
        self._listen()

    async def handle_info(self, message: Any) -> Any:
        """Accept those who wait, a bounded number at a time; the loop says so again for the rest."""
        if message is not ACCEPTABLE:
            return super().handle_info(message)
        try:
            for _ in range(ACCEPTS_PER_TURN):
                accepted = self._accept()
                if accepted is None:
                    break
                await self._welcome(accepted)
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            log.error("listener.exhausted", error=str(error), retry_in=BACK_OFF)
            send_after(BACK_OFF, self.ref, ACCEPTABLE)
        else:
            self._listen()
        return None

    def _listen(self) -> None:
        """Wait for the next one; nothing while the application drains."""
        if not self._sockets.is_draining:
            self.scheduler.loop.add_reader(self._sockets.listening, self._knocked)

    def _knocked(self) -> None:
        self.scheduler.loop.remove_reader(self._sockets.listening)
        self.ref.tell(ACCEPTABLE)

    def _accept(self) -> socket.socket | None:
        """Take one from the queue of the system; None if nobody waits, or whoever did is gone.

        Raises:
            OSError: if the machine has nothing left for another socket, or the error is unknown.
        """
        if self._sockets.is_draining:
            return None
        try:
            accepted, _ = self._sockets.listening.accept()
            accepted.setblocking(False)
            if accepted.family != socket.AF_UNIX:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        return accepted

    async def _welcome(self, accepted: socket.socket) -> None:
        loop, sockets = self.scheduler.loop, self._sockets
        if len(sockets.wires) >= sockets.max_connections:
            sockets.refused["too_many"] += 1
            await loop.connect_accepted_socket(Refusal, accepted)
            return
        await self._hand_over(await sockets.connect(accepted))

    async def _hand_over(self, wire: Wire) -> None:
        try:
            await start_dynamic_child(self._connections, wire)
        except ChildError as error:
            log.error("listener.not_handed_over", wire=wire.id, reason=str(error.reason))
            wire.fail()


class Refusal(asyncio.Protocol):
    """A connection too many: it is told so, and dropped."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say why at once; a request that is still on its way would otherwise be answered with a reset."""
        transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        text = b"too many connections, try again later\n"
        headers = (("Content-Type", "text/plain"), ("Retry-After", str(RETRY_AFTER)))
        transport.write(encode_response(Response(503, headers, text), connection="close"))
        if transport.can_write_eof():
            transport.write_eof()
        self._linger = asyncio.get_running_loop().call_later(LINGER, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        """The client has read it, or is gone."""
        self._linger.cancel()
