"""Pure. What a store can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Literal, Protocol

from canvas.board.grid import Change, Grid
from canvas.store.chunk import Cells, Chunk, Local
from canvas.store.turn import CommitPace

Durability = Literal["full", "none"]
"""What a commit survives: `full` a loss of power, `none` nothing for certain."""


class StoreError(Exception):
    """The store cannot do what it was asked to, and changed nothing. All errors of a store are of this class.

    Attributes:
        public: what anybody may read of it. Its text is for the operator: it may name files, and what the system says
    """

    public: ClassVar[str] = "the store cannot be used now"


class NotIndexed(StoreError):
    """The index of the history is being made, and is needed for an answer."""

    public = "the history is being indexed: ask again in a minute"


class UnusableStore(StoreError):
    """The store cannot be used at all, and was left as it is; the text is for the user."""


class Store(Protocol):
    """The committed changes of one canvas, numbered from 1 without gaps.

    It outlives the process that uses it, and is used by one process at a time.
    """

    kind: str
    """The name by which it is configured."""
    blocks: bool
    """Whether it waits for a disk or a network: then it belongs on a thread of its own."""
    epoch: str
    """Names this canvas. Another canvas, another epoch: their numbers cannot be compared."""
    width: int
    height: int
    background: int
    durability: Durability

    def take_over(self) -> Store:
        """This store for another owner. What its predecessor still tries to commit is refused, wherever it stands.

        Returns when a commit that is under way has ended.
        """
        ...

    def reader(self) -> Reader:
        """Open a look at the past. It belongs to the caller, and never holds up commits.

        Raises:
            StoreError: if it cannot be opened. Each method of the reader raises it too, if the history cannot be read.
        """
        ...

    def load(self) -> Grid:
        """The canvas with all committed changes; a copy of the caller's own.

        Raises:
            StoreError: if it cannot be read.
        """
        ...

    def since(self, seq: int) -> list[Change] | None:
        """All committed changes after number `seq`, in order; None if it does not remember that far.

        Raises:
            StoreError: if they cannot be read.
        """
        ...

    def append(self, changes: Sequence[Change], at: float) -> None:
        """Commit changes that were made at `at` (seconds since 1970): all of them or none.

        When this returns they are as durable as this store can make them. Time never goes back in a store: an `at`
        up to a minute before the last one counts as that, and so does one before 2020. Any other says that the clock
        was ahead: changes that are later get this time.

        Raises:
            StoreError: if they cannot be kept.
            ValueError: if their numbers do not follow on the last committed one.
        """
        ...

    def verify(self) -> None:
        """Check that what is committed now would be found by the next start.

        Raises:
            StoreError: if its files were deleted, moved or replaced; the text says which.
        """
        ...

    def pace(self) -> CommitPace:
        """How long the write under way has taken, and how many were slow. Any thread may ask."""
        ...

    def size(self) -> int:
        """The bytes it takes on disk."""
        ...

    def close(self) -> None:
        """Let go of what is open; the store can still be taken over."""
        ...


class Reader(Protocol):
    """What a store remembers of its past."""

    epoch: str
    width: int
    height: int
    background: int

    def seq(self) -> int:
        """The number of the last committed change."""
        ...

    def oldest(self) -> int:
        """The number of the oldest change it remembers, or would if there were one."""
        ...

    def chunks(self, after: int = 0, until: int | None = None) -> Iterator[Chunk]:
        """The changes after number `after`, up to and with `until`, oldest first.

        Raises:
            StoreError: if they cannot be read, or are forgotten.
        """
        ...

    def seqs_of(self, x: int, y: int, limit: int) -> list[int]:
        """The numbers of the last `limit` changes of a pixel that it remembers, the newest first.

        Raises:
            StoreError: if they cannot be read, or too many changes are not indexed yet.
        """
        ...

    def by_tile(
        self, tiles: Iterable[tuple[int, Cells | None]], user: int | None = None
    ) -> Iterator[tuple[int, Iterable[Local]]]:
        """The changes it remembers, tile after tile, those of a tile oldest first.

        Args:
            tiles: which tiles, and which of their pixels; None for all
            user: only the pixels on which this painter has painted; changes of others on them come too

        Raises:
            StoreError: if they cannot be read, or too many changes are not indexed yet.
        """
        ...

    def grid(self, seq: int | None = None) -> Grid:
        """The canvas after change `seq`, or after the last one.

        Raises:
            StoreError: if it cannot be read, or is forgotten.
        """
        ...

    def seq_at(self, time: float) -> int:
        """The number of the last change made at `time` (seconds since 1970) or before."""
        ...

    def names(self, users: Iterable[int]) -> dict[int, str]:
        """Whom the numbers in chunks mean."""
        ...

    def number(self, user_id: str) -> int | None:
        """The number of a painter in chunks; None if it has never painted."""
        ...

    def painters(self, beginning: str, limit: int) -> list[str]:
        """The first `limit` ids of painters that begin so, in order.

        Raises:
            StoreError: if they cannot be read.
        """
        ...

    def since_snapshot(self) -> int:
        """How many changes would be read again, one after the other, to load the canvas."""
        ...

    def fold(self) -> None:
        """Rewrite what was committed in small batches so that it can be read as fast as if it had come in large ones.

        Raises:
            StoreError: if that cannot be read or written.
        """
        ...

    def index(self) -> bool:
        """Index the next changes by place, if so many have come; tells whether there are more.

        Raises:
            StoreError: if that cannot be read or written.
        """
        ...

    def take_snapshot(self) -> None:
        """Note the whole canvas, so that it can be loaded without its history.

        Raises:
            StoreError: if that cannot be written.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...
