"""Pure. How often something may be done: by each user, and by all who have one address. Time is passed in.

Connections are not asked: whoever comes back, in another window or after a crash, goes on with the same allowance.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from actors.shown import shown

SHARE = 20
"""How many users' allowances one address has: a client_network or a small office paints undisturbed."""
MOST = 100_000
"""Users, and likewise addresses, whose spending is remembered; then those who were quiet longest are forgotten."""


@shown("user_id")
@dataclass(frozen=True, slots=True)
class Painter:
    """Who spends: a user, and the address of their connection (a whole /64 of IPv6)."""

    user_id: str
    address: str


@shown()
@dataclass(frozen=True, slots=True)
class RateLimit:
    """`per_second` messages on average, `burst` at once."""

    per_second: float
    burst: int

    def __mul__(self, factor: int) -> RateLimit:
        return RateLimit(self.per_second * factor, self.burst * factor)


class Buckets:
    """A token bucket for each of many, forgotten when it is full again.

    Time is in seconds of any clock that does not go back.
    """

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens at a time; the last spender last

    def __len__(self) -> int:
        return len(self._spent)

    def take(self, key: str, now: float, count: float = 1.0) -> float:
        """Spend tokens, and return 0; or spend nothing, and return in how many seconds there are enough.

        More than fit into the bucket count as a full one.
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
        """Undo that tokens were spent."""
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
    """What each user may do, and `SHARE` times that for all who have one address."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._users = Buckets(limit)
        self._addresses = Buckets(limit * SHARE)

    def take(self, who: Painter, now: float, count: float = 1.0) -> float:
        """Spend; returns 0, or, if nothing was spent, the seconds until the same may be allowed."""
        wait = self._users.take(who.user_id, now, count)
        if wait == 0.0:
            wait = self._addresses.take(who.address, now, count)
            if wait > 0.0:
                self._users.give_back(who.user_id, now, count)
        return wait

    def give_back(self, who: Painter, now: float, count: float = 1.0) -> None:
        """Undo that something was spent."""
        self._users.give_back(who.user_id, now, count)
        self._addresses.give_back(who.address, now, count)
