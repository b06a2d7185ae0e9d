"""The stage between the mailbox of one process and its callbacks: suspension, observers, the inactivity timeout.

Few processes need it, so an `Intake` is created on first use. (OTP sys; Erlang's `receive ... after`)
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

    def receive_if_idle(self, seconds: float, message: Any) -> asyncio.TimerHandle:
        """Receive `message` after `seconds`, if the process is idle then."""
        ...


class Inactivity:
    """An inactivity timeout: the message to a process that receives no other within `seconds`."""

    __slots__ = ("message", "seconds", "timer")

    def __init__(self, seconds: float, message: Any) -> None:
        self.seconds = seconds
        self.message = message
        self.timer: asyncio.TimerHandle | None = None

    def begin(self, waiter: Waiter) -> None:
        """Start or restart the timeout."""
        self.stop()
        self.timer = waiter.receive_if_idle(self.seconds, self.message)

    def stop(self) -> None:
        """Stop the timeout."""
        if self.timer is not None:
            self.timer.cancel()


class Intake:
    """What one process does before each message.

    Attributes:
        is_suspended: whether it handles only orders to stop
        tracer, history: observers of each message before it is handled, for `debug`
        inactivity: the inactivity timeout, if one is running
    """

    __slots__ = ("history", "inactivity", "is_suspended", "tracer")

    def __init__(self) -> None:
        self.is_suspended = False
        self.tracer: Callable[[Any], None] | None = None
        self.history: MessageLog | None = None
        self.inactivity: Inactivity | None = None

    def expect(self, waiter: Waiter, seconds: float, message: Any) -> None:
        """Send the process `message` if no other arrives within `seconds`."""
        self._stop_waiting()
        self.inactivity = Inactivity(seconds, message)
        self.inactivity.begin(waiter)

    def suspend(self) -> None:
        """Hold all messages back, and stop the inactivity timeout."""
        self.is_suspended = True
        if self.inactivity is not None:
            self.inactivity.stop()

    def resume(self, waiter: Waiter) -> None:
        """Let messages pass again, and restart the inactivity timeout (OTP sys)."""
        self.is_suspended = False
        if self.inactivity is not None:
            self.inactivity.begin(waiter)

    def before(self, message: Any, state: Callable[[], dict[str, Any]], actor: object) -> None:
        """Stop the inactivity timeout and call the observers, before `message` is handled.

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

        attempt(self._observe, message, state, default=None, on_failure=failed)

    def _observe(self, message: Any, state: Callable[[], dict[str, Any]]) -> None:
        if self.history is not None:
            self.history.note(message, state())
        if self.tracer is not None:
            self.tracer(message)

    def _stop_waiting(self) -> None:
        inactivity, self.inactivity = self.inactivity, None
        if inactivity is not None:
            inactivity.stop()

    def close(self) -> None:
        """Release everything: the process has exited."""
        self._stop_waiting()
        self.tracer = self.history = None
