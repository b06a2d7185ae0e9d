"""Pure. The colours of a canvas, in tiles that copies share until they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.shown import shown
from canvas.board.area import SHIFT, TILE, Area, columns_of, tile_area

Tile = NDArray[np.uint32]
"""`TILE` x `TILE` colours. Beyond the edge of the canvas they are background."""

MAX_SIDE = 10_000
"""The most pixels that a canvas may have in a row or a column."""

_MASK = TILE - 1


@shown()
@dataclass(slots=True)
class Change:
    """One pixel that got a colour. Numbered without gaps by `seq` once it has been committed.

    Built for every painted pixel, so a plain slotted dataclass; treat it as a value.
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

    It takes memory for the tiles that were painted on, and copying it takes none: a tile is copied by whichever grid
    changes it next. So a copy may be read by another thread while the original goes on.
    """

    def __init__(self, width: int, height: int, background: int = 0xFFFFFF) -> None:
        self.width = width
        self.height = height
        self.background = background
        self.seq = 0
        self.columns = columns_of(width)
        count = self.columns * columns_of(height)
        self._tiles: list[Tile | None] = [None] * count
        self._own: list[memoryview | None] = [None] * count  # the cells of those that no other grid has

    def __repr__(self) -> str:
        return f"<grid of {self.width} x {self.height} after {self.seq}>"

    @classmethod
    def restored(cls, width: int, height: int, background: int, seq: int, bands: Iterable[NDArray[np.uint32]]) -> Grid:
        """A grid with the colours in `bands`: `TILE` rows each, and those that are left in the last one."""
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
        """Another grid with the same colours."""
        grid = Grid(self.width, self.height, self.background)
        grid.seq = self.seq
        grid._tiles = list(self._tiles)
        self._own = [None] * len(self._tiles)
        return grid

    def apply(self, changes: Sequence[Change]) -> None:
        """Take changes in, all or none; their `seq` follow on the grid's own.

        Raises:
            ValueError: if one of them does not.
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
        """Take many changes in at once that follow on the grid's own: their columns, oldest first."""
        numbers = (ys >> SHIFT).astype(np.int64) * self.columns + (xs >> SHIFT)
        # A stable sort keeps the changes of a pixel in order; of integers of 16 bits it takes linear time.
        order = np.argsort(numbers.astype(np.min_scalar_type(len(self._tiles) - 1)), kind="stable")
        numbers, colors = numbers[order], colors[order]
        cells = ((ys & _MASK).astype(np.int64) << SHIFT | (xs & _MASK))[order]
        ends = np.flatnonzero(np.diff(numbers, append=-1)) + 1
        start = 0
        for number, end in zip(numbers[ends - 1].tolist(), ends.tolist(), strict=True):
            self._make_own(number)
            # Of a pixel that comes twice, NumPy leaves the last.
            self._tiles[number].reshape(-1)[cells[start:end]] = colors[start:end]
            start = end
        self.seq += len(xs)

    def color(self, x: int, y: int) -> int:
        """The colour of one pixel."""
        tile = self._tiles[(y >> SHIFT) * self.columns + (x >> SHIFT)]
        return self.background if tile is None else int(tile[y & _MASK, x & _MASK])

    def tile(self, number: int) -> Tile | None:
        """A tile, to be read only; None if nobody has painted there.

        It is another array after a change, once this grid has been copied: the same array has the same colours.
        """
        return self._tiles[number]

    def painted_tiles(self) -> Iterator[int]:
        """The numbers of the tiles that somebody has painted on."""
        return (number for number, tile in enumerate(self._tiles) if tile is not None)

    @property
    def whole(self) -> Area:
        """All of the canvas."""
        return Area(0, 0, self.width, self.height)

    @property
    def colors(self) -> NDArray[np.uint32]:
        """All colours, row by row; a copy."""
        return self.colors_in(self.whole)

    def colors_in(self, area: Area) -> NDArray[np.uint32]:
        """The colours of an area, row by row; a copy."""
        colors: NDArray[np.uint32] = np.full((area.height, area.width), self.background, dtype=np.uint32)
        for number in area.tiles(self.columns):
            tile = self._tiles[number]
            if tile is None:
                continue
            row, column = divmod(number, self.columns)
            x, y = (column << SHIFT) - area.x, (row << SHIFT) - area.y  # of the tile in the area
            left, top = max(0, x), max(0, y)
            part = tile[top - y : area.height - y, left - x : area.width - x]
            colors[top : top + part.shape[0], left : left + part.shape[1]] = part
        return colors

    def bands(self, step: int = 1) -> Iterator[NDArray[np.uint32]]:
        """Every `step`-th colour of every `step`-th row, some rows at a time: the canvas seen from afar."""
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
        """The colours as bytes, three for each pixel, row by row."""
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
    """Colours as bytes, three for each pixel, row by row."""
    height, width = colors.shape
    big_endian = colors.astype(">u4").view(np.uint8).reshape(height, width, 4)
    return big_endian[:, :, 1:].tobytes()
