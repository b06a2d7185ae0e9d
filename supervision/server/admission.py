"""Pure. Who may connect: counts connections, in all and of each address, and how many come in a second."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from supervision.server.addresses import household
from supervision.server.policy import Policy
from supervision.server.refusing import HandshakeRefused

RETRY_AFTER = 5
"""Seconds after which a refused client is told to try again."""


class Refusal(Enum):
    """Why somebody may not: what they are told, and their status."""

    TOO_MANY = (503, "too many connections, try again later")
    TOO_MANY_OF_ADDRESS = (429, "too many connections from your address")
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

    Proxies are one address with many people behind it: they are counted only in all, and the people by `enter` and
    `leave` of their own addresses when they open a WebSocket.

    Attributes:
        present: who is there, of each address with a limit
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._is_limited = policy.max_per_address is not None or policy.max_arrivals is not None
        self._arrived: Counter[str] = Counter()  # of this second, so as many as came in it
        self._second = 0
        self.present: Counter[str] = Counter()

    def enter(self, address: str, now: float) -> Refusal | None:
        """Let somebody in, or say why not. Who is let in must `leave`."""
        if not self._is_limited or address in self._policy.proxies:
            return None
        policy, key = self._policy, household(address)
        if policy.max_arrivals is not None:
            if int(now) != self._second:
                self._second = int(now)
                self._arrived.clear()
            if self._arrived[key] >= policy.max_arrivals:
                return Refusal.TOO_FAST
            self._arrived[key] += 1
        if policy.max_per_address is not None and self.present[key] >= policy.max_per_address:
            return Refusal.TOO_MANY_OF_ADDRESS
        self.present[key] += 1
        return None

    def leave(self, address: str) -> None:
        """Somebody who was let in has gone."""
        if not self._is_limited or address in self._policy.proxies:
            return
        key = household(address)
        self.present[key] -= 1
        if self.present[key] <= 0:
            del self.present[key]
