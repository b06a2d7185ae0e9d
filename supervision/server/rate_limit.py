"""Pure. How often a user, and all users of one client network, may do something. Time is passed in.

Allowances belong to users, not to connections: another window, or a reconnect after a crash, gets no fresh allowance.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from actors.shown import shown

SHARE = 20
"""The allowance of a client network is that of this many users: enough for a family or a small office."""
MOST = 100_000
"""Users whose spending is remembered, and as many client networks; beyond it, the least recent ones are forgotten."""


@shown("user_id")
@dataclass(frozen=True, slots=True)
class Painter:
    """Who spends an allowance: a user, and the client network of the connection."""

    user_id: str
    address: str


@shown()
@dataclass(frozen=True, slots=True)
class RateLimit:
    """`per_second` on average, and `burst` at once."""

    per_second: float
    burst: int

    def __mul__(self, factor: int) -> RateLimit:
        return RateLimit(self.per_second * factor, self.burst * factor)


class Buckets:
    """A token bucket for each key; full buckets are forgotten.

    `now` is in seconds of any clock that does not go back.
    """

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        # Tokens left, and when they were counted; the most recent last.
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._spent)

    def take(self, key: str, now: float, count: float = 1.0) -> float:
        """Spend `count` tokens and return 0, or spend nothing and return the seconds until there are enough.

        A count above the burst counts as the burst.
        """
        self._forget(now)
        limit = self._limit
        tokens, count = self._tokens(key, now), min(count, float(limit.burst))
        if tokens < count:
            return (count - tokens) / limit.per_second
        self._spent[key] = tokens - count, now
        self._spent.move_to_end(key)
        return 0.0

    def give_back(self, key: str, now: float, count: float = 1.0) -> None:
        """Return tokens that were spent."""
        if key in self._spent:
            self._spent[key] = min(self._tokens(key, now) + count, float(self._limit.burst)), now

    def _tokens(self, key: str, now: float) -> float:
        burst = float(self._limit.burst)
        tokens, at = self._spent.get(key, (burst, now))
        return min(burst, tokens + (now - at) * self._limit.per_second)

    def _forget(self, now: float) -> None:
        spent = self._spent
        while spent and (len(spent) > MOST or self._tokens(next(iter(spent)), now) >= self._limit.burst):
            spent.popitem(last=False)


class Allowance:
    """A rate limit for each user, and `SHARE` times that limit for each client network."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._users = Buckets(limit)
        self._addresses = Buckets(limit * SHARE)

    def take(self, who: Painter, now: float, count: float = 1.0) -> float:
        """Spend `count` and return 0, or spend nothing and return the seconds until it may be allowed."""
        wait = self._users.take(who.user_id, now, count)
        if wait == 0.0:
            wait = self._addresses.take(who.address, now, count)
            if wait > 0.0:
                self._users.give_back(who.user_id, now, count)
        return wait

    def give_back(self, who: Painter, now: float, count: float = 1.0) -> None:
        """Return what was spent."""
        self._users.give_back(who.user_id, now, count)
        self._addresses.give_back(who.address, now, count)
