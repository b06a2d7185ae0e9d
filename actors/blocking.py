"""One process with a thread of its own: for work that blocks, like a database or the encoding of an image.

Links, monitors, mailbox and exits are those of any process, on the loop; only the callbacks run on the thread. When it
is killed in the middle of one, it is dead at once and the thread is fenced: whatever it still sends, replies or starts
goes nowhere, and it ends when the callback returns. Python cannot stop it earlier.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Coroutine
from typing import Any

from actors.exits import ExitReason
from actors.gen_server import GenServer
from actors.ref import Ref
from actors.scheduler import ProcessThread
from actors.system import watch

Job = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]


class BlockingServer(GenServer):
    """A `GenServer` whose callbacks are plain functions and may block. In a simulation they run on the loop."""

    __slots__ = ("_kernel_jobs", "_kernel_thread")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kernel_jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._kernel_thread: ProcessThread | None = None

    def _kernel_init(self) -> Any:
        if self.scheduler.inline_blocking:
            return super()._kernel_init()
        self._kernel_thread = ProcessThread(self.scheduler, self._kernel_work, f"{self.label} {self.ref}")
        watch(self.ref, self._kernel_fence)
        self._kernel_thread.start()
        return self._kernel_on_thread(super()._kernel_init)

    def _kernel_handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        if self._kernel_thread is None or self._kernel.asks_to_stop(message):
            return super()._kernel_handle(message)
        return self._kernel_settle_later(message, self._kernel_on_thread(self._kernel_dispatch, message))

    def _kernel_finish(self, reason: ExitReason) -> Any:
        if self._kernel_thread is None:
            return super()._kernel_finish(reason)
        return self._kernel_on_thread(super()._kernel_finish, reason)

    async def _kernel_on_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        answer: asyncio.Future[Any] = self.scheduler.loop.create_future()
        self._kernel_jobs.put((function, args, answer))
        return await answer

    def _kernel_work(self) -> None:
        """What the thread does."""
        while True:
            job = self._kernel_jobs.get()
            if job is None:
                return
            function, args, answer = job
            try:
                value = function(*args)
            except BaseException as exception:  # noqa: BLE001  # it crashes the process, on the loop
                self.scheduler.post(_fail, answer, exception)
            else:
                self.scheduler.post(_answer, answer, value)

    def _kernel_fence(self, _ref: Ref, _reason: ExitReason) -> None:
        if self._kernel_thread is not None:
            self._kernel_thread.is_fenced = True
        self._kernel_jobs.put(None)


def _answer(answer: asyncio.Future[Any], value: Any) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: asyncio.Future[Any], exception: BaseException) -> None:
    if not answer.done():
        answer.set_exception(exception)
