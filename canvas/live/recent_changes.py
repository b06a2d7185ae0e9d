"""Pure. The last changes of a canvas, and their messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from canvas.board.area import SHIFT, bits
from canvas.board.grid import Change
from canvas.messages.codec import Codec
from protocol import SharedMessage

REMEMBERED = 100_000
"""Changes that can be shown again one by one."""
RUN = 1_000
"""Changes that a client that resumes is sent at a time, in messages that are encoded once for all who do."""
ENCODED = 2_000
"""Changes whose messages are kept, for those who are a little behind."""


class Batch:
    """Changes that follow each other, and their messages: each is encoded when it is first needed."""

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


class RecentChanges:
    """The last changes up to number `seq`: `REMEMBERED` of them, or all since the broadcaster began.

    They are kept in runs of `RUN`: clients that resume share the messages of those that they miss as a whole.
    """

    def __init__(self, seq: int, changes: Sequence[Change] = ()) -> None:
        self.seq = seq
        self._runs: deque[Batch] = deque()
        self._rest: list[Change] = []  # after the runs, fewer than one has
        self._encoded: deque[Batch] = deque()
        self._encoded_size = 0
        self._collect(changes)

    def append(self, changes: Sequence[Change]) -> Batch:
        """Take in a batch that follows."""
        batch = Batch(changes)
        self._encoded.append(batch)
        self.seq = batch.last
        self._encoded_size += len(changes)
        while self._encoded_size > ENCODED and len(self._encoded) > 1:
            self._encoded_size -= len(self._encoded.popleft().changes)
        self._collect(changes)
        return batch

    def covers(self, seq: int) -> bool:
        """Whether all changes after number `seq` are there."""
        kept = len(self._runs) * RUN + len(self._rest)
        return self.seq - min(kept, REMEMBERED) <= seq <= self.seq

    def batches(self, seq: int) -> list[Batch] | None:
        """The batches after change `seq`, if it is the last of one and few have followed."""
        found: list[Batch] = []
        for batch in reversed(self._encoded):
            if batch.last <= seq:
                break
            found.insert(0, batch)
        return found if found and found[0].first == seq + 1 else None

    def following(self, seq: int) -> Batch:
        """The next changes after number `seq`, which is covered and not the last: those to the end of its run."""
        begin = self.seq - len(self._rest)
        if seq >= begin:
            return Batch(self._rest[seq - begin :])
        behind, position = divmod(seq - (begin - len(self._runs) * RUN), RUN)
        run = self._runs[behind]
        return Batch(run.changes[position:]) if position else run

    def since(self, seq: int) -> list[Change]:
        """The changes after number `seq`, which is covered."""
        parts: list[Sequence[Change]] = [self._rest[max(0, seq - self.seq + len(self._rest)) :]]
        for run in reversed(self._runs):
            if run.last <= seq:
                break
            parts.append(run.changes[max(0, seq + 1 - run.first) :])
        return [change for part in reversed(parts) for change in part]

    def forget_messages(self) -> None:
        """Keep the changes of the runs alone."""
        for run in self._runs:
            run.forget_messages()

    def _collect(self, changes: Sequence[Change]) -> None:
        rest = self._rest
        rest.extend(changes)
        whole = len(rest) // RUN * RUN
        self._runs.extend(Batch(rest[begin : begin + RUN]) for begin in range(0, whole, RUN))
        del rest[:whole]
        while self._runs and (len(self._runs) - 1) * RUN + len(rest) >= REMEMBERED:
            self._runs.popleft()


def latest(changes: Sequence[Change], user_id: str) -> list[Change]:
    """Leave out what was painted over by a later one; but a painter is told of all its own."""
    last = {(change.x, change.y): change.seq for change in changes}
    return [change for change in changes if last[change.x, change.y] == change.seq or change.user_id == user_id]
