"""One process: the single writer of the grid.

A pixel's way: `Paint` -> the batch of this tick -> the store -> `Committed` -> grid -> broadcaster. Nothing is shown
before it is committed, and everybody sees the same order.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors import NO_REPLY, Call, GenServer, Target, Timer, call, cast, reply, send_after
from actors.log import get_logger
from canvas.broadcaster import Began, Changed, Refuse
from canvas.encoder import Encode, NeedStates
from canvas.grid import Change, Grid
from canvas.recent import REMEMBERED
from canvas.store import SLOW_WRITE, Append, Committed, Load, Loaded, Rejected, StoreError
from canvas.tick import Tick

log = get_logger("canopy.canvas")


@dataclass(frozen=True, slots=True)
class Paint:
    """Cast: paint these pixels, in this order."""

    changes: list[Change]


@dataclass(frozen=True, slots=True)
class GetPicture:
    """Call: all colours. Answered with `Picture`, or with a `StoreError` while the canvas cannot be read."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The canvas after the last change in `grid`, which is nobody else's."""

    epoch: str
    grid: Grid


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


@dataclass(frozen=True, slots=True)
class CanvasStatus:
    """How far the canvas has come.

    Attributes:
        epoch, seq: of the last committed change; "" and 0 while the canvas cannot be read
        waiting: how many pixels wait for the store
        error: why the canvas cannot be read; None if it can
    """

    epoch: str
    seq: int
    waiting: int
    error: str | None


class _Order(enum.Enum):
    """What the canvas tells itself."""

    FLUSH = enum.auto()
    LOAD = enum.auto()


@dataclass(frozen=True, slots=True)
class _Slow:
    """The store has had these changes for `SLOW_WRITE` seconds."""

    changes: list[Change]


MAX_WAITING = 100_000
"""Painted pixels that wait for the store; more are refused at once."""
LOAD_AGAIN = 1.0
"""Seconds after which a canvas that could not be read is read again."""


class Canvas(GenServer):
    """The writer of the grid.

    Args (of `init`):
        store: the process that commits
        encoder: the process that encodes states
        broadcaster: the process that shows
        tick: seconds between two batches of a busy canvas; an idle one commits at once
        wall_clock: seconds since 1970, when a change was made
    """

    async def init(
        self, store: Target, encoder: Target, broadcaster: Target, tick: float, wall_clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._broadcaster = broadcaster
        self._wall_clock = wall_clock
        self._epoch = ""
        self._grid: Grid | None = None
        self._load_error = StoreError("the canvas has not been read yet")
        self._painted: list[Change] = []
        self._sent: list[Change] = []  # to the store, which has not answered yet
        self._slow: Timer | None = None
        self._waiting: list[tuple[Call, int]] = []  # who asked for some of what is painted, and for how many
        self._committing: list[tuple[Call, int]] = []
        self._is_committing = False
        self._is_refusing = False
        self._tick = Tick(self.ref, tick, _Order.FLUSH)
        await self._load()

    def handle_cast(self, request: Any) -> Any:
        """Collect what is painted, or have states of the canvas encoded."""
        if type(request) is Paint:
            self._paint(request.changes)
        elif type(request) is NeedStates:
            if self._grid is not None:  # otherwise `Began` will come, and the broadcaster asks again
                cast(self._encoder, Encode(self._grid.copy(), self._epoch, request.wants, self._broadcaster))
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
            self._commit_more(None)
        elif type(message) is Rejected:
            if not self._is_refusing:
                log.error("canvas.not_committed", changes=len(message.changes), error=message.error)
            cast(self._broadcaster, Refuse(message.changes, str(message.error)))
            self._commit_more(message.error)
        elif type(message) is _Slow:
            if message.changes is self._sent:
                log.warning("canvas.commit_slow", changes=len(message.changes), seconds=SLOW_WRITE)
        else:
            return super().handle_info(message)
        return None

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Hand out the picture, tell what waits, or paint with an answer."""
        grid = self._grid
        if isinstance(request, GetStatus):
            if grid is None:
                return CanvasStatus("", 0, 0, str(self._load_error))
            return CanvasStatus(self._epoch, grid.seq, len(self._painted), None)
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
            cast(self._broadcaster, Began(loaded.epoch, loaded.grid.seq, loaded.recent))
            return
        self._load_error = loaded
        log.error("canvas.not_loaded", error=str(loaded), retry_in=LOAD_AGAIN)
        send_after(LOAD_AGAIN, self.ref, _Order.LOAD)

    def _loaded(self) -> Grid:
        assert self._grid is not None, "nothing is committed before the canvas has been read"
        return self._grid

    def _paint(self, changes: list[Change]) -> None:
        if self._grid is None:
            cast(self._broadcaster, Refuse(changes, str(self._load_error)))
            return
        if len(self._painted) + len(changes) > MAX_WAITING:
            cast(self._broadcaster, Refuse(changes, f"{len(self._painted)} pixels wait for the store"))
            return
        self._painted.extend(changes)
        if not self._is_committing:
            self._tick.request()

    def _restore(self, request: Restore, from_: Call) -> Any:
        color = self._loaded().color
        newer = {(change.x, change.y) for change in (*self._sent, *self._painted)}
        pairs = zip(request.changes, request.seen, strict=True)
        changes = [
            change for change, seen in pairs if color(change.x, change.y) == seen and (change.x, change.y) not in newer
        ]
        if not changes:
            return 0
        self._painted.extend(changes)
        self._waiting.append((from_, len(changes)))
        if not self._is_committing:
            self._tick.request()
        return NO_REPLY

    def _flush(self, grid: Grid) -> None:
        changes, self._painted = self._painted, []
        self._committing, self._waiting = self._waiting, []
        for seq, change in enumerate(changes, start=grid.seq + 1):
            change.seq = seq
        self._is_committing = True
        self._sent = changes
        self._slow = send_after(SLOW_WRITE, self.ref, _Slow(changes))
        cast(self._store, Append(changes, self._wall_clock(), self.ref))

    def _commit_more(self, error: StoreError | None) -> None:
        self._is_committing = False
        if self._slow is not None:
            self._slow.cancel()
        if self._is_refusing and error is None:
            log.info("canvas.committed_again", seq=self._loaded().seq)
        self._is_refusing = error is not None
        for from_, count in self._committing:
            reply(from_, count if error is None else error)
        self._committing, self._sent = [], []
        if self._painted:
            self._tick.request()
