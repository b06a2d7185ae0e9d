"""One process per server: closes the connections when the application stops. It starts last, so it stops first.

When a supervisor only restarts it together with a sibling, it does nothing: then `Sockets.is_draining` is False.
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
    """Closes the WebSockets with 1001, waits for their end, and then closes the other connections.

    Args (of `init`):
        sockets: the sockets of the server
        timeout: seconds to wait; connections that are left then are dropped
    """

    def init(self, sockets: Sockets, timeout: float) -> None:
        self.trap_exit = True
        self._sockets = sockets
        self._timeout = timeout

    async def terminate(self, reason: ExitReason) -> None:
        """Drain if the application stops."""
        sockets, loop = self._sockets, self.scheduler.loop
        if not sockets.is_draining:
            return
        log.info("server.draining", connections=len(sockets.wires))
        deadline = loop.time() + self._timeout
        for connecting in list(sockets.connecting.values()):
            connecting.cancel()
        await self._wait_until_gone(await sockets.close_websockets(), deadline)
        remaining = list(sockets.wires.values())
        for wire in remaining:
            wire.close()
        await self._wait_until_gone(remaining, deadline)
        for wire in list(sockets.wires.values()):
            wire.abort()

    async def _wait_until_gone(self, wires: list[Wire], deadline: float) -> None:
        """Wait until all `wires` have ended, or until `deadline` in seconds of the loop's clock."""
        loop = self.scheduler.loop
        gone: asyncio.Future[None] = loop.create_future()

        def resolve() -> None:
            if not gone.done():
                gone.set_result(None)

        self._sockets.when_gone(wires, resolve)
        await asyncio.wait((gone,), timeout=deadline - loop.time())
