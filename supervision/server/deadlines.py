"""No process. By when the peers of a server have to do what they owe it: one timer serves them all.

A deadline gives every wire the same time, so its wires stand in the order in which they are due, and a beat looks only
at those whose time has come. An idle WebSocket costs one entry, and what it says costs nothing.

No peer is blamed for a time in which this process could not hear it: because it was stopped (SIGSTOP, a suspended
machine), or its loop was busy. While any deadline runs the timer fires every second; when it comes late, all of them
begin anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from supervision.server.policy import Policy

ADOPTION_TIMEOUT = 5.0
"""Seconds in which the listener ran and no wire was adopted, until one without an owner is closed with 1011."""
PULSE = 1.0
"""Seconds between two looks at the clock while a deadline runs."""
LATE = 1.0
"""Seconds by which a timer is late if this process was stopped, or its loop was busy."""
BATCH = 200
"""Wires that are looked at before others have a turn."""

W = TypeVar("W")


class Pinged(Protocol):
    """A wire whose peer has to give signs of life."""

    def ping(self) -> bool:
        """Ask for a sign of life; False if this is no time for it."""
        ...

    def pong_overdue(self) -> None:
        """None has come in time."""
        ...


class Requested(Protocol):
    """A wire whose peer has to send whole requests."""

    def request_overdue(self) -> None:
        """None has come in time."""
        ...


class Written(Protocol):
    """A wire whose peer has to take what it is sent, and to end its side when we have ended ours."""

    def taking_overdue(self) -> None:
        """It has taken nothing in time, as far as the wire was told."""
        ...

    def closing_overdue(self) -> None:
        """It has not ended its side in time."""
        ...


class Owned(Protocol):
    """A wire that has to have an owner."""

    def adoption_overdue(self) -> None:
        """No process has adopted it in time."""
        ...


class Deadline(Generic[W]):
    """What each wire has so much time for.

    Args:
        seconds: how much; None for any time at all
        overdue: called with a wire whose time is over, and which has been taken off; it may start it again
        beat: called when a wire is due earlier than all others were
    """

    def __init__(self, seconds: float | None, overdue: Callable[[W], None], beat: Callable[[float], None]) -> None:
        self._seconds = seconds
        self._overdue = overdue
        self._beat = beat
        self._due: dict[W, float] = {}  # soonest first
        self._not_before = float("-inf")

    def start(self, wire: W) -> None:
        """Give a wire the whole time from now on."""
        if self._seconds is not None:
            due = asyncio.get_running_loop().time() + self._seconds
            self._due.pop(wire, None)
            self._due[wire] = due
            self._beat(due)

    def stop(self, wire: W) -> None:
        """The wire has done what it owed."""
        self._due.pop(wire, None)

    def postpone(self) -> None:
        """Let no wire be overdue before the whole time has passed from now on."""
        if self._seconds is not None:
            self._not_before = asyncio.get_running_loop().time() + self._seconds

    def begin_anew(self, now: float) -> None:
        """Give all wires that wait the whole time again."""
        if self._seconds is not None:
            self._due = dict.fromkeys(self._due, now + self._seconds)

    def judge(self, now: float) -> None:
        """Take off those whose time has come, at most a batch, and call `overdue` with each."""
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
        """When the first wire is due, in seconds of the loop's clock; None if none waits."""
        return max(next(iter(self._due.values())), self._not_before) if self._due else None

    def __contains__(self, wire: object) -> bool:
        return wire in self._due

    def __len__(self) -> int:
        return len(self._due)


class Deadlines:
    """The deadlines of one server.

    Attributes:
        pings: until an open WebSocket is pinged again
        pongs: for the answer to a ping, or any other sign of life
        requests: for a whole request over HTTP
        taking: for any progress, while the peer has bytes to take
        closing: for the end of the peer's side, or the answer to our close frame
        adoption: for an owner
    """

    def __init__(self, policy: Policy) -> None:
        beat = self._wait
        self.pings: Deadline[Pinged] = Deadline(policy.ping_interval, self._ping, beat)
        self.pongs: Deadline[Pinged] = Deadline(policy.pong_timeout, lambda wire: wire.pong_overdue(), beat)
        self.requests: Deadline[Requested] = Deadline(policy.request_timeout, lambda wire: wire.request_overdue(), beat)
        self.taking: Deadline[Written] = Deadline(policy.stall_timeout, lambda wire: wire.taking_overdue(), beat)
        self.closing: Deadline[Written] = Deadline(policy.close_timeout, lambda wire: wire.closing_overdue(), beat)
        self.adoption: Deadline[Owned] = Deadline(ADOPTION_TIMEOUT, lambda wire: wire.adoption_overdue(), beat)
        self._owed: tuple[Deadline[Any], ...] = (self.pongs, self.requests, self.taking, self.closing, self.adoption)
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def forget(self, wire: Any) -> None:
        """A wire is gone."""
        for deadline in (self.pings, *self._owed):
            deadline.stop(wire)
        if self.is_idle and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_idle(self) -> bool:
        """Whether no deadline runs."""
        return not self.pings and not any(self._owed)

    def _ping(self, wire: Pinged) -> None:
        self.pings.start(wire)
        if wire not in self.pongs and wire.ping():
            self.pongs.start(wire)

    def _wait(self, due: float) -> None:
        """Have the next beat when somebody is due, at the latest; if anything is owed, at the next pulse."""
        loop = asyncio.get_running_loop()
        at = max(loop.time(), min(due, loop.time() + PULSE) if any(self._owed) else due)
        if self._timer is not None and self._at <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at = at
        self._timer = loop.call_at(at, self._beat)

    def _beat(self) -> None:
        self._timer = None
        # What has arrived counts, but libuv serves timers and what was called soon before it looks at the sockets.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._judge, self._at)

    def _judge(self, planned: float) -> None:
        now = asyncio.get_running_loop().time()
        if now - planned > LATE:
            for deadline in self._owed:
                deadline.begin_anew(now)
        for deadline in (*self._owed, self.pings):
            deadline.judge(now)
        due = [at for deadline in (*self._owed, self.pings) if (at := deadline.next_at) is not None]
        if due:
            self._wait(min(due))
