"""One process: answers questions to the past, and takes snapshots. Works beside the commits, never in their way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from actors import Call, GenServer, cast
from actors.blocking import BlockingServer
from actors.log import get_logger
from canvas.area import Area
from canvas.history import Placed, Selection, Undoing, past_of, undo
from canvas.store import LookForSnapshot, Reader, Store, StoreError

log = get_logger("canopy.store")

SNAPSHOT_EVERY = 200_000
"""Changes between two snapshots: a start reads at most so many again, and `LOOK_EVERY` more."""
PIXELS_PER_CHANGE = 50
"""A large canvas has a snapshot after one change for so many of its pixels: a snapshot costs as much as there are
pixels, and reading so many folded changes costs less than reading the snapshot."""


@dataclass(frozen=True, slots=True)
class AskPast:
    """Call: the last `limit` changes of a pixel. Answered with `Past`, or a `StoreError`."""

    x: int
    y: int
    limit: int


@dataclass(frozen=True, slots=True)
class Past:
    """Changes of a pixel, the newest first, and who is who."""

    changes: Sequence[Placed]
    names: dict[int, str]


@dataclass(frozen=True, slots=True)
class AskUndo:
    """Call: what would be undone. Answered with `Undoing`, or a `StoreError`.

    Attributes:
        user_id: whose changes; None for all
        area: where; None for everywhere
        since, until: when, in seconds since 1970; None for any time
    """

    user_id: str | None
    area: Area | None
    since: float | None
    until: float | None


@dataclass(frozen=True, slots=True)
class AskPainters:
    """Call: the first `limit` ids of painters that begin so, in order. Answered with a list, or a `StoreError`."""

    beginning: str
    limit: int


class Historian(GenServer):
    """Looks into the past of one store.

    Args (of `init`):
        store: which
    """

    def init(self, store: Store) -> None:
        self._store = store
        self._snapshot_every = max(SNAPSHOT_EVERY, store.width * store.height // PIXELS_PER_CHANGE)
        cast(self.ref, LookForSnapshot())

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Answer a question."""
        if not isinstance(request, AskPast | AskUndo | AskPainters):
            return super().handle_call(request, from_)
        try:
            with closing(self._store.reader()) as reader:
                if isinstance(request, AskPainters):
                    return reader.painters(request.beginning, request.limit)
                return _past(reader, request) if isinstance(request, AskPast) else _undoing(reader, request)
        except StoreError as error:
            return error

    def handle_cast(self, request: Any) -> Any:
        """Keep the next start short: take a snapshot if one is due, and fold what has come since the last look."""
        if not isinstance(request, LookForSnapshot):
            return super().handle_cast(request)
        try:
            with closing(self._store.reader()) as reader:
                if reader.since_snapshot() >= self._snapshot_every:
                    reader.take_snapshot()
                    log.debug("store.snapshot", seq=reader.seq())
                reader.fold()
        except StoreError as error:  # the disk is full, say; the history is still there, and the next look comes
            log.warning("store.no_snapshot", error=str(error))
        return None


class BlockingHistorian(Historian, BlockingServer):
    """The same with a thread of its own, for a store that waits for a disk."""


def _past(reader: Reader, request: AskPast) -> Past:
    changes = past_of(request.x, request.y, reader.chunks_back(), request.limit)
    return Past(changes, reader.names({change.user for change in changes}))


def _undoing(reader: Reader, request: AskUndo) -> Undoing:
    user = None
    if request.user_id is not None:
        user = reader.number(request.user_id)
        if user is None:
            raise StoreError(f"nobody called {request.user_id} has ever painted here")
    last = reader.seq()
    until = last if request.until is None else min(last, reader.seq_at(request.until))
    after = 0 if request.since is None else reader.seq_at(math.nextafter(request.since, -math.inf))
    selection = Selection(user, request.area, after, until)
    return undo(selection, reader.grid(after), reader.chunks(after, last))
