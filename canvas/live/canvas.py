"""One process: the single writer of the grid.

The path of a pixel: `Paint` -> the batch of this tick -> the store -> `Committed` -> grid -> broadcaster. Nothing is
shown before it is committed, and all viewers see the same order.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from actors import NO_REPLY, Call, GenServer, Scheduler, Target, Timer, call, cast, reply, send_after
from actors.log import get_logger
from actors.shown import shown
from canvas.board.errors import BadMessage
from canvas.board.grid import Change, Grid
from canvas.live.accepted import Key
from canvas.live.answers import Answer
from canvas.live.batch import BatchBuilder, Selection, select_unchanged
from canvas.live.broadcaster import Answers, Began, Changed
from canvas.live.recent_changes import REMEMBERED
from canvas.live.room import Room, Viewer
from canvas.live.snapshot_encoder import Encode, NeedSnapshots
from canvas.live.tick import Tick
from canvas.store import SLOW_WRITE, Append, Committed, Load, Loaded, Rejected, StoreError

log = get_logger("canopy.canvas")


@shown("changes", "id")
@dataclass(slots=True)
class Paint:
    """Cast: paint these pixels, in this order. A pixel that already has its colour is skipped.

    Attributes:
        viewer: gets the refusals and the acknowledgement; None for none
        id: the client's id of the message, to acknowledge; None if it has none
        refused: why the message's other pixels were refused, which the viewer has been told; None if none were
        repeated: the pixels of a message that was accepted before: it paints nothing, and gets the answers about these
            pixels again; None for a new message
        is_last: tell the viewer's connection when this and everything that it painted before has been answered
    """

    changes: list[Change]
    viewer: Viewer | None = None
    id: int | None = None
    refused: BadMessage | None = None
    repeated: Set[tuple[int, int]] | None = None
    is_last: bool = False

    @property
    def key(self) -> Key | None:
        """The client's token and its id of the message; None if either is missing."""
        if self.viewer is None or self.id is None or not self.viewer.view.client:
            return None
        return Key(self.viewer.view.client, self.id)


@dataclass(frozen=True, slots=True)
class GetPicture:
    """Call: return all colours as `Picture`, or a `StoreError` while the canvas cannot be read."""


@shown("epoch", "grid")
@dataclass(frozen=True, slots=True)
class Picture:
    """The canvas after change `grid.seq`. The receiver owns `grid`."""

    epoch: str
    grid: Grid


@shown()
@dataclass(frozen=True, slots=True)
class Restore:
    """Call: paint these pixels, except those that no longer have the colour in `seen` (in the same order).

    A pixel with a newer change that waits to be committed is skipped, too. Answered after the commit with the number of
    painted pixels, or with the `StoreError` that prevented it.
    """

    changes: list[Change]
    seen: list[int]


@dataclass(frozen=True, slots=True)
class GetStatus:
    """Call: return the `CanvasStatus`."""


@shown()
@dataclass(frozen=True, slots=True)
class CanvasStatus:
    """The progress of the canvas.

    Attributes:
        epoch, seq: the last committed change; "" and 0 while the canvas cannot be read
        waiting: number of queued pixels
        error: why the canvas cannot be read; None if it can
    """

    epoch: str
    seq: int
    waiting: int
    error: str | None


@shown("seq", "selection", "paint")
@dataclass(slots=True)
class PendingPaint:
    """A message that is answered after a commit.

    Attributes:
        seq: the change after which the canvas shows all of it that was not refused
        selection: what the batch has done with its pixels
    """

    paint: Paint
    seq: int
    selection: Selection


@shown("changes", "pending")
@dataclass(slots=True)
class _Commit:
    """A batch on its way through the store.

    Attributes:
        pending: the messages to answer afterwards
        restores: the calls that painted part of it, and how many changes each
        slow: the timer that reports a slow commit
    """

    changes: Sequence[Change]
    pending: list[PendingPaint]
    restores: list[tuple[Call, int]]
    slow: Timer | None = None


class _Order(enum.Enum):
    """A message from the canvas to itself."""

    FLUSH = enum.auto()
    LOAD = enum.auto()


@shown("commit")
@dataclass(frozen=True, slots=True)
class _SlowCommit:
    """Internal: the store received this batch `SLOW_WRITE` seconds ago."""

    commit: _Commit


