"""One process with a thread of its own: encodes pictures, which would hold up everybody else."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from actors import Call
from actors.blocking import BlockingServer
from canvas.canvas import Picture
from canvas.grid import rgb


@dataclass(frozen=True, slots=True)
class EncodePng:
    """Call: the picture as PNG; of every `step`-th pixel of every `step`-th row."""

    picture: Picture
    step: int = 1


class Images(BlockingServer):
    """Encodes pictures. Keeps the last of each size: whoever asks between two changes gets the same bytes."""

    def init(self) -> None:
        self._last: dict[int, tuple[tuple[str, int], bytes]] = {}

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Encode a picture."""
        if not isinstance(request, EncodePng):
            return super().handle_call(request, from_)
        grid, step = request.picture.grid, request.step
        key = (request.picture.epoch, grid.seq)
        last = self._last.get(step)
        if last is None or last[0] != key:
            colors = grid.sampled(step)
            image = Image.frombytes("RGB", colors.shape[::-1], rgb(colors))
            png = io.BytesIO()
            image.save(png, "PNG", compress_level=3)
            last = self._last[step] = (key, png.getvalue())
        return last[1]
