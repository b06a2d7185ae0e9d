"""Pure. The preview of a rollback: the area that it changes, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from canvas.board import png
from canvas.board.area import Area
from canvas.board.grid import Grid
from canvas.history.queries import RollbackPlan

LARGEST = 512
"""Pixels on the longer side of a picture; a larger area is scaled down."""
MARGIN = 8
"""Pixels shown around the changed area, so that a moderator recognises the place."""


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Two pictures of the same area, as PNG.

    Attributes:
        area: the area that both show
        width, height: the size of each picture, in pixels
        now: before the rollback
        after: after the rollback
    """

    area: Area
    width: int
    height: int
    now: bytes
    after: bytes


def draw(grid: Grid, plan: RollbackPlan) -> BeforeAfter | None:
    """Draw the area of a rollback before and after it; return None if the rollback changes nothing."""
    changed = plan.area
    if changed is None:
        return None
    area = _with_margin(changed, grid)
    step = -(-max(area.width, area.height) // LARGEST)
    now = _seen(grid, area, step)
    after = now.copy()
    xs, ys = (plan.xs - area.x) // step, (plan.ys - area.y) // step
    now[ys, xs] = plan.now  # scaling down alone could skip a single changed pixel
    after[ys, xs] = plan.before
    height, width = now.shape
    return BeforeAfter(area, width, height, *(_encoded(colors) for colors in (now, after)))


def _with_margin(area: Area, grid: Grid) -> Area:
    left, top = max(0, area.x - MARGIN), max(0, area.y - MARGIN)
    right = min(grid.width, area.x + area.width + MARGIN)
    bottom = min(grid.height, area.y + area.height + MARGIN)
    return Area(left, top, right - left, bottom - top)


def _seen(grid: Grid, area: Area, step: int) -> NDArray[np.uint32]:
    """Return every `step`-th pixel of every `step`-th row of an area. Read in bands of rows, to save memory."""
    rows = max(1, LARGEST // step) * step
    bands = [
        grid.colors_in(Area(area.x, top, area.width, min(rows, area.y + area.height - top)))[::step, ::step]
        for top in range(area.y, area.y + area.height, rows)
    ]
    return np.concatenate(bands)


def _encoded(colors: NDArray[np.uint32]) -> bytes:
    height, width = colors.shape
    grid = Grid(width, height)
    ys, xs = np.mgrid[0:height, 0:width]
    grid.apply_columns(xs.reshape(-1), ys.reshape(-1), colors.reshape(-1))
    return png.encode(grid)
