"""Pure. Which clients may connect: limits the connections, WebSockets and arrivals per second of a client network."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import Generic, TypeVar

from supervision.server.addresses import client_network
from supervision.server.policy import Policy
from supervision.server.refusing import HandshakeRefused

RETRY_AFTER = 5
"""Value of Retry-After in a refusal, in seconds."""
PAGE_CONNECTIONS = 32
"""Connections of a client network in addition to its WebSockets: a browser opens six at a time to load a page
(RFC 9112 §9.4), and several users may share an address."""


T = TypeVar("T")


class Refusal(Enum):
    """Why a connection or handshake is refused: the HTTP status and the text of the answer."""

    TOO_MANY = (503, "too many connections, try again later")
    TOO_MANY_OF_ADDRESS = (429, "too many connections from your address")
    TOO_MANY_OF_HOLDER = (429, "too many connections with your credential")
    TOO_FAST = (429, "too many new connections from your address, try again later")
    DRAINING = (503, "the server is going away")
    ORIGIN = (403, "pages of this Origin may not open a WebSocket here")

    @property
    def status(self) -> int:
        """The HTTP status of the refusal."""
        return self.value[0]

    @property
    def text(self) -> str:
        """The text of the answer."""
        return self.value[1]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Retry-After, if another try may succeed."""
        return () if self is Refusal.ORIGIN else (("Retry-After", str(RETRY_AFTER)),)

    @property
    def error(self) -> HandshakeRefused:
        """The exception that refuses a handshake."""
        return HandshakeRefused(self.status, self.text, self.headers)


class Admission:
    """Counts what each client network has open. `now` is in seconds of any clock that does not go back.

    The limits of the policy count WebSockets. Connections have the same limits plus `PAGE_CONNECTIONS`, so that a
    browser can always load a page. Many users share the address of a trusted proxy: its connections count only for
    `max_connections`, and the WebSockets of its users count for their own addresses.

    Attributes:
        connections: connections by client network; empty without a limit
        websockets: WebSockets by client network; empty without a limit
    """

    def __init__(self, policy: Policy) -> None:
        self._proxies = policy.proxies
        self.connections = _NetworkCounter(_for_page(policy.max_per_address), _for_page(policy.max_arrivals))
        self.websockets = _NetworkCounter(policy.max_per_address, policy.max_arrivals)

    def enter(self, address: str, now: float) -> Refusal | None:
        """Admit a connection: returns None, or why it is refused. For an admitted one, call `leave` when it ends."""
        return None if address in self._proxies else self.connections.enter(address, now)

    def leave(self, address: str) -> None:
        """Count an admitted connection that has ended."""
        if address not in self._proxies:
            self.connections.leave(address)

    def open(self, address: str, now: float) -> Refusal | None:
        """Admit a WebSocket: returns None, or why it is refused. For an admitted one, call `close` when it ends."""
        return None if address in self._proxies else self.websockets.enter(address, now)

    def close(self, address: str) -> None:
        """Count an admitted WebSocket that has ended."""
        if address not in self._proxies:
            self.websockets.leave(address)


def _for_page(limit: int | None) -> int | None:
    return None if limit is None else limit + PAGE_CONNECTIONS


class Unrecognized(Generic[T]):
    """Connections whose principal is not known yet, by client network, oldest first."""

    def __init__(self) -> None:
        self._by_network: dict[str, dict[T, None]] = {}
        self._networks: dict[T, str] = {}

    def __len__(self) -> int:
        return len(self._networks)

    def add(self, connection: T, address: str) -> None:
        """Add a connection from `address`."""
        key = client_network(address)
        self._networks[connection] = key
        self._by_network.setdefault(key, {})[connection] = None

    def discard(self, connection: T) -> None:
        """Remove a connection that has ended or was recognized."""
        key = self._networks.pop(connection, None)
        if key is None:
            return
        del self._by_network[key][connection]
        if not self._by_network[key]:
            del self._by_network[key]

    def pop(self) -> T:
        """Remove and return the oldest of the client network with the most: a flood from one network drops no other."""
        largest = max(self._by_network, key=lambda key: len(self._by_network[key]))
        oldest = next(iter(self._by_network[largest]))
        self.discard(oldest)
        return oldest


class _NetworkCounter:
    """Counts, by client network, what is open and what arrived within the current second; nothing without a limit."""

    def __init__(self, max_present: int | None, max_arrivals: int | None) -> None:
        self._max_present = max_present
        self._max_arrivals = max_arrivals
        self._is_limited = max_present is not None or max_arrivals is not None
        self._arrivals: Counter[str] = Counter()  # of the current second only
        self._second = 0
        self.present: Counter[str] = Counter()

    def enter(self, address: str, now: float) -> Refusal | None:
        if not self._is_limited:
            return None
        key = client_network(address)
        if self._max_arrivals is not None:
            if int(now) != self._second:
                self._second = int(now)
                self._arrivals.clear()
            if self._arrivals[key] >= self._max_arrivals:
                return Refusal.TOO_FAST
            self._arrivals[key] += 1
        if self._max_present is not None and self.present[key] >= self._max_present:
            return Refusal.TOO_MANY_OF_ADDRESS
        self.present[key] += 1
        return None

    def leave(self, address: str) -> None:
        if not self._is_limited:
            return
        key = client_network(address)
        self.present[key] -= 1
        if self.present[key] <= 0:
            del self.present[key]
