"""One process: answers questions to the past, takes snapshots and indexes. It is never in the way of the commits."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from actors import NO_REPLY, Call, GenServer, cast
from actors.blocking import BlockingServer
from actors.log import get_logger
from actors.shown import shown
from canvas.board.area import Area
from canvas.history.queries import Activity, PixelChange, RollbackPlan, Selection, activities, plan_rollback
from canvas.store import LookForSnapshot, Reader, Store, StoreError
from canvas.store.chunk import join

log = get_logger("canopy.store")

SNAPSHOT_EVERY = 200_000
"""Changes between two snapshots: a start reads at most so many again, and `LOOK_EVERY` more."""
PIXELS_PER_CHANGE = 50
"""A large canvas has a snapshot after one change for so many of its pixels: a snapshot costs as much as there are
pixels, and reading so many folded changes costs less than reading the snapshot."""


_T = TypeVar("_T")


@shown()
@dataclass(frozen=True, slots=True)
class AskPixelHistory:
    """Call: the last `limit` changes of a pixel. Answered with `PixelHistory`, or a `StoreError`."""

    x: int
    y: int
    limit: int


@shown("changes")
@dataclass(frozen=True, slots=True)
class PixelHistory:
    """Changes of a pixel, the newest first, and who is who."""

    changes: Sequence[PixelChange]
    names: dict[int, str]


@shown()
@dataclass(frozen=True, slots=True)
class AskRollbackPlan:
    """Call: what would be undone. Answered with `PlannedRollback`, or a `StoreError`.

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
class PlannedRollback:
    """What would be undone, and who is who of the painters in it."""

    plan: RollbackPlan
    names: dict[int, str]


@shown()
@dataclass(frozen=True, slots=True)
class AskActivity:
    """Call: what each painter did in the last `limit` changes. Answered with `RecentActivity`, or a `StoreError`."""

    limit: int


@dataclass(frozen=True, slots=True)
class RecentActivity:
    """What each painter did, those with most changes first, and who is who."""

    activities: list[Activity]
    names: dict[int, str]


@shown("limit")
@dataclass(frozen=True, slots=True)
class AskPainters:
    """Call: the first `limit` ids of painters that begin so, in order. Answered with a list, or a `StoreError`."""

    beginning: str
    limit: int


class _SelfMessage(enum.Enum):
    """What the historian tells itself."""

    INDEX = enum.auto()


class _CallerGone(Exception):
    """Nobody waits for the answer any more."""


@shown("_snapshot_every")
class Historian(GenServer):
    """Looks into the past of one store.

    Args (of `init`):
        store: which
    """

    def init(self, store: Store) -> None:
        self._store = store
        self._snapshot_every = max(SNAPSHOT_EVERY, store.width * store.height // PIXELS_PER_CHANGE)
        self._is_indexing = False
        cast(self.ref, LookForSnapshot())

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Answer a question, unless its caller has left."""
        if not isinstance(request, AskPixelHistory | AskRollbackPlan | AskPainters | AskActivity):
            return super().handle_call(request, from_)
        if from_.is_given_up():
            return NO_REPLY
        try:
            with closing(self._store.reader()) as reader:
                if isinstance(request, AskPainters):
                    return reader.painters(request.beginning, request.limit)
                if isinstance(request, AskPixelHistory):
                    return _pixel_history(reader, request, from_)
                if isinstance(request, AskActivity):
                    return _recent_activity(reader, request)
                return _plan_rollback(reader, request, from_)
        except StoreError as error:
            return error
        except _CallerGone:
            return NO_REPLY

    def handle_cast(self, request: Any) -> Any:
        """Take a snapshot if one is due, fold what has come since the last look, and index it."""
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
        if not self._is_indexing:
            self._index()
        return None

    def handle_info(self, message: Any) -> Any:
        """Index some more; questions are answered in between."""
        if message is not _SelfMessage.INDEX:
            return super().handle_info(message)
        self._index()
        return None

    def _index(self) -> None:
        """Index some changes, and go on later if there are more, as in a file of an earlier version."""
        was_indexing = self._is_indexing
        try:
            with closing(self._store.reader()) as reader:
                self._is_indexing = reader.index()
        except StoreError as error:
            self._is_indexing = False
            log.warning("store.not_indexed", error=str(error))
            return
        if self._is_indexing:
            self.ref.tell(_SelfMessage.INDEX)
        if self._is_indexing != was_indexing:
            log.info("store.indexing" if self._is_indexing else "store.indexed")


class BlockingHistorian(Historian, BlockingServer):
    """The same with a thread of its own, for a store that waits for a disk."""


def _pixel_history(reader: Reader, request: AskPixelHistory, from_: Call) -> PixelHistory:
    seqs = _while_awaited(from_, reader.seqs_of(request.x, request.y, request.limit))
    changes = [_pixel_change(reader, seq, request) for seq in seqs]
    return PixelHistory(changes, reader.names({change.user for change in changes}))


def _pixel_change(reader: Reader, seq: int, pixel: AskPixelHistory) -> PixelChange:
    (chunk,) = reader.chunks(seq - 1, seq)
    ((x, y, color, user),) = chunk.records.tolist()
    if (x, y) != (pixel.x, pixel.y):
        raise StoreError(f"change {seq} is not where the index has it")
    return PixelChange(seq, color, user, float(chunk.at[0]))


def _recent_activity(reader: Reader, request: AskActivity) -> RecentActivity:
    last = reader.seq()
    after = max(reader.oldest() - 1, last - request.limit)
    found = activities(join(after, reader.chunks(after, last)))
    return RecentActivity(found, reader.names({activity.user for activity in found}))


def _plan_rollback(reader: Reader, request: AskRollbackPlan, from_: Call) -> PlannedRollback:
    user = None
    if request.user_id is not None:
        user = reader.number(request.user_id)
        if user is None:
            raise StoreError(f"nobody called {request.user_id} has ever painted here")
    last = reader.seq()
    until = last if request.until is None else min(last, reader.seq_at(request.until))
    after = 0 if request.since is None else reader.seq_at(math.nextafter(request.since, -math.inf))
    base = reader.grid(reader.oldest() - 1)
    if after < base.seq:
        raise StoreError(f"the changes up to number {base.seq} are not remembered one by one")
    selection = Selection(user, request.area, after, until)
    tiles = _while_awaited(from_, selection.tiles(base))
    plan = plan_rollback(selection, base, reader.by_tile(tiles, user))
    return PlannedRollback(plan, reader.names(plan.shares))


def _while_awaited(from_: Call, items: Iterable[_T]) -> Iterator[_T]:
    """The same, as long as the caller waits for the answer.

    Raises:
        _CallerGone: as soon as it does not.
    """
    for item in items:
        if from_.is_given_up():
            raise _CallerGone
        yield item
