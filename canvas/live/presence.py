"""Pure. Who is in the room, and which changes of that viewers have not been told of yet.

In a small room, every viewer is told of every user. In a crowd that would take a number of messages that grows with the
square of its size. So at most `MAX_NAMED` users are named, the same ones to all viewers. The others are only counted.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from canvas.board.names import beginning
from canvas.live.room import Viewer
from canvas.messages.codec import Codec
from canvas.messages.values import PresenceChange, User
from protocol import Variant

MAX_NAMED = 200
"""Maximum number of users who are named."""


@dataclass(slots=True)
class PresenceDiff:
    """What has happened since the last broadcast.

    Attributes:
        changes: users who joined, were renamed or left, in order
        known: how many of these changes a new viewer knows from its welcome
        promoted: users who were only counted before, and are named now; they know that they are present
        cursors: user id -> position of the pointer
        user_count: the number of users present, if it has changed and not all of them are named; else None
    """

    changes: list[PresenceChange] = field(default_factory=list)
    known: dict[Viewer, int] = field(default_factory=dict)
    promoted: set[str] = field(default_factory=set)
    cursors: dict[str, tuple[int, int]] = field(default_factory=dict)
    user_count: int | None = None
    _frames: dict[Any, bytes] = field(default_factory=dict)

    def frames(self, viewer: Viewer, codec: Codec, variant: Variant | None, *, cursors: bool) -> bytes:
        """Return the frames for one viewer, encoded once for all viewers that get the same."""
        known = self.known.get(viewer, 0)
        own = viewer.user_id if viewer.user_id in self.promoted else None
        key = codec, variant, known, own, cursors
        if key not in self._frames:
            changes = [change for change in self.changes[known:] if change.user.user_id != own]
            messages = [codec.presence(changes)] if changes else []
            if self.user_count is not None:
                messages.append(codec.user_count(self.user_count))
            if cursors and self.cursors:
                messages.append(codec.cursors([(user_id, *at) for user_id, at in self.cursors.items()]))
            self._frames[key] = b"".join([message.encoded(variant) for message in messages])
        return self._frames[key]


class Presence:
    """The users present: for each, the open WebSockets, each with its newest incarnation.

    A name that starts like the id of a user who is present is withheld for that time, because it could pass for that
    user.
    """

    def __init__(self) -> None:
        self._present: dict[str, list[Viewer]] = {}
        self._names: dict[str, str] = {}  # user id -> name, if any
        self._ids: Counter[str] = Counter()  # `beginning` of an id -> number of such ids present
        self._namesakes: defaultdict[str, set[str]] = defaultdict(set)  # `beginning` of a name -> user ids
        self._named: dict[str, User] = {}
        self._others: OrderedDict[str, None] = OrderedDict()  # users who are only counted, longest present first
        self._told_count = 0
        self._diff = PresenceDiff()

    def __len__(self) -> int:
        return len(self._present)

    def join(self, viewer: Viewer) -> list[User]:
        """Note that a viewer has joined, or rejoined; return the named users, the viewer's own first."""
        user_id, diff = viewer.user_id, self._diff
        viewers = self._present.get(user_id, [])
        self._present[user_id] = [*(other for other in viewers if other.wire is not viewer.wire), viewer]
        if not viewers:
            self._others[user_id] = None
            self._count_id(user_id, 1)
        self._rename(user_id, viewer.name)
        self._name_more()
        diff.known[viewer] = len(diff.changes)
        return [self._user(user_id), *(other for other in self._named.values() if other.user_id != user_id)]

    def leave(self, viewer: Viewer) -> bool:
        """Note that a viewer has left, unless a newer incarnation has replaced it; return whether its user has left."""
        user_id, diff = viewer.user_id, self._diff
        viewers = self._present.get(user_id, [])
        if viewer not in viewers:
            return False
        diff.known.pop(viewer, None)
        viewers.remove(viewer)
        if viewers:
            return False
        del self._present[user_id]
        self._others.pop(user_id, None)
        user = self._named.pop(user_id, None)
        if user is not None:
            diff.cursors.pop(user_id, None)
            diff.changes.append(PresenceChange(user, False))
        self._rename(user_id, "")
        self._count_id(user_id, -1)
        diff.promoted.update(self._name_more())
        return True

    def move_cursor(self, user_id: str, x: int, y: int) -> bool:
        """Note the position of a pointer, if its user is named; return whether it is."""
        if user_id not in self._named:
            return False
        self._diff.cursors[user_id] = x, y
        return True

    def take_diff(self) -> PresenceDiff:
        """Return what has happened since the last call."""
        diff, self._diff = self._diff, PresenceDiff()
        if len(self) != self._told_count and max(len(self), self._told_count) > MAX_NAMED:
            diff.user_count = len(self)
        self._told_count = len(self)
        return diff

    def _name_more(self) -> list[str]:
        """Name more users, up to `MAX_NAMED`; return their ids."""
        chosen = list(islice(self._others, MAX_NAMED - len(self._named)))
        for user_id in chosen:
            del self._others[user_id]
            self._named[user_id] = self._user(user_id)
            self._diff.changes.append(PresenceChange(self._named[user_id], True))
        return chosen

    def _rename(self, user_id: str, name: str) -> None:
        """Set a user's name; "" removes it."""
        before = self._names.pop(user_id, "")
        if before:
            namesakes = self._namesakes[beginning(before)]
            namesakes.discard(user_id)
            if not namesakes:
                del self._namesakes[beginning(before)]
        if name:
            self._names[user_id] = name
            self._namesakes[beginning(name)].add(user_id)
        self._announce_name(user_id)

    def _count_id(self, user_id: str, change: int) -> None:
        """Count an id that joins (1) or leaves (-1), and withhold or show the names that start like it."""
        start = beginning(user_id)
        self._ids[start] += change
        if not self._ids[start]:
            del self._ids[start]
        for namesake in self._namesakes.get(start, ()):
            self._announce_name(namesake)

    def _announce_name(self, user_id: str) -> None:
        """Add a change if a named user's visible name has changed."""
        user = self._user(user_id)
        if self._named.get(user_id, user) != user:
            self._named[user_id] = user
            self._diff.changes.append(PresenceChange(user, True))

    def _user(self, user_id: str) -> User:
        name = self._names.get(user_id, "")
        return User(user_id, "" if self._ids[beginning(name)] else name)
