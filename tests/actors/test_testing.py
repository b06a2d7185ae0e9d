"""The test kit: virtual time, run orders that a seed replays, and help for whoever waits in vain."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import GenServer, Process, Scheduler, call, cast, debug, send, send_after, start, whereis
from actors.testing import Livelock, Probe, Stuck, VirtualLoop, kill, quiet, replaced, run, settle
from supervision import Supervisor, child
from tests.support.puppet import puppet
from tests.support.scenarios import simulated


def order_of(seed: int | None) -> list[int]:
    """In which order ten processes handle their messages."""
    order: list[int] = []

    async def scenario() -> None:
        refs = [(await puppet())[0] for _ in range(10)]
        for number, ref in enumerate(refs):
            cast(ref, lambda _, number=number: order.append(number))
            cast(ref, lambda _, number=number: asyncio.sleep(0))
            cast(ref, lambda _, number=number: order.append(number))
        await quiet()

    run(scenario(), seed=seed)
    return order


def test_without_a_seed_the_first_comes_first() -> None:
    assert order_of(None) == [*range(10), *range(10)]


def test_a_seed_replays_its_order() -> None:
    assert order_of(7) == order_of(7)


def test_another_seed_is_another_order() -> None:
    assert len({tuple(order_of(seed)) for seed in range(5)}) == 5


def test_a_failure_notes_its_seed() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        run(fail(), seed=7)
    assert caught.value.__notes__ == ["seed 7"]


def test_time_passes_without_waiting() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.sleep(1e6)
        return loop.time() - begin

    assert run(scenario()) == pytest.approx(1e6)


def test_a_scenario_that_waits_for_nothing_is_told_who_is_waiting() -> None:
    async def scenario() -> None:
        await start(GenServer, label="lazy")
        ref = await start(Waiter, label="busy")
        await call(ref, "x", timeout=None)

    with pytest.raises(Stuck, match=r"<1 lazy> idle, <2 busy> waiting"):
        run(scenario())


async def wait_on_a_timer() -> None:
    loop = asyncio.get_running_loop()
    reached = loop.create_future()
    loop.call_later(math.inf, reached.set_result, None)
    await reached


async def wait_after_a_huge_time() -> None:
    await asyncio.sleep(1e308)
    await asyncio.sleep(1e308)  # which is infinity by now


async def wait_with_a_probe() -> None:
    await (await Probe.begin()).assert_receive("nothing", within=math.inf)


async def wait_beside_other_timers() -> None:
    await asyncio.gather(asyncio.sleep(10), asyncio.sleep(math.inf), asyncio.sleep(1e9))


INFINITE_WAITS: dict[str, Callable[[], Awaitable[Any]]] = {
    "sleep": lambda: asyncio.sleep(math.inf),
    "wait_for": lambda: asyncio.wait_for(asyncio.Event().wait(), math.inf),
    "wait": lambda: asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=math.inf),
    "settle": lambda: settle(math.inf),
    "call_later": wait_on_a_timer,
    "huge": wait_after_a_huge_time,
    "probe": wait_with_a_probe,
    "gather": wait_beside_other_timers,
}


@pytest.mark.parametrize("wait", INFINITE_WAITS.values(), ids=INFINITE_WAITS.keys())
def test_an_infinite_timer_is_no_timer(wait: Callable[[], Awaitable[Any]]) -> None:
    async def wait_in_vain() -> None:
        await wait()

    with pytest.raises(Stuck, match=r"no timer is set: .*Task-\d+ at wait_in_vain:\d+"):
        run(wait_in_vain())


def test_a_timer_at_no_time_is_refused_and_harms_no_other() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        timers = [asyncio.ensure_future(asyncio.sleep(seconds)) for seconds in (3, 1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match=r"nan"):
            loop.call_later(math.nan, print)
        with pytest.raises(ValueError, match=r"(?i)nan"):
            await asyncio.sleep(math.nan)
        await asyncio.gather(*timers)
        return loop.time() - begin

    assert run(scenario()) == 3


@given(st.lists(st.floats(min_value=0, max_value=1e300)))
def test_every_finite_timer_fires_in_its_order_at_its_time(delays: list[float]) -> None:
    async def scenario() -> list[tuple[float, float]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.passes_left = 10 * len(delays) + 100
        fired: list[tuple[float, float]] = []
        begin = loop.time()

        async def wait(delay: float) -> None:
            await asyncio.sleep(delay)
            fired.append((begin + delay, loop.time()))

        async with asyncio.TaskGroup() as group:
            for delay in delays:
                group.create_task(wait(delay))
        return fired

    fired = run(scenario())
    assert len(fired) == len(delays)
    assert fired == sorted(fired)
    assert all(abs(at - due) <= max(1e-9, math.ulp(due)) for due, at in fired)


def test_what_never_ends_is_named_although_time_passes() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.passes_left = 1000

        def again() -> None:
            loop.call_later(1, again)

        again()
        await asyncio.sleep(math.inf)

    with pytest.raises(Livelock, match=r"Task-\d+ at scenario"):
        run(scenario())


class Waiter(GenServer):
    async def handle_call(self, request: Any, from_: Any) -> None:
        await asyncio.Event().wait()


def test_processes_left_over_are_ended_with_the_run() -> None:
    left: list[Process] = []

    async def scenario() -> None:
        _, insides = await puppet()
        left.append(insides)

    run(scenario())
    assert not left[0].ref.is_alive()


@simulated
async def test_quiet_outlasts_sleeps_and_calls_but_no_timers() -> None:
    ref, insides = await puppet()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    send_after(100, ref, "later")
    cast(ref, lambda _: asyncio.sleep(5))
    await quiet()
    assert loop.time() == pytest.approx(begin + 5)
    assert insides.got == []


@simulated
async def test_a_suspended_process_is_quiet() -> None:
    ref, insides = await puppet()
    debug.suspend(ref)
    send(ref, "hello")
    await quiet()
    assert insides.got == []
    debug.resume(ref)
    await quiet()
    assert insides.got == ["hello"]


@simulated
async def test_quiet_is_there_at_once_when_nothing_runs() -> None:
    await quiet()
    await asyncio.gather(quiet(), quiet())


def test_quiet_is_for_virtual_time() -> None:
    with pytest.raises(AssertionError, match="virtual time"):
        asyncio.run(quiet())


@simulated
async def test_quiet_that_never_comes_is_stuck() -> None:
    ref = await start(Waiter)
    asked = asyncio.ensure_future(call(ref, "x", timeout=None))
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    await asyncio.sleep(0)
    assert "waiting" in loop.describe() or "queued" in loop.describe()
    await kill(ref)
    await asyncio.wait((asked,))
    asked.exception()


@simulated
async def test_settle_lets_time_pass() -> None:
    ref, insides = await puppet()
    send_after(1, ref, "now")
    await settle(1.5)
    assert insides.got == ["now"]


@simulated
async def test_a_probe_hands_out_its_messages_in_order() -> None:
    probe = await Probe.begin()
    send(probe.ref, 1)
    send_after(1, probe.ref, 2)
    assert await probe.receive_message() == 1
    assert await probe.receive_message() == 2
    with pytest.raises(AssertionError, match="no message arrived within 3 s"):
        await probe.receive_message(within=3)


@simulated
async def test_a_probe_waits_for_an_end() -> None:
    probe = await Probe.begin()
    for expected in ("boom", ..., "other"):
        ref, _ = await puppet()
        monitor = probe.monitor(ref)
        await kill(ref, "boom")
        if expected == "other":
            with pytest.raises(AssertionError, match="not 'other'"):
                await probe.assert_down(monitor, expected)
        else:
            assert await probe.assert_down(monitor, expected) == "boom"


@simulated
async def test_a_probe_notices_noise() -> None:
    probe = await Probe.begin()
    await probe.assert_quiet()
    send_after(0.5, probe.ref, "noise")
    with pytest.raises(AssertionError, match="noise"):
        await probe.assert_quiet()


@simulated
async def test_replaced_finds_the_successor() -> None:
    await start(Supervisor, [child(GenServer, name="n")])
    old = whereis("n")
    assert old is not None
    await kill(old)
    new = await replaced(lambda: whereis("n"), old)
    assert new is whereis("n")
    assert new is not old
    assert len(Scheduler.current().processes) == 2
