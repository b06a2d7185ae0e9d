"""No process. Bytes that wait because clients do not read, or send faster than they are served: in all, and by address.

A wire is counted from `COUNTED_FROM` bytes on, so those that read cost nothing. Beyond a limit, the connections that
read least are dropped, of that address alone. They get no close frame: it would wait behind what they do not read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from supervision.server.addresses import Proxies, client_network

COUNTED_FROM = 64 * 1024
"""Bytes that wait on one wire from which on they are counted, and by how much they change until they are again."""
SHARES = 4
"""An address may have one part in so many of what all may have."""
GRACE = 5.0
"""Seconds that a wire has been counted before it is judged by how fast it reads."""


class Counted(Protocol):
    """A wire, as far as its bytes are counted.

    Attributes:
        address: whose it is
        bytes_out: bytes that were written
        counted: bytes that count as unread for its address
    """

    address: str
    bytes_out: int
    counted: int

    @property
    def backlog(self) -> int:
        """Bytes that the system has not taken yet."""
        ...

    def cut_off(self, reason: str) -> None:
        """Drop the peer."""
        ...


@dataclass(slots=True)
class _Account:
    """What is known of one wire.

    Attributes:
        address: whose it is
        client_network: the same, as addresses are counted
        size: bytes that wait
        since: when it was first counted, in seconds of the loop's clock
        taken: bytes that the system had taken then
    """

    address: str
    client_network: str
    size: int
    since: float
    taken: int


class Unread:
    """The books of one server.

    Args:
        most: bytes that may wait for all
        proxies: whose own addresses stand for many

    Attributes:
        most: the same
        share: bytes that may wait for one address, beside one connection that may always have all of its answer
        total: bytes that wait
    """

    def __init__(self, most: int, proxies: Proxies) -> None:
        self.most = most
        self.share = most // SHARES
        self.total = 0
        self._proxies = proxies
        self._accounts: dict[Counted, _Account] = {}
        self._sizes: Counter[str] = Counter()
        self._wires: Counter[str] = Counter()

    @property
    def largest(self) -> int:
        """Bytes that wait for the address for which most do."""
        return max(self._sizes.values(), default=0)

    def count(self, wire: Counted, size: int) -> None:
        """Note how much waits on a wire; may drop this wire, or others of its address or of the one with the most."""
        account = self._accounts.get(wire)
        if account is not None and (size == 0 or account.address != wire.address):
            self.forget(wire)
            account = None
        if size == 0:
            return
        if account is None:
            now = asyncio.get_running_loop().time()
            account = _Account(wire.address, client_network(wire.address), 0, now, wire.bytes_out - wire.backlog)
            self._accounts[wire] = account
            self._wires[account.client_network] += 1
        elif abs(size - account.size) < COUNTED_FROM:
            return
        more = size - account.size
        account.size = wire.counted = size
        self.total += more
        self._sizes[account.client_network] += more
        if more > 0:
            self._enforce(account)

    def forget(self, wire: Counted) -> None:
        """Nothing waits on a wire any more."""
        account = self._accounts.pop(wire, None)
        if account is None:
            return
        wire.counted = 0
        self.total -= account.size
        self._sizes[account.client_network] -= account.size
        self._wires[account.client_network] -= 1
        if not self._wires[account.client_network]:
            del self._wires[account.client_network], self._sizes[account.client_network]

    def _enforce(self, account: _Account) -> None:
        """Drop wires until the limits are kept."""
        home = account.client_network
        while self._sizes[home] > self.share and self._wires[home] > 1 and account.address not in self._proxies:
            self._drop_slowest(home)
        while self.total > self.most and len(self._accounts) > 1:
            self._drop_slowest(max(self._sizes, key=self._sizes.__getitem__))

    def _drop_slowest(self, home: str) -> None:
        """Drop the wire of an address that reads least."""
        now = asyncio.get_running_loop().time()

        def pace(wire: Counted) -> tuple[bool, float]:
            account = self._accounts[wire]
            seconds = now - account.since
            taken = wire.bytes_out - wire.backlog - account.taken
            return seconds < GRACE, taken / max(seconds, GRACE)

        wire = min((wire for wire, account in self._accounts.items() if account.client_network == home), key=pace)
        self.forget(wire)
        wire.cut_off("unread")
