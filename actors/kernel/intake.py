"""What stands between the mailbox of one process and its callbacks: suspension, observers, the timeout of inactivity.

Few processes have any of these, so an `Intake` is made when the first is asked for. (OTP sys; Erlang's `receive after`)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from actors.failures import describe_exception
from actors.guard import attempt
from actors.kernel.report import MessageLog
from actors.log import get_logger

log = get_logger("canopy.actors")


class Waiter(Protocol):
    """A process that waits for messages: a `Cell`."""

    def wait(self, seconds: float, message: Any) -> asyncio.TimerHandle:
        """Have it receive `message` in `seconds` if it is idle then."""
        ...


class Inactivity:
    """A message to a process if no other comes within `seconds`."""

    __slots__ = ("message", "seconds", "timer")

    def __init__(self, seconds: float, message: Any) -> None:
        self.seconds = seconds
        self.message = message
        self.timer: asyncio.TimerHandle | None = None

    def begin(self, waiter: Waiter) -> None:
        """Count from now on."""
        self.stop()
        self.timer = waiter.wait(self.seconds, self.message)

    def stop(self) -> None:
        """Count no longer."""
        if self.timer is not None:
            self.timer.cancel()


class Intake:
    """What is to be done before each message of one process.

    Attributes:
        is_suspended: it handles no message but orders to stop
        tracer, history: who is told of each message before it is handled, for `debug`
        inactivity: its timeout, if it waits for a message with one
    """

    __slots__ = ("history", "inactivity", "is_suspended", "tracer")

    def __init__(self) -> None:
        self.is_suspended = False
        self.tracer: Callable[[Any], None] | None = None
        self.history: MessageLog | None = None
        self.inactivity: Inactivity | None = None

    def expect(self, waiter: Waiter, seconds: float, message: Any) -> None:
        """Send the process `message` if none comes within `seconds`."""
        self._stop_waiting()
        self.inactivity = Inactivity(seconds, message)
        self.inactivity.begin(waiter)

    def suspend(self) -> None:
        """Let no message pass; the timeout of inactivity stands still."""
        self.is_suspended = True
        if self.inactivity is not None:
            self.inactivity.stop()

    def resume(self, waiter: Waiter) -> None:
        """Let messages pass again. A timeout of inactivity runs anew (OTP sys)."""
        self.is_suspended = False
        if self.inactivity is not None:
            self.inactivity.begin(waiter)

    def before(self, message: Any, state: Callable[[], dict[str, Any]], actor: object) -> None:
        """Do what is to be done before `message` is handled.

        Args:
            state: returns the attributes of the process
            actor: the process, for the log
        """
        self._stop_waiting()
        if self.tracer is None and self.history is None:
            return

        def failed(exception: BaseException) -> None:
            log.error("actor.observer_failed", actor=str(actor), error=describe_exception(exception))
            self.tracer = self.history = None

        attempt(self._tell, message, state, default=None, on_failure=failed)

    def _tell(self, message: Any, state: Callable[[], dict[str, Any]]) -> None:
        if self.history is not None:
            self.history.note(message, state())
        if self.tracer is not None:
            self.tracer(message)

    def _stop_waiting(self) -> None:
        inactivity, self.inactivity = self.inactivity, None
        if inactivity is not None:
            inactivity.stop()

    def close(self) -> None:
        """Keep nothing: the process has ended."""
        self._stop_waiting()
        self.tracer = self.history = None
