"""The floor of a call: a bare asyncio future that the loop resolves in its next pass. No actor at all; uvloop."""

from __future__ import annotations

import asyncio

import uvloop

from tests.bench.kernel.contest import CALLS, Timer, compete, rate


async def speed(seconds: float, children: list[int]) -> dict[str, float]:
    """The rate of round trips; there is nothing to start."""
    loop = asyncio.get_running_loop()

    async def calls() -> float:
        with Timer() as timer:
            for number in range(CALLS):
                future = loop.create_future()
                loop.call_soon(future.set_result, number)
                await future
        return timer.seconds

    return {"call": await rate(calls, CALLS, seconds)}


async def memory(count: int) -> dict[str, float]:
    """Nothing."""
    return {}


if __name__ == "__main__":
    compete(uvloop.run, speed=speed, memory=memory)
