"""A message later, by the loop's clock."""

import asyncio

import pytest

from actors import register, send_after
from actors.testing import kill
from tests.support.puppet import puppet
from tests.support.scenarios import live, simulated


@simulated
async def test_a_message_comes_after_its_delay() -> None:
    ref, insides = await puppet()
    send_after(5, ref, "now")
    await asyncio.sleep(4.9)
    assert insides.got == []
    await asyncio.sleep(0.2)
    assert insides.got == ["now"]


@simulated
async def test_a_timer_tells_what_remains() -> None:
    ref, _ = await puppet()
    timer = send_after(5, ref, "now")
    await asyncio.sleep(2)
    assert timer.remaining() == pytest.approx(3)
    await asyncio.sleep(4)
    assert timer.remaining() is None


@simulated
async def test_a_cancelled_timer_sends_nothing_and_tells_what_was_left() -> None:
    ref, insides = await puppet()
    timer = send_after(5, ref, "now")
    await asyncio.sleep(2)
    assert timer.cancel() == pytest.approx(3)
    assert timer.remaining() is None
    assert timer.cancel() is None
    await asyncio.sleep(10)
    assert insides.got == []


@simulated
async def test_cancelling_too_late_is_none() -> None:
    ref, insides = await puppet()
    timer = send_after(1, ref, "now")
    await asyncio.sleep(2)
    assert timer.cancel() is None
    assert insides.got == ["now"]


@simulated
async def test_the_dead_get_nothing() -> None:
    ref, _ = await puppet()
    timer = send_after(1, ref, "now")
    await kill(ref)
    await asyncio.sleep(2)
    assert timer.remaining() is None


@simulated
async def test_a_name_is_looked_up_when_the_time_has_come() -> None:
    send_after(1, "n", "now")
    ref, insides = await puppet()
    register("n", ref)
    await asyncio.sleep(2)
    assert insides.got == ["now"]


@live
async def test_a_timer_may_be_cancelled_on_another_thread() -> None:
    ref, _ = await puppet()
    timer = send_after(3_600, ref, "now")
    left = await asyncio.to_thread(timer.cancel)
    assert left == pytest.approx(3_600, abs=60)
