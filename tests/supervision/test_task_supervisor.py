"""Tasks under a supervisor, and streams of them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from actors import CallExit, Crash, Ref, Scheduler, call, down, start, whereis
from actors.testing import kill, quiet
from supervision import (
    MAX_CHILDREN,
    ChildError,
    Done,
    Failed,
    SpecError,
    Supervisor,
    async_link,
    async_nolink,
    child,
    count_children,
    start_child_task,
    stream,
    task_supervisor,
)
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import simulated


async def double(number: float) -> float:
    """Takes as many seconds as its argument."""
    await asyncio.sleep(number)
    return 2 * number


def fail(message: Any) -> None:
    raise ValueError(message)


async def tasks(**options: Any) -> Ref:
    await start(Supervisor, [task_supervisor("tasks", **options)])
    supervisor = whereis("tasks")
    assert supervisor is not None
    return supervisor


async def alive() -> int:
    return (await count_children("tasks")).active


@simulated
async def test_plain_code_may_run_a_task_and_await_it() -> None:
    await tasks()
    assert await (await async_nolink("tasks", double, 1)).result() == 2
    assert await alive() == 0


@simulated
async def test_a_task_that_fails_at_once_fails_with_its_own_reason_and_harms_nobody() -> None:
    supervisor = await tasks()
    task = await async_nolink("tasks", fail, "no")
    await asyncio.sleep(1)
    with pytest.raises(CallExit) as caught:
        await task.result()
    assert isinstance(caught.value.reason, Crash)
    assert str(caught.value.reason) == "ValueError: no"
    assert supervisor.is_alive()
    assert await alive() == 0


@simulated
async def test_a_linked_task_and_its_owner_fail_together() -> None:
    supervisor = await tasks()
    owner, _ = await puppet()
    ended = down(owner)

    async def deed(self: Puppet) -> None:
        await async_link("tasks", fail, "no")
        await asyncio.sleep(10)

    owner.tell(deed)
    assert isinstance(await ended, Crash)

    owner, _ = await puppet()

    async def wait(self: Puppet) -> None:
        await async_link("tasks", double, 100)

    await call(owner, wait)
    assert await alive() == 1
    await kill(owner)
    await quiet()
    assert await alive() == 0
    assert supervisor.is_alive()


@simulated
async def test_only_a_process_can_be_linked() -> None:
    await tasks()
    with pytest.raises(RuntimeError, match="async_link must be called in a process"):
        await async_link("tasks", double, 1)
    assert await alive() == 0


@simulated
async def test_a_task_for_its_effects_alone() -> None:
    await tasks()
    done: list[int] = []
    await start_child_task("tasks", done.append, 1)
    await start_child_task("tasks", fail, "no")
    await quiet()
    assert done == [1]


@simulated
async def test_there_are_no_more_tasks_than_allowed() -> None:
    await tasks(max_children=1)
    await async_nolink("tasks", double, 1)
    with pytest.raises(ChildError) as caught:
        await async_nolink("tasks", double, 1)
    assert caught.value.reason == MAX_CHILDREN


@simulated
async def test_a_bad_number_of_tasks_is_refused() -> None:
    with pytest.raises(Exception, match="max_children must be an integer of at least 0, or None, got -1"):
        await tasks(max_children=-1)
    with pytest.raises(SpecError, match="shutdown must be"):
        task_supervisor("tasks", shutdown=-1)


# Streams.


async def collect(items: Any, function: Any = double, **options: Any) -> list[Any]:
    return [outcome async for outcome in stream("tasks", function, items, **options)]


@simulated
async def test_a_stream_keeps_the_order_of_its_items_or_that_of_their_ends() -> None:
    await tasks()
    assert await collect([3, 1, 2]) == [Done(6), Done(2), Done(4)]
    assert await collect([3, 1, 2], ordered=False) == [Done(2), Done(4), Done(6)]
    assert await collect([]) == []


@simulated
async def test_no_more_tasks_run_than_wanted_and_items_are_taken_as_they_start() -> None:
    await tasks()
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            taken.append(number)
            yield 1

    begin = asyncio.get_running_loop().time()
    async for _ in stream("tasks", double, items(), max_concurrency=2):
        assert await alive() <= 2
        assert len(taken) <= int(asyncio.get_running_loop().time() - begin) * 2 + 2
    assert asyncio.get_running_loop().time() - begin == pytest.approx(3)


@simulated
async def test_an_item_that_fails_or_takes_too_long_is_an_outcome_like_others() -> None:
    await tasks()

    async def some(number: float) -> float:
        if number == 2:
            raise ValueError("no")
        return await double(number)

    first, second, third = await collect([1, 2, 50], some, timeout=5)
    assert first == Done(2)
    assert str(second.reason) == "ValueError: no"
    assert third == Failed("timeout")
    assert await alive() == 0


@simulated
@pytest.mark.parametrize("number", [0, -1, 1.5, True])
async def test_a_stream_without_a_task_at_a_time_is_refused(number: Any) -> None:
    with pytest.raises(SpecError, match="max_concurrency must be an integer of at least 1"):
        stream("tasks", double, [1], max_concurrency=number)


@simulated
async def test_tasks_of_a_stream_that_is_left_are_ended() -> None:
    await tasks()
    async for outcome in stream("tasks", double, [1, 100, 100], timeout=None):
        assert outcome == Done(2)
        break
    await quiet()
    await asyncio.sleep(0.1)
    assert await alive() == 0


@simulated
@pytest.mark.parametrize("where", ["in the stream", "elsewhere"])
async def test_tasks_of_a_stream_end_with_the_process_that_reads_it(where: str) -> None:
    await tasks()
    owner, insides = await puppet()
    kept: list[Any] = []

    async def read(self: Puppet) -> None:
        kept.append(stream("tasks", double, [1, 100, 100], timeout=None))
        async for _ in kept[0]:
            if where == "elsewhere":
                await asyncio.sleep(1_000)

    owner.tell(read)
    await asyncio.sleep(5)
    assert await alive() == 2
    await kill(owner)
    await asyncio.sleep(1)
    assert await alive() == 0
    assert insides is not None


@simulated
async def test_items_that_fail_fail_the_stream_and_leave_no_task() -> None:
    await tasks()

    def items() -> Iterator[int]:
        yield 50
        raise KeyError("no more")

    with pytest.raises(KeyError):
        await collect(items(), timeout=None)
    await asyncio.sleep(0.1)
    assert await alive() == 0


@simulated
async def test_a_supervisor_of_tasks_is_a_supervisor_in_the_tree() -> None:
    top = await start(Supervisor, [task_supervisor("tasks"), child(Puppet, id="p")])
    assert (await count_children(top)).supervisors == 1
    assert Scheduler.current().names["tasks"].is_alive()
