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

    @classmethod
    def parse(cls, text: str) -> Area:
        """Read `X,Y,WIDTH,HEIGHT`.

        Raises:
            ValueError: if it is none.
        """
        x, y, width, height = map(int, text.split(","))
        if x < 0 or y < 0 or width < 1 or height < 1:
            raise ValueError(f"{text!r} is no area of a canvas")
        return cls(x, y, width, height)

    def __contains__(self, point: tuple[int, int]) -> bool:
        x, y = point
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height
