"""One process per server: started last, so stopped first. Says goodbye to everybody when the application stops.

When it is only restarted, for a sibling's sake, it does nothing: `Sockets.is_draining` tells.
"""

from __future__ import annotations

import asyncio

import structlog

from actors import ExitReason, GenServer
from protocol import CloseCode
from supervision.server.sockets import Sockets

log = structlog.get_logger("canopy.server")

BATCH = 200
"""Wires that get their goodbye before others have a turn."""


class Drainer(GenServer):
    """Closes every wire, with 1001 to a WebSocket, and waits for them to be gone.

    Args (of `init`):
        sockets: whose wires
        timeout: seconds to wait; who is left then is dropped
    """

    def init(self, sockets: Sockets, timeout: float) -> None:
        self.trap_exit = True
        self._sockets = sockets
        self._timeout = timeout

    async def terminate(self, reason: ExitReason) -> None:
        """Drain, if the application stops."""
        wires, loop = self._sockets.wires, self.scheduler.loop
        if not self._sockets.is_draining:
            return
        log.info("server.draining", connections=len(wires))
        deadline = loop.time() + self._timeout
        for connecting in list(self._sockets.connecting.values()):
            connecting.cancel()
        for number, wire in enumerate(list(wires.values()), start=1):
            wire.close(CloseCode.GOING_AWAY, "the server is going away")
            if number % BATCH == 0:
                await asyncio.sleep(0)
        await self._all_gone(deadline)
        for wire in list(wires.values()):
            wire.abort()

    async def _all_gone(self, deadline: float) -> None:
        """Wait for the last wire to be gone, or for the deadline."""
        loop = self.scheduler.loop
        gone: asyncio.Future[None] = loop.create_future()

        def all_gone() -> None:
            if not gone.done():
                gone.set_result(None)

        self._sockets.when_empty(all_gone)
        await asyncio.wait((gone,), timeout=deadline - loop.time())
