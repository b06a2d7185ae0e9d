"""Pure. What a client of `canopy.v1.bin` shows: reads the bytes as docs/wire-protocol.md has them, on its own."""

import json
import zlib
from collections.abc import Callable
from struct import unpack_from
from typing import Any

from tests.support.screen import Screen

TILE = 256


class Reader:
    """Takes values out of a message, from left to right."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, layout: str) -> Any:
        """One value, little-endian."""
        (value,) = unpack_from("<" + layout, self.data, self.position)
        self.position += {"B": 1, "H": 2, "I": 4, "Q": 8, "d": 8}[layout]
        return value

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        taken = self.data[self.position : self.position + count]
        assert len(taken) == count, "the message ends too early"
        self.position += count
        return taken

    def text(self, layout: str = "B") -> str:
        """A text behind its length."""
        return self.bytes(self.take(layout)).decode()

    def color(self) -> str:
        """Three bytes."""
        return "#" + self.bytes(3).hex().upper()


class BinaryScreen(Screen):
    """A client's picture.

    Attributes:
        messages: how many of each kind have come, by the first byte
        inflated: tiles that came in snapshots
    """

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[int, int] = {}
        self.inflated = 0

    def take_binary(self, data: bytes) -> list[dict[str, Any]]:
        """Show one message; returns what it tells, as JSON would have it. A `seq` that it does not tell is None."""
        read = Reader(data)
        kind = read.take("B")
        self.messages[kind] = self.messages.get(kind, 0) + 1
        parsers: dict[int, Callable[[Any], list[dict[str, Any]]]] = {
            0x81: self._welcome_of,
            0x82: self._snapshot_of,
            0x83: self._changes_of,
            0x84: self._presence_of,
            0x85: self._cursors_of,
            0x86: self._error_of,
            0x87: lambda read: [{"type": "user_count", "count": read.take("I")}],
            0x88: lambda read: [{"type": "ack", "id": read.take("I"), "seq": read.take("Q")}],
            0x89: self._refused_of,
            0x8A: lambda read: [{"type": "heartbeat"}],
        }
        told = parsers[kind](read)
        assert read.position == len(data), "bytes are left"
        for message in told:
            self.take(dict(message))
        if told and told[-1].get("skipped"):
            told = [{**change, "seq": None} for change in told[:-1]] + told[-1:]
        return told

    def _welcome_of(self, read: Reader) -> list[dict[str, Any]]:
        flags, width, height, background = read.take("B"), read.take("H"), read.take("H"), read.take("I")
        seq, head = read.take("Q"), read.take("Q")
        per_second, burst, user_count = read.take("d"), read.take("I"), read.take("I")
        epoch, user_id = read.text(), read.text()
        users = [read.text() for _ in range(read.take("H"))]
        details = json.loads(read.bytes(len(read.data) - read.position))
        return [
            {
                **details,
                "type": "welcome",
                "user_id": user_id,
                "width": width,
                "height": height,
                "background": f"#{background:06X}",
                "epoch": epoch,
                "seq": seq,
                "head": head,
                "resumed": bool(flags & 1),
                "users": users,
                "user_count": user_count,
                "rate_limit": {"per_second": per_second, "burst": burst} if flags & 2 else None,
            }
        ]

    def _snapshot_of(self, read: Reader) -> list[dict[str, Any]]:
        is_whole, seq = bool(read.take("B") & 1), read.take("Q")
        x, y, width, height = (read.take("H") for _ in range(4))
        columns = -(-self.width // TILE)
        pixels = {} if is_whole else {cell: c for cell, c in self.pixels.items() if _is_in(cell, x, y, width, height)}
        for _ in range(read.take("H")):
            row, column = divmod(read.take("H"), columns)
            deflated = read.bytes(read.take("I"))
            rgb = zlib.decompress(deflated) if deflated else bytes.fromhex(self.background[1:]) * TILE * TILE
            assert len(rgb) == 3 * TILE * TILE
            self.inflated += 1
            for cell_y in range(max(y, row * TILE), min(y + height, (row + 1) * TILE)):
                for cell_x in range(max(x, column * TILE), min(x + width, (column + 1) * TILE)):
                    at = 3 * ((cell_y - row * TILE) * TILE + cell_x - column * TILE)
                    pixels[cell_x, cell_y] = "#" + rgb[at : at + 3].hex().upper()
        shown = [{"x": cell[0], "y": cell[1], "color": c} for cell, c in pixels.items() if c != self.background]
        message: dict[str, Any] = {"type": "canvas_state", "epoch": self._epoch, "seq": seq, "pixels": shown}
        if (width, height) != (self.width, self.height):
            message["area"] = {"x": x, "y": y, "width": width, "height": height}
        return [message]

    @property
    def _epoch(self) -> str:
        return self.epoch if self._welcome is None else str(self._welcome["epoch"])

    def _changes_of(self, read: Reader) -> list[dict[str, Any]]:
        after, upto = read.take("Q"), read.take("Q")
        users = [read.text() for _ in range(read.take("H"))]
        count, rest = divmod(len(read.data) - read.position, 9)
        assert rest == 0
        assert count <= upto - after
        if not count:
            assert after == self.seq
            self.skipped += upto - after
            self.seq = upto
        told: list[dict[str, Any]] = []
        seq = after
        for left in range(count - 1, -1, -1):
            seq = upto if not left else seq + 1  # the last one is `upto`; of the others only the order is known
            skipped = upto - after - count if not left else 0
            x, y, user = read.take("H"), read.take("H"), read.take("H")
            change = {"type": "pixel_changed", "x": x, "y": y, "color": read.color(), "seq": seq}
            change["user_id"] = users[user]
            told.append({**change, "skipped": skipped} if skipped else change)
        return told

    def _presence_of(self, read: Reader) -> list[dict[str, Any]]:
        kinds = {1: "user_joined", 0: "user_left"}
        told = []
        for _ in range(read.take("H")):
            told.append({"type": kinds[read.take("B")], "user_id": read.text()})
            name = read.text()
            if name and told[-1]["type"] == "user_joined":
                told[-1]["name"] = name
        return told

    def _cursors_of(self, read: Reader) -> list[dict[str, Any]]:
        told = []
        for _ in range(read.take("H")):
            x, y = read.take("H"), read.take("H")
            told.append({"type": "cursor_moved", "x": x, "y": y, "user_id": read.text()})
        return told

    def _error_of(self, read: Reader) -> list[dict[str, Any]]:
        code, field = read.text(), read.text()
        error = {"type": "error", "code": code, "message": read.text("H")}
        return [{**error, "field": field} if field else error]

    def _refused_of(self, read: Reader) -> list[dict[str, Any]]:
        id_, wait, count = read.take("I"), read.take("I"), read.take("H")
        pixels = [{"x": read.take("H"), "y": read.take("H")} for _ in range(count)]
        error = {"type": "error", "id": id_, "code": read.text(), "message": read.text("H")}
        if wait:
            error["retry_after"] = wait / 1000
        return [{**error, **pixel} for pixel in pixels] or [error]


def _is_in(cell: tuple[int, int], x: int, y: int, width: int, height: int) -> bool:
    return x <= cell[0] < x + width and y <= cell[1] < y + height
