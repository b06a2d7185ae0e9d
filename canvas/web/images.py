"""One process with a thread of its own: encodes pictures, which would block the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from actors import NO_REPLY, Call, reply
from actors.blocking import BlockingServer
from actors.shown import shown
from canvas.board import png
from canvas.history.queries import RollbackPlan
from canvas.history.sides import draw
from canvas.live.canvas import Picture
from canvas.live.held import Meter

MAX_KEPT = 32 * 1024 * 1024
"""Size of the cache of encoded pictures, in bytes; a larger picture is not cached."""


@shown()
@dataclass(frozen=True, slots=True)
class EncodePng:
    """Call: encode every `step`-th pixel of every `step`-th row as a PNG. Answered with `Png`.

    The answer may be a later picture of the same epoch, from another caller's request.
    """

    picture: Picture
    step: int = 1


@shown()
@dataclass(frozen=True, slots=True)
class DrawRollback:
    """Call: draw the canvas before and after a rollback. Answered with `BeforeAfter`; None if it changes nothing."""

    picture: Picture
    plan: RollbackPlan


@shown("epoch", "seq")
@dataclass(frozen=True, slots=True)
class Png:
    """The encoded canvas of `epoch` after change `seq`."""

    epoch: str
    seq: int
    content: bytes


_ImageKey: TypeAlias = tuple[str, int]
"""The epoch of a picture and the step. The `seq` of two epochs cannot be compared."""


@shown()
@dataclass(frozen=True, slots=True)
class _Encode:
    """To itself: encode a requested picture. Callers that ask for the same key before then share the answer."""

    key: _ImageKey


class Images(BlockingServer):
    """Encodes each picture once, for all callers that wait for it or for an earlier one of the same epoch.

    Args (of `init`):
        meter: measures and limits the cache
    """

    def init(self, meter: Meter) -> None:
        self._meter = meter
        self._callers: dict[_ImageKey, list[Call]] = {}
        self._cached: dict[int, Png] = {}
        self._meter.used = 0

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Reply with a cached picture, or queue the request until the mailbox's current requests have been read."""
        if isinstance(request, DrawRollback):
            return draw(request.picture.grid, request.plan)
        if not isinstance(request, EncodePng):
            return super().handle_call(request, from_)
        kept = self._cached.get(request.step)
        if kept is not None and _is_of(kept, request.picture):
            return kept
        key = request.picture.epoch, request.step
        if key not in self._callers:
            self._callers[key] = []
            self.ref.tell(_Encode(key))
        self._callers[key].append(from_)
        return NO_REPLY

    def handle_info(self, message: Any) -> Any:
        """Encode the latest picture among the requests whose callers still wait, and reply to all of them."""
        if not isinstance(message, _Encode):
            return super().handle_info(message)
        callers = [caller for caller in self._callers.pop(message.key) if not caller.is_given_up()]
        if callers:
            latest = max((caller.request for caller in callers), key=lambda request: request.picture.grid.seq)
            answer = self._encode(latest)
            for caller in callers:
                reply(caller, answer)
        return None

    def _encode(self, request: EncodePng) -> Png:
        grid = request.picture.grid
        encoded = Png(request.picture.epoch, grid.seq, png.encode(grid, request.step))
        self._cached.pop(request.step, None)
        if len(encoded.content) <= self._meter.most:
            self._cached[request.step] = encoded
        while self._count() > self._meter.most:
            del self._cached[next(iter(self._cached))]
        self._meter.used = self._count()
        return encoded

    def _count(self) -> int:
        return sum(len(kept.content) for kept in self._cached.values())


def _is_of(encoded: Png, picture: Picture) -> bool:
    return (encoded.epoch, encoded.seq) == (picture.epoch, picture.grid.seq)
