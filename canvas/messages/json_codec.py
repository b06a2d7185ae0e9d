"""Pure. The messages of the canvas in JSON (docs/wire-protocol.md): one object per text frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from canvas.board.area import Area
from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.messages.values import (
    MAX_ID,
    ClientCursorMove,
    ClientMessage,
    ClientPixelUpdate,
    ClientSubscribe,
    PresenceChange,
    Welcome,
    details,
    milliseconds,
)
from protocol import Binary, SharedMessage, Text

_is_color = re.compile(r"#[0-9A-Fa-f]{6}").fullmatch
_PIXEL_CHANGED = b'{"type":"pixel_changed","x":%d,"y":%d,"color":"#%06X","user_id":%s,"seq":%d}'


class JsonCodec:
    """JSON in text frames."""

    def __repr__(self) -> str:
        return "JSON"

    def decode(self, message: Text | Binary, width: int, height: int) -> ClientMessage:
        """See `Codec`."""
        if type(message) is Binary:
            raise BadMessage("unsupported_data", "messages are JSON in text frames")
        return decode(message.data, width, height)

    def welcome(self, welcome: Welcome) -> SharedMessage:
        """See `Codec`."""
        limit = welcome.rules.rate_limit
        fields = {
            "type": "welcome",
            "user_id": welcome.user_id,
            "width": welcome.width,
            "height": welcome.height,
            "background": f"#{welcome.background:06X}",
            "epoch": welcome.epoch,
            "seq": welcome.seq,
            "head": welcome.head,
            "resumed": welcome.resumed,
            "users": [user.user_id for user in welcome.users],
            "user_count": welcome.user_count,
            "rate_limit": None if limit is None else {"per_second": limit.per_second, "burst": limit.burst},
            **details(welcome),
        }
        return SharedMessage.text(orjson.dumps(fields))

    def changes(self, changes: Sequence[Change], after: int) -> SharedMessage:
        """See `Codec`. One message per change."""
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
        return SharedMessage.text(*texts)

    def progress(self, after: int, upto: int) -> SharedMessage | None:
        """Return None: in JSON, the next change says how many were skipped."""
        return None

    def presence(self, changes: Sequence[PresenceChange]) -> SharedMessage:
        """See `Codec`. One message per user."""
        return SharedMessage.text(*map(_presence_change, changes))

    def user_count(self, count: int) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(orjson.dumps({"type": "user_count", "count": count}))

    def cursors(self, cursors: Sequence[tuple[str, int, int]]) -> SharedMessage:
        """See `Codec`. One message per cursor."""
        moved = [{"type": "cursor_moved", "x": x, "y": y, "user_id": user_id} for user_id, x, y in cursors]
        return SharedMessage.text(*map(orjson.dumps, moved))

    def heartbeat(self) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.text(b'{"type":"heartbeat"}')

    def error(self, error: BadMessage) -> SharedMessage:
        """See `Codec`. One message per refused pixel; a single one if no pixels are named."""
        fields: dict[str, Any] = {"type": "error", "code": error.code, "message": error.message}
        if error.field is not None:
            fields["field"] = error.field
        if error.id is not None:
            fields["id"] = error.id
        if error.retry_after is not None:
            fields["retry_after"] = milliseconds(error.retry_after) / 1000
        if not error.pixels:
            return SharedMessage.text(orjson.dumps(fields))
        return SharedMessage.text(*[orjson.dumps({**fields, "x": x, "y": y}) for x, y in error.pixels])

    def ack(self, *acks: tuple[int, int]) -> SharedMessage:
        """See `Codec`. One message per acknowledgement."""
        return SharedMessage.text(*[b'{"type":"ack","id":%d,"seq":%d}' % ack for ack in acks])


JSON: Final = JsonCodec()


def encode_canvas_state(pixels_json: bytes, epoch: str, seq: int, area: Area | None = None) -> bytes:
    """Encode a snapshot of the canvas or of an area; `pixels_json` holds its painted pixels (see `json_pixels`)."""
    head = b'{"type":"canvas_state","epoch":%s,"seq":%d' % (orjson.dumps(epoch), seq)
    if area is not None:
        place = (area.x, area.y, area.width, area.height)
        head += b',"area":{"x":%d,"y":%d,"width":%d,"height":%d}' % place
    return b'%s,"pixels":[%s]}' % (head, pixels_json)


def _presence_change(change: PresenceChange) -> bytes:
    fields = {"type": "user_joined" if change.is_present else "user_left", "user_id": change.user.user_id}
    if change.is_present and change.user.name:
        fields["name"] = change.user.name
    return orjson.dumps(fields)


def decode(data: str | bytes, width: int, height: int) -> ClientMessage:
    """Decode the text of a message; see `JsonCodec.decode`."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadMessage("invalid_json", f"not JSON: {error}") from None
    if type(message) is not dict:
        raise BadMessage("invalid_message", f"a message is a JSON object, got {_type_name(message)}")
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
        if not (type(x) is type(y) is int and 0 <= x < width and 0 <= y < height):  # rare: find out what is wrong
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
        raise BadMessage("invalid_field", f"type must be a string, got {_type_name(kind)}", "type")
    raise BadMessage(
        "unknown_type", f"type must be pixel_update, cursor_move or subscribe, got {_shorten(kind)}", "type"
    )


def _id(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_ID:
        return value
    got = value if type(value) is int or type(value) is float else _type_name(value)
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
    raise BadMessage("invalid_field", f"{field} must be an integer, got {_type_name(value)}", field)


def _bad_color(message: dict[str, Any]) -> BadMessage:
    """Return the error for an invalid colour."""
    value = message.get("color")
    if type(value) is str:
        return BadMessage("invalid_color", f"color must be like #FF0000, got {_shorten(value)}", "color")
    if "color" not in message:
        return BadMessage("missing_field", "color is missing", "color")
    return BadMessage("invalid_field", f"color must be a string, got {_type_name(value)}", "color")


def _type_name(value: object) -> str:
    """Return what a JSON value is called in an error message."""
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
