"""Pure. The messages of the canvas in JSON, as `docs/wire-protocol.md` has them: one object per text frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, TypeAlias

import orjson

from actors.shown import shown
from canvas.area import Area
from canvas.errors import BadMessage
from canvas.grid import Change
from canvas.rules import Rules

_is_color = re.compile(r"#[0-9A-Fa-f]{6}").fullmatch


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


MAX_ID = 2**32 - 1

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
    users: Sequence[Person]
    user_count: int
    rules: Rules


@shown("user_id")
@dataclass(frozen=True, slots=True)
class Person:
    """A user, and the name that they have given themselves, if any."""

    user_id: str
    name: str = ""


@shown("person")
@dataclass(frozen=True, slots=True)
class Coming:
    """Somebody has come, or has another name, or has left."""

    person: Person
    has_come: bool


def decode(data: str | bytes, width: int, height: int) -> ClientMessage:
    """Read a message to a canvas of `width` x `height` pixels.

    Raises:
        BadMessage: if it is none. It has the `id` of the message, if that was read.
    """
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadMessage("invalid_json", f"not JSON: {error}") from None
    if type(message) is not dict:
        raise BadMessage("invalid_message", f"a message is a JSON object, got {_kind(message)}")
    id_ = _id(message["id"]) if "id" in message else None
    try:
        return _decode(message, id_, width, height)
    except BadMessage as error:
        error.id = id_
        if message.get("type") == "pixel_update":
            error.paints = True
            x, y = message.get("x"), message.get("y")
            error.pixels = ((x, y),) if type(x) is type(y) is int else ()
        raise


def _decode(message: dict[str, Any], id_: int | None, width: int, height: int) -> ClientMessage:
    kind = message.get("type")
    if kind == "pixel_update":
        x, y, color = message.get("x"), message.get("y"), message.get("color")
        if not (type(x) is type(y) is int and 0 <= x < width and 0 <= y < height):  # as of almost every message
            x, y = _integer(message, "x", 0, width - 1), _integer(message, "y", 0, height - 1)
        if not (type(color) is str and _is_color(color)):
            raise _bad_color(message)
        return ClientPixelUpdate(x, y, int(color[1:], 16), id_)
    if kind == "cursor_move":
        return ClientCursorMove(_integer(message, "x", 0, width - 1), _integer(message, "y", 0, height - 1), id_)
    if kind == "subscribe":
        return ClientSubscribe(_area(message, width, height), id_)
    if "type" not in message:
        raise BadMessage("missing_field", "type is missing", "type")
    if type(kind) is not str:
        raise BadMessage("invalid_field", f"type must be a string, got {_kind(kind)}", "type")
    raise BadMessage(
        "unknown_type", f"type must be pixel_update, cursor_move or subscribe, got {_shorten(kind)}", "type"
    )


def _id(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_ID:
        return value
    got = value if type(value) is int or type(value) is float else _kind(value)
    raise BadMessage("invalid_field", f"id must be an integer within 0..{MAX_ID}, got {got}", "id")


def _area(message: dict[str, Any], width: int, height: int) -> Area:
    x, y = _integer(message, "x", 0, width - 1), _integer(message, "y", 0, height - 1)
    return Area(x, y, _integer(message, "width", 1, width - x), _integer(message, "height", 1, height - y))


def _integer(message: dict[str, Any], field: str, low: int, high: int) -> int:
    value = message.get(field)
    if type(value) is int:  # not isinstance: True is an int too
        if low <= value <= high:
            return value
        raise BadMessage("out_of_bounds", f"{field} must be within {low}..{high}, got {value}", field)
    if type(value) is float and abs(value) >= 2.0**63:  # orjson reads an integer beyond 64 bits as a float
        raise BadMessage("out_of_bounds", f"{field} must be within {low}..{high}, got {value:g}", field)
    if field not in message:
        raise BadMessage("missing_field", f"{field} is missing", field)
    raise BadMessage("invalid_field", f"{field} must be an integer, got {_kind(value)}", field)


def _bad_color(message: dict[str, Any]) -> BadMessage:
    """What is wrong with a colour that is none."""
    value = message.get("color")
    if type(value) is str:
        return BadMessage("invalid_color", f"color must be like #FF0000, got {_shorten(value)}", "color")
    if "color" not in message:
        return BadMessage("missing_field", "color is missing", "color")
    return BadMessage("invalid_field", f"color must be a string, got {_kind(value)}", "color")


def _kind(value: object) -> str:
    """What a JSON value is called."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


# To the client. All return the text of one message, in UTF-8.


