"""Pure. Rectangles of a canvas, and the tiles that divide it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from actors.shown import shown
from protocol import parse_index

SHIFT = 8
TILE = 1 << SHIFT
"""Width and height of a tile in pixels."""
MAX_NUMBER = 10**9 - 1
"""The largest number in the text of an area: a sum of two still fits into 32 bits."""


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
        """Parse `X,Y,WIDTH,HEIGHT`: numbers of up to nine digits, with or without spaces around them.

        Raises:
            ValueError: if `text` is not a valid area.
        """
        numbers = [parse_index(part.strip(" "), MAX_NUMBER) for part in text.split(",")]
        match numbers:
            case [int(x), int(y), int(width), int(height)] if width and height:
                return cls(x, y, width, height)
        raise ValueError(f"{text!r:.100} is not X,Y,WIDTH,HEIGHT in whole numbers")

    def __contains__(self, point: tuple[int, int]) -> bool:
        x, y = point
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height

    def tiles(self, columns: int) -> Iterator[int]:
        """Yield the numbers of the tiles that it touches, row by row, on a canvas with `columns` tiles in a row."""
        for row in range(self.y >> SHIFT, (self.y + self.height - 1 >> SHIFT) + 1):
            for column in range(self.x >> SHIFT, (self.x + self.width - 1 >> SHIFT) + 1):
                yield row * columns + column

    def touches(self, other: Area) -> bool:
        """Return whether the two areas have a pixel in common."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def count_tiles(self) -> int:
        """Return how many tiles it touches."""
        columns = (self.x + self.width - 1 >> SHIFT) - (self.x >> SHIFT) + 1
        return columns * ((self.y + self.height - 1 >> SHIFT) - (self.y >> SHIFT) + 1)

    def covers(self, tile: Area) -> bool:
        """Return whether it contains all of `tile`."""
        return (
            self.x <= tile.x
            and self.y <= tile.y
            and tile.x + tile.width <= self.x + self.width
            and tile.y + tile.height <= self.y + self.height
        )


def tile_area(number: int, width: int, height: int) -> Area:
    """Return the area of a tile on a canvas of `width` x `height`, clipped to the canvas."""
    row, column = divmod(number, columns_of(width))
    x, y = column << SHIFT, row << SHIFT
    return Area(x, y, min(TILE, width - x), min(TILE, height - y))


def columns_of(size: int) -> int:
    """Return how many tiles `size` pixels in a row take."""
    return (size + TILE - 1) >> SHIFT


def bits(numbers: Iterable[int]) -> int:
    """Return a set of small numbers as a bit set."""
    joined = 0
    for number in numbers:
        joined |= 1 << number
    return joined
