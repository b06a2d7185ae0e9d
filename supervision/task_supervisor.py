"""Supervisor. Runs functions as tasks, each in a process that can fail alone (Elixir's Task.Supervisor)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from actors import CallExit, ExitReason, Ref, Scheduler, Target, self_ref, watch
from actors.task import Task, TaskProcess
from supervision.child_spec import ChildSpec, Restart, SpecError, child
from supervision.dynamic_supervisor import DynamicSupervisor, start_dynamic_child


@dataclass(frozen=True, slots=True)
class Done:
    """The result for one item of a stream."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The task of an item ended with `reason`; `TIMEOUT` if it took too long."""

    reason: ExitReason


def task_supervisor(name: str, *, max_children: int | None = None, shutdown: float = 5.0) -> ChildSpec:
    """Specify a supervisor of tasks, registered as `name`. Tasks are never restarted.

    Args:
        name: id and registered name
        max_children: limit of tasks at a time; None for no limit
        shutdown: seconds that a task gets to stop
    """
    template = child(TaskProcess, restart=Restart.TEMPORARY, shutdown=shutdown)
    options = {"max_children": max_children}
    return child(DynamicSupervisor, template, id=name, name=name, kwargs=options)


async def async_nolink(supervisor: Target, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
    """Run a function as a task under `supervisor`. Its failure reaches only callers that await its result.

    Raises:
        ChildError: `MAX_CHILDREN`.
    """
    return await _start(supervisor, None, function, args, kwargs)


async def async_link(supervisor: Target, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
    """Run a function as a task under `supervisor`, linked to the calling process: they fail together.

    Raises:
        ChildError: `MAX_CHILDREN`.
        RuntimeError: outside a process.
    """
    caller = self_ref()
    if caller is None:
        raise RuntimeError("async_link must be called in a process; elsewhere, use async_nolink")
    return await _start(supervisor, caller, function, args, kwargs)


async def _start(
    supervisor: Target, owner: Ref | None, function: Callable[..., Any], args: Any, kwargs: Any
) -> Task[Any]:
    result: asyncio.Future[Any] = Scheduler.current().loop.create_future()
    ref = await start_dynamic_child(supervisor, result, function, args, kwargs, owner)
    assert ref is not None
    return Task(ref, result)


async def start_child_task(supervisor: Target, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
    """Run a function as a task under `supervisor`, for its side effects only."""
    await start_dynamic_child(supervisor, None, function, args, kwargs)


def stream(
    supervisor: Target,
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    max_concurrency: int = 8,
    ordered: bool = True,
    timeout: float | None = 5.0,
) -> AsyncIterator[Done | Failed]:
    """Run `function(item)` as a task for each item, and yield the outcomes on demand.

    When the iterator is closed, or the process that reads it ends, the running tasks are stopped.

    Args:
        supervisor: of the tasks
        function: plain or coroutine function
        items: read one by one, as tasks start
        max_concurrency: limit of tasks at a time
        ordered: yield in the order of the items; otherwise as tasks end
        timeout: seconds that each task gets before it is stopped; None for no limit

    Raises:
        SpecError: if `max_concurrency` is not an integer of at least 1.
    """
    if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int) or max_concurrency < 1:
        raise SpecError("max_concurrency", max_concurrency, "an integer of at least 1")
    return _stream(supervisor, function, iter(items), max_concurrency, ordered, timeout)


async def _stream(
    supervisor: Target,
    function: Callable[[Any], Any],
    waiting: Iterator[Any],
    max_concurrency: int,
    ordered: bool,
    timeout: float | None,
) -> AsyncIterator[Done | Failed]:
    running: dict[asyncio.Future[Done | Failed], Task[Any]] = {}
    ending: list[asyncio.Future[None]] = []

    def end_all(*_: Any) -> None:
        for outcome, task in running.items():
            outcome.cancel()
            if task.ref.is_alive():
                ending.append(asyncio.ensure_future(task.shutdown()))

    reader = self_ref()
    unwatch = watch(reader, end_all) if reader is not None else end_all
    try:
        while True:
            while len(running) < max_concurrency:
                try:
                    item = next(waiting)
                except StopIteration:
                    break
                task = await async_nolink(supervisor, function, item)
                running[asyncio.ensure_future(_outcome(task, timeout))] = task
            if not running:
                return
            if ordered:
                first = next(iter(running))
                await asyncio.wait((first,))
            else:
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                first = next(outcome for outcome in running if outcome in done)
            del running[first]
            yield first.result()
    finally:
        unwatch()
        end_all()


async def _outcome(task: Task[Any], timeout: float | None) -> Done | Failed:
    try:
        return Done(await task.result(timeout))
    except CallExit as failure:
        return Failed(failure.reason)
    finally:
        await task.shutdown()
