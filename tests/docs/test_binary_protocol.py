"""The tables of the binary protocol agree with the codec: they suffice to read everything that it writes."""

import json
import re
from pathlib import Path
from struct import calcsize, unpack_from
from typing import Any

import pytest

from canvas.board.area import Area
from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.board.rules import Rules
from canvas.messages.binary_codec import BINARY, ClientKind, ServerKind, decode, encode_snapshot
from canvas.messages.values import (
    ClientCursorMove,
    ClientPixels,
    ClientPixelUpdate,
    ClientSubscribe,
    PresenceChange,
    User,
    Welcome,
)
from protocol import SharedMessage
from supervision.server.rate_limit import RateLimit

PAGE = (Path(__file__).parents[2] / "docs" / "wire-protocol.md").read_text()
SECTION = re.compile(r"^### `(\w+)`, (0x[0-9A-F]{2})\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([\w.\[\]]+)` \| (\w+) \|", re.MULTILINE)
EXAMPLE = re.compile(r"^    ((?:[0-9a-f]{2} ?)+)$", re.MULTILINE)
SECTIONS = {name: (int(code, 16), text) for name, code, text in SECTION.findall(PAGE)}
NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "f64": "<d"}

ANN, BOB = User("77aa", "Ann"), User("5f0c")
RULES = Rules(rate_limit=RateLimit(100, 200))
WELCOME = Welcome("5f0c", 1000, 1000, 0xFFFFFF, "9b2f", 42, 45, True, [BOB, ANN], 2, RULES)
CHANGES = [Change(100, 150, 0xFF0000, "5f0c", 43), Change(101, 150, 0xFF00, "77aa", 45)]
COOLDOWN = BadMessage("cooldown", "wait 4.5 s", retry_after=4.5)
COOLDOWN.id, COOLDOWN.pixels = 7, ((101, 150),)


def payload(message: SharedMessage) -> bytes:
    """Return the only payload of `message`."""
    (data,) = message.payloads
    return data


WRITTEN = {
    "welcome": payload(BINARY.welcome(WELCOME)),
    "snapshot": encode_snapshot(42, Area(0, 0, 1000, 1000), [(5, b"\x78\x9c")], is_whole=True),
    "changes": payload(BINARY.changes(CHANGES, 42)),
    "presence": payload(BINARY.presence([PresenceChange(ANN, True), PresenceChange(User("12ab"), False)])),
    "cursors": payload(BINARY.cursors([("5f0c", 200, 300)])),
    "error": payload(BINARY.error(BadMessage("out_of_bounds", "x must be within 0..999, got 1000", "x"))),
    "user_count": payload(BINARY.user_count(5_000)),
    "ack": payload(BINARY.ack((7, 43))),
    "refused": payload(BINARY.error(COOLDOWN)),
    "heartbeat": payload(BINARY.heartbeat()),
}
READ = {
    "pixels": ClientPixels([ClientPixelUpdate(100, 150, 0xFF0000), ClientPixelUpdate(101, 150, 0xFF0000)]),
    "pixels_with_id": ClientPixels([ClientPixelUpdate(100, 150, 0xFF0000), ClientPixelUpdate(101, 150, 0xFF0000)], 7),
    "cursor": ClientCursorMove(200, 300),
    "subscribe": ClientSubscribe(Area(512, 0, 1024, 768)),
}


class Table:
    """Reads a message by a table of the page."""

    def __init__(self, name: str) -> None:
        self.code, text = SECTIONS[name]
        self.rows = ROW.findall(text)
        self.example = bytes.fromhex("".join(EXAMPLE.findall(text)))
        self._data = b""
        self._at = 0

    def read(self, data: bytes) -> dict[str, Any]:
        """Return the fields of a message; fail if bytes are left over."""
        self._data, self._at = data, 0
        assert self._number("u8") == self.code
        fields = self._fields("")
        assert self._at == len(data), "bytes are left"
        return fields

    def _fields(self, prefix: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, kind in self.rows:
            if not name.startswith(prefix) or "." in name.removeprefix(prefix):
                continue
            fields[name.removeprefix(prefix).removesuffix("[]")] = self._field(name, kind)
        return fields

    def _field(self, name: str, kind: str) -> Any:
        if kind == "list16":
            return [self._fields(name + ".") for _ in range(self._number("u16"))]
        if kind == "list":
            items = []
            while self._at < len(self._data):
                items.append(self._fields(name + "."))
            return items
        if kind == "json":
            return json.loads(self._bytes(len(self._data) - self._at))
        if kind == "rgb":
            return self._bytes(3).hex()
        if kind in ("text8", "text16"):
            return self._bytes(self._number("u" + kind.removeprefix("text"))).decode()
        return self._bytes(self._number("u32")) if kind == "bytes32" else self._number(kind)

    def _number(self, kind: str) -> Any:
        (value,) = unpack_from(NUMBERS[kind], self._data, self._at)
        self._at += calcsize(NUMBERS[kind])
        return value

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]


def test_page_has_every_message() -> None:
    assert {name: code for name, (code, _) in SECTIONS.items()} == {
        **{kind.name.lower(): kind.value for kind in ClientKind},
        **{kind.name.lower(): kind.value for kind in ServerKind},
    }
    assert SECTIONS.keys() == WRITTEN.keys() | READ.keys()


@pytest.mark.parametrize("name", WRITTEN)
def test_example_is_what_the_codec_writes_and_its_table_reads_it(name: str) -> None:
    table = Table(name)
    assert table.example == WRITTEN[name]
    fields = {row.removesuffix("[]") for row, _ in table.rows if "." not in row}
    assert table.read(table.example).keys() == fields


@pytest.mark.parametrize("name", READ)
def test_example_is_what_the_codec_reads_and_its_table_reads_it(name: str) -> None:
    table = Table(name)
    assert decode(table.example, 2_000, 2_000) == READ[name]
    assert table.read(table.example)


def test_tables_give_the_fields_their_values() -> None:
    welcome = Table("welcome").read(WRITTEN["welcome"])
    assert welcome["more"].pop("names") == {"77aa": "Ann"}
    assert welcome | {"more": None} == {
        "flags": 3, "width": 1000, "height": 1000, "background": 0xFFFFFF, "seq": 42, "head": 45, "per_second": 100.0,
        "burst": 200, "user_count": 2, "epoch": "9b2f", "user_id": "5f0c",
        "users": [{"user_id": "5f0c"}, {"user_id": "77aa"}], "more": None,
    }  # fmt: skip
    assert Table("changes").read(WRITTEN["changes"]) == {
        "after": 42, "upto": 45, "users": [{"user_id": "5f0c"}, {"user_id": "77aa"}],
        "pixels": [
            {"x": 100, "y": 150, "user": 0, "color": "ff0000"}, {"x": 101, "y": 150, "user": 1, "color": "00ff00"},
        ],
    }  # fmt: skip
    assert Table("snapshot").read(WRITTEN["snapshot"]) == {
        "flags": 1, "seq": 42, "x": 0, "y": 0, "width": 1000, "height": 1000,
        "tiles": [{"number": 5, "data": b"\x78\x9c"}],
    }  # fmt: skip
