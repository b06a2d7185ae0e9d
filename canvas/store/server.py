"""One process: commits batches of changes, in order. It owns the store while it lives; the store outlives it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actors import Call, GenServer, Ref, Target, cast
from actors.blocking import BlockingServer
from actors.shown import shown
from canvas.board.grid import Change, Grid
from canvas.store.interface import Durability, Store, StoreError

LOOK_EVERY = 2_000
"""Changes after which the history process is asked to check whether a snapshot is due."""


@shown()
@dataclass(frozen=True, slots=True)
class Load:
    """Call: load the canvas with all committed changes. Answered with `Loaded`, or with a `StoreError`."""

    recent: int = 0
    """How many of the last changes to return as well, if the store still has them."""


@shown("epoch", "grid", "recent")
@dataclass(frozen=True, slots=True)
class Loaded:
    """The canvas, and its last changes, oldest first."""

    epoch: str
    grid: Grid
    recent: Sequence[Change]


@shown("changes", "at")
@dataclass(frozen=True, slots=True)
class Append:
    """Cast: commit `changes`, made at `at` (seconds since 1970). `reply_to` gets `Committed` or `Rejected`."""

    changes: Sequence[Change]
    at: float
    reply_to: Ref


@shown()
@dataclass(frozen=True, slots=True)
class Committed:
    """`changes` are durable."""

    changes: Sequence[Change]


@shown("changes")
@dataclass(frozen=True, slots=True)
class Rejected:
    """`changes` could not be committed, because of `error`."""

    changes: Sequence[Change]
    error: StoreError


@dataclass(frozen=True, slots=True)
class LookForSnapshot:
    """Cast to the history process: `LOOK_EVERY` changes have been committed, so a snapshot may be due."""


@dataclass(frozen=True, slots=True)
class GetHealth:
    """Call: return the state of the store as `Health`."""


@shown("kind", "durability", "seq", "commits", "last_commit", "bytes")
@dataclass(frozen=True, slots=True)
class Health:
    """The state of a store.

    Attributes:
        seq: the last change that this process committed or loaded
        commits: number of commits by this process
        last_commit: duration of the last commit in seconds
        bytes: size on disk
        error: why the last commit failed; None if it succeeded
        lost: what happened to the files, if they are no longer where they were opened; else None
    """

    kind: str
    durability: Durability
    seq: int
    commits: int
    last_commit: float
    bytes: int
    error: str | None
    lost: str | None


@shown("_commits", "_last_commit", "_seq", "_until_look")
class StoreServer(GenServer):
    """Commits to one store, and loads from it.

    Args (of `init`):
        store: the store to take over
        history: the process that takes snapshots
        clock: measures commits, in seconds; the loop's clock stands still while a commit blocks it
    """

    def init(self, store: Store, history: Target, clock: Callable[[], float] = time.perf_counter) -> None:
        self._store = store.take_over()
        self._history = history
        self._seq = 0
        self._commits = 0
        self._last_commit = 0.0
        self._error: str | None = None
        self._until_look = LOOK_EVERY
        self._clock = clock

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Load the canvas, or return the state of the store."""
        store = self._store
        match request:
            case Load(recent):
                return self._load(recent)
            case GetHealth():
                return Health(
                    store.kind,
                    store.durability,
                    self._seq,
                    self._commits,
                    self._last_commit,
                    store.size(),
                    self._error,
                    self._lost(),
                )
        return super().handle_call(request, from_)

    def handle_cast(self, request: Any) -> Any:
        """Commit a batch."""
        if not isinstance(request, Append):
            return super().handle_cast(request)
        began = self._clock()
        try:
            self._store.append(request.changes, request.at)
        except StoreError as error:  # the disk's fault, not ours: the clients get an error
            self._error = str(error)
            request.reply_to.tell(Rejected(request.changes, error))
        else:
            request.reply_to.tell(Committed(request.changes))
            self._note(len(request.changes), self._clock() - began)
        return None

    def _lost(self) -> str | None:
        try:
            self._store.verify()
        except StoreError as error:
            return str(error)
        return None

    def _load(self, recent: int) -> Loaded | StoreError:
        store = self._store
        try:
            grid = store.load()
            changes = store.since(max(0, grid.seq - recent)) or () if recent else ()
        except StoreError as error:
            return error
        self._seq = grid.seq
        return Loaded(store.epoch, grid, changes)

    def _note(self, changes: int, seconds: float) -> None:
        self._seq += changes
        self._commits += 1
        self._last_commit = seconds
        self._error = None
        self._until_look -= changes
        if self._until_look <= 0:
            self._until_look = LOOK_EVERY
            cast(self._history, LookForSnapshot())


class BlockingStoreServer(StoreServer, BlockingServer):
    """A `StoreServer` with its own thread, for a store that blocks on a disk."""
