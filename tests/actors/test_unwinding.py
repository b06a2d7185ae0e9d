"""A process that is killed while it awaits is unwound as a cancelled task is: nobody waits for what it held."""

import asyncio
import gc
import random
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread
import pytest
from structlog.testing import capture_logs

from actors import KILL, Call, CallExit, GenServer, Ref, Scheduler, call, cast, down, send_exit, start, watch
from actors.kernel.cell import Cell
from actors.testing import run
from tests.support.puppet import Puppet, nothing, puppet
from tests.support.scenarios import live, simulated

Waiting = Callable[[list[str]], Awaitable[Any]]


async def work(notes: list[str]) -> None:
    try:
        await asyncio.sleep(10)
        notes.append("went on")
    except asyncio.CancelledError:
        notes.append("cancelled")
        raise


async def in_gather(notes: list[str]) -> None:
    await asyncio.gather(work(notes), work(notes))


async def in_group(notes: list[str]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(work(notes))
        await asyncio.sleep(20)


async def in_task(notes: list[str]) -> None:
    await asyncio.create_task(work(notes))


async def in_wait_for(notes: list[str]) -> None:
    await asyncio.wait_for(work(notes), 15)


async def in_timeout(notes: list[str]) -> None:
    async with asyncio.timeout(15):
        await work(notes)


async def in_shield(notes: list[str]) -> None:
    await asyncio.shield(asyncio.ensure_future(work(notes)))


async def in_generator(notes: list[str]) -> None:
    async def rows() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(10)
            yield 2
        finally:
            notes.append("closed")

    async for _ in rows():
        pass


async def in_cleanup(notes: list[str]) -> None:
    try:
        await asyncio.sleep(10)
    finally:
        notes.append("cleaned")


WAITINGS: dict[str, Waiting] = {
    waiting.__name__: waiting
    for waiting in (in_gather, in_group, in_task, in_wait_for, in_timeout, in_shield, in_generator, in_cleanup)
}


@simulated
@pytest.mark.parametrize("name", WAITINGS)
async def test_a_killed_process_leaves_what_a_cancelled_task_leaves(name: str) -> None:
    waiting = WAITINGS[name]
    of_task: list[str] = []
    of_process: list[str] = []
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    task = asyncio.ensure_future(waiting(of_task))
    ref, _ = await puppet()
    cast(ref, lambda _: waiting(of_process))
    await asyncio.sleep(1)
    task.cancel()
    send_exit(ref, KILL)
    await asyncio.sleep(20)
    assert of_process == of_task
    assert of_task
    gc.collect()
    assert errors == []


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["lock", "semaphore", "condition", "queue"])
def test_random_kills_leave_no_lock_taken(kind: str, seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        lock = asyncio.Lock() if kind in ("lock", "condition") else asyncio.Semaphore(2)
        shared: asyncio.Queue[int] = asyncio.Queue(1)
        condition = asyncio.Condition(lock if isinstance(lock, asyncio.Lock) else None)

        class User(GenServer):
            async def handle_cast(self, request: object) -> None:
                while True:
                    if kind == "queue":
                        await shared.put(1)
                        await shared.get()
                    elif kind == "condition":
                        async with condition:
                            condition.notify()
                            with suppress(TimeoutError):
                                async with asyncio.timeout(0.01):
                                    await condition.wait()
                    else:
                        async with lock:
                            await asyncio.sleep(chance.random() / 100)
                    await asyncio.sleep(chance.random() / 100)

        users = [await start(User) for _ in range(20)]
        for user in users:
            cast(user, "go")
        while users:
            await asyncio.sleep(chance.random() / 50)
            send_exit(users.pop(chance.randrange(len(users))), KILL)
        async with asyncio.timeout(10):
            if kind == "queue":
                while not shared.empty():
                    shared.get_nowait()
                await shared.put(1)
            elif kind == "condition":
                async with condition:
                    pass
            else:
                async with lock:
                    pass

    run(scenario(), seed=seed)


@simulated
async def test_a_killed_process_withdraws_the_calls_it_made_in_tasks() -> None:
    class Silent(GenServer):
        async def handle_call(self, request: object, from_: Call) -> None:
            await asyncio.sleep(1_000)

    server = await start(Silent)
    ref, _ = await puppet()
    cast(ref, lambda _: asyncio.gather(*(call(server, n, timeout=None) for n in range(10))))
    cast(ref, lambda _: in_gather([]))

    async def gathered(_: Puppet) -> None:
        await asyncio.gather(*(call(server, n, timeout=None) for n in range(10)))

    caller, _ = await puppet()
    cast(caller, gathered)
    await asyncio.sleep(1)
    assert len(server._cell.callers or ()) == 20  # type: ignore[union-attr]
    send_exit(caller, KILL)
    await asyncio.sleep(1)
    assert len(server._cell.callers or ()) == 10  # type: ignore[union-attr]
    send_exit(ref, KILL)


@simulated
async def test_cleanup_that_waits_is_cut_and_what_it_waits_for_is_cancelled() -> None:
    notes: list[str] = []

    async def stubborn(_: Puppet) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.create_task(work(notes))
            notes.append("came back")

    ref, _ = await puppet()
    cast(ref, stubborn)
    await asyncio.sleep(1)
    with capture_logs() as logs:
        send_exit(ref, KILL)
        await asyncio.sleep(20)
    assert notes == []  # the task was cancelled before its first step
    assert [entry["event"] for entry in logs] == ["actor.cleanup_failed"]


@simulated
async def test_a_callback_that_ignores_its_cancellation_is_dead_all_the_same() -> None:
    async def stubborn(_: Puppet) -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(10)

    ref, _ = await puppet()
    ended = down(ref)
    cast(ref, stubborn)
    await asyncio.sleep(1)
    send_exit(ref, KILL)
    assert not ref.is_alive()
    assert ended.done()


@simulated
async def test_who_kills_from_a_callback_goes_on_in_its_own_task() -> None:
    seen: list[Any] = []

    async def wait(_: Puppet) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            seen.append(asyncio.current_task())

    victim, _ = await puppet()
    killer, _ = await puppet()
    cast(victim, wait)
    await asyncio.sleep(1)

    async def kill(_: Puppet) -> bool:
        mine = asyncio.current_task()
        send_exit(victim, KILL)
        return mine is asyncio.current_task() and mine not in seen

    assert await call(killer, kill)
    assert len(seen) == 1


def test_a_waiting_process_is_unwound_at_the_end_of_the_loop() -> None:
    notes: list[str] = []

    async def main() -> None:
        ref, _ = await puppet()
        cast(ref, lambda _: in_cleanup(notes))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert notes == ["cleaned"]


def test_the_end_of_a_loop_restarts_nothing() -> None:
    starts: list[int] = []

    class Counted(GenServer):
        def init(self) -> None:
            starts.append(1)

    from supervision import Supervisor, child

    async def main() -> Scheduler:
        await start(Supervisor, [child(Counted, id=number) for number in range(3)])
        return Scheduler.current()

    scheduler = asyncio.run(main())
    assert len(starts) == 3
    assert not scheduler.processes


def test_the_end_of_a_loop_ends_also_what_starts_again_at_every_end() -> None:
    starts: list[Ref] = []

    def again(*_: Any) -> None:
        starts.append(Puppet.start())
        watch(starts[-1], again)

    async def main() -> Scheduler:
        again()
        return Scheduler.current()

    with capture_logs() as logs:
        assert not asyncio.run(main()).processes
    assert len(starts) == 1
    assert [entry["event"] for entry in logs] == ["actor.watcher_failed"]


def test_the_end_of_a_loop_ends_a_process_that_an_interrupt_left_in_the_middle_of_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedulers: list[Scheduler] = []

    def strike(_: Cell) -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        ref, _ = await puppet()
        schedulers.append(Scheduler.current())
        monkeypatch.setattr(Cell, "_settle_down", strike)
        cast(ref, nothing)
        await asyncio.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert not schedulers[0].processes


def test_a_loop_that_goes_on_after_its_end_ends_its_processes_again() -> None:
    notes: list[str] = []

    async def begin() -> Ref:
        ref, _ = await puppet()
        cast(ref, lambda _: in_cleanup(notes))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return ref

    async def main() -> None:
        first = await begin()
        await asyncio.get_running_loop().shutdown_asyncgens()
        assert not first.is_alive()
        with pytest.warns(ResourceWarning, match="after loop.shutdown_asyncgens"):
            await begin()

    asyncio.run(main())
    assert notes == ["cleaned", "cleaned"]


# The interface of a task.


@live
async def test_the_task_of_a_callback_does_what_libraries_ask_of_a_task() -> None:
    done: list[Any] = []

    async def inspect(self: Puppet) -> dict[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        task.add_done_callback(done.append)
        removed: list[Any] = []
        task.add_done_callback(removed.append)
        assert task.remove_done_callback(removed.append) == 1
        task.set_name("renamed")
        return {
            "weak": weakref.ref(task)() is task,
            "name": task.get_name(),
            "coroutine": asyncio.iscoroutine(task.get_coro()),
            "stack": [frame.f_code.co_name for frame in task.get_stack()],
            "loop": task.get_loop() is asyncio.get_running_loop(),
            "done": task.done(),
            "cancelled": task.cancelled(),
            "cancelling": task.cancelling(),
            "task": task,
        }

    ref, _ = await puppet()
    facts = await call(ref, inspect)
    task = facts.pop("task")
    assert facts.pop("stack")
    assert facts == {
        "weak": True, "name": "renamed", "coroutine": True, "loop": True, "done": False, "cancelled": False,
        "cancelling": 0,
    }  # fmt: skip
    await asyncio.sleep(0)
    assert done == [task]
    assert task.done()
    await asyncio.wait((asyncio.ensure_future(task),))
    missing = [name for name in dir(asyncio.Task) if not name.startswith("_") and not hasattr(task, name)]
    assert missing == []


@live
async def test_anyio_works_in_a_callback() -> None:
    async def use(_: Puppet) -> Any:
        with pytest.raises(TimeoutError), anyio.fail_after(0.01):
            await anyio.sleep(60)
        results: list[int] = []

        async def note(number: int) -> None:
            await anyio.sleep(0)
            results.append(number)

        async with anyio.create_task_group() as group:
            group.start_soon(note, 1)
            group.start_soon(note, 2)
        lock = anyio.Lock()
        async with lock:
            results.append(await anyio.to_thread.run_sync(lambda: 3))
        return sorted(results)

    ref, _ = await puppet()
    assert await call(ref, use) == [1, 2, 3]


@simulated
async def test_a_cancellation_keeps_its_message() -> None:
    async def cancel(_: Puppet) -> Any:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("enough")
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError as error:
            return error.args, task.uncancel()
        return None

    ref, _ = await puppet()
    assert await call(ref, cancel) == (("enough",), 0)


@live
async def test_a_future_of_another_loop_is_refused_as_a_task_refuses_it() -> None:
    other = asyncio.new_event_loop()
    future = other.create_future()

    async def wait(_: Puppet) -> Any:
        await future

    ref, _ = await puppet()
    with pytest.raises(CallExit, match="attached to a different loop"):
        await call(ref, wait)
    other.close()


@simulated
async def test_a_callback_cannot_await_itself() -> None:
    async def wait(_: Puppet) -> None:
        await asyncio.current_task()  # type: ignore[misc]

    ref, _ = await puppet()
    with pytest.raises(CallExit, match="cannot await on itself"):
        await call(ref, wait)


@simulated
async def test_who_gathers_the_task_of_a_callback_hears_of_its_end() -> None:
    tasks: list[Any] = []

    async def wait(_: Puppet) -> None:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(10)

    ref, _ = await puppet()
    cast(ref, wait)
    await asyncio.sleep(1)
    gathered = asyncio.gather(*tasks)
    send_exit(ref, KILL)
    with pytest.raises(asyncio.CancelledError):
        await gathered
