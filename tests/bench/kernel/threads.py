"""Pykka's own actors, a thread each: `tell`, `ask` and `start` of a `ThreadingActor`."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pykka

from tests.bench.kernel.contest import CALLS, CASTS, RING, ROUNDS, STARTS, Growth, Timer, compete, rate


class Server(pykka.ThreadingActor):
    """Counts what it is sent."""

    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_receive(self, message: Any) -> Any:
        """Count, and give the message back."""
        self.count += 1
        return message


class Link(pykka.ThreadingActor):
    """Passes a number on, one less."""

    use_daemon_thread = True

    def __init__(self, done: threading.Event) -> None:
        super().__init__()
        self._done = done

    def on_receive(self, message: Any) -> None:
        """Take one, or at first the successor."""
        if isinstance(message, pykka.ActorRef):
            self._successor = message
        elif message:
            self._successor.tell(message - 1)
        else:
            self._done.set()


async def speed(seconds: float, children: list[int]) -> dict[str, float]:
    """All rates and durations. A coroutine like the others', though nothing here awaits."""
    server = Server.start()

    async def casts() -> float:
        with Timer() as timer:
            for number in range(CASTS):
                server.tell(number)
            server.ask("barrier")
        return timer.seconds

    async def hops() -> float:
        done = threading.Event()
        ring = [Link.start(done) for _ in range(RING)]
        for link, successor in zip(ring, ring[1:] + ring[:1], strict=True):
            link.ask(successor)
        with Timer() as timer:
            ring[0].tell(RING * ROUNDS)
            done.wait()
        for link in ring:
            link.stop()
        return timer.seconds

    async def calls() -> float:
        with Timer() as timer:
            for number in range(CALLS):
                server.ask(number)
        return timer.seconds

    async def starts() -> float:
        with Timer() as timer:
            for _ in range(STARTS):
                Server.start()
        pykka.ActorRegistry.stop_all()
        return timer.seconds

    figures = {
        "cast": await rate(casts, CASTS, seconds),
        "hop": await rate(hops, RING * ROUNDS, seconds),
        "call": await rate(calls, CALLS, seconds),
    }
    server.stop()
    figures["spawn"] = await rate(starts, STARTS, seconds)
    for count in children:
        figures |= many(count)
    return figures


def many(count: int) -> dict[str, float]:
    """Start `count` actors and stop them all; nothing if the system does not give that many threads."""
    try:
        with Timer() as starting:
            for _ in range(count):
                Server.start()
    except RuntimeError:
        return {}
    finally:
        with Timer() as stopping:
            pykka.ActorRegistry.stop_all()
    return {f"start {count:,}": starting.seconds, f"stop {count:,}": stopping.seconds}


async def memory(count: int) -> dict[str, float]:
    """The memory of idle actors."""
    with Growth() as growth:
        for _ in range(count):
            Server.start()
    return {"idle_bytes": growth.bytes / count}


if __name__ == "__main__":
    compete(asyncio.run, speed=speed, memory=memory)
