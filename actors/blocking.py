"""One process with a thread of its own: for work that blocks, like a database or the encoding of an image.

Links, monitors, mailbox and exits are those of any process, on the loop; only the callbacks run on the thread, in a
context of their own. When the process is killed in the middle of one, it is dead at once and the thread is fenced: what
it still sends, replies or starts goes nowhere, what it asks or waits for fails with `KILLED`, and it ends when the
callback returns. Python cannot stop it earlier.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import queue
from collections.abc import Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import Any

from actors.exits import ExitReason
from actors.gen_server import GenServer
from actors.kernel.process import Process
from actors.kernel.ref import Ref
from actors.kernel.scheduler import ProcessThread, Scheduler
from actors.kernel.system import watch

Outcome = tuple[Any, BaseException | None]
Job = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Outcome]"]

_CALLBACKS = ("init", "handle_call", "handle_cast", "handle_info", "handle_continue", "terminate")


class BlockingServer(GenServer):
    """A `GenServer` whose callbacks are plain functions and may block. In a simulation they run on the loop.

    A class with a callback that is a coroutine function does not start.
    """

    __slots__ = ("_kernel_jobs", "_kernel_thread")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kernel_jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._kernel_thread: ProcessThread | None = None

    def _kernel_init(self) -> Any:
        for name in _CALLBACKS:
            if inspect.iscoroutinefunction(getattr(self, name)):
                raise TypeError(f"{type(self).__name__}.{name} is a coroutine function: a BlockingServer has none")
        if self.scheduler.inline_blocking:
            return _plain(super()._kernel_init)
        context = contextvars.copy_context()  # it holds that this process runs, and what was set where it was started
        work = partial(context.run, _work, self._kernel_jobs, self.scheduler)
        self._kernel_thread = thread = ProcessThread(self.scheduler, work, f"{self.label} {self.ref}")
        watch(self.ref, _Fence(thread, self._kernel_jobs))
        thread.start()
        return self._kernel_on_thread(super()._kernel_init)

    _kernel_handle = Process._kernel_handle  # the short cut of a `GenServer` calls callbacks on the loop

    def _kernel_take(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        if self._kernel_thread is None:
            return self._kernel_settled(message, _plain(self._kernel_dispatch, message))
        return self._kernel_settle_later(message, self._kernel_on_thread(self._kernel_dispatch, message))

    def _kernel_finish(self, reason: ExitReason) -> Any:
        if self._kernel_thread is None:
            return _plain(super()._kernel_finish, reason)
        return self._kernel_on_thread(super()._kernel_finish, reason)

    def _kernel_proxied(self, message: Any) -> Any:
        if self._kernel_thread is None:
            return super()._kernel_proxied(message)
        return self._kernel_on_thread(super()._kernel_proxied, message)

    async def _kernel_on_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        answer: asyncio.Future[Outcome] = self.scheduler.loop.create_future()
        self._kernel_jobs.put((function, args, answer))
        value, error = await answer
        if error is not None:
            raise error
        return value


class _Fence:
    """Fences a thread at the end of its process. It holds nothing of the process itself."""

    def __init__(self, thread: ProcessThread, jobs: queue.SimpleQueue[Job | None]) -> None:
        self._thread = thread
        self._jobs = jobs

    def __call__(self, ref: Ref, reason: ExitReason) -> None:
        self._thread.is_fenced = True
        self._jobs.put(None)
        if self._thread.asks is not None:
            self._thread.asks.refuse()


def _work(jobs: queue.SimpleQueue[Job | None], scheduler: Scheduler) -> None:
    """Run the callbacks of one process. Between two of them nothing is kept of the last one."""
    while (job := jobs.get()) is not None:
        function, args, answer = job
        outcome: Outcome
        try:
            outcome = (_plain(function, *args), None)
        except BaseException as exception:  # noqa: BLE001  # it crashes the process, on the loop
            outcome = (None, exception)
        scheduler.post(_answer, answer, outcome)
        del job, function, args, answer, outcome


def _plain(function: Callable[..., Any], *args: Any) -> Any:
    """Call a callback, whose result must not have to be awaited."""
    value = function(*args)
    if type(value) is CoroutineType:
        value.close()
        raise TypeError("a callback of a BlockingServer returned a coroutine, which it may not await")
    return value


def _answer(answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not answer.done():
        answer.set_result(outcome)
