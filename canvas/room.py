"""Pure. What everybody in the room shares, and who they are."""

from __future__ import annotations

from dataclasses import dataclass

from actors import Ref, Target
from canvas.area import Area
from canvas.rules import Cooldowns, Rules
from canvas.view import View
from registry import Table
from supervision.server import Wire

TOPIC = "canvas"
"""The key under which viewers stand in the table of viewers."""


@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """One open WebSocket: whose it is, which connection actor owns it now, where to write, and what it sees."""

    user_id: str
    name: str
    ref: Ref
    wire: Wire
    view: View


@dataclass(frozen=True, slots=True)
class Room:
    """What a visitor needs to know.

    Attributes:
        canvas, broadcaster: the processes to send to
        users: user id -> connections; a user may have several
        viewers: `TOPIC` -> everybody who sees the canvas; broadcasts go there
        rules: of painting
        cooldowns: when each user may paint again; None if there is no wait
    """

    canvas: Target
    broadcaster: Target
    users: Table[str]
    viewers: Table[Viewer]
    width: int
    height: int
    background: int
    rules: Rules
    cooldowns: Cooldowns | None

    @property
    def whole(self) -> Area:
        """All of the canvas."""
        return Area(0, 0, self.width, self.height)
