"""One process: the single writer of the grid.

A pixel's way: `Paint` -> the batch of this tick -> the store -> `Committed` -> grid -> broadcaster. Nothing is shown
before it is committed, and everybody sees the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from actors import NO_REPLY, Call, GenServer, Target, call, cast, reply
from actors.log import get_logger
from canvas.broadcaster import Began, Changed, Refuse
from canvas.encoder import Encode, NeedStates
from canvas.grid import Change, Grid
from canvas.recent import REMEMBERED
from canvas.store import Append, Committed, Load, Rejected, StoreError
from canvas.tick import Tick

log = get_logger("canopy.canvas")


@dataclass(frozen=True, slots=True)
class Paint:
    """Cast: paint these pixels, in this order."""

    changes: list[Change]


@dataclass(frozen=True, slots=True)
class GetPicture:
    """Call: all colours. Answered with `Picture`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The canvas after the last change in `grid`, which is nobody else's."""

    epoch: str
    grid: Grid


@dataclass(frozen=True, slots=True)
class Restore:
    """Call: paint these pixels, but only those that still have the colour in `seen`, in the same order.

    Answered when they are committed, with how many they were, or with the `StoreError` that came instead.
    """

    changes: list[Change]
    seen: list[int]


@dataclass(frozen=True, slots=True)
class GetStatus:
    """Call: how far the canvas has come. Answered with `CanvasStatus`."""


@dataclass(frozen=True, slots=True)
class CanvasStatus:
    """The last committed change, and how many pixels wait for the store."""

    epoch: str
    seq: int
    waiting: int


class _Flush:
    def __repr__(self) -> str:
        return "FLUSH"


FLUSH: Final = _Flush()

MAX_WAITING = 100_000
"""Painted pixels that wait for the store; more are refused at once."""


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
        loaded = await call(store, Load(recent=REMEMBERED), timeout=None)  # it takes longer the larger the canvas is
        self._store = store
        self._encoder = encoder
        self._broadcaster = broadcaster
        self._wall_clock = wall_clock
        self._epoch: str = loaded.epoch
        self._grid = loaded.grid
        self._painted: list[Change] = []
        self._waiting: list[tuple[Call, int]] = []  # who asked for some of what is painted, and for how many
        self._committing: list[tuple[Call, int]] = []
        self._is_committing = False
        self._is_refusing = False
        self._tick = Tick(self.ref, tick, FLUSH)
        cast(broadcaster, Began(self._epoch, self._grid.seq, loaded.recent))

    def handle_cast(self, request: Any) -> Any:
        """Collect what is painted, or have states of the canvas encoded."""
        if type(request) is Paint:
            self._paint(request.changes)
        elif type(request) is NeedStates:
            cast(self._encoder, Encode(self._grid.copy(), self._epoch, request.wants, self._broadcaster))
        else:
            return super().handle_cast(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Commit a batch, or show what has been committed."""
        if message is FLUSH:
            self._tick.begin()
            self._flush()
        elif type(message) is Committed:
            self._grid.apply(message.changes)
            cast(self._broadcaster, Changed(message.changes))
            self._commit_more(None)
        elif type(message) is Rejected:
            if not self._is_refusing:
                log.error("canvas.not_committed", changes=len(message.changes), error=message.error)
            cast(self._broadcaster, Refuse(message.changes, str(message.error)))
            self._commit_more(message.error)
        else:
            return super().handle_info(message)
        return None

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Hand out the picture, tell what waits, or paint with an answer."""
        if isinstance(request, GetPicture):
            return Picture(self._epoch, self._grid.copy())
        if isinstance(request, GetStatus):
            return CanvasStatus(self._epoch, self._grid.seq, len(self._painted))
        if isinstance(request, Restore):
            return self._restore(request, from_)
        return super().handle_call(request, from_)

    def _paint(self, changes: list[Change]) -> None:
        if len(self._painted) + len(changes) > MAX_WAITING:
            cast(self._broadcaster, Refuse(changes, f"{len(self._painted)} pixels wait for the store"))
            return
        self._painted.extend(changes)
        if not self._is_committing:
            self._tick.request()

    def _restore(self, request: Restore, from_: Call) -> Any:
        color = self._grid.color
        pairs = zip(request.changes, request.seen, strict=True)
        changes = [change for change, seen in pairs if color(change.x, change.y) == seen]
        if not changes:
            return 0
        self._painted.extend(changes)
        self._waiting.append((from_, len(changes)))
        if not self._is_committing:
            self._tick.request()
        return NO_REPLY

    def _flush(self) -> None:
        changes, self._painted = self._painted, []
        self._committing, self._waiting = self._waiting, []
        for seq, change in enumerate(changes, start=self._grid.seq + 1):
            change.seq = seq
        self._is_committing = True
        cast(self._store, Append(changes, self._wall_clock(), self.ref))

    def _commit_more(self, error: StoreError | None) -> None:
        self._is_committing = False
        if self._is_refusing and error is None:
            log.info("canvas.committed_again", seq=self._grid.seq)
        self._is_refusing = error is not None
        for from_, count in self._committing:
            reply(from_, count if error is None else error)
        self._committing = []
        if self._painted:
            self._tick.request()
