"""Pure. What everybody in the room shares, and who they are."""

from __future__ import annotations

from dataclasses import dataclass

from actors import Ref, Target
from canvas.rate_limit import RateLimit
from registry import Table
from supervision.server import Wire

TOPIC = "canvas"
"""The key under which viewers stand in the table of viewers."""


@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """One open WebSocket: whose it is, which connection actor owns it now, and where to write."""

    user_id: str
    ref: Ref
    wire: Wire


@dataclass(frozen=True, slots=True)
class Room:
    """What a visitor needs to know.

    Attributes:
        canvas, broadcaster: the processes to send to
        users: user id -> connection, unique
        viewers: `TOPIC` -> everybody who sees the canvas; broadcasts go there
        rate_limit: pixels, and likewise cursor moves, of one visitor; None for no limit
    """

    canvas: Target
    broadcaster: Target
    users: Table[str]
    viewers: Table[Viewer]
    width: int
    height: int
    background: int
    rate_limit: RateLimit | None
