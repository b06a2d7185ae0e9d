"""The event loop of a simulation: its clock jumps, and whoever waits in vain is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from actors.scheduler import Scheduler

if TYPE_CHECKING:
    from actors.call import Call
    from actors.cell import Cell


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
        if timeout == 0:
            loop.count_pass()
            return []
        if loop.stands_still():
            return []
        if timeout is None or loop.finds_deadlocks:
            circle = waiting_circle(Scheduler.of(loop).processes.values())
            if circle:
                raise Deadlock("calls wait for each other: " + "; ".join(map(describe_call, circle)))
        if timeout is None:
            raise Stuck("nothing can run, and no timer is set: " + loop.describe())
        loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio loop whose clock stands still while anything runs, and jumps to the next timer when nothing does.

    It has no sockets and no threads.

    Attributes:
        finds_deadlocks: raise `Deadlock` as soon as calls wait for each other, and not only when nothing else is left:
            most calls would time out one day
        passes_left: after so many passes of the loop it is a `Livelock`; None for any number
    """

    _selector: _JumpingSelector

    def __init__(self, now: float = 1_000_000.0) -> None:
        # Far from 0 and from the real clock: code that mixes up clocks fails at once.
        super().__init__()
        self.now = now
        self.finds_deadlocks = False
        self.passes_left: int | None = None
        self._selector = _JumpingSelector(self)
        self._standstills: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

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
        """The processes that are alive, for the message of `Stuck`."""
        processes = Scheduler.of(self).processes.values()
        return ", ".join(f"{process} {process.status.value}" for process in processes) or "no process"

    def timers(self) -> list[str]:
        """The timers that are set, as text."""
        return [repr(timer) for timer in self._scheduled if not timer.cancelled()]

    def count_pass(self) -> None:
        """Note that something runs without an end to it in sight.

        Raises:
            Livelock: if that has been going on for too long.
        """
        if self.passes_left is not None:
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
    return f"{call.caller!r} waits for {call.server!r} to answer {call.request!r}"
