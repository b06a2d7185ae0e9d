"""Pure. Rectangles of a canvas, and the tiles that it is cut into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from actors.shown import shown

SHIFT = 8
TILE = 1 << SHIFT
"""Pixels on each side of a tile."""


@shown()
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

    def tiles(self, columns: int) -> Iterator[int]:
        """The numbers of the tiles that it touches, row by row, on a canvas of `columns` tiles in a row."""
        for row in range(self.y >> SHIFT, (self.y + self.height - 1 >> SHIFT) + 1):
            for column in range(self.x >> SHIFT, (self.x + self.width - 1 >> SHIFT) + 1):
                yield row * columns + column

    def touches(self, other: Area) -> bool:
        """Whether they have a pixel in common."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def count_tiles(self) -> int:
        """How many tiles it touches."""
        columns = (self.x + self.width - 1 >> SHIFT) - (self.x >> SHIFT) + 1
        return columns * ((self.y + self.height - 1 >> SHIFT) - (self.y >> SHIFT) + 1)

    def covers(self, tile: Area) -> bool:
        """Whether all of `tile` is in it."""
        return (
            self.x <= tile.x
            and self.y <= tile.y
            and tile.x + tile.width <= self.x + self.width
            and tile.y + tile.height <= self.y + self.height
        )


def tile_area(number: int, width: int, height: int) -> Area:
    """The pixels of a tile of a canvas of `width` x `height`."""
    row, column = divmod(number, columns_of(width))
    x, y = column << SHIFT, row << SHIFT
    return Area(x, y, min(TILE, width - x), min(TILE, height - y))


def columns_of(size: int) -> int:
    """How many tiles `size` pixels need."""
    return (size + TILE - 1) >> SHIFT


def bits(numbers: Iterable[int]) -> int:
    """A set of small numbers as one integer."""
    joined = 0
    for number in numbers:
        joined |= 1 << number
    return joined
