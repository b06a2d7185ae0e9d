"""One process per server: started last, so stopped first. Says goodbye to everybody when the application stops.

When it is only restarted, for a sibling's sake, it does nothing: `Sockets.is_draining` tells.
"""

from __future__ import annotations

import asyncio

from actors import ExitReason, GenServer
from actors.log import get_logger
from actors.shown import shown
from supervision.server.sockets import Sockets
from supervision.server.wire import Wire

log = get_logger("canopy.server")


@shown("_timeout")
class Drainer(GenServer):
    """Closes the WebSockets with 1001, waits for them to be gone, and closes what is left.

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
        sockets, loop = self._sockets, self.scheduler.loop
        if not sockets.is_draining:
            return
        log.info("server.draining", connections=len(sockets.wires))
        deadline = loop.time() + self._timeout
        for connecting in list(sockets.connecting.values()):
            connecting.cancel()
        await self._gone(await sockets.close_websockets(), deadline)
        rest = list(sockets.wires.values())
        for wire in rest:
            wire.close()
        await self._gone(rest, deadline)
        for wire in list(sockets.wires.values()):
            wire.abort()

    async def _gone(self, wires: list[Wire], deadline: float) -> None:
        """Wait for the last of them to be gone, or for the deadline."""
        loop = self.scheduler.loop
        gone: asyncio.Future[None] = loop.create_future()

        def all_gone() -> None:
            if not gone.done():
                gone.set_result(None)

        self._sockets.when_gone(wires, all_gone)
        await asyncio.wait((gone,), timeout=deadline - loop.time())
