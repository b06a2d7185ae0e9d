"""Pure. What one client sees of the canvas."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from urllib.parse import parse_qs

from canvas.area import Area
from canvas.codec import BINARY, JSON, Codec


class Need(enum.Enum):
    """What a view needs before it can be shown changes."""

    WELCOME = "welcome"
    """A welcome and a state: it is new, or its connection actor is."""
    STATE = "state"
    """A state: it subscribed to another part, or is too far behind."""
    NOTHING = "nothing"


@dataclass(slots=True, eq=False)
class View:
    """What one client has been shown. It outlives the connection actor; the broadcaster alone changes it, but `wanted`
    and `is_dismissed`.

    Attributes:
        codec: how to speak to the client
        may_resume: the client understands a welcome without a state
        wanted: the part it has subscribed to since, which its connection actor notes here, so that no crash forgets it
        area: the part it is shown, None for all
        tiles: those that the area touches, a bit each
        epoch, seq: all that concerns the client up to this change has been shown
        told: the last change that was shown, of a client with an area; for others that is `seq`
        known: the part whose state it was given last
        need: what it has to be given before changes
        is_waiting: that is being made
        is_slow: it has left so much unread that what was painted over meanwhile is left out
        is_dismissed: nothing is heard of the client any more, whose connection is being closed for what it has done
    """

    codec: Codec = JSON
    may_resume: bool = False
    wanted: Area | None = None
    area: Area | None = None
    tiles: int = 0
    epoch: str = ""
    seq: int = -1
    told: int = -1
    known: Area | None = None
    need: Need = Need.WELCOME
    is_waiting: bool = False
    is_slow: bool = False
    is_dismissed: bool = False


def open_view(codec: Codec, query: str, width: int, height: int) -> View:
    """The view of a client that asks for `/ws?query`, of a canvas of `width` x `height`.

    `epoch` and `seq` say what it has seen already, and `x`, `y`, `width` and `height` which part it wants to see; what
    reaches beyond the canvas is cut off. Values that make no sense count as not given.
    """
    values = {name: given[-1] for name, given in parse_qs(query).items()}
    view = View(codec, may_resume=codec is BINARY or "epoch" in values or "seq" in values)
    view.area = _area(values, width, height)
    seq = _number(values.get("seq"))
    if seq is not None and "epoch" in values:
        view.epoch, view.seq, view.told, view.need = values["epoch"], seq, seq, Need.NOTHING
        view.known = view.area or Area(0, 0, width, height)
    return view


def _area(values: dict[str, str], width: int, height: int) -> Area | None:
    x, y, columns, rows = (_number(values.get(name)) for name in ("x", "y", "width", "height"))
    if x is None or y is None or not columns or not rows or x >= width or y >= height:
        return None
    area = Area(x, y, min(columns, width - x), min(rows, height - y))
    return None if area == Area(0, 0, width, height) else area


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 15 else None
