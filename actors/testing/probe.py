"""What a test waits with: a probe that keeps messages, and the rest of processes. Everything in virtual time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from actors.exits import ExitReason
from actors.gen_server import GenServer
from actors.kernel.cell import Status
from actors.kernel.process import start
from actors.kernel.ref import Monitor, Ref
from actors.kernel.scheduler import Scheduler
from actors.kernel.signals import Down
from actors.kernel.system import down, send_exit
from actors.testing.clock import VirtualLoop

Pattern: TypeAlias = Any
"""What a message has to be: of this class, accepted by this function, or equal to this value."""


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

    async def assert_receive(self, pattern: Pattern, *, within: float = 5.0) -> Any:
        """Take the oldest message that fits `pattern`, waiting `within` virtual seconds for it; others stay.

        Raises:
            AssertionError: if none comes; it lists those that are there.
        """
        deadline = self.scheduler.loop.time() + within
        while True:
            for message in self.messages:
                if fits(pattern, message):
                    self.messages.remove(message)
                    return message
            left = deadline - self.scheduler.loop.time()
            assert left > 0, f"no message that fits {pattern!r} came within {within} s, only {list(self.messages)!r}"
            self._arrival = self.scheduler.loop.create_future()
            await asyncio.wait((self._arrival,), timeout=left)

    async def refute_receive(self, pattern: Pattern, *, during: float = 1.0) -> None:
        """Check that no message that fits `pattern` is there or comes for `during` virtual seconds."""
        await asyncio.sleep(during)
        for message in self.messages:
            assert not fits(pattern, message), f"unexpected: {message!r}"

    async def assert_down(self, of: Monitor | Ref, reason: ExitReason = ..., *, within: float = 5.0) -> ExitReason:
        """Take the `Down` of a monitor, or wait for the end of a process; returns its reason.

        Args:
            of: a monitor of this probe, or a process, which is monitored from now on
            reason: what it has to end with, unless that does not matter
        """
        monitor = self.monitor(of) if isinstance(of, Ref) else of
        message = await self.assert_receive(lambda m: isinstance(m, Down) and m.monitor is monitor, within=within)
        assert reason is ... or message.reason == reason, f"down with {message.reason!r}, not {reason!r}"
        return message.reason

    async def assert_quiet(self, *, during: float = 1.0) -> None:
        """Check that no message comes for `during` virtual seconds."""
        await asyncio.sleep(during)
        assert not self.messages, f"unexpected: {list(self.messages)!r}"


def fits(pattern: Pattern, message: Any) -> bool:
    """Tell whether `message` is what `pattern` asks for."""
    if isinstance(pattern, type):
        return isinstance(message, pattern)
    return bool(pattern(message)) if callable(pattern) else bool(message == pattern)


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
