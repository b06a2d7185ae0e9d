"""Pure. The colours of a canvas, in tiles that copies share until one of them changes (copy-on-write)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.shown import shown
from canvas.board.area import SHIFT, TILE, Area, columns_of, tile_area

Tile = NDArray[np.uint32]
"""`TILE` x `TILE` colours, 0xRRGGBB. Pixels beyond the edge of the canvas have the background colour."""

MAX_SIDE = 10_000
"""Maximum width and height of a canvas in pixels."""

_MASK = TILE - 1


@shown()
@dataclass(slots=True)
class Change:
    """One pixel that got a colour. Committed changes are numbered by `seq` without gaps.

    One is built for every painted pixel, so this is a plain slotted dataclass; treat it as a value.
    """

    x: int
    y: int
    color: int
    """0xRRGGBB."""
    user_id: str
    seq: int = 0


@shown("background", "height", "seq", "width")
class Grid:
    """`height` rows of `width` colours, 0xRRGGBB, and the `seq` of the last change in it.

    Only painted tiles take memory. A copy takes none: copies share tiles, and the first grid to change one copies it.
    So another thread can read a copy while the original changes.
    """

    def __init__(self, width: int, height: int, background: int = 0xFFFFFF) -> None:
        self.width = width
        self.height = height
        self.background = background
        self.seq = 0
        self.columns = columns_of(width)
        count = self.columns * columns_of(height)
        self._tiles: list[Tile | None] = [None] * count
        self._own: list[memoryview | None] = [None] * count  # the pixels of unshared tiles

    def __repr__(self) -> str:
        return f"<grid of {self.width} x {self.height} after {self.seq}>"

    @classmethod
    def restored(cls, width: int, height: int, background: int, seq: int, bands: Iterable[NDArray[np.uint32]]) -> Grid:
        """Return a grid with the colours in `bands`: each has `TILE` rows, the last one the remaining rows."""
        grid = cls(width, height, background)
        grid.seq = seq
        for first, band in zip(range(0, len(grid._tiles), grid.columns), bands, strict=True):
            for number in range(first, first + grid.columns):
                area = tile_area(number, width, height)
                part = band[:, area.x : area.x + area.width]
                if np.any(part != background):
                    grid._make_own(number)
                    grid._tiles[number][: area.height, : area.width] = part  # type: ignore[index]
        return grid

    def copy(self) -> Grid:
        """Return another grid with the same colours and `seq`, which shares all tiles until one of the two changes."""
        grid = Grid(self.width, self.height, self.background)
        grid.seq = self.seq
        grid._tiles = list(self._tiles)
        self._own = [None] * len(self._tiles)
        return grid

    def apply(self, changes: Sequence[Change]) -> None:
        """Apply changes, all or none. Their `seq` must follow the grid's without gaps.

        Raises:
            ValueError: if they do not.
        """
        if [change.seq for change in changes] != list(range(self.seq + 1, self.seq + 1 + len(changes))):
            raise ValueError(f"changes {changes[0].seq} to {changes[-1].seq} cannot follow {self.seq}")
        own, columns = self._own, self.columns
        for change in changes:
            x, y = change.x, change.y
            number = (y >> SHIFT) * columns + (x >> SHIFT)
            cells = own[number]
            if cells is None:
                cells = self._make_own(number)
            cells[(y & _MASK) << SHIFT | x & _MASK] = change.color
        self.seq += len(changes)

    def apply_columns(self, xs: NDArray[Any], ys: NDArray[Any], colors: NDArray[Any]) -> None:
        """Apply many changes that follow the grid's `seq`, given as parallel arrays, oldest first."""
        numbers = (ys >> SHIFT).astype(np.int64) * self.columns + (xs >> SHIFT)
        # A stable sort keeps the changes of a pixel in order, and takes linear time for integers of 16 bits.
        order = np.argsort(numbers.astype(np.min_scalar_type(len(self._tiles) - 1)), kind="stable")
        numbers, colors = numbers[order], colors[order]
        cells = ((ys & _MASK).astype(np.int64) << SHIFT | (xs & _MASK))[order]
        ends = np.flatnonzero(np.diff(numbers, append=-1)) + 1
        start = 0
        for number, end in zip(numbers[ends - 1].tolist(), ends.tolist(), strict=True):
            self._make_own(number)
            # If an index occurs twice, NumPy keeps the last value.
            self._tiles[number].reshape(-1)[cells[start:end]] = colors[start:end]
            start = end
        self.seq += len(xs)

    def color(self, x: int, y: int) -> int:
        """Return the colour of one pixel."""
        tile = self._tiles[(y >> SHIFT) * self.columns + (x >> SHIFT)]
        return self.background if tile is None else int(tile[y & _MASK, x & _MASK])

    def tile(self, number: int) -> Tile | None:
        """Return a tile, which the caller must not change; None if it was never painted.

        Once the grid has been copied, a change to the tile replaces the array: the same array has the same colours.
        """
        return self._tiles[number]

    @property
    def whole(self) -> Area:
        """The area of the whole canvas."""
        return Area(0, 0, self.width, self.height)

    @property
    def colors(self) -> NDArray[np.uint32]:
        """All colours, row by row, as a copy."""
        return self.colors_in(self.whole)

    def colors_in(self, area: Area) -> NDArray[np.uint32]:
        """Return the colours of an area, row by row, as a copy."""
        colors: NDArray[np.uint32] = np.full((area.height, area.width), self.background, dtype=np.uint32)
        for number in area.tiles(self.columns):
            tile = self._tiles[number]
            if tile is None:
                continue
            row, column = divmod(number, self.columns)
            x, y = (column << SHIFT) - area.x, (row << SHIFT) - area.y  # position of the tile within the area
            left, top = max(0, x), max(0, y)
            part = tile[top - y : area.height - y, left - x : area.width - x]
            colors[top : top + part.shape[0], left : left + part.shape[1]] = part
        return colors

    def bands(self, step: int = 1) -> Iterator[NDArray[np.uint32]]:
        """Yield every `step`-th pixel of every `step`-th row, a row of tiles at a time: the canvas scaled down."""
        for first in range(0, len(self._tiles), self.columns):
            top = tile_area(first, self.width, self.height)
            rows = range(-top.y % step, top.height, step)
            colors: NDArray[np.uint32] = np.full((len(rows), -(-self.width // step)), self.background, np.uint32)
            for number in range(first, first + self.columns):
                tile, area = self._tiles[number], tile_area(number, self.width, self.height)
                if tile is not None:
                    part = tile[rows.start : rows.stop : step, -area.x % step : area.width : step]
                    x = -(-area.x // step)
                    colors[:, x : x + part.shape[1]] = part
            yield colors

    def rgb(self) -> bytes:
        """Return the colours as bytes, three per pixel (red, green, blue), row by row."""
        return rgb(self.colors)

    def _make_own(self, number: int) -> memoryview:
        cells = self._own[number]
        if cells is None:
            shared = self._tiles[number]
            tile = np.full((TILE, TILE), self.background, dtype=np.uint32) if shared is None else shared.copy()
            self._tiles[number] = tile
            cells = self._own[number] = tile.reshape(-1).data
        return cells


def rgb(colors: NDArray[np.uint32]) -> bytes:
    """Return colours as bytes, three per pixel (red, green, blue), row by row."""
    height, width = colors.shape
    big_endian = colors.astype(">u4").view(np.uint8).reshape(height, width, 4)
    return big_endian[:, :, 1:].tobytes()
