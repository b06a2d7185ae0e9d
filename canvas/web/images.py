"""One process with a thread of its own: encodes pictures, which would hold up everybody else."""

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
"""Bytes of encoded pictures that are kept; one that is larger is made again for the next who ask."""


@shown()
@dataclass(frozen=True, slots=True)
class EncodePng:
    """Call: the picture as PNG; of every `step`-th pixel of every `step`-th row. Answered with `Png`.

    The answer may be of a later picture of the same epoch, that somebody else has brought.
    """

    picture: Picture
    step: int = 1


@shown()
@dataclass(frozen=True, slots=True)
class DrawRollback:
    """Call: a picture now and as it would be. Answered with `BeforeAfter`; None if nothing would look different."""

    picture: Picture
    plan: RollbackPlan


@shown("epoch", "seq")
@dataclass(frozen=True, slots=True)
class Png:
    """The canvas of an `epoch` after change `seq`, encoded."""

    epoch: str
    seq: int
    content: bytes


_Asked: TypeAlias = tuple[str, int]
"""The epoch of a picture, since the numbers of two epochs cannot be compared, and the step."""


@shown()
@dataclass(frozen=True, slots=True)
class _Encode:
    """To itself: encode what is asked for of a canvas. Those who ask until it comes to that share the answer."""

    asked: _Asked


class Images(BlockingServer):
    """Encodes pictures, each once, for all who ask for it or for an earlier one of the same canvas.

    Args (of `init`):
        meter: of the pictures that it keeps
    """

    def init(self, meter: Meter) -> None:
        self._meter = meter
        self._asked: dict[_Asked, list[Call]] = {}
        self._kept: dict[int, Png] = {}
        self._meter.used = 0

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Hand out a picture, or have it encoded when all who ask now have been heard."""
        if isinstance(request, DrawRollback):
            return draw(request.picture.grid, request.plan)
        if not isinstance(request, EncodePng):
            return super().handle_call(request, from_)
        kept = self._kept.get(request.step)
        if kept is not None and _is_of(kept, request.picture):
            return kept
        asked = request.picture.epoch, request.step
        if asked not in self._asked:
            self._asked[asked] = []
            self.ref.tell(_Encode(asked))
        self._asked[asked].append(from_)
        return NO_REPLY

    def handle_info(self, message: Any) -> Any:
        """Encode the latest picture that those who still wait have brought."""
        if not isinstance(message, _Encode):
            return super().handle_info(message)
        callers = [caller for caller in self._asked.pop(message.asked) if not caller.is_given_up()]
        if callers:
            latest = max((caller.request for caller in callers), key=lambda request: request.picture.grid.seq)
            answer = self._encode(latest)
            for caller in callers:
                reply(caller, answer)
        return None

    def _encode(self, request: EncodePng) -> Png:
        grid = request.picture.grid
        encoded = Png(request.picture.epoch, grid.seq, png.encode(grid, request.step))
        self._kept.pop(request.step, None)
        if len(encoded.content) <= self._meter.most:
            self._kept[request.step] = encoded
        while self._count() > self._meter.most:
            del self._kept[next(iter(self._kept))]
        self._meter.used = self._count()
        return encoded

    def _count(self) -> int:
        return sum(len(kept.content) for kept in self._kept.values())


def _is_of(encoded: Png, picture: Picture) -> bool:
    return (encoded.epoch, encoded.seq) == (picture.epoch, picture.grid.seq)
