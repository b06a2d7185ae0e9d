"""No process. Limits the bytes that wait because clients do not read, or send faster than they are served.

There is a limit for all clients and one for each client network. A wire counts only from `COUNTED_FROM` bytes on, so a
client that reads costs nothing. Beyond a limit, the slowest readers of the client network at fault are dropped, without
a close frame: it would queue up behind what they do not read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from supervision.server.addresses import Proxies, client_network

COUNTED_FROM = 64 * 1024
"""Bytes from which on a wire counts, and the change of its bytes from which on it is counted again."""
SHARES = 4
"""The limit of one client network is that of all clients divided by this."""
GRACE = 5.0
"""Seconds a wire must have counted before its reading rate means anything; until then others are dropped first."""


class CountedWire(Protocol):
    """What the limiter needs of a wire.

    Attributes:
        address: of the client
        bytes_out: bytes written
        counted: bytes that count for its client network; the limiter sets it
    """

    address: str
    bytes_out: int
    counted: int

    @property
    def backlog(self) -> int:
        """Bytes that the operating system has not accepted yet."""
        ...

    def cut_off(self, reason: str) -> None:
        """Drop the peer."""
        ...


@dataclass(slots=True)
class _Usage:
    """What the limiter knows of one wire.

    Attributes:
        address: of the client
        client_network: of that address
        size: bytes that wait
        since: when the wire first counted, in seconds of the loop's clock
        accepted: bytes that the operating system had accepted by then
    """

    address: str
    client_network: str
    size: int
    since: float
    accepted: int


class UnreadLimiter:
    """Counts the unread bytes of one server's wires, and drops wires beyond the limits.

    Args:
        most: limit in bytes for all clients
        proxies: their own addresses stand for many clients, and have no limit of their own

    Attributes:
        most: limit in bytes for all clients
        share: limit in bytes for one client network; a network's only counted connection may exceed it
        total: bytes that wait
    """

    def __init__(self, most: int, proxies: Proxies) -> None:
        self.most = most
        self.share = most // SHARES
        self.total = 0
        self._proxies = proxies
        self._usages: dict[CountedWire, _Usage] = {}
        self._bytes_of: Counter[str] = Counter()
        self._wires_of: Counter[str] = Counter()

    @property
    def largest(self) -> int:
        """Bytes that wait for the client network with the most."""
        return max(self._bytes_of.values(), default=0)

    def count(self, wire: CountedWire, size: int) -> None:
        """Count `size` bytes for a wire; may drop it, others of its network, or those of the largest network."""
        usage = self._usages.get(wire)
        if usage is not None and (size == 0 or usage.address != wire.address):
            self.forget(wire)
            usage = None
        if size == 0:
            return
        if usage is None:
            now = asyncio.get_running_loop().time()
            usage = _Usage(wire.address, client_network(wire.address), 0, now, wire.bytes_out - wire.backlog)
            self._usages[wire] = usage
            self._wires_of[usage.client_network] += 1
        elif abs(size - usage.size) < COUNTED_FROM:
            return
        more = size - usage.size
        usage.size = wire.counted = size
        self.total += more
        self._bytes_of[usage.client_network] += more
        if more > 0:
            self._enforce_limits(usage)

    def forget(self, wire: CountedWire) -> None:
        """Stop counting a wire."""
        usage = self._usages.pop(wire, None)
        if usage is None:
            return
        wire.counted = 0
        self.total -= usage.size
        self._bytes_of[usage.client_network] -= usage.size
        self._wires_of[usage.client_network] -= 1
        if not self._wires_of[usage.client_network]:
            del self._wires_of[usage.client_network], self._bytes_of[usage.client_network]

    def _enforce_limits(self, usage: _Usage) -> None:
        """Drop wires until both limits are kept."""
        key = usage.client_network
        while self._bytes_of[key] > self.share and self._wires_of[key] > 1 and usage.address not in self._proxies:
            self._drop_slowest(key)
        while self.total > self.most and len(self._usages) > 1:
            self._drop_slowest(max(self._bytes_of, key=self._bytes_of.__getitem__))

    def _drop_slowest(self, key: str) -> None:
        """Drop the slowest reader of a client network."""
        now = asyncio.get_running_loop().time()

        def rate_of(wire: CountedWire) -> tuple[bool, float]:
            usage = self._usages[wire]
            seconds = now - usage.since
            accepted = wire.bytes_out - wire.backlog - usage.accepted
            return seconds < GRACE, accepted / max(seconds, GRACE)

        wire = min((wire for wire, usage in self._usages.items() if usage.client_network == key), key=rate_of)
        self.forget(wire)
        wire.cut_off("unread")
