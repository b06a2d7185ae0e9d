"""Pure. The messages of the canvas as values: what clients ask for, and what they are told, whatever the codec."""

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
    """Give a pixel a colour (0xRRGGBB). `id` is what the client calls the message, if it does."""

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
    """The pointer is here."""

    x: int
    y: int
    id: int | None = None


@shown()
@dataclass(slots=True)
class ClientSubscribe:
    """From now on show only this part of the canvas."""

    area: Area
    id: int | None = None


MAX_ID: Final = 2**32 - 1
"""The highest `id` of a message."""

ClientMessage: TypeAlias = ClientPixelUpdate | ClientPixels | ClientCursorMove | ClientSubscribe


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who a client is, what the canvas is, who else is there: some of them, and how many.

    `seq` is the change after which the client goes on, `head` the last one there is.
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
    """A user, and the name that they have given themselves, if any."""

    user_id: str
    name: str = ""


@shown("user")
@dataclass(frozen=True, slots=True)
class PresenceChange:
    """Somebody has come, or has another name, or has left."""

    user: User
    is_present: bool


def details(welcome: Welcome) -> dict[str, Any]:
    """What a welcome says of names and rules, as JSON."""
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
    """Seconds to wait in whole milliseconds: enough, and at least one."""
    return max(1, ceil(seconds * 1000))
