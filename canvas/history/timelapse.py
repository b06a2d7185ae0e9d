"""Pure, except for writing the file. A timelapse: an animation of a canvas over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image

from canvas.board.grid import Grid
from canvas.history import apng
from canvas.store import Reader

FORMATS = {".gif": "GIF", ".png": "PNG", ".webp": "WEBP"}
LARGEST = 1_024
"""Pixels on the longer side of a frame. A larger canvas is scaled down by an integer factor."""


BYTES_KEPT = {"GIF": 1.1, "PNG": 0, "WEBP": 7.7}
"""Bytes of memory per pixel of each frame: Pillow holds all frames at once. Measured at 1,024 x 1,024."""


def memory(width: int, height: int, kind: str, count: int) -> float:
    """Estimate the bytes of memory that writing `count` frames of a canvas takes."""
    factor = _factor(width, height)
    return BYTES_KEPT[kind] * count * (width // factor) * (height // factor)


def frames(reader: Reader, since: float, until: float, count: int) -> Iterator[Image.Image]:
    """Yield the canvas at `count` evenly spaced times from `since` to `until` (seconds since 1970)."""
    grid = reader.grid(reader.seq_at(since))
    for moment in np.linspace(since, until, count).tolist():
        for chunk in reader.chunks(grid.seq, reader.seq_at(moment)):
            records = chunk.records
            grid.apply_columns(records["x"], records["y"], records["color"])
        yield _scaled(picture(grid))


def picture(grid: Grid) -> Image.Image:
    """Render a canvas at its own size."""
    return Image.frombytes("RGB", (grid.width, grid.height), grid.rgb())


def write(file: IO[bytes], kind: str, images: Iterator[Image.Image], count: int, fps: float) -> None:
    """Write frames as an animation that loops endlessly.

    Args:
        file: the file to write to
        kind: one of the values of `FORMATS`
        images: the frames, at least one
        count: the number of frames
        fps: frames per second; a GIF rounds the time between frames to hundredths of a second

    Raises:
        OSError: if the file cannot be written.
    """
    if kind == "PNG":
        file.writelines(apng.encode(images, count, round(1000 / fps)))
        return
    options = {"lossless": True} if kind == "WEBP" else {}
    first = next(images)
    first.save(file, kind, save_all=True, append_images=images, duration=1000 / fps, loop=0, **options)


def _scaled(image: Image.Image) -> Image.Image:
    factor = _factor(*image.size)
    return image if factor == 1 else image.reduce(factor)


def _factor(width: int, height: int) -> int:
    return -(-max(width, height) // LARGEST)
