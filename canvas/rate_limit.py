"""Pure. A token bucket: a steady rate with room for bursts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`per_second` messages on average, `burst` at once."""

    per_second: float
    burst: int


class TokenBucket:
    """What one peer may still send. Time is passed in, in seconds of any clock that does not go back."""

    __slots__ = ("_limit", "_tokens", "_updated")

    def __init__(self, limit: RateLimit, now: float) -> None:
        self._limit = limit
        self._tokens = float(limit.burst)
        self._updated = now

    def take(self, now: float) -> bool:
        """Spend one token; tell whether there was one."""
        limit = self._limit
        self._tokens = min(float(limit.burst), self._tokens + (now - self._updated) * limit.per_second)
        self._updated = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait(self, now: float) -> float:
        """Seconds until there is a token again."""
        return max(0.0, (1.0 - self._tokens) / self._limit.per_second - (now - self._updated))
