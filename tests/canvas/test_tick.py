"""The leading-edge tick: at once when idle, at most once per interval when busy."""

import asyncio

import pytest

from actors.testing import Probe, settle
from canvas.live.tick import Tick
from tests.support.scenarios import simulated

INTERVAL = 0.010


async def next_tick(probe: Probe, tick: Tick) -> float:
    """Wait for the message; returns when it came."""
    assert await probe.receive_message() == "tick"
    tick.begin()
    return asyncio.get_running_loop().time()


@simulated
async def test_first_request_is_served_at_once() -> None:
    loop, probe = asyncio.get_running_loop(), await Probe.begin()
    tick, began = Tick(probe.ref, INTERVAL, "tick"), loop.time()
    tick.request()
    assert await next_tick(probe, tick) == began


@simulated
async def test_busy_process_gets_one_message_per_interval() -> None:
    loop, probe = asyncio.get_running_loop(), await Probe.begin()
    tick, began = Tick(probe.ref, INTERVAL, "tick"), loop.time()
    for number in range(5):
        tick.request()
        assert await next_tick(probe, tick) == pytest.approx(began + number * INTERVAL)


@simulated
async def test_many_requests_bring_one_message() -> None:
    probe = await Probe.begin()
    tick = Tick(probe.ref, INTERVAL, "tick")
    for _ in range(100):
        tick.request()
    await next_tick(probe, tick)
    await probe.assert_quiet()


@simulated
async def test_after_a_rest_a_request_is_served_at_once_again() -> None:
    loop, probe = asyncio.get_running_loop(), await Probe.begin()
    tick = Tick(probe.ref, INTERVAL, "tick")
    tick.request()
    await next_tick(probe, tick)
    await settle(INTERVAL)
    began = loop.time()
    tick.request()
    assert await next_tick(probe, tick) == began
