"""Pure. The last changes of a canvas, and their encoded messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from canvas.board.area import SHIFT, bits
from canvas.board.grid import Change
from canvas.messages.codec import Codec
from protocol import SharedMessage

REMEMBERED = 100_000
"""Number of changes that can be sent again one by one."""
RUN = 1_000
"""Changes per run. A client that resumes is sent a run at a time, encoded once for all clients that resume."""
ENCODED = 2_000
"""Number of changes whose original batches are kept, for clients that are a little behind."""


class Batch:
    """Consecutive changes, and their messages, which are encoded on first use."""

    __slots__ = ("_messages", "_painters", "_tiles", "changes", "first", "last")

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.first = changes[0].seq
        self.last = changes[-1].seq
        self._painters: frozenset[str] | None = None
        self._messages: dict[Codec, SharedMessage] = {}
        self._tiles = -1

    def message(self, codec: Codec) -> SharedMessage:
        """Return the message about all changes, for clients that know everything before them."""
        message = self._messages.get(codec)
        if message is None:
            message = self._messages[codec] = codec.changes(self.changes, self.first - 1)
        return message

    @property
    def painters(self) -> frozenset[str]:
        """The ids of the users who painted."""
        if self._painters is None:
            self._painters = frozenset(change.user_id for change in self.changes)
        return self._painters

    def tiles(self, columns: int) -> int:
        """Return the tiles that changed, as a bit set, on a canvas with `columns` tiles in a row."""
        if self._tiles < 0:
            numbers = {(change.y >> SHIFT) * columns + (change.x >> SHIFT) for change in self.changes}
            self._tiles = bits(numbers)
        return self._tiles

    def forget_messages(self) -> None:
        """Drop the encoded messages."""
        self._messages.clear()


class RecentChanges:
    """The last changes up to `seq`: at least `REMEMBERED` of them, or all that it was given.

    They are kept in runs of `RUN` changes: clients that resume share the messages of the runs that they miss entirely.
    """

    def __init__(self, seq: int, changes: Sequence[Change] = ()) -> None:
        self.seq = seq
        self._runs: deque[Batch] = deque()
        self._rest: list[Change] = []  # after the last run, fewer than `RUN`
        self._encoded: deque[Batch] = deque()
        self._encoded_size = 0
        self._collect(changes)

    def append(self, changes: Sequence[Change]) -> Batch:
        """Append changes that follow `seq`, and return them as a batch."""
        batch = Batch(changes)
        self._encoded.append(batch)
        self.seq = batch.last
        self._encoded_size += len(changes)
        while self._encoded_size > ENCODED and len(self._encoded) > 1:
            self._encoded_size -= len(self._encoded.popleft().changes)
        self._collect(changes)
        return batch

    def covers(self, seq: int) -> bool:
        """Return whether all changes after `seq` are available, at most `REMEMBERED`."""
        kept = len(self._runs) * RUN + len(self._rest)
        return self.seq - min(kept, REMEMBERED) <= seq <= self.seq

    def batches(self, seq: int) -> list[Batch] | None:
        """Return the original batches after `seq`; None if they are not kept, or if `seq` is not the end of a batch."""
        found: list[Batch] = []
        for batch in reversed(self._encoded):
            if batch.last <= seq:
                break
            found.insert(0, batch)
        return found if found and found[0].first == seq + 1 else None

    def following(self, seq: int) -> Batch:
        """Return the changes after `seq` to the end of their run. `seq` must be covered, and not the last."""
        begin = self.seq - len(self._rest)
        if seq >= begin:
            return Batch(self._rest[seq - begin :])
        behind, position = divmod(seq - (begin - len(self._runs) * RUN), RUN)
        run = self._runs[behind]
        return Batch(run.changes[position:]) if position else run

    def since(self, seq: int) -> list[Change]:
        """Return all changes after `seq`, which must be covered."""
        parts: list[Sequence[Change]] = [self._rest[max(0, seq - self.seq + len(self._rest)) :]]
        for run in reversed(self._runs):
            if run.last <= seq:
                break
            parts.append(run.changes[max(0, seq + 1 - run.first) :])
        return [change for part in reversed(parts) for change in part]

    def forget_messages(self) -> None:
        """Drop the encoded messages of the runs."""
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
    """Return the changes without those that were painted over, but with all changes of `user_id`."""
    last = {(change.x, change.y): change.seq for change in changes}
    return [change for change in changes if last[change.x, change.y] == change.seq or change.user_id == user_id]
