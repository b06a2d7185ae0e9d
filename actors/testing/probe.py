"""Waiting in tests, in virtual time: a probe that records messages, and functions that wait for processes."""

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
"""Matches a message that is an instance of this class, accepted by this function, or equal to this value."""


class Probe(GenServer):
    """A process that records its messages for a test to check. Start it with `Probe.begin()`."""

    def init(self, *, trap_exit: bool = True) -> None:
        self.trap_exit = trap_exit
        self.messages: deque[Any] = deque()
        self._arrival: asyncio.Future[None] | None = None

    def handle_info(self, message: Any) -> None:
        """Record a message."""
        self.messages.append(message)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    @classmethod
    async def begin(cls, *, trap_exit: bool = True) -> Probe:
        """Start a probe, which by default traps exits. Send messages to its `ref`."""
        process = (await start(cls, trap_exit=trap_exit))._process
        assert isinstance(process, cls)
        return process

    async def receive_message(self, *, within: float = 5.0) -> Any:
        """Remove and return the oldest message, waiting at most `within` virtual seconds.

        Raises:
            AssertionError: if none arrives.
        """
        if not self.messages:
            self._arrival = self.scheduler.loop.create_future()
            await asyncio.wait((self._arrival,), timeout=within)
        assert self.messages, f"no message arrived within {within} s"
        return self.messages.popleft()

    async def assert_receive(self, pattern: Pattern, *, within: float = 5.0) -> Any:
        """Remove and return the oldest message that matches `pattern`, waiting at most `within` virtual seconds.

        Raises:
            AssertionError: if none arrives; it lists the other messages.
        """
        deadline = self.scheduler.loop.time() + within
        while True:
            for message in self.messages:
                if matches(pattern, message):
                    self.messages.remove(message)
                    return message
            left = deadline - self.scheduler.loop.time()
            assert left > 0, f"no message matched {pattern!r} within {within} s, only {list(self.messages)!r}"
            self._arrival = self.scheduler.loop.create_future()
            await asyncio.wait((self._arrival,), timeout=left)

    async def refute_receive(self, pattern: Pattern, *, during: float = 1.0) -> None:
        """Check that no message matches `pattern`, now or during the next `during` virtual seconds."""
        await asyncio.sleep(during)
        for message in self.messages:
            assert not matches(pattern, message), f"unexpected: {message!r}"

    async def assert_down(self, of: Monitor | Ref, reason: ExitReason = ..., *, within: float = 5.0) -> ExitReason:
        """Wait at most `within` virtual seconds for the exit of a process; return its reason.

        Args:
            of: a monitor of this probe, or a process to monitor from now on
            reason: the expected reason; by default any
        """
        monitor = self.monitor(of) if isinstance(of, Ref) else of
        message = await self.assert_receive(lambda m: isinstance(m, Down) and m.monitor is monitor, within=within)
        assert reason is ... or message.reason == reason, f"down with {message.reason!r}, not {reason!r}"
        return message.reason

    async def assert_quiet(self, *, during: float = 1.0) -> None:
        """Check that no message is there or arrives during the next `during` virtual seconds."""
        await asyncio.sleep(during)
        assert not self.messages, f"unexpected: {list(self.messages)!r}"


def matches(pattern: Pattern, message: Any) -> bool:
    """Return whether `message` matches `pattern`."""
    if isinstance(pattern, type):
        return isinstance(message, pattern)
    return bool(pattern(message)) if callable(pattern) else bool(message == pattern)


async def settle(seconds: float = 0.0) -> None:
    """Let `seconds` of virtual time pass, then everything run that can."""
    await asyncio.sleep(seconds)
    scheduler = Scheduler.current()
    while any(process.status.value in ("queued", "running") for process in scheduler.processes.values()):
        await asyncio.sleep(0)


async def quiet() -> None:
    """Wait until every process is idle or suspended, without a limit in virtual time.

    A process that waits in a callback is not idle, so this waits for calls and sleeps to finish. It does not wait for
    timers that will send a message to an idle process: use `settle(seconds)` for those.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "quiet() works only in virtual time"
    processes = Scheduler.of(loop).processes
    at_rest = (Status.IDLE, Status.SUSPENDED)
    await loop.standstill(lambda: all(process.status in at_rest for process in processes.values()))


async def kill(ref: Ref, reason: ExitReason = "kill") -> ExitReason:
    """Send an exit signal and wait until the process is dead; return its exit reason."""
    ended = down(ref)
    send_exit(ref, reason)
    return await ended


async def replaced(find: Callable[[], Ref | None], old: Ref) -> Ref:
    """Wait until `find()` returns a living process other than `old`, as after a restart; return it."""
    while True:
        ref = find()
        if ref is not None and ref is not old and ref.is_alive():
            return ref
        await asyncio.sleep(0.001)
