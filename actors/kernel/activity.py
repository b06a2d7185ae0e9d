"""A coroutine callback as a task: its process drives it in turns, as asyncio drives a task on the loop.

`asyncio.current_task()` returns the `Activity` in that callback. It has the interface of `asyncio.Task`, so
`asyncio.timeout`, `TaskGroup`, anyio and libraries that use them work there (asyncio: Extending, task lifetime
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
    """What an activity uses of the `Scheduler` of its process: the loop, and the context of its own callbacks."""

    loop: asyncio.AbstractEventLoop
    outside: contextvars.Context


class Driver(Protocol):
    """A process that drives an activity: a `Cell`."""

    context: contextvars.Context | None

    @property
    def ref(self) -> Pid:
        """The reference of the process, with its number and label."""
        ...

    @property
    def scheduler(self) -> Runner:
        """The scheduler that runs the process."""
        ...

    def wake(self, awaited: asyncio.Future[Any] | None) -> None:
        """Resume the activity: the future that it awaits is done."""
        ...


class Activity:
    """One coroutine and the future that it awaits.

    Not registered in `asyncio.all_tasks()`: when the loop shuts down, its process is killed instead.

    Args:
        coroutine: returned by a callback
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

    # `_fut_waiter` is the future that the coroutine awaits, or None after `wake_soon`; `wake` ignores any other future.
    # The next step throws into the coroutine if `_must_cancel` is set (there was no `_fut_waiter` that `cancel` could
    # cancel) or `_error` (the coroutine awaited something invalid); a cancellation takes precedence.
    #
    # Others read these private names of `asyncio.Task`: anyio `_fut_waiter` and `_must_cancel`, asyncio `_coro`.
    _asyncio_future_blocking = False

    def __init__(self, coroutine: Coroutine[Any, Any, Any], cell: Driver) -> None:
        self._coro = coroutine
        self._cell = cell
        self._name: str | None = None
        self._fut_waiter: asyncio.Future[Any] | None = None
        self._error: BaseException | None = None  # raised in the coroutine at the next step
        self._must_cancel = False
        self._cancel_requests = 0
        self._cancel_message: Any = None
        self._completion: asyncio.Future[Any] | None = None  # created on demand, as few need it

    def __repr__(self) -> str:
        return f"<Activity of {self.get_name()}, {'done' if self.done() else 'pending'}>"

    # Driving, by the process.

    def is_waiting_for(self, awaited: asyncio.Future[Any] | None) -> bool:
        """Return whether a wake-up by `awaited` is expected; None stands for `wake_soon`."""
        return awaited is self._fut_waiter

    def wake_soon(self) -> None:
        """Wake the process in the next pass of the loop, for the next step."""
        scheduler = self._cell.scheduler
        scheduler.loop.call_soon(self._cell.wake, None, context=scheduler.outside)

    def advance(self) -> None:
        """Run the coroutine up to its next await.

        Raises:
            StopIteration: with the result, if the coroutine returns; any other exception is the coroutine's own.
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
            self.wake_soon()
        else:
            self._wait_for(awaited)

    def unwind(self) -> None:
        """Cancel what the coroutine awaits, raise `CancelledError` in it, and close it if it awaits again.

        Its `finally` blocks run as those of a cancelled task, but must not await: the process is dead.

        Raises:
            RuntimeError: if it awaits after its cancellation, which cuts its cleanup short.
            BaseException: what its cleanup raised.
        """
        loop = self.get_loop()
        current = asyncio.current_task(loop)
        if current is not None:  # the task that killed the process; meanwhile, this activity is the current task
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
        self._cancel_awaited(self._fut_waiter)
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
            self._cancel_awaited(awaited)
        finally:
            self._coro.close()
        raise RuntimeError("the cleanup of a dead process must not await")

    def _cancel_awaited(self, awaited: Any) -> None:
        """Cancel what the coroutine awaits, if it is a future of this loop."""
        scheduler = self._cell.scheduler
        if asyncio.isfuture(awaited) and awaited.get_loop() is scheduler.loop:
            awaited.remove_done_callback(self._cell.wake)
            if awaited.cancel() and not awaited.done():
                awaited.add_done_callback(_retrieve_outcome, context=scheduler.outside)

    def _wait_for(self, awaited: Any) -> None:
        """Wait for what the coroutine yielded; unless it is a future of this loop, raise an error in the coroutine."""
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
        self.wake_soon()

    def _due_error(self) -> BaseException:
        """Return what to raise in the coroutine: a cancellation takes precedence over an error."""
        error, self._error = self._error, None
        if self._must_cancel or error is None:
            self._must_cancel = False
            message = self._cancel_message
            return asyncio.CancelledError() if message is None else asyncio.CancelledError(message)
        return error

    # The interface of `asyncio.Task`.

    def cancel(self, msg: Any = None) -> bool:
        """Raise `CancelledError` in the coroutine where it awaits, or will await next."""
        if self.done():
            return False
        self._cancel_requests += 1
        if self._fut_waiter is None or not self._fut_waiter.cancel(msg=msg):
            self._must_cancel = True
            self._cancel_message = msg
        return True

    def cancelling(self) -> int:
        """Return the number of requests to cancel, less those withdrawn by `uncancel`."""
        return self._cancel_requests

    def uncancel(self) -> int:
        """Withdraw one request to cancel; return how many are left."""
        self._cancel_requests = max(0, self._cancel_requests - 1)
        if self._cancel_requests == 0 and sys.version_info >= (3, 13):
            self._must_cancel = False
        return self._cancel_requests

    def done(self) -> bool:
        """Return whether the coroutine has ended."""
        return inspect.getcoroutinestate(cast(Any, self._coro)) == inspect.CORO_CLOSED

    def cancelled(self) -> bool:
        """Return whether it ended with a `CancelledError`."""
        return self._completion is not None and self._completion.cancelled()

    def _make_cancelled_error(self) -> asyncio.CancelledError:  # called by `asyncio.gather`
        return asyncio.CancelledError()

    def result(self) -> Any:
        """Return the coroutine's result; None if nothing awaited or observed this activity before its end.

        Raises:
            asyncio.InvalidStateError: if it has not ended.
        """
        return self._completed().result()

    def exception(self) -> BaseException | None:
        """Return what the coroutine raised, otherwise the same as `result`."""
        return self._completed().exception()

    def set_result(self, result: Any) -> None:
        """Raise `RuntimeError`: the coroutine sets the result."""
        raise RuntimeError("an Activity does not support set_result")

    def set_exception(self, exception: Any) -> None:
        """Raise `RuntimeError`: the coroutine sets the exception."""
        raise RuntimeError("an Activity does not support set_exception")

    def add_done_callback(self, fn: Callable[[Any], object], *, context: contextvars.Context | None = None) -> None:
        """Call `fn(self)` soon after the coroutine ends."""
        self._completed().add_done_callback(_ForActivity(fn, self), context=context)

    def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
        """Remove `fn`; return how many times it was registered."""
        return self._completed().remove_done_callback(cast(Any, _ForActivity(fn, self)))

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of its process."""
        return self._cell.scheduler.loop

    def get_name(self) -> str:
        """Return the name that was set, or else the label of its process."""
        return self._cell.ref.label if self._name is None else self._name

    def set_name(self, value: object) -> None:
        """Set its name."""
        self._name = str(value)

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        """Return the coroutine that it runs."""
        return self._coro

    def get_context(self) -> contextvars.Context:
        """Return the context of its process, or a copy of the current one if the process has none yet."""
        return contextvars.copy_context() if self._cell.context is None else self._cell.context

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        """Return the frames of the coroutine, as `asyncio.Task.get_stack` does."""
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
        """Return the future that is done when the coroutine ends."""
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
            completion.exception()  # marks it as retrieved: the process reports it, not asyncio


def _retrieve_outcome(abandoned: asyncio.Future[Any]) -> None:
    """Retrieve the outcome of a cancelled future that no coroutine awaits now, and report an error.

    The outcome of `asyncio.gather` is a `CancelledError` set as an exception.
    """
    error = None if abandoned.cancelled() else abandoned.exception()
    if error is not None and not isinstance(error, asyncio.CancelledError):
        context = {"message": f"{describe(abandoned)} failed when it was cancelled", "exception": error}
        abandoned.get_loop().call_exception_handler(context)


class _ForActivity:
    """A done callback that is passed the activity instead of its completion future."""

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
