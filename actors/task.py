"""One process per task: it runs one function and delivers the result to any number of waiters (Elixir's Task)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from actors.exits import KILL, NORMAL, SHUTDOWN, TIMEOUT, ExitReason
from actors.failures import CallExit, exception_in
from actors.gen_server import Continue, GenServer
from actors.kernel.directives import Stop
from actors.kernel.process import start_link
from actors.kernel.ref import Ref
from actors.kernel.scheduler import Scheduler
from actors.kernel.system import down, send_exit, watch

T = TypeVar("T")


class Task(Generic[T]):
    """A running function and the handle to its result. Created by `start_task` or by a `TaskSupervisor`."""

    __slots__ = ("_result", "ref")

    def __init__(self, ref: Ref, result: asyncio.Future[T]) -> None:
        self.ref = ref
        self._result = result

    def __repr__(self) -> str:
        return f"Task({self.ref!r})"

    async def result(self, timeout: float | None = 5.0) -> T:
        """Wait at most `timeout` seconds for the function's result (Elixir's `Task.await`).

        Raises:
            CallExit: with the exit reason if the task failed, or `TIMEOUT`, after which the task keeps running.
        """
        if not await self.is_done(timeout):
            raise CallExit(TIMEOUT, self.ref)
        return self._result.result()

    async def is_done(self, timeout: float | None = 5.0) -> bool:
        """Wait at most `timeout` seconds for the function to end; return whether it has (Elixir's `Task.yield`)."""
        if not self._result.done():
            await asyncio.wait((self._result,), timeout=timeout)
        return self._result.done()

    async def shutdown(self, timeout: float = 5.0) -> None:
        """Unlink the task, shut it down and wait until it is dead; kill it after `timeout` seconds."""
        process = self.ref
        if not process.is_alive():
            return
        ended = down(process)
        caller = Scheduler.current().running
        if caller is not None:
            caller.unlink(process)
        send_exit(process, SHUTDOWN)
        try:
            await asyncio.wait((ended,), timeout=timeout)
            if not ended.done():
                send_exit(process, KILL)
                await ended
        finally:
            ended.cancel()


class TaskProcess(GenServer):
    """Runs one function, then exits.

    Args (of `init`):
        result: future that receives the function's result, or the reason it failed with
        function: plain or coroutine function, called with `args` and `kwargs`
        owner: process to link to in addition to the parent
    """

    def init(
        self,
        result: asyncio.Future[Any] | None,
        function: Callable[..., Any],
        args: Any,
        kwargs: Any,
        owner: Ref | None = None,
    ) -> Continue:
        name = getattr(function, "__name__", None)
        self.label = name if isinstance(name, str) else "task"
        self._outcome = result
        if result is not None:  # before the function runs: it may fail before the starter could watch
            watch(self.ref, partial(_fail_result, result))
        if owner is not None:
            self.link(owner)
        self._job = (function, args, kwargs)
        return Continue()

    async def handle_continue(self, argument: Any) -> Stop:
        """Run the function."""
        function, args, kwargs = self._job
        value = function(*args, **kwargs)
        if asyncio.iscoroutine(value):
            value = await value
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(value)
        return Stop(NORMAL)


def _fail_result(result: asyncio.Future[Any], ref: Ref, reason: ExitReason) -> None:
    """Fail a result that the task did not deliver."""
    if not result.done():
        failure = CallExit(reason, ref)
        failure.__cause__ = exception_in(reason)
        result.set_exception(failure)
        result.exception()  # marks it as retrieved: asyncio must not log a result that is never awaited


async def start_task(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
    """Run a function in its own process, linked to the calling one (Elixir's `Task.async`).

    If the function fails, the caller receives the exit signal: start a task that may fail with a `TaskSupervisor`.
    """
    result: asyncio.Future[Any] = Scheduler.current().loop.create_future()
    return Task(await start_link(TaskProcess, result, function, args, kwargs), result)
