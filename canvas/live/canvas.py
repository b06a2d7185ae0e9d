"""One process: the single writer of the grid.

A pixel's way: `Paint` -> the batch of this tick -> the store -> `Committed` -> grid -> broadcaster. Nothing is shown
before it is committed, and everybody sees the same order.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from actors import NO_REPLY, Call, GenServer, Scheduler, Target, Timer, call, cast, reply, send_after
from actors.log import get_logger
from actors.shown import shown
from canvas.board.errors import BadMessage
from canvas.board.grid import Change, Grid
from canvas.live.accepted import Key
from canvas.live.answers import Answer
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
    """Cast: paint these pixels, in this order. One that has its colour already is left alone.

    Attributes:
        viewer: who is told which of them are refused; None if nobody is
        id: what the viewer calls its message, which is acknowledged; None for messages without
        refused: why the other pixels of the message were refused, which the viewer has been told; None if none was
        repeated: the pixels of a message that was accepted before, which is answered again as far as it names them, and
            paints nothing; None of any other
        is_last: the viewer's connection is told when this, and all that it painted before, has been answered
    """

    changes: list[Change]
    viewer: Viewer | None = None
    id: int | None = None
    refused: BadMessage | None = None
    repeated: Set[tuple[int, int]] | None = None
    is_last: bool = False

    @property
    def key(self) -> Key | None:
        """The client's name for itself and for the message; None if one of them has none."""
        if self.viewer is None or self.id is None or not self.viewer.view.client:
            return None
        return Key(self.viewer.view.client, self.id)


@dataclass(frozen=True, slots=True)
class GetPicture:
    """Call: all colours. Answered with `Picture`, or with a `StoreError` while the canvas cannot be read."""


@shown("epoch", "grid")
@dataclass(frozen=True, slots=True)
class Picture:
    """The canvas after the last change in `grid`, which is nobody else's."""

    epoch: str
    grid: Grid


@shown()
@dataclass(frozen=True, slots=True)
class Restore:
    """Call: paint these pixels, but only those that still have the colour in `seen`, in the same order.

    A pixel for which a newer change waits to be committed is left alone as well.

    Answered when they are committed, with how many they were, or with the `StoreError` that came instead.
    """

    changes: list[Change]
    seen: list[int]


@dataclass(frozen=True, slots=True)
class GetStatus:
    """Call: how far the canvas has come. Answered with `CanvasStatus`."""


@shown()
@dataclass(frozen=True, slots=True)
class CanvasStatus:
    """How far the canvas has come.

    Attributes:
        epoch, seq: of the last committed change; "" and 0 while the canvas cannot be read
        waiting: how many pixels wait for their turn
        error: why the canvas cannot be read; None if it can
    """

    epoch: str
    seq: int
    waiting: int
    error: str | None


@shown("seq", "waits", "paint")
@dataclass(slots=True)
class PendingPaint:
    """What becomes of a message.

    Attributes:
        seq: the change after which the canvas shows what was not refused
        is_open: some of it depends on the commit
        refused: pixels that come too early, and why
        waits: seconds that the painter has begun to wait for the pixels that are kept
    """

    paint: Paint
    seq: int
    is_open: bool
    refused: BadMessage | None = None
    waits: list[float] = field(default_factory=list)


@shown("changes", "settling")
@dataclass(slots=True)
class _Commit:
    """A batch on its way through the store.

    Attributes:
        settling: the messages that wait for it, or for which somebody waits
        restores: calls that painted some of it, and how many changes
        slow: says so when it takes long
    """

    changes: Sequence[Change]
    settling: list[PendingPaint]
    restores: list[tuple[Call, int]]
    slow: Timer | None = None


class _Order(enum.Enum):
    """What the canvas tells itself."""

    FLUSH = enum.auto()
    LOAD = enum.auto()


@shown("commit")
@dataclass(frozen=True, slots=True)
class _SlowCommit:
    """The store has had this batch for `SLOW_WRITE` seconds."""

    commit: _Commit


MAX_WAITING = 100_000
"""Painted pixels that wait for their turn, and messages that paint none; more are refused at once."""
SHARE = MAX_WAITING // 2
"""Of these, so many of one address."""
LOAD_AGAIN = 1.0
"""Seconds after which a canvas that could not be read is read again."""


