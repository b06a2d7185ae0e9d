"""Pure. The interface of a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Literal, Protocol

from canvas.board.grid import Change, Grid
from canvas.store.chunk import Cells, Chunk, Local
from canvas.store.turn import CommitPace

Durability = Literal["full", "none"]
"""What a commit survives: `full` survives a loss of power, `none` guarantees nothing."""


class StoreError(Exception):
    """The store cannot do what it was asked to, and has changed nothing. Every error of a store derives from it.

    The text is for the operator: it may contain file names and messages of the system.

    Attributes:
        public: a text without such details, for clients
    """

    public: ClassVar[str] = "the store cannot be used now"


class NotIndexed(StoreError):
    """The query needs the index of the history, which is still being built."""

    public = "the history is being indexed: try again in a minute"


class UnusableStore(StoreError):
    """The store cannot be used at all, and was left as it is. The text is for the operator."""


class Store(Protocol):
    """The committed changes of one canvas, numbered from 1 without gaps (`seq`).

    A store outlives the process that uses it. Only one process uses it at a time.
    """

    kind: str
    """The name that configures it."""
    blocks: bool
    """Whether it waits for a disk or a network, and so needs its own thread."""
    epoch: str
    """Identifies one life of the canvas. A `seq` means nothing in another epoch."""
    width: int
    height: int
    background: int
    durability: Durability

    def take_over(self) -> Store:
        """Return this store for a new owner. From then on the store refuses every commit of the previous owner.

        Waits for a commit that is under way.
        """
        ...

    def reader(self) -> Reader:
        """Open a reader of the history. It belongs to the caller, and does not delay commits by reading.

        Raises:
            StoreError: if it cannot be opened. Every method of the reader raises it if the history cannot be read.
        """
        ...

    def load(self) -> Grid:
        """Return the canvas with all committed changes, as a copy that the caller owns.

        Raises:
            StoreError: if it cannot be read.
        """
        ...

    def since(self, seq: int) -> list[Change] | None:
        """Return all committed changes after `seq`, in order; None if the store no longer has all of them.

        Raises:
            StoreError: if they cannot be read.
        """
        ...

    def append(self, changes: Sequence[Change], at: float) -> None:
        """Commit changes that were made at `at` (seconds since 1970): all of them or none.

        When this returns, they are as durable as the store can make them. Time never goes back in a store. An `at` up
        to a minute before the last commit is replaced by the time of that commit, and so is one before 2020. An `at`
        that is further back means that the clock was ahead: all later changes are redated to `at`.

        Raises:
            StoreError: if they cannot be committed.
            ValueError: if their `seq` do not follow the last committed one.
        """
        ...

    def verify(self) -> None:
        """Check that the next start would find what is committed now.

        Raises:
            StoreError: if a file was deleted, moved or replaced; the text says which.
        """
        ...

    def pace(self) -> CommitPace:
        """Return how long the write under way has taken, and how many writes were slow. Thread-safe."""
        ...

    def size(self) -> int:
        """Return its size on disk in bytes."""
        ...

    def close(self) -> None:
        """Close files and connections; a new owner can still take the store over."""
        ...


class Reader(Protocol):
    """The history of a store."""

    epoch: str
    width: int
    height: int
    background: int

    def seq(self) -> int:
        """Return the `seq` of the last committed change; 0 if there is none."""
        ...

    def oldest(self) -> int:
        """Return the lowest `seq` that this store can still return."""
        ...

    def chunks(self, after: int = 0, until: int | None = None) -> Iterator[Chunk]:
        """Yield the changes after `after` up to and including `until` (default: the last one), oldest first.

        Raises:
            StoreError: if they cannot be read, or are no longer stored.
        """
        ...

    def seqs_of(self, x: int, y: int, limit: int) -> list[int]:
        """Return the `seq` of the last `limit` stored changes of a pixel, newest first.

        Raises:
            StoreError: if they cannot be read.
            NotIndexed: if too many changes are not indexed yet.
        """
        ...

    def by_tile(
        self, tiles: Iterable[tuple[int, Cells | None]], user: int | None = None
    ) -> Iterator[tuple[int, Iterable[Local]]]:
        """Yield the stored changes tile by tile, oldest first within a tile.

        Args:
            tiles: the numbers of the tiles, each with the pixels to include (None: all)
            user: include only pixels that this user has painted, with the changes of all users on them

        Raises:
            StoreError: if they cannot be read, or too many changes are not indexed yet.
        """
        ...

    def grid(self, seq: int | None = None) -> Grid:
        """Return the canvas after change `seq`, or after the last change.

        Raises:
            StoreError: if it cannot be read, or is no longer stored.
        """
        ...

    def seq_at(self, time: float) -> int:
        """Return the `seq` of the last change made at or before `time` (seconds since 1970)."""
        ...

    def names(self, users: Iterable[int]) -> dict[int, str]:
        """Return the user ids for the numbers of users in chunks."""
        ...

    def number(self, user_id: str) -> int | None:
        """Return the number of a user in chunks; None if the user has never painted."""
        ...

    def painters(self, beginning: str, limit: int) -> list[str]:
        """Return the first `limit` ids, in order, of users who have painted and whose id starts with `beginning`.

        Raises:
            StoreError: if they cannot be read.
        """
        ...

    def since_snapshot(self) -> int:
        """Return how many changes a load would have to replay on top of the last snapshot."""
        ...

    def fold(self) -> None:
        """Merge small old batches into large ones, so that they are faster to read.

        Raises:
            StoreError: if they cannot be read or written.
        """
        ...

    def index(self) -> bool:
        """Index the next segment of changes by place, if there are enough; return whether another is full.

        Raises:
            StoreError: if they cannot be read or written.
        """
        ...

    def take_snapshot(self) -> None:
        """Store a snapshot of the canvas, so that a load need not replay all of the history.

        Raises:
            StoreError: if it cannot be written.
        """
        ...

    def close(self) -> None:
        """Close the reader."""
        ...
