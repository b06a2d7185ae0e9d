"""A callback that is a coroutine waits like an asyncio task, and like an Erlang process: exit signals reach it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import KILL, KILLED, CallExit, Crash, Exit, Ref, Scheduler, call, down, send, send_exit
from actors.testing import kill, quiet
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import simulated


@simulated
async def test_a_waiting_process_handles_no_other_message() -> None:
    async def wait(self: Puppet) -> None:
        await asyncio.sleep(1)
        assert self.got == []

    ref, insides = await puppet()
    send(ref, wait)
    send(ref, "next")
    await quiet()
    assert insides.got == ["next"]


@simulated
async def test_others_run_while_one_waits() -> None:
    waiting, _ = await puppet()
    ref, _ = await puppet()
    send(waiting, lambda _: asyncio.sleep(10))
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert await call(ref, lambda _: "well") == "well"
    assert loop.time() == begin


@simulated
async def test_an_exit_signal_ends_a_waiting_process_at_once_and_runs_its_finally_blocks() -> None:
    unwound: list[float] = []
    loop = asyncio.get_running_loop()

    async def wait(_: Puppet) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            unwound.append(loop.time())

    ref, insides = await puppet()
    begin = loop.time()
    send(ref, wait)
    await asyncio.sleep(1)
    assert await kill(ref) == KILLED
    assert unwound == [begin + 1]
    assert insides.ends == []


@simulated
async def test_a_trapped_signal_waits_for_its_turn() -> None:
    ref, insides = await puppet(trap_exit=True)
    send(ref, lambda _: asyncio.sleep(10))
    await asyncio.sleep(1)
    send_exit(ref, "boom")
    await quiet()
    assert insides.got == [Exit(None, "boom")]


@simulated
async def test_a_finally_block_that_waits_is_reported_and_changes_nothing() -> None:
    async def wait(_: Puppet) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(10)

    ref, _ = await puppet()
    send(ref, wait)
    await asyncio.sleep(1)
    with capture_logs() as logs:
        assert await kill(ref) == KILLED
    assert [log["event"] for log in logs] == ["actor.cleanup_failed"]


@simulated
async def test_a_finally_block_speaks_for_its_own_process() -> None:
    witness, insides = await puppet(trap_exit=True)
    victim, _ = await puppet()
    killer, _ = await puppet()

    async def wait(_: Puppet) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            send_exit(witness, "from the victim")

    send(victim, wait)
    await asyncio.sleep(1)
    await call(killer, lambda _: send_exit(victim, KILL))
    await quiet()
    assert insides.got == [Exit(victim, "from the victim")]


@simulated
async def test_a_process_that_kills_itself_dies_where_it_next_waits() -> None:
    reached: list[str] = []

    async def end(self: Puppet) -> None:
        send_exit(self.ref, KILL)
        reached.append("before")
        await asyncio.sleep(0)
        reached.append("after")

    ref, _ = await puppet()
    ended = down(ref)
    send(ref, end)
    assert await ended == KILLED
    assert reached == ["before"]


@simulated
async def test_waiting_for_no_time_lets_others_run() -> None:
    order: list[str] = []

    async def count(self: Puppet) -> None:
        for _ in range(3):
            order.append(self.label)
            await asyncio.sleep(0)

    for name in ("one", "other"):
        ref, insides = await puppet()
        insides.label = name
        send(ref, count)
    await quiet()
    assert sorted(order) == ["one"] * 3 + ["other"] * 3
    assert order not in (sorted(order), sorted(order, reverse=True))


@simulated
async def test_a_crash_while_waiting_ends_the_process() -> None:
    error = ValueError("no")

    async def crash(_: Puppet) -> None:
        await asyncio.sleep(1)
        raise error

    ref, insides = await puppet()
    with pytest.raises(CallExit) as caught:
        await call(ref, crash)
    assert caught.value.reason == Crash(error)
    assert insides.ends == [Crash(error)]


@simulated
async def test_awaiting_what_asyncio_does_not_know_is_a_crash() -> None:
    class Strange:
        def __await__(self) -> Any:
            yield "strange"

    async def wait(_: Puppet) -> None:
        await Strange()

    ref, _ = await puppet()
    with pytest.raises(CallExit) as caught:
        await call(ref, wait)
    assert isinstance(caught.value.reason, Crash)
    assert "got bad yield" in str(caught.value.reason)


@simulated
async def test_tasks_and_futures_can_be_awaited() -> None:
    async def work() -> int:
        await asyncio.sleep(1)
        return 1

    async def wait(_: Puppet) -> list[int]:
        return list(await asyncio.gather(work(), asyncio.create_task(work()), asyncio.shield(work())))

    ref, _ = await puppet()
    assert await call(ref, wait) == [1, 1, 1]


@simulated
async def test_asyncio_timeouts_work_in_a_callback() -> None:
    async def in_vain() -> str:
        await asyncio.sleep(10)
        return "slept"

    async def with_timeout(awaited: Awaitable[str]) -> str:
        try:
            async with asyncio.timeout(1):
                return await awaited
        except TimeoutError:
            return "timed out"

    async def with_wait_for(awaited: Awaitable[str]) -> str:
        try:
            return await asyncio.wait_for(awaited, 1)
        except TimeoutError:
            return "timed out"

    async def in_time() -> str:
        return "in time"

    ref, _ = await puppet()
    loop = asyncio.get_running_loop()
    for guard in (with_timeout, with_wait_for):
        begin = loop.time()
        assert await call(ref, lambda _, guard=guard: guard(in_vain())) == "timed out"
        assert loop.time() == pytest.approx(begin + 1)
        assert await call(ref, lambda _, guard=guard: guard(in_time())) == "in time"


@simulated
async def test_a_timeout_that_is_over_already_strikes_at_the_next_wait() -> None:
    async def wait(_: Puppet) -> str:
        try:
            async with asyncio.timeout(-1):
                await asyncio.sleep(0)
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out"
        return "slept"

    ref, _ = await puppet()
    assert await call(ref, wait) == "timed out"


@simulated
async def test_a_task_group_works_in_a_callback() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(number)
        return number

    async def fail() -> None:
        raise ValueError("no")

    async def together(_: Puppet) -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work(number)) for number in range(3)]
        return sum(task.result() for task in tasks)

    async def in_vain(_: Puppet) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(10)

    ref, _ = await puppet()
    assert await call(ref, together) == 3
    with pytest.raises(CallExit) as caught:
        await call(ref, in_vain, timeout=1)
    assert isinstance(caught.value.reason, Crash)
    assert isinstance(caught.value.reason.exception, ExceptionGroup)


@simulated
async def test_a_cancelled_callback_is_a_crash() -> None:
    ref, _ = await puppet()
    tasks: list[Any] = []

    async def wait(_: Puppet) -> None:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(10)

    ended = down(ref)
    send(ref, wait)
    await asyncio.sleep(1)
    assert tasks[0].cancel()
    reason = await ended
    assert isinstance(reason, Crash)
    assert isinstance(reason.exception, asyncio.CancelledError)
    assert tasks[0].done()
    assert not tasks[0].cancel()


@simulated
async def test_a_coroutine_whose_end_is_waited_for_waits_like_any_other() -> None:
    ended: list[bool] = []

    async def wait(_: Puppet) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda done: ended.append(done is task and done.done()))
        await asyncio.sleep(1)
        assert ended == []
        return "waited"

    ref, _ = await puppet()
    assert await call(ref, wait) == "waited"
    await quiet()
    assert ended == [True]


@simulated
async def test_outside_of_callbacks_the_current_task_is_asyncios() -> None:
    main = asyncio.current_task()
    ref, _ = await puppet()
    await call(ref, lambda _: asyncio.sleep(1))
    assert asyncio.current_task() is main
    assert Scheduler.current().running is None


@simulated
async def test_a_stale_wake_up_does_not_reach_the_next_wait() -> None:
    async def wait(_: Puppet) -> str:
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1, first.cancel)
        try:
            await first
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return "woken twice, in order"

    ref, _ = await puppet()
    assert await call(ref, wait) == "woken twice, in order"


@simulated
async def test_a_waiting_terminate_can_be_killed_and_unwinds() -> None:
    unwound: list[Ref] = []

    async def linger(self: Puppet) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            unwound.append(self.ref)

    ref, insides = await puppet(end=linger)
    await call(ref, lambda self: send(self.ref, lambda _: 1 / 0))
    await asyncio.sleep(1)
    assert await kill(ref) == KILLED
    assert unwound == [ref]
    assert len(insides.ends) == 1
