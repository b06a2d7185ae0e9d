"""Pure. The messages of the canvas as values, independent of the codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, TypeAlias

from actors.shown import shown
from canvas.board.area import Area
from canvas.board.rules import Rules


@shown()
@dataclass(slots=True)
class ClientPixelUpdate:
    """Give a pixel a colour (0xRRGGBB). `id` is the client's id of the message, if it has one."""

    x: int
    y: int
    color: int
    id: int | None = None


@shown()
@dataclass(slots=True)
class ClientPixels:
    """Give several pixels a colour, in this order."""

    pixels: list[ClientPixelUpdate]
    id: int | None = None


@shown()
@dataclass(slots=True)
class ClientCursorMove:
    """The pointer has moved to (x, y)."""

    x: int
    y: int
    id: int | None = None


@shown()
@dataclass(slots=True)
class ClientSubscribe:
    """Show only this area of the canvas from now on."""

    area: Area
    id: int | None = None


MAX_ID: Final = 2**32 - 1
"""The highest `id` of a message."""

ClientMessage: TypeAlias = ClientPixelUpdate | ClientPixels | ClientCursorMove | ClientSubscribe


@dataclass(frozen=True, slots=True)
class Welcome:
    """The first message to a client: its user, the canvas, and who is present.

    Attributes:
        seq: the change after which the client continues
        head: the last change of the canvas
        resumed: whether the client keeps what it has seen, and needs no snapshot
        users: the users who are named, the client's own first
        user_count: how many users are present, named or not
        rules: the rules of painting
    """

    user_id: str
    width: int
    height: int
    background: int
    epoch: str
    seq: int
    head: int
    resumed: bool
    users: Sequence[User]
    user_count: int
    rules: Rules


@shown("user_id")
@dataclass(frozen=True, slots=True)
class User:
    """A user, and the name that the user has chosen; "" for none."""

    user_id: str
    name: str = ""


@shown("user")
@dataclass(frozen=True, slots=True)
class PresenceChange:
    """A user has joined or been renamed (`is_present`), or has left."""

    user: User
    is_present: bool


def details(welcome: Welcome) -> dict[str, Any]:
    """Return the names and rules in a welcome, as a JSON object; both codecs use it."""
    rules = welcome.rules
    cooldown, palette = rules.cooldown, rules.palette
    return {
        "names": {user.user_id: user.name for user in welcome.users if user.name},
        "read_only": rules.is_read_only,
        "palette": None if palette is None else [f"#{color:06X}" for color in palette],
        "cooldown": None if cooldown is None else {"shortest": cooldown.shortest, "longest": cooldown.longest},
        "locked": [{"x": a.x, "y": a.y, "width": a.width, "height": a.height} for a in rules.locked],
    }


def milliseconds(seconds: float) -> int:
    """Return a wait in whole milliseconds, rounded up, at least 1."""
    return max(1, ceil(seconds * 1000))
