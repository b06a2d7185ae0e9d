"""Pure. Who is in the room, and what of it everybody has still to be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from canvas.codec import Codec
from canvas.messages import Coming
from canvas.room import Viewer
from protocol import Variant

USERS_IN_WELCOME = 200
"""How many of those present a newcomer is told by name: the list would grow with the square of a crowd."""


@dataclass(slots=True)
class News:
    """What has happened since everybody was told.

    Attributes:
        comings: who has come and who has gone, in order
        known: how many of these a newcomer knows from its welcome
        cursors: where pointers are, by whose they are
    """

    comings: list[Coming] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    cursors: dict[str, tuple[int, int]] = field(default_factory=dict)
    _frames: dict[Any, bytes] = field(default_factory=dict)

    def frames(self, user_id: str, codec: Codec, variant: Variant | None, *, cursors: bool) -> bytes:
        """What to tell somebody, encoded once for all who are told the same."""
        known = self.known.get(user_id, 0)
        key = codec, variant, known, cursors
        if key not in self._frames:
            messages = [codec.presence(self.comings[known:])] if len(self.comings) > known else []
            if cursors and self.cursors:
                messages.append(codec.cursors([(user_id, *at) for user_id, at in self.cursors.items()]))
            self._frames[key] = b"".join([message.encoded(variant) for message in messages])
        return self._frames[key]


class Presence:
    """Who is there: the newest incarnation of each user."""

    def __init__(self) -> None:
        self._present: dict[str, Viewer] = {}
        self._news = News()

    def __len__(self) -> int:
        return len(self._present)

    def find(self, user_id: str) -> Viewer | None:
        """The viewer of a user, if it is there."""
        return self._present.get(user_id)

    def come(self, viewer: Viewer) -> list[str]:
        """Somebody comes, or comes again; returns some of the users who are there, the newcomer first."""
        user_id, news = viewer.user_id, self._news
        if user_id not in self._present:
            news.comings.append(Coming(user_id, True))
        news.known[user_id] = len(news.comings)
        self._present[user_id] = viewer
        first = islice(self._present, USERS_IN_WELCOME)
        return [user_id, *(other for other in first if other != user_id)][:USERS_IN_WELCOME]

    def leave(self, viewer: Viewer) -> bool:
        """Note a departure, unless a later incarnation of the same visitor is there."""
        user_id, news = viewer.user_id, self._news
        if self._present.get(user_id) is not viewer:
            return False
        del self._present[user_id]
        news.cursors.pop(user_id, None)
        news.known.pop(user_id, None)
        news.comings.append(Coming(user_id, False))
        return True

    def point(self, user_id: str, x: int, y: int) -> bool:
        """Note where somebody's pointer is, if it is there."""
        if user_id not in self._present:
            return False
        self._news.cursors[user_id] = x, y
        return True

    def take_news(self) -> News:
        """Take what everybody has still to be told."""
        news, self._news = self._news, News()
        return news
