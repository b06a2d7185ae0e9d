"""Pykka's future, for actors on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol, TypeVar

import pykka

from actors.guard import attempt
from actors.kernel.threads import CHECK_EVERY, refuse_to_block

F = TypeVar("F", bound="pykka.Future[Any]")


class Home(Protocol):
    """The scheduler of the process that has to reply."""

    def check_open(self) -> None:
        """Raise if this thread would wait for a reply in vain."""
        ...


class LoopFuture(pykka.ThreadingFuture[Any]):
    """A Pykka future that refuses to block a thread that runs an event loop, and can be awaited there instead.

    Args:
        scheduler: the scheduler of the replying process; if its loop is closed, `get` raises instead of waiting
    """

    def __init__(self, scheduler: Home | None = None) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._sources: tuple[pykka.Future[Any], ...] = ()
        self._waiters: dict[object, Callable[[], object]] = {}

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait at most `timeout` seconds for the value.

        Raises:
            BlockingOnLoopError: on a thread that runs an event loop, unless the value is already set.
            pykka.Timeout: if it is not set in time.
            RuntimeError: if the loop of the replying process is closed.
            ProcessExit: `KILLED`, on the thread of a process that was killed.
        """
        if self._result is None and self._get_hook is None:
            refuse_to_block("use `await call(ref, message)` instead")
        if timeout is not None or self._scheduler is None:
            return super().get(timeout=timeout)
        while True:
            try:
                return super().get(timeout=CHECK_EVERY)
            except pykka.Timeout:
                if self._result is not None:  # the reply itself is a pykka.Timeout
                    raise
                self._scheduler.check_open()

    def set(self, value: Any = None) -> None:
        """Set the value and wake the waiters."""
        super().set(value)
        self._wake()

    def set_exception(self, exc_info: Any = None) -> None:
        """Set an exception and wake the waiters."""
        super().set_exception(exc_info)
        self._wake()

    def when_set(self, tell: Callable[[Any], object]) -> None:
        """Call `tell(value)` when a value is set, but not for an exception."""

        def note() -> None:
            if self._result is not None and self._result.exc_info is None:
                tell(self._result.value)

        with self._condition:
            self._waiters[note] = note

    # Pykka derives futures that call `get` of their sources: awaiting one awaits its sources first.

    def map(self, func: Callable[[Any], Any]) -> pykka.Future[Any]:
        return _derived(super().map(func), (self,))

    def filter(self, func: Callable[[Any], bool]) -> pykka.Future[Any]:
        return _derived(super().filter(func), (self,))

    def reduce(self, func: Callable[[Any, Any], Any], *args: Any) -> pykka.Future[Any]:
        return _derived(super().reduce(func, *args), (self,))

    def join(self, *futures: pykka.Future[Any]) -> pykka.Future[Any]:
        return _derived(super().join(*futures), (self, *futures))

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self._arrival().__await__()
        return self.get()

    async def _arrival(self) -> None:
        for source in self._sources:
            if isinstance(source, LoopFuture):
                await source._arrival()
        loop = asyncio.get_running_loop()
        arrival: asyncio.Future[None] = loop.create_future()

        def note() -> None:
            if not arrival.done():
                arrival.set_result(None)

        with self._condition:
            if self._result is not None or self._get_hook is not None:
                return
            self._waiters[arrival] = lambda: loop.call_soon_threadsafe(note)
        try:
            await arrival
        finally:
            with self._condition:
                self._waiters.pop(arrival, None)

    def _wake(self) -> None:
        """Wake the waiters. A waiter whose loop is closed must not crash the replying process."""
        with self._condition:
            waiters, self._waiters = self._waiters, {}
        for wake in waiters.values():
            attempt(wake, default=None)


def _derived(future: F, sources: Iterable[pykka.Future[Any]]) -> F:
    if isinstance(future, LoopFuture):
        future._sources = tuple(sources)
    return future
