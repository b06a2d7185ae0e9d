"""Pure. The messages of the canvas in binary: subprotocol `canopy.v1.bin`.

`docs/wire-protocol.md` describes them byte by byte. All numbers are little-endian. The first byte of a message is its
kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import Final

import orjson

from canvas.board.area import Area
from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.messages.values import (
    MAX_ID,
    ClientCursorMove,
    ClientMessage,
    ClientPixels,
    ClientPixelUpdate,
    ClientSubscribe,
    PresenceChange,
    Welcome,
    details,
    milliseconds,
)
from protocol import Binary, SharedMessage, Text

SUBPROTOCOL: Final = "canopy.v1.bin"
MAX_CHANGES: Final = 0xFFFF
"""Maximum number of pixels in one CHANGES, which can name as many users."""


class ClientKind(IntEnum):
    """The first byte of a message to the server."""

    PIXELS = 0x01
    CURSOR = 0x02
    SUBSCRIBE = 0x03
    PIXELS_WITH_ID = 0x04


class ServerKind(IntEnum):
    """The first byte of a message to the client."""

    WELCOME = 0x81
    SNAPSHOT = 0x82
    CHANGES = 0x83
    PRESENCE = 0x84
    CURSORS = 0x85
    ERROR = 0x86
    USER_COUNT = 0x87
    ACK = 0x88
    REFUSED = 0x89
    HEARTBEAT = 0x8A


_PIXEL = Struct("<HHBBB")
_WITH_ID = Struct("<BI")
_CURSOR = Struct("<BHH")
_SUBSCRIBE = Struct("<BHHHH")
_WELCOME = Struct("<BBHHIQQdII")
_SNAPSHOT = Struct("<BBQHHHHH")
_TILE = Struct("<HI")
_CHANGES = Struct("<BQQH")
_CHANGE = Struct("<HHHBBB")
_PRESENCE = Struct("<BH")
_PLACE = Struct("<HH")
_USER_COUNT = Struct("<BI")
_ACK = Struct("<BIQ")
_REFUSED = Struct("<BIIH")
_TEXT_LENGTH = Struct("<H")

_RESUMED, _LIMITED = 1, 2
_WHOLE = 1


class BinaryCodec:
    """Binary frames."""

    def __repr__(self) -> str:
        return "BINARY"

    def decode(self, message: Text | Binary, width: int, height: int) -> ClientMessage:
        """See `Codec`."""
        if isinstance(message, Text):
            raise BadMessage("unsupported_data", f"messages of {SUBPROTOCOL} are binary frames")
        return decode(message.data, width, height)

    def welcome(self, welcome: Welcome) -> SharedMessage:
        """See `Codec`."""
        limit = welcome.rules.rate_limit
        flags = _RESUMED * welcome.resumed | _LIMITED * (limit is not None)
        head = _WELCOME.pack(
            ServerKind.WELCOME,
            flags,
            welcome.width,
            welcome.height,
            welcome.background,
            welcome.seq,
            welcome.head,
            0.0 if limit is None else limit.per_second,
            0 if limit is None else limit.burst,
            welcome.user_count,
        )
        users = b"".join(_short(user.user_id) for user in welcome.users)
        names = (_short(welcome.epoch), _short(welcome.user_id), _TEXT_LENGTH.pack(len(welcome.users)), users)
        return SharedMessage.binary(b"".join((head, *names, orjson.dumps(details(welcome)))))

    def changes(self, changes: Sequence[Change], after: int) -> SharedMessage:
        """See `Codec`. As few messages as possible."""
        messages = []
        for begin in range(0, len(changes), MAX_CHANGES):
            part = changes[begin : begin + MAX_CHANGES]
            messages.append(_changes(part, after))
            after = part[-1].seq
        return SharedMessage.binary(*messages)

    def progress(self, after: int, upto: int) -> SharedMessage | None:
        """See `Codec`."""
        return SharedMessage.binary(_CHANGES.pack(ServerKind.CHANGES, after, upto, 0))

    def presence(self, changes: Sequence[PresenceChange]) -> SharedMessage:
        """See `Codec`."""
        records = [
            bytes((change.is_present,)) + _short(change.user.user_id) + _short(change.user.name) for change in changes
        ]
        return SharedMessage.binary(_PRESENCE.pack(ServerKind.PRESENCE, len(records)) + b"".join(records))

    def user_count(self, count: int) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(_USER_COUNT.pack(ServerKind.USER_COUNT, count))

    def cursors(self, cursors: Sequence[tuple[str, int, int]]) -> SharedMessage:
        """See `Codec`."""
        records = [_PLACE.pack(x, y) + _short(user_id) for user_id, x, y in cursors]
        return SharedMessage.binary(_PRESENCE.pack(ServerKind.CURSORS, len(records)) + b"".join(records))

    def heartbeat(self) -> SharedMessage:
        """See `Codec`."""
        return SharedMessage.binary(bytes((ServerKind.HEARTBEAT,)))

    def error(self, error: BadMessage) -> SharedMessage:
        """See `Codec`. One message, or as many as it takes to name all refused pixels."""
        if error.id is None:
            kind = bytes((ServerKind.ERROR,))
            data = b"".join((kind, _short(error.code), _short(error.field or ""), _long(error.message)))
            return SharedMessage.binary(data)
        wait = 0 if error.retry_after is None else min(milliseconds(error.retry_after), MAX_ID)
        text = _short(error.code) + _long(error.message)
        parts = []
        for begin in range(0, len(error.pixels) or 1, MAX_CHANGES):
            part = error.pixels[begin : begin + MAX_CHANGES]
            head = _REFUSED.pack(ServerKind.REFUSED, error.id, wait, len(part))
            parts.append(b"".join((head, *[_PLACE.pack(*pixel) for pixel in part], text)))
        return SharedMessage.binary(*parts)

    def ack(self, *acks: tuple[int, int]) -> SharedMessage:
        """See `Codec`. One message per acknowledgement."""
        return SharedMessage.binary(*[_ACK.pack(ServerKind.ACK, *ack) for ack in acks])


BINARY: Final = BinaryCodec()


def decode(data: bytes, width: int, height: int) -> ClientMessage:
    """Decode the bytes of a message; see `BinaryCodec.decode`. One invalid pixel makes the whole message invalid."""
    kind = data[0] if data else None
    if kind == ClientKind.PIXELS:
        return _pixels(data, 1, None, width, height)
    if kind == ClientKind.PIXELS_WITH_ID:
        if len(data) < _WITH_ID.size:
            raise BadMessage("invalid_message", f"this message has at least {_WITH_ID.size} bytes, got {len(data)}")
        _, id_ = _WITH_ID.unpack_from(data)
        try:
            return _pixels(data, _WITH_ID.size, id_, width, height)
        except BadMessage as error:
            error.id, error.paints = id_, True
            raise
    if kind == ClientKind.CURSOR:
        _check_size(data, _CURSOR.size)
        _, x, y = _CURSOR.unpack(data)
        _check_place(x, y, width, height)
        return ClientCursorMove(x, y)
    if kind == ClientKind.SUBSCRIBE:
        _check_size(data, _SUBSCRIBE.size)
        _, x, y, columns, rows = _SUBSCRIBE.unpack(data)
        _check_place(x, y, width, height)
        _check_range("width", columns, 1, width - x)
        _check_range("height", rows, 1, height - y)
        return ClientSubscribe(Area(x, y, columns, rows))
    if kind is None:
        raise BadMessage("invalid_message", "a message has at least one byte")
    raise BadMessage("unknown_type", f"the first byte must be 1, 2, 3 or 4, got {kind}", "type")


def _pixels(data: bytes, begin: int, id_: int | None, width: int, height: int) -> ClientPixels:
    count, rest = divmod(len(data) - begin, _PIXEL.size)
    if rest or not count:
        raise BadMessage("invalid_message", f"pixels have {begin} + n * {_PIXEL.size} bytes, n > 0, got {len(data)}")
    pixels = []
    for x, y, red, green, blue in _PIXEL.iter_unpack(memoryview(data)[begin:]):
        _check_place(x, y, width, height)
        pixels.append(ClientPixelUpdate(x, y, red << 16 | green << 8 | blue))
    return ClientPixels(pixels, id_)


def _check_size(data: bytes, size: int) -> None:
    if len(data) != size:
        raise BadMessage("invalid_message", f"this message has {size} bytes, got {len(data)}")


def _check_place(x: int, y: int, width: int, height: int) -> None:
    _check_range("x", x, 0, width - 1)
    _check_range("y", y, 0, height - 1)


def _check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadMessage("out_of_bounds", f"{field} must be within {low}..{high}, got {value}", field)


def encode_snapshot(seq: int, area: Area, tiles: Sequence[tuple[int, bytes]], *, is_whole: bool) -> bytes:
    """Encode a snapshot of an area tile by tile: the number and the deflated RGB, empty for an unpainted tile.

    If `is_whole`, tiles that are not listed are background; otherwise the client keeps what it knows of them.
    """
    head = _SNAPSHOT.pack(
        ServerKind.SNAPSHOT, _WHOLE * is_whole, seq, area.x, area.y, area.width, area.height, len(tiles)
    )
    parts = [head]
    for number, deflated in tiles:
        parts += (_TILE.pack(number, len(deflated)), deflated)
    return b"".join(parts)


def _changes(changes: Sequence[Change], after: int) -> bytes:
    numbers: dict[str, int] = {}
    records = []
    for change in changes:
        number = numbers.setdefault(change.user_id, len(numbers))
        color = change.color
        records.append(_CHANGE.pack(change.x, change.y, number, color >> 16, color >> 8 & 0xFF, color & 0xFF))
    head = _CHANGES.pack(ServerKind.CHANGES, after, changes[-1].seq, len(numbers))
    return b"".join((head, *map(_short, numbers), *records))


def _long(text: str) -> bytes:
    """Encode a text after its length in two bytes; it is truncated to 65,535 bytes."""
    data = text.encode()[:0xFFFF].decode(errors="ignore").encode()
    return _TEXT_LENGTH.pack(len(data)) + data


def _short(text: str) -> bytes:
    """Encode a text of at most 255 bytes after its length in one byte.

    Raises:
        ValueError: if it is longer.
    """
    data = text.encode()
    if len(data) > 0xFF:
        raise ValueError(f"{text!r} has more than 255 bytes")
    return bytes((len(data),)) + data