@shown("_epoch", "_grid", "_painted", "_waiting", "_commit")
class Canvas(GenServer):
    """The writer of the grid.

    Args (of `init`):
        room: whose pixels; its broadcaster shows them
        store: the process that commits
        encoder: the process that encodes states
        tick: seconds between two batches of a busy canvas; an idle one commits at once
        wall_clock: seconds since 1970, when a change was made
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
        self._painted: list[Paint] = []  # what waits for its turn, or as a repeat for the canvas to be read
        self._waiting = room.held.pixels  # in these, and the messages without any
        self._waiting.used = 0
        self._shares: Counter[str] | None = None  # of these by address, once they are many
        self._restores: list[tuple[Call, int]] = []  # who asked for some of these, and for how many
        self._commit: _Commit | None = None  # what the store has not answered yet
        self._is_refusing = False  # the store has refused the last batch
        self._tick = Tick(self.ref, tick, _Order.FLUSH)
        await self._load()

    def handle_cast(self, request: Any) -> Any:
        """Collect what is painted, or have states of the canvas encoded."""
        if type(request) is Paint:
            self._paint(request)
        elif type(request) is NeedSnapshots:
            if self._grid is not None:  # otherwise `Began` will come, and the broadcaster asks again
                cast(self._encoder, Encode(self._grid.copy(), self._epoch, request.keys, self._broadcaster))
        else:
            return super().handle_cast(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Commit a batch, or show what has been committed."""
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
        """Hand out the picture, tell what waits, or paint with an answer."""
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
        """Read the canvas; one that cannot be read is read again later, and refuses changes meanwhile."""
        request = Load(recent=REMEMBERED)  # it takes longer the larger the canvas is
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
            return  # it was lost in a crash: the client sends it once more
        elif self._exceeds_limit(paint):
            if is_known:
                return  # it may still be refused, or painted: the client sends it once more
            reason = f"{self._waiting.used} pixels wait for the store"
            self._answer([self._refuse(paint, paint.changes, self._grid.seq, reason)])
        elif not (paint.changes or paint.is_last or is_known):  # its visitor refused all of it
            self._answer([None if paint.viewer is None else Answer(paint.viewer, paint.id, self._grid.seq)])
        else:
            self._queue(paint, is_known=is_known)

    def _keep_repeat(self, paint: Paint) -> None:
        """Keep a repeat until the canvas has been read, and it is known what became of the message.

        If too much is kept, the client has to send it once more.
        """
        if not self._exceeds_limit(paint):
            self._painted.append(paint)
            self._waiting.used += _weight(paint)

    def _replay_kept(self) -> None:
        """Answer the repeats that came before the canvas had been read."""
        kept, self._painted = self._painted, []
        self._waiting.used, self._shares = 0, None
        for paint in kept:
            self._paint(paint)

    def _exceeds_limit(self, paint: Paint) -> bool:
        """Whether too much waits, in all or of the painter's address. What waits is looked through when it is much."""
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
        paint.refused = None  # it may name thousands of pixels, which count for nothing while the message waits
        self._painted.append(paint)
        self._waiting.used += _weight(paint)
        if self._commit is None:
            self._tick.request()

    def _restore(self, request: Restore, from_: Call) -> Any:
        color = self._loaded().color
        newer = set() if self._commit is None else {(change.x, change.y) for change in self._commit.changes}
        for paint in self._painted:
            newer.update((c.x, c.y) for c in paint.changes if c.color != color(c.x, c.y))
        pairs = zip(request.changes, request.seen, strict=True)
        changes = [
            change for change, seen in pairs if color(change.x, change.y) == seen and (change.x, change.y) not in newer
        ]
        if not changes:
            return 0
        self._restores.append((from_, len(changes)))
        self._queue(Paint(changes))
        return NO_REPLY

    def _flush(self, grid: Grid) -> None:
        """Send what was painted to the store, and tell what is known of it by now."""
        paints, self._painted = self._painted, []
        self._waiting.used, self._shares = 0, None
        restores, self._restores = self._restores, []
        colors: dict[tuple[int, int], int] = {}
        changes: list[Change] = []
        waiting: list[PendingPaint] = []
        answers: list[Answer] = []
        for paint in paints:
            settling = PendingPaint(paint, grid.seq, paint.is_last or paint.repeated is not None)
            self._select_changes(settling, grid, colors, changes)
            if settling.refused is not None and paint.key is not None:
                self._room.accepted.refuse(paint.key, settling.refused)
            if settling.is_open:
                settling.seq += len(changes)
                waiting.append(settling)
                if paint.key is not None:
                    self._room.accepted.send(paint.key, settling.seq)
            else:
                self._record_outcome(paint, None)
            if paint.viewer is not None and (settling.refused is not None or not settling.is_open):
                id_ = None if settling.is_open else paint.id
                answers.append(Answer(paint.viewer, id_, grid.seq, settling.refused))
        self._answer(answers)
        commit = _Commit(changes, waiting, restores)
        if not changes:
            self._settle(commit, None)
            return
        self._commit = commit
        commit.slow = send_after(SLOW_WRITE, self.ref, _SlowCommit(commit))
        cast(self._store, Append(changes, self._wall_clock(), self.ref))

    def _select_changes(
        self, settling: PendingPaint, grid: Grid, colors: dict[tuple[int, int], int], changes: list[Change]
    ) -> None:
        """Add the pixels of a message that become changes: not those that have their colour, or come too early."""
        early: list[tuple[int, int]] = []
        why: BadMessage | None = None
        for change in settling.paint.changes:
            place = change.x, change.y
            color = colors.get(place)
            if change.color == (grid.color(*place) if color is None else color):
                settling.is_open |= color is not None
            elif (error := self._start_cooldown(settling)) is not None:
                early.append(place)
                why = why or error
            else:
                settling.is_open = True
                colors[place] = change.color
                changes.append(change)
                change.seq = grid.seq + len(changes)
        if why is not None:
            settling.refused = why.about(settling.paint.id, early)

    def _start_cooldown(self, settling: PendingPaint) -> BadMessage | None:
        """Have a painter wait for a pixel that becomes a change; returns why it comes too early, if it does."""
        cooldowns, viewer = self._room.allowances.cooldowns, settling.paint.viewer
        if cooldowns is None or viewer is None:
            return None
        try:
            wait = cooldowns.begin(viewer.painter, self._room.user_count, self._now())
        except BadMessage as error:
            return error
        settling.waits.append(wait)
        return None

    def _end_commit(self, error: StoreError | None) -> None:
        """The store has committed a batch, or has not: settle it, and go on with the next one."""
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
        """Answer those whose pixels were in a batch."""
        for from_, count in commit.restores:
            reply(from_, count if error is None else error)
        grid = self._loaded()
        answers: list[Answer | None] = []
        for settling in commit.settling:
            paint = settling.paint
            if paint.repeated is not None:
                answers += self._repeat(paint, grid.seq)
            elif error is not None:
                answers.append(self._refuse_uncommitted(settling, grid, error))
            elif paint.viewer is not None and (paint.id is not None or paint.is_last):
                self._record_outcome(paint, None)
                answers.append(Answer(paint.viewer, paint.id, settling.seq, is_last=paint.is_last))
        self._answer(answers)

    def _repeat(self, paint: Paint, seq: int) -> list[Answer]:
        """Answer a message as it was answered when it came first, as far as it names the same pixels."""
        viewer, key, repeated = paint.viewer, paint.key, paint.repeated or frozenset()
        assert viewer is not None, "only messages with a viewer and an id are known to repeat others"
        assert key is not None
        if key not in self._room.accepted:
            return []  # it was forgotten meanwhile: the client sends it once more
        answers = []
        for refused in self._room.accepted.refusals(key):
            pixels = [place for place in refused.pixels if place in repeated]
            if pixels:
                answers.append(Answer(viewer, None, seq, refused.about(paint.id, pixels)))
        return [*answers, Answer(viewer, paint.id, seq)]

    def _record_outcome(self, paint: Paint, refused: BadMessage | None) -> None:
        """Remember what became of a message, in case that it comes again; `refused` is what has not been noted yet."""
        if paint.key is not None:
            self._room.accepted.settle(paint.key)
            if refused is not None:
                self._room.accepted.refuse(paint.key, refused)

    def _refuse_uncommitted(self, settling: PendingPaint, grid: Grid, error: StoreError) -> Answer | None:
        """Refuse what is not on the canvas because a commit failed, but for what was refused before."""
        paint = settling.paint
        early = () if settling.refused is None else settling.refused.pixels
        lost = [c for c in paint.changes if grid.color(c.x, c.y) != c.color and (c.x, c.y) not in early]
        cooldowns = self._room.allowances.cooldowns
        if cooldowns is not None and paint.viewer is not None:
            for wait in settling.waits:
                cooldowns.undo(paint.viewer.painter, wait, self._now())
        answer = self._refuse(paint, lost, grid.seq, error.public)
        self._record_outcome(paint, None if answer is None else answer.refused)
        return answer

    def _refuse(self, paint: Paint, changes: Sequence[Change], seq: int, reason: str) -> Answer | None:
        """Refuse pixels of a message, which cost nothing, and answer the message."""
        viewer = paint.viewer
        if viewer is None:
            return None
        error = None
        if changes:
            error = BadMessage("store_unavailable", f"the pixel could not be kept: {reason}")
            error.id, error.pixels = paint.id, tuple((change.x, change.y) for change in changes)
            if self._room.allowances.pixels is not None:
                self._room.allowances.pixels.give_back(viewer.painter, self._now(), len(changes))
        return Answer(viewer, paint.id, seq, error, paint.is_last)

    def _now(self) -> float:
        return Scheduler.current().loop.time()

    def _answer(self, answers: Sequence[Answer | None]) -> None:
        given = [answer for answer in answers if answer is not None]
        if given:
            cast(self._broadcaster, Answers(given))


def _weight(paint: Paint) -> int:
    """What a message counts as: one that paints nothing waits for its acknowledgement, too."""
    return len(paint.changes) or len(paint.repeated or ()) or 1
