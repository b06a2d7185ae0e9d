"""Pure. Who has been here lately: by which name and from which address. A moderator may mean somebody who has left."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

REMEMBERED = 10_000
"""Guests; of more, those are forgotten who have not come again for the longest time."""


@dataclass(frozen=True, slots=True)
class RecentUser:
    """A user as they came last."""

    user_id: str
    name: str
    address: str


class RecentUsers:
    """The last guests."""

    def __init__(self) -> None:
        self._guests: OrderedDict[str, RecentUser] = OrderedDict()

    def saw(self, guest: RecentUser) -> None:
        """Note that somebody has come."""
        self._guests[guest.user_id] = guest
        self._guests.move_to_end(guest.user_id)
        if len(self._guests) > REMEMBERED:
            self._guests.popitem(last=False)

    def get(self, user_id: str) -> RecentUser | None:
        """Return what is remembered of a user."""
        return self._guests.get(user_id)

    def all(self) -> Iterable[RecentUser]:
        """All that are remembered."""
        return self._guests.values()
