"""Pure. Recent users with their names and addresses, so that a moderator can act on a user who has left."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

REMEMBERED = 10_000
"""Maximum number of users; beyond it, the one who connected least recently is forgotten."""


@dataclass(frozen=True, slots=True)
class RecentUser:
    """A user's name and address at the last connection."""

    user_id: str
    name: str
    address: str


class RecentUsers:
    """The users who connected most recently."""

    def __init__(self) -> None:
        self._guests: OrderedDict[str, RecentUser] = OrderedDict()

    def saw(self, user: RecentUser) -> None:
        """Note that a user has connected."""
        self._guests[user.user_id] = user
        self._guests.move_to_end(user.user_id)
        if len(self._guests) > REMEMBERED:
            self._guests.popitem(last=False)

    def get(self, user_id: str) -> RecentUser | None:
        """Return a user; None if unknown or forgotten."""
        return self._guests.get(user_id)

    def all(self) -> Iterable[RecentUser]:
        """Return all remembered users, the most recent last."""
        return self._guests.values()
