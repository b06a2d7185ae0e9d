"""Bare asyncio on uvloop: an actor is a task that reads a queue, and a call carries a future. Nobody supervises."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import uvloop

from tests.bench.kernel.contest import CALLS, CASTS, RING, ROUNDS, STARTS, Growth, Timer, compete, rate

Message: TypeAlias = tuple[Any, "asyncio.Future[Any] | None"]


async def serve(queue: asyncio.Queue[Message]) -> None:
    """Count what comes, and give back what has a future."""
    count = 0
    while True:
        request, future = await queue.get()
        count += 1
        if future is not None:
            future.set_result(request)


async def pass_on(queue: asyncio.Queue[int], successor: asyncio.Queue[int], done: asyncio.Future[None]) -> None:
    """Pass a number on, one less."""
    while True:
        left = await queue.get()
        if left:
            successor.put_nowait(left - 1)
        else:
            done.set_result(None)


async def start(count: int) -> list[tuple[asyncio.Queue[Message], asyncio.Task[None]]]:
    """Start actors; each waits for its first message when this returns."""
    started = []
    for _ in range(count):
        queue: asyncio.Queue[Message] = asyncio.Queue()
        started.append((queue, asyncio.create_task(serve(queue))))
    await asyncio.sleep(0)
    return started


async def stop(started: list[tuple[asyncio.Queue[Message], asyncio.Task[None]]]) -> None:
    """Stop actors, and wait until they have ended."""
    for _, task in started:
        task.cancel()
    await asyncio.gather(*(task for _, task in started), return_exceptions=True)


async def speed(seconds: float, children: list[int]) -> dict[str, float]:
    """All rates and durations."""
    server = await start(1)
    queue = server[0][0]
    loop = asyncio.get_running_loop()

    async def call(request: Any) -> Any:
        future = loop.create_future()
        queue.put_nowait((request, future))
        return await future

    async def casts() -> float:
        with Timer() as timer:
            for number in range(CASTS):
                queue.put_nowait((number, None))
            await call("barrier")
        return timer.seconds

    async def hops() -> float:
        done = loop.create_future()
        queues: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in range(RING)]
        pairs = zip(queues, queues[1:] + queues[:1], strict=True)
        tasks = [asyncio.create_task(pass_on(own, other, done)) for own, other in pairs]
        await asyncio.sleep(0)
        with Timer() as timer:
            queues[0].put_nowait(RING * ROUNDS)
            await done
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return timer.seconds

    async def calls() -> float:
        with Timer() as timer:
            for number in range(CALLS):
                await call(number)
        return timer.seconds

    async def starts() -> float:
        with Timer() as timer:
            started = await start(STARTS)
        await stop(started)
        return timer.seconds

    figures = {
        "cast": await rate(casts, CASTS, seconds),
        "hop": await rate(hops, RING * ROUNDS, seconds),
        "call": await rate(calls, CALLS, seconds),
        "spawn": await rate(starts, STARTS, seconds),
    }
    for count in children:
        with Timer() as starting:
            started = await start(count)
        with Timer() as stopping:
            await stop(started)
        figures |= {f"start {count:,}": starting.seconds, f"stop {count:,}": stopping.seconds}
    await stop(server)
    return figures


async def memory(count: int) -> dict[str, float]:
    """The memory of idle tasks with their queues."""
    with Growth() as growth:
        started = await start(count)
    return {"idle_bytes": growth.bytes / len(started)}


if __name__ == "__main__":
    compete(uvloop.run, speed=speed, memory=memory)
