"""Pure. How much of the canvas one client has been shown.

Four fields of a `View` depend on each other. `seq` is how far the client is: it has been sent every change up to `seq`
that concerns it, and goes on with `seq + 1`. `told` is the last `seq` that a message to it named. They differ only for
a client of a part: a change elsewhere moves `seq` without a message, so `told` falls behind. A message of changes says
which change it follows, and that has to be one that the client knows: `told`, or `seq` on the whole canvas.

`subscribed` is the area that the client asked for, `shown` the area that it can draw as of `seq`. While they are the
same object, the client needs changes only. Otherwise it needs a snapshot of `subscribed`. A binary client that can draw
some of it gets only the tiles that `shown` does not cover (`SnapshotKey.known`); one that can draw nothing (`shown` is
None) gets them all. `tiles` follows from `shown`: it makes it cheap to tell whether a batch concerns the client.

`phase` says what the viewer needs next:

    JOINING            -> RESUMING        welcomed, and the recent changes reach back to `seq`
                       -> NEEDS_SNAPSHOT  the same, but `shown` is not `subscribed`
                       -> RESUMING        welcomed, and sent a snapshot
                       -> TOO_LARGE       welcomed, but the snapshot is too large to send
    NEEDS_SNAPSHOT     -> RESUMING        sent a snapshot
                       -> TOO_LARGE       the snapshot is too large to send
    RESUMING, SKIPPING -> LIVE            `seq` is the last change
                       -> NEEDS_SNAPSHOT  the recent changes do not reach back to `seq`, or SKIPPING has too many left
    LIVE               -> SKIPPING        the wire is congested when a batch is shown
                       -> RESUMING        the canvas restarts: some changes may have been missed
    any but JOINING    -> NEEDS_SNAPSHOT  the client subscribes to a part
    any                -> JOINING         the connection actor is replaced, or the epoch changes
"""

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
"""A valid client token. It is long enough to be a secret, because anyone who knows it can send as that client."""


class Phase(enum.Enum):
    """What a viewer needs next."""

    JOINING = enum.auto()
    """A welcome: the connection actor is new, and the client may be, too."""
    NEEDS_SNAPSHOT = enum.auto()
    """A snapshot: the client subscribed to another part, or is too far behind."""
    TOO_LARGE = enum.auto()
    """Nothing: the snapshot is too large to send, and the client was told to subscribe to a part."""
    RESUMING = enum.auto()
    """All changes after `seq`."""
    SKIPPING = enum.auto()
    """The latest change of each pixel after `seq`, and all of the user's own: the client left too much unread."""
    LIVE = enum.auto()
    """Each batch as it is committed: the client has been sent everything before it."""


@shown("subscribed", "shown", "tiles", "epoch", "seq", "told", "sent_at")
@dataclass(slots=True, eq=False)
class View:
    """What one client has been shown. It outlives the connection actor.

    Only the broadcaster changes it, except for `subscribed`, `is_dismissed` and `has_painted`, which belong to the
    connection actor. The module's docstring explains how the fields depend on each other.

    Attributes:
        codec: encodes and decodes the client's messages
        may_resume: the client understands a welcome without a snapshot
        subscribed: the area that the client last asked for; its connection actor sets it, so a crash cannot lose it
        shown: the area that the client can draw as of `seq`, the same object as `subscribed` unless the client has
            asked for another since; None if the client has nothing to start from
        tiles: the tiles that `shown` touches, as a bit set; 0 if `shown` is the whole canvas
        epoch, seq: the client has been shown every change that concerns it up to this one
        told: the last change that was sent to a client of a part; unused for a client of the whole canvas
        phase: what the viewer needs next
        sent_at: loop time at which the broadcaster last sent it a message, as far as the view knows; infinite before
            the welcome
        client: the token by which the client identifies itself across connections; "" if it sends none
        is_dismissed: the server is closing the connection for misconduct, and ignores further messages
        has_painted: some of what the client painted may not have been answered yet
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
    """Return the view of a client that requests `/ws?query` on a canvas of `width` x `height`.

    `epoch` and `seq` say what the client has already seen. `x`, `y`, `width` and `height` select a part, which is
    clipped to the canvas. Invalid values are ignored. `client` is the client's token.

    Raises:
        HttpError: 400 if `client` is not a valid token. It is not ignored, because the client relies on it.
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
    """Return the tiles that an area of a `width` x `height` canvas touches, as a bit set; 0 for the whole canvas."""
    return 0 if area == Area(0, 0, width, height) else bits(area.tiles(columns_of(width)))


def _area(values: dict[str, str], width: int, height: int) -> Area:
    x, y, columns, rows = (parse_index(values.get(name, "")) for name in ("x", "y", "width", "height"))
    if x is None or y is None or not columns or not rows or x >= width or y >= height:
        return Area(0, 0, width, height)
    return Area(x, y, min(columns, width - x), min(rows, height - y))
