"""Pure. What one WebSocket of the canvas keeps from its handshake to its end, whatever crashes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from actors.shown import shown
from canvas.live.room import Room
from canvas.live.view import View
from canvas.live.visitor import Visitor
from supervision.server import Connection, Sockets, WebSocket, Wire


@shown("user_id", "view")
@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """Whose WebSocket it is, and what it shows. Makes the handler of each incarnation of its connection actor."""

    room: Room
    user_id: str
    name: str
    view: View

    def __call__(self, connection: Connection) -> Visitor:
        """Return a new handler."""
        return Visitor(connection, self.room, self.user_id, self.name, self.view)


def visits(sockets: Sockets) -> Iterator[tuple[Wire, Visit]]:
    """All that there are, those included that wait for their first state or for the next incarnation of their actor."""
    for wire in list(sockets.wires.values()):
        visit = visit_of(wire)
        if visit is not None:
            yield wire, visit


def visit_of(wire: Wire) -> Visit | None:
    """The visit that a wire is for; None if it is for none."""
    handler = wire.keepsake.handler if isinstance(wire.keepsake, WebSocket) else None
    return handler if isinstance(handler, Visit) else None
