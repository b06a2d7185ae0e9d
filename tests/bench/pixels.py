"""Pure. The canvas job of the other servers: reads a `pixel_update`, keeps the pixel, writes the `pixel_changed`.

It checks what Canopy checks, with the same JSON library, and gives the same text. It leaves out what costs Canopy
time and them nothing: rate limits, presence, the store and the numbering of what is durable.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

WIDTH: Final = 1_000
HEIGHT: Final = 1_000
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}\Z")


class Pixels:
    """A canvas."""

    def __init__(self) -> None:
        self.seq = 0
        self._colors: dict[tuple[int, int], str] = {}

    def paint(self, text: str | memoryview, user_id: str) -> bytes:
        """Take a client's message in; return what everybody is told.

        Raises:
            ValueError: if it is not a good `pixel_update`.
        """
        message = orjson.loads(text)
        match message:
            case {"type": "pixel_update", "x": int(x), "y": int(y), "color": str(color)}:
                if not (0 <= x < WIDTH and 0 <= y < HEIGHT and _COLOR.match(color)):
                    raise ValueError(f"out of bounds, or no colour: {message}")
            case _:
                raise ValueError(f"not a pixel_update: {message}")
        self._colors[x, y] = color
        self.seq += 1
        return b'{"type":"pixel_changed","x":%d,"y":%d,"color":"%s","user_id":"%s","seq":%d}' % (
            x,
            y,
            color.encode(),
            user_id.encode(),
            self.seq,
        )

    def greeting(self, user_id: str) -> tuple[bytes, bytes]:
        """Return the `welcome` and the `canvas_state` of a newcomer."""
        pixels = [{"x": x, "y": y, "color": color} for (x, y), color in self._colors.items()]
        welcome = {"type": "welcome", "user_id": user_id, "width": WIDTH, "height": HEIGHT, "seq": self.seq}
        return orjson.dumps(welcome), orjson.dumps({"type": "canvas_state", "seq": self.seq, "pixels": pixels})
