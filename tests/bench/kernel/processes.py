"""Canopy's processes: `tell`, `call` and `start` of a `GenServer`, and a `DynamicSupervisor` with many children."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop

from actors import Call, GenServer, Ref, call, cast, start, stop
from supervision import DynamicSupervisor, Restart, child, start_dynamic_child
from tests.bench.kernel.contest import CALLS, CASTS, RING, ROUNDS, STARTS, Growth, Timer, compete, rate


class Server(GenServer):
    """Counts what it is sent."""

    def init(self) -> None:
        self.count = 0

    def handle_info(self, message: Any) -> None:
        """Count."""
        self.count += 1

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Give the request back."""
        return request


class Link(GenServer):
    """Passes a number on, one less."""

    def init(self, done: asyncio.Event) -> None:
        self._done = done
        self._successor: Ref | None = None

    def handle_cast(self, request: Any) -> None:
        """Take one, or at first the successor."""
        if self._successor is None:
            self._successor = request
        elif request:
            cast(self._successor, request - 1)
        else:
            self._done.set()


async def speed(seconds: float, children: list[int]) -> dict[str, float]:
    """All rates and durations."""
    server = await start(Server)

    async def casts() -> float:
        with Timer() as timer:
            for number in range(CASTS):
                server.tell(number)
            await call(server, "barrier")
        return timer.seconds

    async def hops() -> float:
        done = asyncio.Event()
        ring = [await start(Link, done) for _ in range(RING)]
        for link, successor in zip(ring, ring[1:] + ring[:1], strict=True):
            cast(link, successor)
        with Timer() as timer:
            cast(ring[0], RING * ROUNDS)
            await done.wait()
        for link in ring:
            await stop(link)
        return timer.seconds

    async def calls() -> float:
        with Timer() as timer:
            for number in range(CALLS):
                await call(server, number)
        return timer.seconds

    async def starts() -> float:
        with Timer() as timer:
            started = [await start(Server) for _ in range(STARTS)]
        for ref in started:
            await stop(ref)
        return timer.seconds

    figures = {
        "cast": await rate(casts, CASTS, seconds),
        "hop": await rate(hops, RING * ROUNDS, seconds),
        "call": await rate(calls, CALLS, seconds),
        "spawn": await rate(starts, STARTS, seconds),
    }
    for count in children:
        figures |= await supervised(count)
    return figures


async def supervised(count: int) -> dict[str, float]:
    """Start `count` children one after the other, then stop them with their supervisor."""
    supervisor = await start(DynamicSupervisor, child(Server, restart=Restart.TEMPORARY))
    with Timer() as starting:
        started = [await start_dynamic_child(supervisor) for _ in range(count)]
    with Timer() as stopping:
        await stop(supervisor)
    assert not any(ref is None or ref.is_alive() for ref in started)
    return {f"start {count:,}": starting.seconds, f"stop {count:,}": stopping.seconds}


async def memory(count: int) -> dict[str, float]:
    """The memory of idle processes."""
    with Growth() as growth:
        started = [await start(Server) for _ in range(count)]
    return {"idle_bytes": growth.bytes / len(started)}


if __name__ == "__main__":
    compete(uvloop.run, speed=speed, memory=memory)
