"""One process with a thread of its own: encodes pictures, which would hold up everybody else."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from actors import Call
from actors.blocking import BlockingServer
from canvas.canvas import Picture


@dataclass(frozen=True, slots=True)
class EncodePng:
    """Call: the picture as PNG."""

    picture: Picture


class Images(BlockingServer):
    """Encodes pictures. Keeps the last one: whoever asks between two changes gets the same bytes."""

    def init(self) -> None:
        self._last: tuple[tuple[str, int], bytes] | None = None

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Encode a picture."""
        if not isinstance(request, EncodePng):
            return super().handle_call(request, from_)
        grid = request.picture.grid
        key = (request.picture.epoch, grid.seq)
        if self._last is None or self._last[0] != key:
            image = Image.frombytes("RGB", (grid.width, grid.height), grid.rgb())
            png = io.BytesIO()
            image.save(png, "PNG", compress_level=3)
            self._last = (key, png.getvalue())
        return self._last[1]
