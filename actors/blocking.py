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

from actors.exits import Exit, ExitReason
from actors.gen_server import GenServer
from actors.process import watch
from actors.ref import Ref, StopRequest
from actors.scheduler import ProcessThread

Job = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]


class BlockingServer(GenServer):
    """A `GenServer` whose callbacks are plain functions and may block. In a simulation they run on the loop."""

    __slots__ = ("_jobs", "_thread")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: ProcessThread | None = None

    def _initialise(self) -> Any:
        if self.scheduler.inline_blocking:
            return super()._initialise()
        self._thread = ProcessThread(self.scheduler, self._work, f"{self.label} {self.ref}")
        watch(self.ref, self._fence)
        self._thread.start()
        return self._on_thread(super()._initialise)

    def _handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        is_for_kernel = type(message) is StopRequest or (type(message) is Exit and message.sender is self.parent)
        if self._thread is None or is_for_kernel:
            return super()._handle(message)
        return self._settle_later(message, self._on_thread(self._dispatch, message))

    def _finish(self, reason: ExitReason) -> Any:
        if self._thread is None:
            return super()._finish(reason)
        return self._on_thread(super()._finish, reason)

    async def _on_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        answer: asyncio.Future[Any] = self.scheduler.loop.create_future()
        self._jobs.put((function, args, answer))
        return await answer

    def _work(self) -> None:
        """What the thread does."""
        while True:
            job = self._jobs.get()
            if job is None:
                return
            function, args, answer = job
            try:
                value = function(*args)
            except BaseException as exception:  # noqa: BLE001  # it crashes the process, on the loop
                self.scheduler.post(_fail, answer, exception)
            else:
                self.scheduler.post(_answer, answer, value)

    def _fence(self, _ref: Ref, _reason: ExitReason) -> None:
        if self._thread is not None:
            self._thread.is_fenced = True
        self._jobs.put(None)


def _answer(answer: asyncio.Future[Any], value: Any) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: asyncio.Future[Any], exception: BaseException) -> None:
    if not answer.done():
        answer.set_exception(exception)
