"""Pure. The messages of the canvas in JSON, as `docs/wire-protocol.md` has them: one object per text frame."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from canvas.grid import Change
from canvas.rate_limit import RateLimit

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}\Z")


@dataclass(slots=True)
class ClientPixelUpdate:
    """Give a pixel a colour (0xRRGGBB)."""

    x: int
    y: int
    color: int


@dataclass(slots=True)
class ClientCursorMove:
    """The pointer is here."""

    x: int
    y: int


ClientMessage: TypeAlias = ClientPixelUpdate | ClientCursorMove


class BadMessage(Exception):
    """A message that breaks a rule. The peer gets it as an `error`, and the connection stays.

    `code` is one of `invalid_json`, `invalid_message`, `unknown_type`, `missing_field`, `invalid_field`,
    `out_of_bounds`, `invalid_color`, `unsupported_data`; `field` names the culprit, if it is one.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


def decode(data: str | bytes, width: int, height: int) -> ClientMessage:
    """Read a message to a canvas of `width` x `height` pixels.

    Raises:
        BadMessage: if it is none.
    """
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadMessage("invalid_json", f"not JSON: {error}") from None
    if type(message) is not dict:
        raise BadMessage("invalid_message", f"a message is a JSON object, got {_kind(message)}")
    kind = message.get("type")
    if kind == "pixel_update":
        return ClientPixelUpdate(_coordinate(message, "x", width), _coordinate(message, "y", height), _color(message))
    if kind == "cursor_move":
        return ClientCursorMove(_coordinate(message, "x", width), _coordinate(message, "y", height))
    if "type" not in message:
        raise BadMessage("missing_field", "type is missing", "type")
    if type(kind) is not str:
        raise BadMessage("invalid_field", f"type must be a string, got {_kind(kind)}", "type")
    raise BadMessage(
        "unknown_type", f"type must be pixel_update or cursor_move, got {_shorten(kind)}", "type"
    )


def _coordinate(message: dict[str, Any], field: str, size: int) -> int:
    value = message.get(field)
    if type(value) is int:  # not isinstance: True is an int too
        if 0 <= value < size:
            return value
        raise BadMessage("out_of_bounds", f"{field} must be within 0..{size - 1}, got {value}", field)
    if type(value) is float and abs(value) >= 2.0**63:  # orjson reads an integer beyond 64 bits as a float
        raise BadMessage("out_of_bounds", f"{field} must be within 0..{size - 1}, got {value:g}", field)
    if field not in message:
        raise BadMessage("missing_field", f"{field} is missing", field)
    raise BadMessage("invalid_field", f"{field} must be an integer, got {_kind(value)}", field)


def _color(message: dict[str, Any]) -> int:
    value = message.get("color")
    if type(value) is str:
        if _COLOR.match(value):
            return int(value[1:], 16)
        raise BadMessage("invalid_color", f"color must be like #FF0000, got {_shorten(value)}", "color")
    if "color" not in message:
        raise BadMessage("missing_field", "color is missing", "color")
    raise BadMessage("invalid_field", f"color must be a string, got {_kind(value)}", "color")


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


def server_welcome(
    *,
    user_id: str,
    width: int,
    height: int,
    background: int,
    epoch: str,
    seq: int,
    users: Sequence[str],
    user_count: int,
    rate_limit: RateLimit | None,
) -> bytes:
    """Greet a client: who it is, what the canvas is, who else is there (some of them, and how many)."""
    limit = None if rate_limit is None else {"per_second": rate_limit.per_second, "burst": rate_limit.burst}
    return orjson.dumps(
        {
            "type": "welcome",
            "user_id": user_id,
            "width": width,
            "height": height,
            "background": f"#{background:06X}",
            "epoch": epoch,
            "seq": seq,
            "users": users,
            "user_count": user_count,
            "rate_limit": limit,
        }
    )


def server_canvas_state(pixels_json: bytes, epoch: str, seq: int) -> bytes:
    """Show the whole canvas: all pixels that are not background, as `Grid.pixels_json` has them."""
    return b'{"type":"canvas_state","epoch":%s,"seq":%d,"pixels":%s}' % (orjson.dumps(epoch), seq, pixels_json)


def server_pixel_changed(change: Change, user_id_json: bytes) -> bytes:
    """Tell of a committed change; `user_id_json` is the painter's id as a JSON string."""
    return b'{"type":"pixel_changed","x":%d,"y":%d,"color":"#%06X","user_id":%s,"seq":%d}' % (
        change.x,
        change.y,
        change.color,
        user_id_json,
        change.seq,
    )


def server_pixels_changed(changes: Iterable[Change]) -> list[bytes]:
    """Tell of committed changes, a message each."""
    ids: dict[str, bytes] = {}
    texts = []
    for change in changes:
        user_id = ids.get(change.user_id)
        if user_id is None:
            user_id = ids[change.user_id] = orjson.dumps(change.user_id)
        texts.append(server_pixel_changed(change, user_id))
    return texts


def server_user_joined(user_id: str) -> bytes:
    """Tell that somebody has come."""
    return orjson.dumps({"type": "user_joined", "user_id": user_id})


def server_user_left(user_id: str) -> bytes:
    """Tell that somebody has gone."""
    return orjson.dumps({"type": "user_left", "user_id": user_id})


def server_cursor_moved(user_id: str, x: int, y: int) -> bytes:
    """Tell where somebody's pointer is."""
    return orjson.dumps({"type": "cursor_moved", "x": x, "y": y, "user_id": user_id})


def server_error(code: str, message: str, field: str | None = None) -> bytes:
    """Tell the client what is wrong with what it sent."""
    error = {"type": "error", "code": code, "message": message}
    if field is not None:
        error["field"] = field
    return orjson.dumps(error)
