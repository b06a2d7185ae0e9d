"""One process with its own thread, for blocking work such as a database or image encoding.

Its links, monitors, mailbox and exits are those of any process and live on the loop; only the callbacks run on the
thread, in their own context. A process killed during a callback is dead at once, and its thread is fenced: whatever the
callback still sends, replies or starts is dropped, whatever it calls or waits for fails with `KILLED`, and the thread
ends when the callback returns. Python cannot stop it earlier.
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
    """A `GenServer` whose callbacks are plain functions that may block. In a simulation they run on the loop.

    The start of a class with a coroutine callback fails with `TypeError`.
    """

    __slots__ = ("_kernel_jobs", "_kernel_thread")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kernel_jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._kernel_thread: ProcessThread | None = None

    def _kernel_init(self) -> Any:
        for name in _CALLBACKS:
            if inspect.iscoroutinefunction(getattr(self, name)):
                raise TypeError(
                    f"{type(self).__name__}.{name} is a coroutine function, which a BlockingServer cannot run"
                )
        if self.scheduler.inline_blocking:
            return _call_plain(super()._kernel_init)
        context = contextvars.copy_context()  # with the running process, and the variables set by its starter
        work = partial(context.run, _run_jobs, self._kernel_jobs, self.scheduler)
        self._kernel_thread = thread = ProcessThread(self.scheduler, work, f"{self.label} {self.ref}")
        watch(self.ref, _Fence(thread, self._kernel_jobs))
        thread.start()
        return self._kernel_on_thread(super()._kernel_init)

    _kernel_handle = Process._kernel_handle  # the fast path of `GenServer` calls callbacks on the loop

    def _kernel_receive(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        if self._kernel_thread is None:
            return self._kernel_settled(message, _call_plain(self._kernel_dispatch, message))
        return self._kernel_settle_later(message, self._kernel_on_thread(self._kernel_dispatch, message))

    def _kernel_finish(self, reason: ExitReason) -> Any:
        if self._kernel_thread is None:
            return _call_plain(super()._kernel_finish, reason)
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
    """Fences a thread when its process exits. It keeps no reference to the process itself."""

    def __init__(self, thread: ProcessThread, jobs: queue.SimpleQueue[Job | None]) -> None:
        self._thread = thread
        self._jobs = jobs

    def __call__(self, ref: Ref, reason: ExitReason) -> None:
        self._thread.is_fenced = True
        self._jobs.put(None)
        if self._thread.pending_ask is not None:
            self._thread.pending_ask.refuse()


def _run_jobs(jobs: queue.SimpleQueue[Job | None], scheduler: Scheduler) -> None:
    """Run the callbacks of one process, and keep nothing of one after it returns."""
    while (job := jobs.get()) is not None:
        function, args, answer = job
        outcome: Outcome
        try:
            outcome = (_call_plain(function, *args), None)
        except BaseException as exception:  # noqa: BLE001  # re-raised on the loop, where it crashes the process
            outcome = (None, exception)
        scheduler.post(_set_outcome, answer, outcome)
        del job, function, args, answer, outcome


def _call_plain(function: Callable[..., Any], *args: Any) -> Any:
    """Call a callback; raise `TypeError` if it returns a coroutine."""
    value = function(*args)
    if type(value) is CoroutineType:
        value.close()
        raise TypeError("a callback of a BlockingServer must not return a coroutine")
    return value


def _set_outcome(answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not answer.done():
        answer.set_result(outcome)
