"""Pure. Encodes an animated PNG (PNG 3rd edition §11.3.4) frame by frame: Pillow needs all frames in memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from PIL import Image, ImageChops

from canvas.board.png import SIGNATURE, chunk


def encode(images: Iterator[Image.Image], count: int, milliseconds: int) -> Iterator[bytes]:
    """Yield the file in pieces.

    Args:
        images: RGB, all of the same size
        count: the number of images, at least one
        milliseconds: the duration of each frame
    """
    number = 0  # sequence number of the fcTL and fdAT chunks
    shown: Image.Image | None = None
    for image in images:
        box = (0, 0, *image.size) if shown is None else _changed(shown, image)
        chunks = list(_chunks(_encode(image.crop(box))))
        if shown is None:
            yield SIGNATURE + chunk(b"IHDR", next(data for kind, data in chunks if kind == b"IHDR"))
            yield chunk(b"acTL", struct.pack(">II", count, 0))
        left, top, right, bottom = box
        control = (number, right - left, bottom - top, left, top, milliseconds, 1000, 0, 0)
        yield chunk(b"fcTL", struct.pack(">IIIIIHHBB", *control))
        number += 1
        for data in (data for kind, data in chunks if kind == b"IDAT"):
            if shown is None:
                yield chunk(b"IDAT", data)
            else:
                yield chunk(b"fdAT", struct.pack(">I", number) + data)
                number += 1
        shown = image
    yield chunk(b"IEND", b"")


def _changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int]:
    """Return the rectangle that differs; a frame has at least one pixel."""
    return ImageChops.difference(before, after).getbbox() or (0, 0, 1, 1)


def _encode(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length
