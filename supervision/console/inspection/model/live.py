"""Pure. The message that the WebSocket sends to the console's viewers."""

from __future__ import annotations

from dataclasses import dataclass

from supervision.console.inspection.model.actors import Actor
from supervision.console.inspection.model.overview import Overview


@dataclass(slots=True)
class Live:
    """The message that `/api/v1/live` sends about once a second.

    Attributes:
        type: `live`
        started: actors that have started since the last message, oldest first, at most 200, with their parents
        ended: references of the actors that have ended since, at most 500
        restarted: references of those in `started` that replace a crashed or ended one
        is_cut: whether changes are missing, because there were too many or the viewer read too slowly; the viewer
            should fetch the tree again
    """

    type: str
    overview: Overview
    started: list[Actor]
    ended: list[str]
    restarted: list[str]
    is_cut: bool
