"""The test kit: virtual time, a probe that awaits messages, and supervised children that end with their test.

    def test_counter_counts() -> None:
        async def scenario() -> None:
            counter = await start(Counter)
            cast(counter, Increment())
            assert await call(counter, Value()) == 1

        run(scenario())

`run` takes no real time for timers: the clock jumps to the next one when nothing else can run.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from actors.cell import Cell, Status
from actors.exits import Down, ExitReason
from actors.gen_server import GenServer
from actors.process import start
from actors.ref import Monitor, Ref
from actors.scheduler import Scheduler
from actors.system import down, send_exit, watch

T = TypeVar("T")


class Stuck(AssertionError):
    """Nothing can run and no timer is set: somebody waits for what will never come."""


class _JumpingSelector:
    """Instead of waiting for sockets, of which there are none, moves the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout == 0 or self._loop.stands_still():
            return []
        if timeout is None:
            raise Stuck("nothing can run, and no timer is set: " + self._loop.describe())
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio loop whose clock stands still while anything runs, and jumps to the next timer when nothing does.

    It has no sockets and no threads.
    """

    _selector: _JumpingSelector

    def __init__(self, now: float = 1_000_000.0) -> None:
        # Far from 0 and from the real clock: code that mixes up clocks fails at once.
        super().__init__()
        self.now = now
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

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def seeded_pick(seed: int) -> Callable[[deque[Cell]], Cell]:
    """A run order drawn from `seed`: takes any of those that could run."""
    chance = random.Random(seed)

    def pick(queue: deque[Cell]) -> Cell:
        index = chance.randrange(len(queue))
        process = queue[index]
        del queue[index]
        return process

    return pick


def run(main: Coroutine[Any, Any, T], *, seed: int | None = None) -> T:
    """Run `main` in virtual time, with the run order of `seed` (None: first come, first served).

    Raises:
        Stuck: if it waits for what will never come.
    """
    loop = VirtualLoop()
    pick = None if seed is None else seeded_pick(seed)
    scheduler = Scheduler(loop, pick=pick, inline_blocking=True, chance=random.Random(seed or 0))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main)
        except BaseException as exception:
            if seed is not None:
                exception.add_note(f"seed {seed}")
            raise
        finally:
            for process in list(scheduler.processes.values()):
                scheduler.signal(process.exit_signal, None, "kill", False)


class Probe(GenServer):
    """A process that keeps what it gets, for a test to look at. Start it with `Probe.begin()`."""

    def init(self, *, trap_exit: bool = True) -> None:
        self.trap_exit = trap_exit
        self.messages: deque[Any] = deque()
        self._arrival: asyncio.Future[None] | None = None

    def handle_info(self, message: Any) -> None:
        """Keep a message."""
        self.messages.append(message)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    @classmethod
    async def begin(cls, *, trap_exit: bool = True) -> Probe:
        """Start a probe; its `ref` is where to send messages. It traps exits unless told otherwise."""
        process = (await start(cls, trap_exit=trap_exit))._process
        assert isinstance(process, cls)
        return process

    async def receive_message(self, *, within: float = 5.0) -> Any:
        """Take the oldest message, waiting `within` virtual seconds for it.

        Raises:
            AssertionError: if none comes.
        """
        if not self.messages:
            self._arrival = self.scheduler.loop.create_future()
            await asyncio.wait((self._arrival,), timeout=within)
        assert self.messages, f"no message came within {within} s"
        return self.messages.popleft()

    async def assert_down(self, monitor: Monitor, reason: ExitReason = ..., *, within: float = 5.0) -> ExitReason:
        """Take the next message, which has to be the `Down` of `monitor`; returns its reason."""
        message = await self.receive_message(within=within)
        assert isinstance(message, Down), f"expected a Down, got {message!r}"
        assert message.monitor is monitor, f"a Down of {message.target!r}"
        assert reason is ... or message.reason == reason, f"down with {message.reason!r}, not {reason!r}"
        return message.reason

    async def assert_quiet(self, *, during: float = 1.0) -> None:
        """Check that no message comes for `during` virtual seconds."""
        await asyncio.sleep(during)
        assert not self.messages, f"unexpected: {list(self.messages)!r}"


async def settle(seconds: float = 0.0) -> None:
    """Let everything run that can, then `seconds` of virtual time pass."""
    await asyncio.sleep(seconds)
    scheduler = Scheduler.current()
    while any(process.status.value in ("queued", "running") for process in scheduler.processes.values()):
        await asyncio.sleep(0)


async def quiet() -> None:
    """Wait until every process is idle or suspended, for as long as that takes in virtual time.

    A process that waits in a callback is not idle, so this outlasts calls and sleeps. Timers that would only send
    something to an idle process do not count: use `settle(seconds)` to see them through.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "only virtual time can be waited for"
    processes = Scheduler.of(loop).processes
    at_rest = (Status.IDLE, Status.SUSPENDED)
    await loop.standstill(lambda: all(process.status in at_rest for process in processes.values()))


async def kill(ref: Ref, reason: ExitReason = "kill") -> ExitReason:
    """Send an exit signal and wait for the end; returns the reason."""
    ended = down(ref)
    send_exit(ref, reason)
    return await ended


async def replaced(find: Callable[[], Ref | None], old: Ref) -> Ref:
    """Wait until `find()` gives another living process than `old`, as after a restart."""
    while True:
        ref = find()
        if ref is not None and ref is not old and ref.is_alive():
            return ref
        await asyncio.sleep(0.001)


__all__ = ["Probe", "Stuck", "VirtualLoop", "kill", "quiet", "replaced", "run", "seeded_pick", "settle", "watch"]