def server_welcome(welcome: Welcome) -> bytes:
    """Greet a client."""
    limit = welcome.rules.rate_limit
    return orjson.dumps(
        {
            "type": "welcome",
            "user_id": welcome.user_id,
            "width": welcome.width,
            "height": welcome.height,
            "background": f"#{welcome.background:06X}",
            "epoch": welcome.epoch,
            "seq": welcome.seq,
            "head": welcome.head,
            "resumed": welcome.resumed,
            "users": [person.user_id for person in welcome.users],
            "user_count": welcome.user_count,
            "rate_limit": None if limit is None else {"per_second": limit.per_second, "burst": limit.burst},
            **details(welcome),
        }
    )


def details(welcome: Welcome) -> dict[str, Any]:
    """What a welcome says of names and rules, as JSON."""
    rules = welcome.rules
    cooldown, palette = rules.cooldown, rules.palette
    return {
        "names": {person.user_id: person.name for person in welcome.users if person.name},
        "read_only": rules.is_read_only,
        "palette": None if palette is None else [f"#{color:06X}" for color in palette],
        "cooldown": None if cooldown is None else {"shortest": cooldown.shortest, "longest": cooldown.longest},
        "locked": [{"x": a.x, "y": a.y, "width": a.width, "height": a.height} for a in rules.locked],
    }


def server_canvas_state(pixels_json: bytes, epoch: str, seq: int, area: Area | None = None) -> bytes:
    """Show the canvas, or an area of it: all pixels that are not background, as `pixels_json` has them."""
    head = b'{"type":"canvas_state","epoch":%s,"seq":%d' % (orjson.dumps(epoch), seq)
    if area is not None:
        place = (area.x, area.y, area.width, area.height)
        head += b',"area":{"x":%d,"y":%d,"width":%d,"height":%d}' % place
    return b'%s,"pixels":[%s]}' % (head, pixels_json)


_PIXEL_CHANGED = b'{"type":"pixel_changed","x":%d,"y":%d,"color":"#%06X","user_id":%s,"seq":%d}'


def server_pixels_changed(changes: Sequence[Change], after: int) -> list[bytes]:
    """Tell of committed changes, a message each; `after` is the last one that the client was told of."""
    ids: dict[str, bytes] = {}
    texts = []
    for change in changes:
        user_id = ids.get(change.user_id)
        if user_id is None:
            user_id = ids[change.user_id] = orjson.dumps(change.user_id)
        seq = change.seq
        text = _PIXEL_CHANGED % (change.x, change.y, change.color, user_id, seq)
        if seq != after + 1:
            text = b'%s,"skipped":%d}' % (text[:-1], seq - after - 1)
        texts.append(text)
        after = seq
    return texts


def server_coming(coming: Coming) -> bytes:
    """Tell that somebody has come, or has another name, or has left."""
    told = {"type": "user_joined" if coming.has_come else "user_left", "user_id": coming.person.user_id}
    if coming.has_come and coming.person.name:
        told["name"] = coming.person.name
    return orjson.dumps(told)


def server_user_count(count: int) -> bytes:
    """Tell how many people there are, where not all of them are told of by name."""
    return orjson.dumps({"type": "user_count", "count": count})


def server_cursor_moved(user_id: str, x: int, y: int) -> bytes:
    """Tell where somebody's pointer is."""
    return orjson.dumps({"type": "cursor_moved", "x": x, "y": y, "user_id": user_id})


def server_heartbeat() -> bytes:
    """Tell that the connection is alive."""
    return b'{"type":"heartbeat"}'


def server_error(error: BadMessage) -> list[bytes]:
    """Tell the client what is wrong with what it sent: a message for each pixel that was refused, or else one."""
    told: dict[str, Any] = {"type": "error", "code": error.code, "message": error.message}
    if error.field is not None:
        told["field"] = error.field
    if error.id is not None:
        told["id"] = error.id
    if error.retry_after is not None:
        told["retry_after"] = milliseconds(error.retry_after) / 1000
    if not error.pixels:
        return [orjson.dumps(told)]
    return [orjson.dumps({**told, "x": x, "y": y}) for x, y in error.pixels]


def server_ack(id_: int, seq: int) -> bytes:
    """Tell a painter that its message has been dealt with, and after which change that shows."""
    return b'{"type":"ack","id":%d,"seq":%d}' % (id_, seq)


def milliseconds(seconds: float) -> int:
    """Seconds to wait in whole milliseconds: enough, and at least one."""
    return max(1, ceil(seconds * 1000))
