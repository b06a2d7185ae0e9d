"""Pure. Who may connect: counts connections, in all and of each address, and how many come in a second."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import Generic, TypeVar

from supervision.server.addresses import client_network
from supervision.server.policy import Policy
from supervision.server.refusing import HandshakeRefused

RETRY_AFTER = 5
"""Seconds after which a refused client is told to try again."""
PAGE = 32
"""Connections of an address beside its WebSockets: a browser opens six at a time to load a page (RFC 9112 §9.4), and
several people may share an address."""


T = TypeVar("T")


class Refusal(Enum):
    """Why somebody may not: what they are told, and their status."""

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
        """What the client is told."""
        return self.value[1]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """When it is worth another try, if it is."""
        return () if self is Refusal.ORIGIN else (("Retry-After", str(RETRY_AFTER)),)

    @property
    def error(self) -> HandshakeRefused:
        """What refuses a handshake."""
        return HandshakeRefused(self.status, self.text, self.headers)


class Admission:
    """Keeps the books. Time is passed in, in seconds of any clock that does not go back.

    The limits of an address count its WebSockets. Its connections have the same limits and `PAGE` more, so that a
    browser can load a page whatever the limits are. Proxies are one address with many people behind it: their
    connections are counted only in all, and the WebSockets of the people by their own addresses.

    Attributes:
        connections: of each address with a limit
        websockets: of each address with a limit
    """

    def __init__(self, policy: Policy) -> None:
        self._proxies = policy.proxies
        self.connections = _Book(_plus_page(policy.max_per_address), _plus_page(policy.max_arrivals))
        self.websockets = _Book(policy.max_per_address, policy.max_arrivals)

    def enter(self, address: str, now: float) -> Refusal | None:
        """Let a connection in, or say why not. Who is let in must `leave`."""
        return None if address in self._proxies else self.connections.enter(address, now)

    def leave(self, address: str) -> None:
        """A connection that was let in has gone."""
        if address not in self._proxies:
            self.connections.leave(address)

    def open(self, address: str, now: float) -> Refusal | None:
        """Let somebody open a WebSocket, or say why not. Who is let in must `close`."""
        return None if address in self._proxies else self.websockets.enter(address, now)

    def close(self, address: str) -> None:
        """A WebSocket that was let in has gone."""
        if address not in self._proxies:
            self.websockets.leave(address)


def _plus_page(limit: int | None) -> int | None:
    return None if limit is None else limit + PAGE


class Strangers(Generic[T]):
    """Connections that have not said whose they are, oldest first, by client_network."""

    def __init__(self) -> None:
        self._households: dict[str, dict[T, None]] = {}
        self._of: dict[T, str] = {}

    def __len__(self) -> int:
        return len(self._of)

    def add(self, connection: T, address: str) -> None:
        """Somebody has come."""
        key = client_network(address)
        self._of[connection] = key
        self._households.setdefault(key, {})[connection] = None

    def discard(self, connection: T) -> None:
        """They have gone, or are no strangers any more."""
        key = self._of.pop(connection, None)
        if key is None:
            return
        del self._households[key][connection]
        if not self._households[key]:
            del self._households[key]

    def pop(self) -> T:
        """Take out the oldest of the client_network that has most: a flood of one address drops nobody else."""
        fullest = max(self._households, key=lambda key: len(self._households[key]))
        oldest = next(iter(self._households[fullest]))
        self.discard(oldest)
        return oldest


class _Book:
    """Counts the present and the arrivals of a second, by address; empty without a limit."""

    def __init__(self, most: int | None, most_arrivals: int | None) -> None:
        self._most = most
        self._most_arrivals = most_arrivals
        self._is_limited = most is not None or most_arrivals is not None
        self._arrived: Counter[str] = Counter()  # of this second, so as many as came in it
        self._second = 0
        self.present: Counter[str] = Counter()

    def enter(self, address: str, now: float) -> Refusal | None:
        if not self._is_limited:
            return None
        key = client_network(address)
        if self._most_arrivals is not None:
            if int(now) != self._second:
                self._second = int(now)
                self._arrived.clear()
            if self._arrived[key] >= self._most_arrivals:
                return Refusal.TOO_FAST
            self._arrived[key] += 1
        if self._most is not None and self.present[key] >= self._most:
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
