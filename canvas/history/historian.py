"""One process: answers queries about the history, takes snapshots and indexes changes. It never delays a commit."""

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
"""Changes between two snapshots. At startup the canvas replays at most these, and `LOOK_EVERY` more."""
PIXELS_PER_CHANGE = 50
"""On a large canvas, the interval between snapshots is one change for this many pixels: the cost of a snapshot grows
with the number of pixels, and reading that many folded changes costs less than reading the snapshot."""


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
    """Changes of a pixel, newest first, and the user id for each user number."""

    changes: Sequence[PixelChange]
    names: dict[int, str]


@shown()
@dataclass(frozen=True, slots=True)
class AskRollbackPlan:
    """Call: plan a rollback. Answered with `PlannedRollback`, or a `StoreError`.

    Attributes:
        user_id: the painter; None for all
        area: the area; None for the whole canvas
        since, until: the time range, in seconds since 1970, both ends included; None for no limit
    """

    user_id: str | None
    area: Area | None
    since: float | None
    until: float | None


@dataclass(frozen=True, slots=True)
class PlannedRollback:
    """A rollback plan, and the user id for each user number in it."""

    plan: RollbackPlan
    names: dict[int, str]


@shown()
@dataclass(frozen=True, slots=True)
class AskActivity:
    """Call: each painter's activity in the last `limit` changes. Answered with `RecentActivity`, or a `StoreError`."""

    limit: int


@dataclass(frozen=True, slots=True)
class RecentActivity:
    """The activity of each painter, most changes first, and the user id for each user number."""

    activities: list[Activity]
    names: dict[int, str]


@shown("limit")
@dataclass(frozen=True, slots=True)
class AskPainters:
    """Call: the first `limit` painter ids with this prefix, in order. Answered with a list, or a `StoreError`."""

    prefix: str
    limit: int


class _SelfMessage(enum.Enum):
    """Messages from the historian to itself."""

    INDEX = enum.auto()


class _CallerGone(Exception):
    """The caller no longer waits for the answer."""


@shown("_snapshot_every")
class Historian(GenServer):
    """Answers queries about the history of one store.

    Args (of `init`):
        store: the store to read
    """

    def init(self, store: Store) -> None:
        self._store = store
        self._snapshot_every = max(SNAPSHOT_EVERY, store.width * store.height // PIXELS_PER_CHANGE)
        self._is_indexing = False
        cast(self.ref, LookForSnapshot())

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Answer a query, unless its caller has given up."""
        if not isinstance(request, AskPixelHistory | AskRollbackPlan | AskPainters | AskActivity):
            return super().handle_call(request, from_)
        if from_.is_given_up():
            return NO_REPLY
        try:
            with closing(self._store.reader()) as reader:
                if isinstance(request, AskPainters):
                    return reader.painters(request.prefix, request.limit)
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
        """Take a snapshot if one is due, then fold and index the changes since the last time."""
        if not isinstance(request, LookForSnapshot):
            return super().handle_cast(request)
        try:
            with closing(self._store.reader()) as reader:
                if reader.since_snapshot() >= self._snapshot_every:
                    reader.take_snapshot()
                    log.debug("store.snapshot", seq=reader.seq())
                reader.fold()
        except StoreError as error:  # such as a full disk: the history is intact, and the next cast tries again
            log.warning("store.no_snapshot", error=str(error))
        if not self._is_indexing:
            self._index()
        return None

    def handle_info(self, message: Any) -> Any:
        """Index the next slice of changes; queries are answered in between."""
        if message is not _SelfMessage.INDEX:
            return super().handle_info(message)
        self._index()
        return None

    def _index(self) -> None:
        """Index one slice of changes; continue by a message if there are more, as with a file of an earlier version."""
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
    """A historian with a thread of its own, for a store that blocks on a disk."""


def _pixel_history(reader: Reader, request: AskPixelHistory, from_: Call) -> PixelHistory:
    seqs = _while_awaited(from_, reader.seqs_of(request.x, request.y, request.limit))
    changes = [_pixel_change(reader, seq, request) for seq in seqs]
    return PixelHistory(changes, reader.names({change.user for change in changes}))


def _pixel_change(reader: Reader, seq: int, pixel: AskPixelHistory) -> PixelChange:
    (chunk,) = reader.chunks(seq - 1, seq)
    ((x, y, color, user),) = chunk.records.tolist()
    if (x, y) != (pixel.x, pixel.y):
        raise StoreError(f"the index is wrong about change {seq}")
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
            raise StoreError(f"no user {request.user_id} has painted on this canvas")
    last = reader.seq()
    until = last if request.until is None else min(last, reader.seq_at(request.until))
    after = 0 if request.since is None else reader.seq_at(math.nextafter(request.since, -math.inf))
    base = reader.grid(reader.oldest() - 1)
    if after < base.seq:
        raise StoreError(f"the single changes up to number {base.seq} are no longer stored")
    selection = Selection(user, request.area, after, until)
    tiles = _while_awaited(from_, selection.tiles(base))
    plan = plan_rollback(selection, base, reader.by_tile(tiles, user))
    return PlannedRollback(plan, reader.names(plan.shares))


def _while_awaited(from_: Call, items: Iterable[_T]) -> Iterator[_T]:
    """Yield the items while the caller waits for the answer.

    Raises:
        _CallerGone: once the caller has given up.
    """
    for item in items:
        if from_.is_given_up():
            raise _CallerGone
        yield item
