"""One process with a thread of its own: encodes pictures, which would hold up everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors import NO_REPLY, Call, reply
from actors.blocking import BlockingServer
from actors.shown import shown
from canvas import png
from canvas.canvas import Picture

MAX_KEPT = 32 * 1024 * 1024
"""Bytes of encoded pictures that are kept; one that is larger is made again for the next who ask."""


@shown()
@dataclass(frozen=True, slots=True)
class EncodePng:
    """Call: the picture as PNG; of every `step`-th pixel of every `step`-th row. Answered with `Png`.

    The answer may be of a later picture, that somebody else has brought.
    """

    picture: Picture
    step: int = 1


@shown("epoch", "seq")
@dataclass(frozen=True, slots=True)
class Png:
    """The canvas of an `epoch` after change `seq`, encoded."""

    epoch: str
    seq: int
    content: bytes


@shown()
@dataclass(frozen=True, slots=True)
class _Encode:
    """To itself: encode what is asked for with a step. Those who ask until it comes to that share the answer."""

    step: int


class Images(BlockingServer):
    """Encodes pictures, each once, for all who ask for it or for an earlier one."""

    def init(self) -> None:
        self._asked: dict[int, list[Call]] = {}
        self._kept: dict[int, Png] = {}

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Hand out a picture, or have it encoded when all who ask now have been heard."""
        if not isinstance(request, EncodePng):
            return super().handle_call(request, from_)
        kept = self._kept.get(request.step)
        if kept is not None and _is_of(kept, request.picture):
            return kept
        if request.step not in self._asked:
            self._asked[request.step] = []
            self.ref.tell(_Encode(request.step))
        self._asked[request.step].append(from_)
        return NO_REPLY

    def handle_info(self, message: Any) -> Any:
        """Encode the latest picture that those who still wait have brought."""
        if not isinstance(message, _Encode):
            return super().handle_info(message)
        callers = [caller for caller in self._asked.pop(message.step) if not caller.is_given_up()]
        if callers:
            answer = self._encode(max((caller.request for caller in callers), key=lambda asked: asked.picture.grid.seq))
            for caller in callers:
                reply(caller, answer)
        return None

    def _encode(self, request: EncodePng) -> Png:
        grid = request.picture.grid
        encoded = Png(request.picture.epoch, grid.seq, png.encode(grid, request.step))
        self._kept.pop(request.step, None)
        if len(encoded.content) <= MAX_KEPT:
            self._kept[request.step] = encoded
        while sum(len(kept.content) for kept in self._kept.values()) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return encoded


def _is_of(encoded: Png, picture: Picture) -> bool:
    return (encoded.epoch, encoded.seq) == (picture.epoch, picture.grid.seq)
