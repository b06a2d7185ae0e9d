"""Pure. Rectangles of a canvas."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Area:
    """The pixels from (x, y), `width` to the right and `height` down."""

    x: int
    y: int
    width: int
    height: int
