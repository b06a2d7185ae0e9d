"""One process with a thread of its own: encodes states of the canvas for those who need one whole."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from actors import Target, cast
from actors.blocking import BlockingServer
from actors.shown import shown
from canvas import binary, messages
from canvas.area import Area, tile_area
from canvas.codec import BINARY, Codec
from canvas.grid import Grid, Tile, rgb
from canvas.pixels_json import pixels_json
from protocol import SharedMessage, Variant

MAX_STATE = 128 * 1024 * 1024
"""Bytes above which a state is not sent: whoever wants one has to subscribe to a part."""


@shown("area", "known")
@dataclass(frozen=True, slots=True)
class Want:
    """A state that somebody needs.

    Attributes:
        codec: in which way
        area: of which part; None for all
        known: the part that the client knows already
        variant: how it is compressed; binary states are so by themselves
    """

    codec: Codec
    area: Area | None
    known: Area | None
    variant: Variant | None


@shown()
@dataclass(frozen=True, slots=True)
class NeedStates:
    """Cast to the canvas: have the encoder encode these states of the canvas as it is."""

    wants: tuple[Want, ...]


@shown("epoch", "grid", "wants")
@dataclass(frozen=True, slots=True)
class Encode:
    """Cast: encode these states of `grid`, and cast `Encoded` to `reply_to`. The grid is nobody else's."""

    grid: Grid
    epoch: str
    wants: tuple[Want, ...]
    reply_to: Target


@shown("epoch", "seq")
@dataclass(frozen=True, slots=True)
class Encoded:
    """Cast: the frames of the states after change `seq`; None for one that would be too large."""

    epoch: str
    seq: int
    frames: dict[Want, bytes | None] = field(repr=False)


class TooLarge(Exception):
    """A state has more than `MAX_STATE` bytes."""


class Encoder(BlockingServer):
    """Encodes states. Keeps the tiles that it has compressed: those that have not changed are not compressed again."""

    def init(self) -> None:
        self._tiles: dict[int, tuple[ref[Tile], bytes]] = {}

    def handle_cast(self, request: Any) -> Any:
        """Encode states."""
        if not isinstance(request, Encode):
            return super().handle_cast(request)
        frames = {want: self._frames(request, want) for want in request.wants}
        cast(request.reply_to, Encoded(request.epoch, request.grid.seq, frames))
        return None

    def _frames(self, request: Encode, want: Want) -> bytes | None:
        try:
            if want.codec is BINARY:
                return SharedMessage.binary(self._binary(request.grid, want)).plain
            return SharedMessage.text(_json(request.grid, request.epoch, want)).encoded(want.variant)
        except TooLarge:
            return None

    def _binary(self, grid: Grid, want: Want) -> bytes:
        area, known = want.area or grid.whole, want.known
        tiles, size = [], 0
        for number in area.tiles(grid.columns):
            if known is not None and known.covers(tile_area(number, grid.width, grid.height)):
                continue
            deflated = self._deflated(grid, number)
            size += len(deflated)
            if size > MAX_STATE:
                raise TooLarge
            if deflated or known is not None:
                tiles.append((number, deflated))
        return binary.server_snapshot(grid.seq, area, tiles, is_whole=known is None)

    def _deflated(self, grid: Grid, number: int) -> bytes:
        tile = grid.tile(number)
        if tile is None:
            return b""
        kept = self._tiles.get(number)
        if kept is None or kept[0]() is not tile:
            kept = self._tiles[number] = ref(tile), zlib.compress(rgb(tile))
        return kept[1]


def _json(grid: Grid, epoch: str, want: Want) -> bytes:
    area = want.area or grid.whole
    parts, size = [], 0
    for number in area.tiles(grid.columns):
        if grid.tile(number) is None:
            continue
        part = _common(tile_area(number, grid.width, grid.height), area)
        parts.append(pixels_json(grid.colors_in(part), grid.background, part.x, part.y))
        size += len(parts[-1])
        if size > MAX_STATE:
            raise TooLarge
    return messages.server_canvas_state(b",".join(filter(None, parts)), epoch, grid.seq, want.area)


def _common(one: Area, other: Area) -> Area:
    """What two areas that touch have in common."""
    x, y = max(one.x, other.x), max(one.y, other.y)
    right, bottom = min(one.x + one.width, other.x + other.width), min(one.y + one.height, other.y + other.height)
    return Area(x, y, right - x, bottom - y)
