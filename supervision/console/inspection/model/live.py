"""Pure. What the WebSocket tells those who look."""

from __future__ import annotations

from dataclasses import dataclass

from supervision.console.inspection.model.actors import Actor
from supervision.console.inspection.model.overview import Overview


@dataclass(slots=True)
class Live:
    """What a WebSocket at `/api/v1/live` is told about once a second.

    Attributes:
        type: `live`
        started: actors that came since the last time, oldest first, at most 200, with their parents
        ended: references of those that went, at most 500
        restarted: those of `started` that came in the place of another
        is_cut: more came or went than is shown, or was told while the viewer did not read: fetch the tree again
    """

    type: str
    overview: Overview
    started: list[Actor]
    ended: list[str]
    restarted: list[str]
    is_cut: bool
