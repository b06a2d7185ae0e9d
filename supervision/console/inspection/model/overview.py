"""Pure. The system at a glance, and its last hour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """A limit, and how full it is.

    Attributes:
        share: from 0 to 1; a soft limit can be exceeded
        unit: `bytes`, or empty for a count
    """

    name: str
    used: int
    limit: int
    share: float
    unit: str = ""

    @classmethod
    def of(cls, name: str, used: int, limit: int, unit: str = "") -> Usage:
        """Create a usage, and compute its share."""
        return cls(name, used, limit, used / limit if limit else 1.0, unit)


@dataclass(slots=True)
class Overview:
    """The system at a glance.

    Attributes:
        at: seconds since 1970
        connections: open connections of all servers, without the console's own
        messages, turns, started, restarts, crashes, accepted, bytes_in, bytes_out: totals since the start
        messages_per_second, turns_per_second: over the last seconds; None before there are two readings
        loop_lag: the longest lag of the event loop in the last seconds
        cpu: used share of one core in the last seconds
        waiting: messages in all mailboxes
        longest_mailbox: the actor with the longest mailbox; None if all are empty
        limits: the limits, the fullest first
        refused, cut_off: number of connections by reason, since the start
    """

    at: float
    uptime: float
    is_draining: bool
    actors: int
    connections: int
    messages: int
    messages_per_second: float | None
    turns: int
    turns_per_second: float | None
    loop_lag: float | None
    memory: int
    cpu: float | None
    started: int
    restarts: int
    crashes: int
    waiting: int
    longest_mailbox: str | None
    limits: list[Usage]
    accepted: int
    refused: dict[str, int]
    cut_off: dict[str, int]
    bytes_in: int
    bytes_out: int


@dataclass(slots=True)
class Sample:
    """One point of the charts; see `Overview`."""

    at: float
    actors: int
    connections: int
    messages_per_second: float
    turns_per_second: float
    loop_lag: float
    memory: int
    cpu: float
    restarts: int
    crashes: int
    waiting: int


@dataclass(slots=True)
class HistoryPage:
    """The last hour, oldest first.

    Attributes:
        interval: seconds between two samples
    """

    interval: float
    samples: list[Sample]
