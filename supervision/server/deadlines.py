"""No process. The timeouts of a server's wires; one timer serves them all.

A `Deadline` gives every wire the same time, so its wires are in the order in which they are due, and the timer looks
only at those that are overdue. An idle WebSocket costs one entry, and its messages cost nothing.

No peer is dropped for a time in which this process could not read from it, because the process was stopped (SIGSTOP, a
suspended machine) or its loop was busy. While a deadline other than `pings` runs, the timer fires every second; if it
fires late, all deadlines restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from supervision.server.policy import Policy

ADOPTION_TIMEOUT = 5.0
"""Seconds after the last adoption at which an orphaned wire is closed with 1011, while the listener runs."""
TICK = 1.0
"""Seconds between two checks of the clock while a deadline other than `pings` runs."""
MAX_LATENESS = 1.0
"""Seconds; a timer that is later than this shows that the process was stopped or its loop was busy."""
BATCH = 200
"""Overdue wires that are handled before other work gets a turn."""

W = TypeVar("W")


class PingedWire(Protocol):
    """A wire whose peer must answer pings."""

    def ping(self) -> bool:
        """Send a ping. Returns False if the wire cannot be pinged now."""
        ...

    def pong_overdue(self) -> None:
        """Handle a peer that has not answered in time."""
        ...


class HttpWire(Protocol):
    """A wire whose peer must send complete requests."""

    def request_overdue(self) -> None:
        """Handle a peer that has not sent a complete request in time."""
        ...


class WrittenWire(Protocol):
    """A wire whose peer must read what we send, and end its side after ours."""

    def stall_overdue(self) -> None:
        """Handle a peer that may have acknowledged nothing in time."""
        ...

    def closing_overdue(self) -> None:
        """Handle a peer that has not ended its side in time."""
        ...


class OwnedWire(Protocol):
    """A wire that must have an owner."""

    def adoption_overdue(self) -> None:
        """Handle a wire that no process has adopted in time."""
        ...


class Deadline(Generic[W]):
    """A timeout, the same for each wire.

    Args:
        seconds: the timeout; None for no limit
        overdue: called with each overdue wire after its removal; it may start the wire's deadline again
        schedule: called with the time at which a wire is due, in seconds of the loop's clock, when its deadline starts
    """

    def __init__(self, seconds: float | None, overdue: Callable[[W], None], schedule: Callable[[float], None]) -> None:
        self._seconds = seconds
        self._overdue = overdue
        self._schedule = schedule
        self._due: dict[W, float] = {}  # soonest first
        self._not_before = float("-inf")

    def start(self, wire: W) -> None:
        """Start the timeout of a wire, or restart it."""
        if self._seconds is not None:
            due = asyncio.get_running_loop().time() + self._seconds
            self._due.pop(wire, None)
            self._due[wire] = due
            self._schedule(due)

    def stop(self, wire: W) -> None:
        """Stop the timeout of a wire. Does nothing if it does not run."""
        self._due.pop(wire, None)

    def postpone(self) -> None:
        """Let no wire be overdue before a whole timeout has passed from now."""
        if self._seconds is not None:
            self._not_before = asyncio.get_running_loop().time() + self._seconds

    def restart_all(self, now: float) -> None:
        """Restart the timeout of every wire at `now`."""
        if self._seconds is not None:
            self._due = dict.fromkeys(self._due, now + self._seconds)

    def expire(self, now: float) -> None:
        """Remove the wires that are due at `now`, at most `BATCH`, and call `overdue` with each."""
        if now < self._not_before:
            return
        due: list[W] = []
        for wire, at in self._due.items():
            if at > now or len(due) == BATCH:
                break
            due.append(wire)
        for wire in due:
            del self._due[wire]
        for wire in due:
            self._overdue(wire)

    @property
    def next_at(self) -> float | None:
        """When the first wire is due, in seconds of the loop's clock; None if no timeout runs."""
        return max(next(iter(self._due.values())), self._not_before) if self._due else None

    def __contains__(self, wire: object) -> bool:
        return wire in self._due

    def __len__(self) -> int:
        return len(self._due)


class Deadlines:
    """The deadlines of one server.

    Attributes:
        pings: until the next ping of an open WebSocket
        pongs: for the answer to a ping, or any other bytes
        requests: for a complete HTTP request
        stalls: for any progress of a peer that has bytes to read
        closing: for the end of the peer's side, or its answer to our close frame
        adoption: for an owner
    """

    def __init__(self, policy: Policy) -> None:
        schedule = self._schedule
        self.pings: Deadline[PingedWire] = Deadline(policy.ping_interval, self._ping, schedule)
        self.pongs: Deadline[PingedWire] = Deadline(policy.pong_timeout, lambda wire: wire.pong_overdue(), schedule)
        self.requests: Deadline[HttpWire] = Deadline(
            policy.request_timeout, lambda wire: wire.request_overdue(), schedule
        )
        self.stalls: Deadline[WrittenWire] = Deadline(policy.stall_timeout, lambda wire: wire.stall_overdue(), schedule)
        self.closing: Deadline[WrittenWire] = Deadline(
            policy.close_timeout, lambda wire: wire.closing_overdue(), schedule
        )
        self.adoption: Deadline[OwnedWire] = Deadline(ADOPTION_TIMEOUT, lambda wire: wire.adoption_overdue(), schedule)
        self._obligations: tuple[Deadline[Any], ...] = (
            self.pongs,
            self.requests,
            self.stalls,
            self.closing,
            self.adoption,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def forget(self, wire: Any) -> None:
        """Stop all timeouts of a wire that has ended."""
        for deadline in (self.pings, *self._obligations):
            deadline.stop(wire)
        if self.is_idle and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_idle(self) -> bool:
        """Whether no timeout runs."""
        return not self.pings and not any(self._obligations)

    def _ping(self, wire: PingedWire) -> None:
        self.pings.start(wire)
        if wire not in self.pongs and wire.ping():
            self.pongs.start(wire)

    def _schedule(self, due: float) -> None:
        """Set the timer for `due`, or for the next tick while a peer owes something, unless it fires earlier."""
        loop = asyncio.get_running_loop()
        at = max(loop.time(), min(due, loop.time() + TICK) if any(self._obligations) else due)
        if self._timer is not None and self._timer_at <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        # Read first what has arrived in time: libuv runs timers and callbacks before it polls the sockets.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._check, self._timer_at)

    def _check(self, planned: float) -> None:
        now = asyncio.get_running_loop().time()
        if now - planned > MAX_LATENESS:
            for deadline in self._obligations:
                deadline.restart_all(now)
        for deadline in (*self._obligations, self.pings):
            deadline.expire(now)
        due = [at for deadline in (*self._obligations, self.pings) if (at := deadline.next_at) is not None]
        if due:
            self._schedule(min(due))
