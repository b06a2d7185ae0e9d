"""Pure. What the processes of the canvas share: the room and its viewers."""

from __future__ import annotations

from dataclasses import dataclass

from actors import Ref, Target
from actors.shown import shown
from canvas.board.area import Area
from canvas.board.rules import Cooldowns, Rules
from canvas.live.accepted import Accepted
from canvas.live.held import Held
from canvas.live.view import View
from registry import Table
from supervision.server import Wire
from supervision.server.addresses import client_network
from supervision.server.rate_limit import Allowance, Painter, RateLimit

TOPIC = "canvas"
"""The key of all viewers in `Room.viewers`."""


@shown()
class Peer(str):
    """The address of a user with its port. Only administrators may see it."""

    __slots__ = ()


@shown("user_id")
@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """One open WebSocket and one incarnation of its connection actor.

    Attributes:
        ref: the connection actor
        wire: where to write to the client
        view: what the client has been shown
    """

    user_id: str
    name: str
    ref: Ref
    wire: Wire
    view: View

    @property
    def painter(self) -> Painter:
        """The user and the client network whose allowances its messages spend."""
        return Painter(self.user_id, client_network(self.wire.address))


PATIENCE = RateLimit(per_second=5, burst=100)
"""How many offences (invalid messages, messages over a limit) get an `error`; one more closes with 1008."""
BYTES_PER_PIXEL = 1_024
"""Bytes of uncompressed messages that a client may send per pixel of its rate limit: ten times what a pixel takes."""


class Allowances:
    """What each user and client network may still do. It outlives connections, tabs, and crashes of their actors.

    Attributes:
        pixels, cursors, bytes: allowances of the rate limit; None if there is no limit
        patience: the allowance of offences
        cooldowns: when each may paint again; None if there is no cooldown
    """

    def __init__(self, rules: Rules) -> None:
        limit = rules.rate_limit
        self.pixels = None if limit is None else Allowance(limit)
        self.cursors = None if limit is None else Allowance(limit)
        self.bytes = None if limit is None else Allowance(limit * BYTES_PER_PIXEL)
        self.patience = Allowance(PATIENCE)
        self.cooldowns = None if rules.cooldown is None else Cooldowns(rules.cooldown)


@shown("canvas", "broadcaster", "width", "height", "background", "rules")
@dataclass(frozen=True, slots=True)
class Room:
    """What the processes of one canvas share.

    Attributes:
        canvas, broadcaster: the processes to send to
        users: user id -> connections, of which a user may have several
        viewers: `TOPIC` -> the viewers that have been welcomed; broadcasts go to them
        rules: the rules of painting
        allowances: what each user and client network may still do
        accepted: the messages that the canvas has accepted; only the canvas changes it
        held: meters of what is held for all clients
    """

    canvas: Target
    broadcaster: Target
    users: Table[Peer]
    viewers: Table[Viewer]
    width: int
    height: int
    background: int
    rules: Rules
    allowances: Allowances
    accepted: Accepted
    held: Held

    @property
    def whole(self) -> Area:
        """The area of the whole canvas."""
        return Area(0, 0, self.width, self.height)

    @property
    def user_count(self) -> int:
        """The number of users connected, each counted once."""
        return self.users.count_keys()