MAX_WAITING = 100_000
"""Maximum number of queued pixels, where a message that paints none counts as one. Beyond it, pixels are refused."""
SHARE = MAX_WAITING // 2
"""Maximum number of these per client network."""
LOAD_AGAIN = 1.0
"""Seconds until a canvas that could not be read is read again."""


@shown("_epoch", "_grid", "_painted", "_waiting", "_commit")
class Canvas(GenServer):
    """The writer of the grid. At most one batch is with the store at a time.

    Args (of `init`):
        room: the room of the canvas; its broadcaster shows the changes
        store: the process that commits
        encoder: the process that encodes snapshots
        tick: seconds between two batches of a busy canvas; an idle one commits at once
        wall_clock: returns the time of a change, in seconds since 1970
    """

    async def init(
        self, room: Room, store: Target, encoder: Target, tick: float, wall_clock: Callable[[], float]
    ) -> None:
        self._room = room
        self._store = store
        self._encoder = encoder
        self._broadcaster = room.broadcaster
        self._wall_clock = wall_clock
        self._epoch = ""
        self._grid: Grid | None = None
        self._load_error = StoreError("the canvas has not been read yet")
        self._painted: list[Paint] = []  # the queue of the next batch; until the canvas is read, the repeats
        self._waiting = room.held.pixels  # total weight of `_painted`
        self._waiting.used = 0
        self._shares: Counter[str] | None = None  # the same by client network, computed only if there is much
        self._restores: list[tuple[Call, int]] = []  # the calls whose pixels are in `_painted`, and how many
        self._commit: _Commit | None = None  # the batch that the store has not answered yet
        self._is_refusing = False  # the store refused the last batch
        self._now = Scheduler.current().loop.time
        self._tick = Tick(self.ref, tick, _Order.FLUSH)
        await self._load()

    def handle_cast(self, request: Any) -> Any:
        """Queue painted pixels, or request snapshots from the encoder."""
        if type(request) is Paint:
            self._paint(request)
        elif type(request) is NeedSnapshots:
            if self._grid is not None:  # otherwise the broadcaster asks again after `Began`
                cast(self._encoder, Encode(self._grid.copy(), self._epoch, request.keys, self._broadcaster))
        else:
            return super().handle_cast(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Send a batch to the store, or apply and show what it has committed."""
        if message is _Order.FLUSH:
            self._tick.begin()
            self._flush(self._loaded())
        elif message is _Order.LOAD:
            return self._load()
        elif type(message) is Committed:
            self._loaded().apply(message.changes)
            cast(self._broadcaster, Changed(message.changes))
            self._end_commit(None)
        elif type(message) is Rejected:
            if not self._is_refusing:
                log.error("canvas.not_committed", changes=len(message.changes), error=message.error)
            self._end_commit(message.error)
        elif type(message) is _SlowCommit:
            if message.commit is self._commit:
                log.warning("canvas.commit_slow", changes=len(message.commit.changes), seconds=SLOW_WRITE)
        else:
            return super().handle_info(message)
        return None

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Return the picture or the status, or paint a restore."""
        grid = self._grid
        if isinstance(request, GetStatus):
            if grid is None:
                return CanvasStatus("", 0, self._waiting.used, str(self._load_error))
            return CanvasStatus(self._epoch, grid.seq, self._waiting.used, None)
        if not isinstance(request, GetPicture | Restore):
            return super().handle_call(request, from_)
        if grid is None:
            return self._load_error
        return Picture(self._epoch, grid.copy()) if isinstance(request, GetPicture) else self._restore(request, from_)

    async def _load(self) -> None:
        """Load the canvas. If that fails, try again later, and refuse pixels until then."""
        request = Load(recent=REMEMBERED)  # no timeout: the time grows with the canvas
        loaded: Loaded | StoreError = await call(self._store, request, timeout=None)
        if isinstance(loaded, Loaded):
            self._epoch, self._grid = loaded.epoch, loaded.grid
            self._room.accepted.begin(loaded.epoch, loaded.grid.seq)
            cast(self._broadcaster, Began(loaded.epoch, loaded.grid.seq, loaded.recent))
            self._replay_kept()
            return
        self._load_error = loaded
        log.error("canvas.not_loaded", error=str(loaded), retry_in=LOAD_AGAIN)
        send_after(LOAD_AGAIN, self.ref, _Order.LOAD)

    def _loaded(self) -> Grid:
        assert self._grid is not None, "nothing is committed before the canvas has been read"
        return self._grid

    def _paint(self, paint: Paint) -> None:
        is_known = paint.key in self._room.accepted
        if self._grid is None:
            if is_known or (paint.is_last and self._painted):
                self._keep_repeat(paint)
            else:
                self._answer([self._refuse(paint, paint.changes, 0, self._load_error.public)])
        elif paint.repeated is not None and not is_known:
            return  # the original was lost in a crash: the client sends it again
        elif self._exceeds_limit(paint):
            if is_known:
                return  # the original is not answered yet: the client sends it again
            reason = f"{self._waiting.used} pixels wait for the store"
            self._answer([self._refuse(paint, paint.changes, self._grid.seq, reason)])
        elif not (paint.changes or paint.is_last or is_known):  # the handler refused all of it
            self._answer([None if paint.viewer is None else Answer(paint.viewer, paint.id, self._grid.seq)])
        else:
            self._queue(paint, is_known=is_known)

    def _keep_repeat(self, paint: Paint) -> None:
        """Keep a repeat until the canvas is loaded. If too much is kept, drop it: the client sends it again."""
        if not self._exceeds_limit(paint):
            self._painted.append(paint)
            self._waiting.used += _weight(paint)

    def _replay_kept(self) -> None:
        """Handle the repeats that arrived before the canvas was loaded."""
        kept, self._painted = self._painted, []
        self._waiting.used, self._shares = 0, None
        for paint in kept:
            self._paint(paint)

    def _exceeds_limit(self, paint: Paint) -> bool:
        """Return whether a message exceeds a limit of the queue; if not, count it towards its network's share."""
        weight = _weight(paint)
        if self._waiting.used + weight > MAX_WAITING:
            return True
        if self._waiting.used < SHARE or paint.viewer is None:
            return False
        if self._shares is None:
            self._shares = Counter()
            for other in self._painted:
                if other.viewer is not None:
                    self._shares[other.viewer.painter.address] += _weight(other)
        address = paint.viewer.painter.address
        if self._shares[address] + weight > SHARE:
            return True
        self._shares[address] += weight
        return False

    def _queue(self, paint: Paint, *, is_known: bool = False) -> None:
        key, accepted = paint.key, self._room.accepted
        if is_known:
            paint.repeated = paint.repeated or {(change.x, change.y) for change in paint.changes}
            paint.changes.clear()
        elif key is not None and paint.viewer is not None and paint.changes:
            accepted.add(key, paint.viewer.painter.address)
            if paint.refused is not None:
                accepted.refuse(key, paint.refused)
        paint.refused = None  # free it: it may name thousands of pixels, which `_weight` does not count
        self._painted.append(paint)
        self._waiting.used += _weight(paint)
        if self._commit is None:
            self._tick.request()

    def _restore(self, request: Restore, from_: Call) -> Any:
        committing = () if self._commit is None else self._commit.changes
        queued = (change for paint in self._painted for change in paint.changes)
        changes = select_unchanged(request.changes, request.seen, self._loaded(), committing, queued)
        if not changes:
            return 0
        self._restores.append((from_, len(changes)))
        self._queue(Paint(changes))
        return NO_REPLY

    def _flush(self, grid: Grid) -> None:
        """Send the queued pixels to the store, and answer the messages whose outcome does not depend on it."""
        paints, self._painted = self._painted, []
        self._waiting.used, self._shares = 0, None
        restores, self._restores = self._restores, []
        batch = BatchBuilder(grid, self._room, self._now)
        pending: list[PendingPaint] = []
        answers: list[Answer] = []
        for paint in paints:
            is_open = paint.is_last or paint.repeated is not None
            selection = batch.add(paint.changes, paint.viewer, paint.id, is_open=is_open)
            refused = selection.refused
            if refused is not None and paint.key is not None:
                self._room.accepted.refuse(paint.key, refused)
            if selection.is_open:
                pending.append(PendingPaint(paint, grid.seq + len(batch.changes), selection))
                if paint.key is not None:
                    self._room.accepted.send(paint.key, pending[-1].seq)
            else:
                self._record_outcome(paint, None)
            if paint.viewer is not None and (refused is not None or not selection.is_open):
                id_ = None if selection.is_open else paint.id
                answers.append(Answer(paint.viewer, id_, grid.seq, refused))
        self._answer(answers)
        commit = _Commit(batch.changes, pending, restores)
        if not batch.changes:
            self._settle(commit, None)
            return
        self._commit = commit
        commit.slow = send_after(SLOW_WRITE, self.ref, _SlowCommit(commit))
        cast(self._store, Append(batch.changes, self._wall_clock(), self.ref))

    def _end_commit(self, error: StoreError | None) -> None:
        """Answer the messages of a batch that the store has committed or rejected, and start the next one."""
        commit, self._commit = self._commit, None
        assert commit is not None, "the store answers each batch once"
        if commit.slow is not None:
            commit.slow.cancel()
        if self._is_refusing and error is None:
            log.info("canvas.commits_resumed", seq=self._loaded().seq)
        self._is_refusing = error is not None
        self._settle(commit, error)
        if self._painted:
            self._tick.request()

    def _settle(self, commit: _Commit, error: StoreError | None) -> None:
        """Answer the messages and calls of a batch; `error` is None if it was committed."""
        for from_, count in commit.restores:
            reply(from_, count if error is None else error)
        grid = self._loaded()
        answers: list[Answer | None] = []
        for pending in commit.pending:
            paint = pending.paint
            if paint.repeated is not None:
                answers += self._repeat(paint, grid.seq)
            elif error is not None:
                answers.append(self._refuse_uncommitted(pending, grid, error))
            elif paint.viewer is not None and (paint.id is not None or paint.is_last):
                self._record_outcome(paint, None)
                answers.append(Answer(paint.viewer, paint.id, pending.seq, is_last=paint.is_last))
        self._answer(answers)

    def _repeat(self, paint: Paint, seq: int) -> list[Answer]:
        """Answer a repeat like the original message, as far as it names the same pixels."""
        viewer, key, repeated = paint.viewer, paint.key, paint.repeated or frozenset()
        assert viewer is not None, "only messages with a viewer and an id are known to repeat others"
        assert key is not None
        if key not in self._room.accepted:
            return []  # forgotten in the meantime: the client sends it again
        refusals = self._room.accepted.refusals_on(key, paint.id, repeated)
        return [*(Answer(viewer, None, seq, refused) for refused in refusals), Answer(viewer, paint.id, seq)]

    def _record_outcome(self, paint: Paint, refused: BadMessage | None) -> None:
        """Remember the outcome of a message for a repeat; `refused` is a refusal that is not yet recorded."""
        if paint.key is not None:
            self._room.accepted.settle(paint.key)
            if refused is not None:
                self._room.accepted.refuse(paint.key, refused)

    def _refuse_uncommitted(self, pending: PendingPaint, grid: Grid, error: StoreError) -> Answer | None:
        """Refuse the pixels that a failed commit has lost, except those that were refused before."""
        paint, early = pending.paint, pending.selection.early
        lost = [c for c in paint.changes if grid.color(c.x, c.y) != c.color and (c.x, c.y) not in early]
        pending.selection.cancel_waits(self._room.allowances, paint.viewer, self._now())
        answer = self._refuse(paint, lost, grid.seq, error.public)
        self._record_outcome(paint, None if answer is None else answer.refused)
        return answer

    def _refuse(self, paint: Paint, changes: Sequence[Change], seq: int, reason: str) -> Answer | None:
        """Return the answer to a message whose pixels `changes` are refused, and give back their allowance."""
        viewer = paint.viewer
        if viewer is None:
            return None
        error = None
        if changes:
            error = BadMessage("store_unavailable", f"the pixel could not be saved: {reason}")
            error.id, error.pixels = paint.id, tuple((change.x, change.y) for change in changes)
            if self._room.allowances.pixels is not None:
                self._room.allowances.pixels.give_back(viewer.painter, self._now(), len(changes))
        return Answer(viewer, paint.id, seq, error, paint.is_last)

    def _answer(self, answers: Sequence[Answer | None]) -> None:
        given = [answer for answer in answers if answer is not None]
        if given:
            cast(self._broadcaster, Answers(given))


def _weight(paint: Paint) -> int:
    """Return how many pixels a message counts as; one without pixels still waits for its acknowledgement."""
    return len(paint.changes) or len(paint.repeated or ()) or 1
