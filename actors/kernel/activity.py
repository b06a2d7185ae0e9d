"""A callback that is a coroutine, as a task: a process drives it in its turns, as asyncio drives a task on the loop.

It is what `asyncio.current_task()` returns in that callback, with the interface of `asyncio.Task`. So
`asyncio.timeout`, `TaskGroup`, anyio and the libraries that use them work there (asyncio: Extending, task lifetime
support).
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
from asyncio import base_tasks
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import Any, Protocol, TextIO, cast

from actors.describe import describe
from actors.identity import Pid


class Runner(Protocol):
    """Where a process runs: a `Scheduler`, of which an activity knows the loop and the context of its callbacks."""

    loop: asyncio.AbstractEventLoop
    outside: contextvars.Context


class Driver(Protocol):
    """A process that drives an activity: a `Cell`."""

    context: contextvars.Context | None

    @property
    def ref(self) -> Pid:
        """Its number and label."""
        ...

    @property
    def scheduler(self) -> Runner:
        """Where it runs."""
        ...

    def wake(self, awaited: asyncio.Future[Any] | None) -> None:
        """Go on with the activity: what it awaited is there."""
        ...


class Activity:
    """One coroutine and the future that it waits for.

    Not registered in `asyncio.all_tasks()`: at the end of the loop its process is killed instead.

    Args:
        coroutine: what a callback returned
        cell: the process that drives it
    """

    __slots__ = (
        "__weakref__",
        "_cancel_message",
        "_cancel_requests",
        "_cell",
        "_completion",
        "_coro",
        "_error",
        "_fut_waiter",
        "_must_cancel",
        "_name",
    )

    # Names of `asyncio.Task` that anyio reads: `_fut_waiter`, `_must_cancel`; and asyncio itself: `_coro`.
    _asyncio_future_blocking = False

    def __init__(self, coroutine: Coroutine[Any, Any, Any], cell: Driver) -> None:
        self._coro = coroutine
        self._cell = cell
        self._name: str | None = None
        self._fut_waiter: asyncio.Future[Any] | None = None
        self._error: BaseException | None = None  # to be raised in the coroutine at the next step
        self._must_cancel = False
        self._cancel_requests = 0
        self._cancel_message: Any = None
        self._completion: asyncio.Future[Any] | None = None  # made when it is asked for: few are

    def __repr__(self) -> str:
        return f"<Activity of {self.get_name()}, {'done' if self.done() else 'pending'}>"

    # How a process drives it.

    def is_waiting_for(self, awaited: asyncio.Future[Any] | None) -> bool:
        """Tell whether a wake-up by `awaited` is due; None stands for one that no future brings."""
        return awaited is self._fut_waiter

    def begin(self) -> None:
        """Have the process woken soon, for the next step."""
        scheduler = self._cell.scheduler
        scheduler.loop.call_soon(self._cell.wake, None, context=scheduler.outside)

    def advance(self) -> None:
        """Run the coroutine up to its next wait.

        Raises:
            StopIteration: with the result, at the end; any other exception is the coroutine's own.
        """
        self._fut_waiter = None
        loop = self._cell.scheduler.loop
        _enter_task(loop, cast(Any, self))
        try:
            if self._must_cancel or self._error is not None:
                awaited = self._coro.throw(self._due_error())
            else:
                awaited = self._coro.send(None)
        except BaseException as outcome:
            if self._completion is not None:
                self._complete(outcome)
            raise
        finally:
            _leave_task(loop, cast(Any, self))
        if awaited is None:  # asyncio.sleep(0)
            self.begin()
        else:
            self._wait_for(awaited)

    def unwind(self) -> None:
        """Cancel what the coroutine waits for, raise `CancelledError` in it, and end it where it waits again.

        So its `finally` blocks run as those of a cancelled task, but for waiting: the process is dead.

        Raises:
            RuntimeError: if it waits after its cancellation, which cuts its cleanup short.
            BaseException: what its cleanup raised.
        """
        loop = self.get_loop()
        current = asyncio.current_task(loop)
        if current is not None:  # the code that killed the process: for the time being, this coroutine is the task
            _leave_task(loop, current)
        _enter_task(loop, cast(Any, self))
        try:
            self._unwind()
        finally:
            _leave_task(loop, cast(Any, self))
            if current is not None:
                _enter_task(loop, current)
            if self._completion is not None:
                self._completion.cancel()

    def _unwind(self) -> None:
        state = inspect.getcoroutinestate(cast(Any, self._coro))
        self._let_go_of(self._fut_waiter)
        self._fut_waiter = None
        if state != inspect.CORO_SUSPENDED:
            if state == inspect.CORO_CREATED:
                self._coro.close()
            return
        try:
            awaited = self._coro.throw(asyncio.CancelledError())
        except (StopIteration, asyncio.CancelledError):
            return
        try:
            self._let_go_of(awaited)
        finally:
            self._coro.close()
        raise RuntimeError("the cleanup of a process that has ended may not wait")

    def _let_go_of(self, awaited: Any) -> None:
        """Cancel what the coroutine waits for, if it is a future of this loop."""
        scheduler = self._cell.scheduler
        if asyncio.isfuture(awaited) and awaited.get_loop() is scheduler.loop:
            awaited.remove_done_callback(self._cell.wake)
            if awaited.cancel() and not awaited.done():
                awaited.add_done_callback(_take_outcome, context=scheduler.outside)

    def _wait_for(self, awaited: Any) -> None:
        """Note what the coroutine yielded; what is no future of this loop is an error raised in it."""
        scheduler = self._cell.scheduler
        if not getattr(awaited, "_asyncio_future_blocking", None):
            self._fail(RuntimeError(f"{self!r} got bad yield: {describe(awaited)}"))
        elif awaited.get_loop() is not scheduler.loop:
            awaited._asyncio_future_blocking = False
            self._fail(RuntimeError(f"{self!r} got Future {describe(awaited)} attached to a different loop"))
        elif self._completion is not None and awaited is self._completion:
            awaited._asyncio_future_blocking = False
            self._fail(RuntimeError(f"Task cannot await on itself: {self!r}"))
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._cell.wake, context=scheduler.outside)
            self._fut_waiter = awaited
            if self._must_cancel and awaited.cancel(msg=self._cancel_message):
                self._must_cancel = False

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self.begin()

    def _due_error(self) -> BaseException:
        """What is to be raised in the coroutine: a cancellation comes before all else."""
        error, self._error = self._error, None
        if self._must_cancel or error is None:
            self._must_cancel = False
            message = self._cancel_message
            return asyncio.CancelledError() if message is None else asyncio.CancelledError(message)
        return error

    # The interface of `asyncio.Task`.

    def cancel(self, msg: Any = None) -> bool:
        """Let the coroutine get a `CancelledError` where it waits, or will wait next."""
        if self.done():
            return False
        self._cancel_requests += 1
        if self._fut_waiter is None or not self._fut_waiter.cancel(msg=msg):
            self._must_cancel = True
            self._cancel_message = msg
        return True

    def cancelling(self) -> int:
        """How many requests to cancel it have not been taken back."""
        return self._cancel_requests

    def uncancel(self) -> int:
        """Take one request back; returns how many are left."""
        self._cancel_requests = max(0, self._cancel_requests - 1)
        if self._cancel_requests == 0 and sys.version_info >= (3, 13):
            self._must_cancel = False
        return self._cancel_requests

    def done(self) -> bool:
        """Tell whether the coroutine has ended."""
        return inspect.getcoroutinestate(cast(Any, self._coro)) == inspect.CORO_CLOSED

    def cancelled(self) -> bool:
        """Tell whether it ended with a `CancelledError`."""
        return self._completion is not None and self._completion.cancelled()

    def _make_cancelled_error(self) -> asyncio.CancelledError:  # called by `asyncio.gather`
        return asyncio.CancelledError()

    def result(self) -> Any:
        """What the coroutine returned, if somebody asked for it before its end.

        Raises:
            asyncio.InvalidStateError: if it has not ended.
        """
        return self._completed().result()

    def exception(self) -> BaseException | None:
        """What the coroutine raised, otherwise as `result`."""
        return self._completed().exception()

    def set_result(self, result: Any) -> None:
        """Refuse: a coroutine gives its own result."""
        raise RuntimeError("an Activity does not support set_result")

    def set_exception(self, exception: Any) -> None:
        """Refuse: a coroutine raises its own exceptions."""
        raise RuntimeError("an Activity does not support set_exception")

    def add_done_callback(self, fn: Callable[[Any], object], *, context: contextvars.Context | None = None) -> None:
        """Have `fn(self)` called soon after the end of the coroutine."""
        self._completed().add_done_callback(_ForActivity(fn, self), context=context)

    def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
        """Remove `fn`; returns how often it was there."""
        return self._completed().remove_done_callback(cast(Any, _ForActivity(fn, self)))

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of its process."""
        return self._cell.scheduler.loop

    def get_name(self) -> str:
        """The label of its process, unless `set_name` changed it."""
        return self._cell.ref.label if self._name is None else self._name

    def set_name(self, value: object) -> None:
        """Change its name."""
        self._name = str(value)

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        """The coroutine that it runs."""
        return self._coro

    def get_context(self) -> contextvars.Context:
        """The context of its process; a copy of the one that runs, if the process has set no variable."""
        return contextvars.copy_context() if self._cell.context is None else self._cell.context

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        """The frames of the coroutine, as `asyncio.Task.get_stack` gives them."""
        return cast("list[FrameType]", cast(Any, base_tasks)._task_get_stack(self, limit))

    def print_stack(self, *, limit: int | None = None, file: TextIO | None = None) -> None:
        """Print the stack of the coroutine."""
        cast(Any, base_tasks)._task_print_stack(self, limit, file)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._completed().__await__()

    __iter__ = __await__

    @property
    def _exception(self) -> None:  # read by `print_stack`
        return None

    def _completed(self) -> asyncio.Future[Any]:
        """The future of its end."""
        if self._completion is None:
            self._completion = self.get_loop().create_future()
            if self.done():
                self._completion.set_result(None)
        return self._completion

    def _complete(self, outcome: BaseException) -> None:
        completion = self._completed()
        if completion.done():
            return
        if isinstance(outcome, StopIteration):
            completion.set_result(outcome.value)
        elif isinstance(outcome, asyncio.CancelledError):
            completion.cancel()
        else:
            completion.set_exception(outcome)
            completion.exception()  # the process reports it


def _take_outcome(abandoned: asyncio.Future[Any]) -> None:
    """Take the outcome of what was cancelled, as no coroutine does: of `asyncio.gather` it is a `CancelledError`."""
    error = None if abandoned.cancelled() else abandoned.exception()
    if error is not None and not isinstance(error, asyncio.CancelledError):
        context = {"message": f"{describe(abandoned)} failed when it was cancelled", "exception": error}
        abandoned.get_loop().call_exception_handler(context)


class _ForActivity:
    """A callback that gets the activity in place of the future that stands for its end."""

    __slots__ = ("_activity", "_function")

    def __init__(self, function: Callable[[Any], object], activity: Activity) -> None:
        self._function = function
        self._activity = activity

    def __call__(self, _: asyncio.Future[Any]) -> None:
        self._function(self._activity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ForActivity) and other._function == self._function

    def __hash__(self) -> int:
        return hash(self._function)
