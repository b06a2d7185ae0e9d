"""The event loop of a simulation: its clock jumps, and a failure names who waits in vain."""

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
"""After this many passes of the loop, a simulation counts as one that never ends."""


class Stuck(AssertionError):
    """Nothing can run and no timer is set: somebody waits for what will never come."""


class Deadlock(Stuck):
    """Processes call each other in a circle, and each waits for the next one."""


class Livelock(Stuck):
    """It runs and runs, and does not come to an end."""


class _JumpingSelector:
    """Instead of waiting for sockets, of which there are none, moves the clock."""

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
            circle = waiting_circle(Scheduler.of(loop).processes.values())
            if circle:
                raise Deadlock("calls wait for each other: " + "; ".join(map(describe_call, circle)))
        if due == math.inf:
            raise Stuck("nothing can run, and no timer is set: " + loop.describe())
        loop.jump_to(due)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio loop whose clock stands still while anything runs, and jumps to the next timer when nothing does.

    It has no sockets and no threads. A timer that is infinitely far away never fires: the clock does not move for it.

    Attributes:
        finds_deadlocks: raise `Deadlock` as soon as calls wait for each other, and not only when nothing else is left:
            most calls would time out one day
        passes_left: after this many passes of the loop it is a `Livelock`
    """

    _selector: _JumpingSelector

    def __init__(self, now: float = 1_000_000.0) -> None:
        # Far from 0 and from the real clock: code that mixes up clocks fails at once.
        super().__init__()
        self.finds_deadlocks = False
        self.passes_left = MAX_PASSES
        self._selector = _JumpingSelector(self)
        self._standstills: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.jump_to(now)

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def jump_to(self, now: float) -> None:
        """Set the clock, in seconds."""
        self.now = now
        # asyncio calls a timer that is due in less than this. It has to be a step that a clock so far ahead can make.
        self._clock_resolution = max(1e-9, math.ulp(now))

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer.

        Raises:
            ValueError: if `when` is nan, which would break the order of the other timers.
        """
        if math.isnan(when):
            raise ValueError(f"a timer for {callback!r} at nan: no time compares with that")
        return super().call_at(when, callback, *args, context=context)

    def next_timer(self) -> float:
        """When the next timer fires; infinity if none will."""
        return self._scheduled[0].when() if self._scheduled else math.inf

    async def standstill(self, condition: Callable[[], bool]) -> None:
        """Wait until nothing can run before the clock jumps, and `condition()` holds."""
        reached: asyncio.Future[None] = self.create_future()
        self._standstills.append((condition, reached))
        await reached

    def stands_still(self) -> bool:
        """Wake those who wait for this standstill; tell whether there were any."""
        here = [item for item in self._standstills if item[1].done() or item[0]()]
        for item in here:
            self._standstills.remove(item)
            if not item[1].done():
                item[1].set_result(None)
        return bool(here)

    def describe(self) -> str:
        """The processes that are alive and the tasks that are pending, for the message of `Stuck`."""
        waiting = [f"{process} {process.status.value}" for process in Scheduler.of(self).processes.values()]
        waiting += sorted(map(describe_task, asyncio.all_tasks(self)))
        return ", ".join(waiting) or "no process and no task"

    def timers(self) -> list[str]:
        """The timers that are set, as text."""
        return [repr(timer) for timer in self._scheduled if not timer.cancelled()]

    def count_pass(self) -> None:
        """Count a pass of the loop.

        Raises:
            Livelock: if none is left.
        """
        self.passes_left -= 1
        if self.passes_left == 0:
            raise Livelock("it does not come to an end: " + self.describe())

    if TYPE_CHECKING:
        _scheduled: list[asyncio.TimerHandle]

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def waiting_circle(processes: Iterable[Cell]) -> list[Call]:
    """Calls of which each waits for the next one's server, and the last one for the first; empty if there are none."""
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
    """Who waits for whom, and with what."""
    return f"{call.caller!r} waits for {call.server!r} to answer {describe(call.request, shows_values=True)}"


def describe_task(task: asyncio.Task[Any]) -> str:
    """A task, and the coroutines it is in, each with its line."""
    path = []
    coroutine: object = task.get_coro()
    while inspect.iscoroutine(coroutine):
        if coroutine.cr_frame is not None:
            path.append(f"{coroutine.__name__}:{coroutine.cr_frame.f_lineno}")
        coroutine = coroutine.cr_await
    return f"{task.get_name()} at {' > '.join(path)}"
