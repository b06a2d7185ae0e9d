"""Pure. What belongs to one WebSocket of the canvas, and outlives crashes of its connection actor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from actors.shown import shown
from canvas.live.handler import CanvasHandler
from canvas.live.room import Room
from canvas.live.view import View
from supervision.server import Connection, Sockets, WebSocket, Wire


@shown("user_id", "view")
@dataclass(frozen=True, slots=True, eq=False)
class ClientState:
    """A WebSocket's user and view. It makes the handler for each incarnation of the connection actor."""

    room: Room
    user_id: str
    name: str
    view: View

    def __call__(self, connection: Connection) -> CanvasHandler:
        """Return a new handler."""
        return CanvasHandler(connection, self.room, self.user_id, self.name, self.view)


def client_states(sockets: Sockets) -> Iterator[tuple[Wire, ClientState]]:
    """Yield every wire of the canvas and its state, also while it awaits its first snapshot or its next actor."""
    for wire in list(sockets.wires.values()):
        state = client_state_of(wire)
        if state is not None:
            yield wire, state


def client_state_of(wire: Wire) -> ClientState | None:
    """Return the client state of a wire; None if the wire does not show the canvas."""
    handler = wire.upgrade.handler if isinstance(wire.upgrade, WebSocket) else None
    return handler if isinstance(handler, ClientState) else None
