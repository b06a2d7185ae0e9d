"""Pure. Draws series over one time as small panels beside each other: an SVG for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, PANEL_WIDTH, PANEL_HEIGHT = 840, 420, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 60, 40, 24  # around the curve of a panel
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a; }
.title { font-weight: 600; fill: #1f2328; }
.paper { fill: #ffffff; }
.warmup { fill: #eaeef2; }
.grid { stroke: #d0d7de; stroke-width: 1; fill: none; }
.curve { stroke: #0969da; stroke-width: 1.5; fill: none; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; }
  .title { fill: #f0f6fc; }
  .paper { fill: #0d1117; }
  .warmup { fill: #1c2128; }
  .grid { stroke: #3d444d; }
  .curve { stroke: #4493f8; }
}
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One series.

    Attributes:
        title: what it is, and in what unit
        values: one for each time, 0 or more
        note: the figure that matters, such as the slope
    """

    title: str
    values: Sequence[float]
    note: str


def draw(title: str, description: str, times: Sequence[float], warmup: float, panels: Sequence[Panel]) -> str:
    """Draw an SVG.

    Args:
        title, description: for people who do not see it
        times: seconds, from 0 on
        warmup: until when the background is shaded
        panels: two in each row; every axis begins at 0
    """
    columns = WIDTH // PANEL_WIDTH
    height = math.ceil(len(panels) / columns) * PANEL_HEIGHT
    drawn = [
        _draw_panel(panel, index % columns * PANEL_WIDTH, index // columns * PANEL_HEIGHT, times, warmup)
        for index, panel in enumerate(panels)
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            ' aria-labelledby="title description">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            *drawn,
            "</svg>\n",
        )
    )


def _draw_panel(panel: Panel, left: int, top: int, times: Sequence[float], warmup: float) -> str:
    width, height = PANEL_WIDTH - _LEFT - _RIGHT, PANEL_HEIGHT - _TOP - _BOTTOM
    end, most = times[-1], _round_up(max(panel.values))

    def x(time: float) -> float:
        return width * time / end

    points = " ".join(
        f"{x(time):.1f},{height - height * value / most:.1f}" for time, value in zip(times, panel.values, strict=True)
    )
    return "\n".join(
        (
            f'<g transform="translate({left + _LEFT} {top + _TOP})">',
            f'<text class="title" y="-22">{escape(panel.title)}</text>',
            f'<text y="-7">{escape(panel.note)}</text>',
            f'<rect class="warmup" width="{x(min(warmup, end)):.1f}" height="{height}"/>',
            f'<path class="grid" d="M0 0H{width}M0 {height / 2:g}H{width}M0 {height}H{width}"/>',
            *(
                f'<text x="{width + 6}" y="{height * (1 - share) + 4:g}">{most * share:,g}</text>'
                for share in (0.0, 0.5, 1.0)
            ),
            f'<text y="{height + 16}">0</text>',
            f'<text x="{width}" y="{height + 16}" text-anchor="end">{end / 60:.0f} min</text>',
            f'<polyline class="curve" points="{points}"/>',
            "</g>",
        )
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8, 10, 20 and so on, so that its half is round, too."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)
