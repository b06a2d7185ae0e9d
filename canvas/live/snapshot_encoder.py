"""One process with its own thread: encodes snapshots of the canvas."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from actors import Target, cast
from actors.blocking import BlockingServer
from actors.shown import shown
from canvas.board.area import Area, tile_area
from canvas.board.grid import Grid, Tile, rgb
from canvas.live.held import Meter
from canvas.messages.binary_codec import BINARY, encode_snapshot
from canvas.messages.codec import Codec
from canvas.messages.json_codec import encode_canvas_state
from canvas.messages.json_pixels import pixels_json
from protocol import SharedMessage, Variant

MAX_SNAPSHOT = 128 * 1024 * 1024
"""Maximum size of a snapshot in bytes. If the canvas has a larger one, clients must subscribe to a part."""
MAX_TILES = MAX_SNAPSHOT
"""Bytes of compressed tiles that are cached: enough for the largest snapshot."""


@shown("area", "known")
@dataclass(frozen=True, slots=True)
class SnapshotKey:
    """Identifies a snapshot that viewers need: those with the same key share one encoding.

    Attributes:
        codec: the codec of the client
        area: the area to show; None for the whole canvas
        known: the area that a binary client knows already, whose tiles are left out; None for a whole snapshot
        variant: the compression of the frames; None in binary, whose tiles are compressed already
    """

    codec: Codec
    area: Area | None
    known: Area | None
    variant: Variant | None


@shown()
@dataclass(frozen=True, slots=True)
class NeedSnapshots:
    """Cast to the canvas: request these snapshots of the current canvas from the encoder."""

    keys: tuple[SnapshotKey, ...]


@shown("epoch", "grid", "keys")
@dataclass(frozen=True, slots=True)
class Encode:
    """Cast: encode these snapshots of `grid`, and cast `Encoded` to `reply_to`. The encoder owns `grid`."""

    grid: Grid
    epoch: str
    keys: tuple[SnapshotKey, ...]
    reply_to: Target


@shown("epoch", "seq")
@dataclass(frozen=True, slots=True)
class Encoded:
    """Cast to the broadcaster: the frames of snapshots at `seq`; None for a snapshot that would be too large."""

    epoch: str
    seq: int
    frames: dict[SnapshotKey, bytes | None] = field(repr=False)


class TooLarge(Exception):
    """A snapshot exceeds `MAX_SNAPSHOT` bytes."""


class Tiles:
    """A cache of compressed tiles, so that unchanged tiles are not compressed again.

    Args:
        meter: limits the bytes in the cache, and shows them
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._meter.used = 0
        self._kept: OrderedDict[int, tuple[ref[Tile], bytes]] = OrderedDict()  # the most recently used comes last

    def deflated(self, number: int, tile: Tile) -> bytes:
        """Return a tile compressed; `number` is its position on the canvas."""
        kept = self._kept.pop(number, None)
        if kept is None or kept[0]() is not tile:
            self._meter.used -= 0 if kept is None else len(kept[1])
            kept = ref(tile), zlib.compress(rgb(tile))
            self._meter.used += len(kept[1])
        self._kept[number] = kept
        while self._meter.used > self._meter.most:
            self._meter.used -= len(self._kept.popitem(last=False)[1][1])
        return kept[1]


class SnapshotEncoder(BlockingServer):
    """Encodes snapshots.

    Args (of `init`):
        meter: for its cache of compressed tiles
    """

    def init(self, meter: Meter) -> None:
        self._tiles = Tiles(meter)

    def handle_cast(self, request: Any) -> Any:
        """Encode snapshots."""
        if not isinstance(request, Encode):
            return super().handle_cast(request)
        frames = {key: self._frames(request, key) for key in request.keys}
        cast(request.reply_to, Encoded(request.epoch, request.grid.seq, frames))
        return None

    def _frames(self, request: Encode, key: SnapshotKey) -> bytes | None:
        try:
            if key.codec is BINARY:
                return SharedMessage.binary(self._binary(request.grid, key)).plain
            return SharedMessage.text(_json(request.grid, request.epoch, key)).encoded(key.variant)
        except TooLarge:
            return None

    def _binary(self, grid: Grid, key: SnapshotKey) -> bytes:
        area, known = key.area or grid.whole, key.known
        tiles, size = [], 0
        for number in area.tiles(grid.columns):
            if known is not None and known.covers(tile_area(number, grid.width, grid.height)):
                continue
            deflated = self._deflated(grid, number)
            size += len(deflated)
            if size > MAX_SNAPSHOT:
                raise TooLarge
            if deflated or known is not None:
                tiles.append((number, deflated))
        return encode_snapshot(grid.seq, area, tiles, is_whole=known is None)

    def _deflated(self, grid: Grid, number: int) -> bytes:
        tile = grid.tile(number)
        return b"" if tile is None else self._tiles.deflated(number, tile)


def _json(grid: Grid, epoch: str, key: SnapshotKey) -> bytes:
    area = key.area or grid.whole
    parts, size = [], 0
    for number in area.tiles(grid.columns):
        if grid.tile(number) is None:
            continue
        part = _common(tile_area(number, grid.width, grid.height), area)
        parts.append(pixels_json(grid.colors_in(part), grid.background, part.x, part.y))
        size += len(parts[-1])
        if size > MAX_SNAPSHOT:
            raise TooLarge
    return encode_canvas_state(b",".join(filter(None, parts)), epoch, grid.seq, key.area)


def _common(one: Area, other: Area) -> Area:
    """Return the intersection of two areas that touch."""
    x, y = max(one.x, other.x), max(one.y, other.y)
    right, bottom = min(one.x + one.width, other.x + other.width), min(one.y + one.height, other.y + other.height)
    return Area(x, y, right - x, bottom - y)
