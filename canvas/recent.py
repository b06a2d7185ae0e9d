"""Pure. The last changes of a canvas, in the batches in which they were shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from canvas.area import SHIFT
from canvas.codec import Codec
from canvas.grid import Change
from protocol import SharedMessage

REMEMBERED = 100_000
"""Changes that can be shown again one by one."""
ENCODED = 2_000
"""Changes whose messages are kept, for those who are a little behind."""


class Batch:
    """Changes that were committed together, and their messages: each is encoded when it is first needed."""

    __slots__ = ("_messages", "_painters", "_tiles", "changes", "first", "last")

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.first = changes[0].seq
        self.last = changes[-1].seq
        self._painters: frozenset[str] | None = None
        self._messages: dict[Codec, SharedMessage] = {}
        self._tiles = -1

    def message(self, codec: Codec) -> SharedMessage:
        """All of it, for those who know what was before."""
        message = self._messages.get(codec)
        if message is None:
            message = self._messages[codec] = codec.changes(self.changes, self.first - 1)
        return message

    @property
    def painters(self) -> frozenset[str]:
        """Whose changes they are."""
        if self._painters is None:
            self._painters = frozenset(change.user_id for change in self.changes)
        return self._painters

    def tiles(self, columns: int) -> int:
        """The tiles that changed, a bit each, on a canvas of `columns` tiles in a row."""
        if self._tiles < 0:
            numbers = {(change.y >> SHIFT) * columns + (change.x >> SHIFT) for change in self.changes}
            self._tiles = bits(numbers)
        return self._tiles

    def forget_messages(self) -> None:
        """Keep the changes alone."""
        self._messages.clear()


class Recent:
    """The last changes up to number `seq`, at most `REMEMBERED` and a batch."""

    def __init__(self, seq: int, changes: Sequence[Change] = ()) -> None:
        self.seq = seq
        self._batches: deque[Batch] = deque([Batch(changes)] if changes else [])
        self._encoded: deque[Batch] = deque()
        self._size = len(changes)
        self._encoded_size = 0

    def append(self, changes: Sequence[Change]) -> Batch:
        """Take in a batch that follows."""
        batch = Batch(changes)
        self._batches.append(batch)
        self._encoded.append(batch)
        self.seq = batch.last
        self._size += len(changes)
        self._encoded_size += len(changes)
        while self._encoded_size > ENCODED and len(self._encoded) > 1:
            old = self._encoded.popleft()
            old.forget_messages()
            self._encoded_size -= len(old.changes)
        while self._size - len(self._batches[0].changes) >= REMEMBERED:
            self._size -= len(self._batches.popleft().changes)
        return batch

    def covers(self, seq: int) -> bool:
        """Whether all changes after number `seq` are there."""
        return self.seq - self._size <= seq <= self.seq

    def batches(self, seq: int) -> list[Batch] | None:
        """The batches after change `seq`, if it is the last of one and few have followed."""
        found: list[Batch] = []
        for batch in reversed(self._encoded):
            if batch.last <= seq:
                break
            found.insert(0, batch)
        return found if found and found[0].first == seq + 1 else None

    def since(self, seq: int) -> list[Change]:
        """The changes after number `seq`, which is covered."""
        parts: list[Sequence[Change]] = []
        for batch in reversed(self._batches):
            if batch.last <= seq:
                break
            parts.append(batch.changes[max(0, seq + 1 - batch.first) :])
        return [change for part in reversed(parts) for change in part]


def latest(changes: Sequence[Change], user_id: str) -> list[Change]:
    """Leave out what was painted over by a later one; but a painter is told of all its own."""
    last = {(change.x, change.y): change.seq for change in changes}
    return [change for change in changes if last[change.x, change.y] == change.seq or change.user_id == user_id]


def bits(numbers: Iterable[int]) -> int:
    """A set of small numbers as one integer."""
    joined = 0
    for number in numbers:
        joined |= 1 << number
    return joined
