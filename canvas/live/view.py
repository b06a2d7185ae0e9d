"""Pure. What one client sees of the canvas."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from math import inf
from urllib.parse import parse_qs

from actors.shown import shown
from canvas.board.area import Area, bits, columns_of
from canvas.messages.binary_codec import BINARY
from canvas.messages.codec import Codec
from protocol import HttpError, parse_index

CLIENT = re.compile(r"[A-Za-z0-9_-]{16,64}")
"""What a client may call itself: long enough to be a secret, for who knows it may send in its name."""


class Phase(enum.Enum):
    """What a viewer is to be given next."""

    JOINING = enum.auto()
    """A welcome: its connection actor is new, and perhaps the client is."""
    NEEDS_STATE = enum.auto()
    """A state: it subscribed to another part, or is too far behind."""
    TOO_LARGE = enum.auto()
    """Nothing: the state would be too large. It has been told to subscribe to a part."""
    RESUMING = enum.auto()
    """All changes after `seq`."""
    SKIPPING = enum.auto()
    """Of the changes after `seq` the last one of each pixel, and its own: it left too much unread."""
    LIVE = enum.auto()
    """Every change as it is committed: it has been given all the others."""


@shown("subscribed", "shown", "tiles", "epoch", "seq", "told", "sent_at")
@dataclass(slots=True, eq=False)
class View:
    """What one client has been shown. It outlives the connection actor.

    The broadcaster alone changes it, except for `subscribed`, `is_dismissed` and `has_painted`.

    Attributes:
        codec: how to speak to the client
        may_resume: the client understands a welcome without a state
        subscribed: the part that the client asked for last; its connection actor sets it, so that no crash forgets it
        shown: the part that the client's picture shows as of `seq`, the same object as `subscribed` unless the client
            has asked for another since; None: it has no picture to go on from
        tiles: those that `shown` touches, a bit each; 0 if that is all of the canvas
        epoch, seq: all that concerns the client up to this change has been shown
        told: the last change that was shown, of a client with a part; for others that is `seq`
        phase: what it is to be given next
        sent_at: when the broadcaster last sent it a message, as far as the view knows; infinite until it is welcomed
        client: what the client calls itself across its connections; "" if it does not say
        is_dismissed: nothing is heard of the client any more, whose connection is being closed for what it has done
        has_painted: something that it painted may not have been answered yet
    """

    codec: Codec
    may_resume: bool
    subscribed: Area
    shown: Area | None = None
    tiles: int = 0
    epoch: str = ""
    seq: int = -1
    told: int = -1
    phase: Phase = Phase.JOINING
    sent_at: float = inf
    client: str = ""
    is_dismissed: bool = False
    has_painted: bool = False


def open_view(codec: Codec, query: str, width: int, height: int) -> View:
    """The view of a client that asks for `/ws?query`, of a canvas of `width` x `height`.

    `epoch` and `seq` say what it has seen already, and `x`, `y`, `width` and `height` which part it wants to see; what
    reaches beyond the canvas is cut off. Values that make no sense count as not given. `client` is what the client
    calls itself.

    Raises:
        HttpError: 400 if `client` is not a name that a client may have, for it would rely on it.
    """
    values = {name: given[-1] for name, given in parse_qs(query).items()}
    may_resume = codec is BINARY or "epoch" in values or "seq" in values
    view = View(codec, may_resume, _area(values, width, height), client=values.get("client", ""))
    if view.client and not CLIENT.fullmatch(view.client):
        raise HttpError(400, "client must be 16 to 64 letters, digits, - and _")
    seq = parse_index(values.get("seq", ""))
    if seq is not None and "epoch" in values:
        view.epoch, view.seq, view.told, view.shown = values["epoch"], seq, seq, view.subscribed
        view.tiles = tiles_of(view.subscribed, width, height)
    return view


def tiles_of(area: Area, width: int, height: int) -> int:
    """The tiles that an area of a canvas of `width` x `height` touches, a bit each; 0 if it is all of the canvas."""
    return 0 if area == Area(0, 0, width, height) else bits(area.tiles(columns_of(width)))


def _area(values: dict[str, str], width: int, height: int) -> Area:
    x, y, columns, rows = (parse_index(values.get(name, "")) for name in ("x", "y", "width", "height"))
    if x is None or y is None or not columns or not rows or x >= width or y >= height:
        return Area(0, 0, width, height)
    return Area(x, y, min(columns, width - x), min(rows, height - y))
