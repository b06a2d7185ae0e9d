"""Pure. What everybody in the room shares, and who they are."""

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
"""The key under which viewers stand in the table of viewers."""


@shown()
class Peer(str):
    """The address of a user, with the port, which administrators may see."""

    __slots__ = ()


@shown("user_id")
@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """One open WebSocket: whose it is, which connection actor owns it now, where to write, and what it sees."""

    user_id: str
    name: str
    ref: Ref
    wire: Wire
    view: View

    @property
    def painter(self) -> Painter:
        """Whose allowance is spent."""
        return Painter(self.user_id, client_network(self.wire.address))


PATIENCE = RateLimit(per_second=5, burst=100)
"""Offences (bad messages, messages over a limit) that are answered with an `error`; one more closes with 1008."""
BYTES_PER_PIXEL = 1_024
"""Bytes of messages, uncompressed, that may be sent for each pixel that may be painted: ten times what it takes."""


class Allowances:
    """What users and addresses may still do. It outlives connections, tabs, and crashes of their actors.

    Attributes:
        pixels, cursors, bytes: by the rate limit; None if there is none
        patience: offences
        cooldowns: when each may paint again; None if there is no wait
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
    """What a visitor needs to know.

    Attributes:
        canvas, broadcaster: the processes to send to
        users: user id -> connections; a user may have several
        viewers: `TOPIC` -> everybody who sees the canvas; broadcasts go there
        rules: of painting
        allowances: what users and addresses may still do
        accepted: the messages that the canvas has accepted; the canvas alone changes it
        held: what the canvas holds for all of them
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
        """All of the canvas."""
        return Area(0, 0, self.width, self.height)

    @property
    def user_count(self) -> int:
        """How many users are there, however many windows they have open."""
        return self.users.count_keys()
