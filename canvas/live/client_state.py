"""Pure. What one WebSocket of the canvas keeps from its handshake to its end, whatever crashes meanwhile."""

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
    """Whose WebSocket it is, and what it shows. Makes the handler of each incarnation of its connection actor."""

    room: Room
    user_id: str
    name: str
    view: View

    def __call__(self, connection: Connection) -> CanvasHandler:
        """Return a new handler."""
        return CanvasHandler(connection, self.room, self.user_id, self.name, self.view)


def visits(sockets: Sockets) -> Iterator[tuple[Wire, ClientState]]:
    """All that there are, those included that wait for their first state or for the next incarnation of their actor."""
    for wire in list(sockets.wires.values()):
        state = client_state_of(wire)
        if state is not None:
            yield wire, state


def client_state_of(wire: Wire) -> ClientState | None:
    """The state that a wire is for; None if it is for none."""
    handler = wire.upgrade.handler if isinstance(wire.upgrade, WebSocket) else None
    return handler if isinstance(handler, ClientState) else None
