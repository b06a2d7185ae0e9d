"""The event loop of a simulation: its clock jumps from timer to timer, and it detects deadlocks."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVarTuple, Unpack

from actors.describe import describe
from actors.kernel.scheduler import Scheduler

if TYPE_CHECKING:
    from actors.kernel.call import Call
    from actors.kernel.cell import Cell


Ts = TypeVarTuple("Ts")

MAX_PASSES = 2_000_000
"""Passes of the loop after which a simulation is considered endless."""


class Stuck(AssertionError):
    """Nothing can run and no timer is set: the test waits for something that can never happen."""


class Deadlock(Stuck):
    """Processes call each other in a cycle, and each waits for the next one."""


class Livelock(Stuck):
    """The simulation keeps running and does not end."""


class _JumpingSelector:
    """Moves the clock instead of waiting for sockets, which a simulation does not have."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        loop = self._loop
        if timeout != 0 and loop.stands_still():
            return []
        loop.count_pass()
        if timeout == 0:
            return []
        due = loop.next_timer()
        if loop.finds_deadlocks or due == math.inf:
            cycle = find_call_cycle(Scheduler.of(loop).processes.values())
            if cycle:
                raise Deadlock("calls wait for each other: " + "; ".join(map(describe_call, cycle)))
        if due == math.inf:
            raise Stuck("nothing can run, and no timer is set: " + loop.describe())
        loop.jump_to(due)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio loop whose clock stands still while anything can run, and then jumps to the next timer.

    It has no sockets and no threads. A timer at infinity never fires: the clock does not move for it.

    Attributes:
        finds_deadlocks: raise `Deadlock` as soon as calls wait for each other, even if timers are pending: most calls
            would time out eventually
        passes_left: number of passes of the loop after which it raises `Livelock`
    """

    _selector: _JumpingSelector

    def __init__(self, now: float = 1_000_000.0) -> None:
        # `now` is far from 0 and from the real clock, so that code that mixes up clocks fails at once.
        super().__init__()
        self.finds_deadlocks = False
        self.passes_left = MAX_PASSES
        self._selector = _JumpingSelector(self)
        self._standstills: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.jump_to(now)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now

    def jump_to(self, now: float) -> None:
        """Set the clock, in seconds."""
        self.now = now
        # asyncio fires timers that are due within this time. It must not be below the precision of a float at `now`.
        self._clock_resolution = max(1e-9, math.ulp(now))

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer.

        Raises:
            ValueError: if `when` is NaN, which would break the order of the other timers.
        """
        if math.isnan(when):
            raise ValueError(f"a timer for {callback!r} must not be at nan, which cannot be ordered")
        return super().call_at(when, callback, *args, context=context)

    def next_timer(self) -> float:
        """Return the time at which the next timer fires, or infinity if there is none."""
        return self._scheduled[0].when() if self._scheduled else math.inf

    async def standstill(self, condition: Callable[[], bool]) -> None:
        """Wait until nothing can run before the next jump of the clock, and `condition()` is true."""
        reached: asyncio.Future[None] = self.create_future()
        self._standstills.append((condition, reached))
        await reached

    def stands_still(self) -> bool:
        """Wake the waiters whose condition holds at this standstill; return whether there are any."""
        here = [item for item in self._standstills if item[1].done() or item[0]()]
        for item in here:
            self._standstills.remove(item)
            if not item[1].done():
                item[1].set_result(None)
        return bool(here)

    def describe(self) -> str:
        """Return the living processes and the pending tasks as text, for the message of `Stuck`."""
        waiting = [f"{process} {process.status.value}" for process in Scheduler.of(self).processes.values()]
        waiting += sorted(map(describe_task, asyncio.all_tasks(self)))
        return ", ".join(waiting) or "no process and no task"

    def timers(self) -> list[str]:
        """Return the pending timers as text."""
        return [repr(timer) for timer in self._scheduled if not timer.cancelled()]

    def count_pass(self) -> None:
        """Count a pass of the loop.

        Raises:
            Livelock: if none is left.
        """
        self.passes_left -= 1
        if self.passes_left == 0:
            raise Livelock("the simulation does not end: " + self.describe())

    if TYPE_CHECKING:
        _scheduled: list[asyncio.TimerHandle]

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def find_call_cycle(processes: Iterable[Cell]) -> list[Call]:
    """Return a cycle of calls, in which the server of each is the caller of the next, or an empty list."""
    waits_for: dict[Cell, Call] = {}
    for cell in processes:
        for call in cell.callers or ():
            caller = None if call.caller is None else call.caller._cell
            if caller is not None and caller.status.value == "waiting" and not call.is_given_up():
                waits_for[caller] = call
    for start in waits_for:
        path: list[Call] = []
        at: Cell | None = start
        while at is not None and at in waits_for and waits_for[at] not in path:
            path.append(waits_for[at])
            at = path[-1].server._cell
            if at is start:
                return path
    return []


def describe_call(call: Call) -> str:
    """Return which process waits for which, and for the reply to what."""
    return f"{call.caller!r} waits for {call.server!r} to answer {describe(call.request, shows_values=True)}"


def describe_task(task: asyncio.Task[Any]) -> str:
    """Return the name of a task and the coroutines that it is in, each with its line."""
    path = []
    coroutine: object = task.get_coro()
    while inspect.iscoroutine(coroutine):
        if coroutine.cr_frame is not None:
            path.append(f"{coroutine.__name__}:{coroutine.cr_frame.f_lineno}")
        coroutine = coroutine.cr_await
    return f"{task.get_name()} at {' > '.join(path)}"
