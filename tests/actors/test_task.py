"""Tasks: a function in a process of its own, and its result."""

import asyncio
from typing import Any

import pytest

from actors import Crash, Exit, GenServer, Ref, Scheduler, call, down, start, start_task
from actors.failures import CallExit
from actors.task import Task
from actors.testing import kill
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import simulated


async def double(number: int, *, delay: float = 1.0) -> int:
    await asyncio.sleep(delay)
    return 2 * number


def fail(message: str) -> None:
    raise ValueError(message)


async def begin(ref: Ref, function: Any, *args: Any, **kwargs: Any) -> Task[Any]:
    """Have the puppet start a task."""
    tasks: list[Task[Any]] = []

    async def deed(self: Puppet) -> None:
        tasks.append(await start_task(function, *args, **kwargs))

    await call(ref, deed)
    return tasks[0]


@simulated
async def test_the_result_of_a_function_is_awaited() -> None:
    owner, _ = await puppet()
    task = await begin(owner, double, 21)
    assert await task.result() == 42
    assert await task.result() == 42
    plain = await begin(owner, int, "7")
    assert await plain.result() == 7
    assert owner.is_alive()


@simulated
async def test_a_task_ends_normally_and_leaves_no_process() -> None:
    owner, _ = await puppet()
    task = await begin(owner, double, 1)
    assert await down(task.ref) == "normal"
    assert len(Scheduler.current().processes) == 1


@simulated
async def test_a_task_that_fails_takes_its_owner_along() -> None:
    owner, _ = await puppet()
    ended = down(owner)
    task: Task[Any] | None = None

    async def deed(self: Puppet) -> None:
        nonlocal task
        task = await start_task(fail, "no")
        await asyncio.sleep(10)

    owner.tell(deed)
    assert isinstance(await ended, Crash)
    assert task is not None
    with pytest.raises(CallExit) as caught:
        await task.result()
    assert isinstance(caught.value.reason.exception, ValueError)
    assert isinstance(caught.value.__cause__, ValueError)


@simulated
async def test_an_owner_that_traps_gets_a_message_and_the_reason() -> None:
    owner, insides = await puppet(trap_exit=True)
    task = await begin(owner, fail, "no")
    with pytest.raises(CallExit, match="no"):
        await task.result()
    assert [type(message) for message in insides.got] == [Exit]


@simulated
async def test_a_task_dies_with_its_owner() -> None:
    owner, _ = await puppet()
    task = await begin(owner, double, 1, delay=100)
    await kill(owner)
    assert not task.ref.is_alive()
    with pytest.raises(CallExit, match="killed"):
        await task.result()


@simulated
async def test_waiting_too_short_is_a_timeout_and_the_task_goes_on() -> None:
    owner, _ = await puppet()
    task = await begin(owner, double, 1, delay=3)
    assert not await task.is_done(1)
    with pytest.raises(CallExit, match="timeout"):
        await task.result(1)
    assert await task.is_done(None)
    assert await task.result(0) == 2


@simulated
async def test_a_task_can_be_shut_down_without_harm_to_its_owner() -> None:
    owner, _ = await puppet()
    task = await begin(owner, double, 1, delay=100)

    async def deed(self: Puppet) -> None:
        await task.shutdown()

    await call(owner, deed)
    assert owner.is_alive()
    assert not task.ref.is_alive()
    with pytest.raises(CallExit, match="shutdown"):
        await task.result()
    await task.shutdown()


@simulated
async def test_a_task_that_does_not_end_in_time_is_killed() -> None:
    async def stubborn() -> None:
        process = Scheduler.current().running
        assert process is not None
        process.trap_exit = True
        await asyncio.sleep(1_000)

    owner, _ = await puppet(trap_exit=True)
    task = await begin(owner, stubborn)
    await asyncio.sleep(1)
    before = asyncio.get_running_loop().time()
    await task.shutdown(2)
    assert asyncio.get_running_loop().time() - before == 2
    with pytest.raises(CallExit, match="killed"):
        await task.result()


@simulated
async def test_a_failure_that_nobody_asks_about_disturbs_nobody() -> None:
    owner, _ = await puppet(trap_exit=True)
    task = await begin(owner, fail, "no")
    await down(task.ref)
    del task


@simulated
async def test_only_a_process_starts_a_task() -> None:
    with pytest.raises(RuntimeError, match="start_link works only in"):
        await start_task(double, 1)
    assert isinstance(await start(GenServer), Ref)
