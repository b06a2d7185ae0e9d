"""Pure. What one client shows, made of the messages it gets; fails on any broken promise of docs/wire-protocol.md."""

from collections.abc import Callable
from itertools import count
from typing import Any

FIELDS: dict[str, set[str]] = {
    "welcome": {
        "user_id", "width", "height", "background", "epoch", "seq", "head", "resumed", "users", "user_count",
        "rate_limit", "names", "read_only", "palette", "cooldown", "locked",
    },
    "canvas_state": {"pixels", "epoch", "seq"},
    "pixel_changed": {"x", "y", "color", "user_id", "seq"},
    "user_joined": {"user_id"},
    "user_left": {"user_id"},
    "user_count": {"count"},
    "cursor_moved": {"x", "y", "user_id"},
    "heartbeat": set(),
    "error": {"code", "message"},
    "ack": {"id", "seq"},
}  # fmt: skip
OPTIONAL = {
    "canvas_state": {"area"}, "pixel_changed": {"skipped"}, "user_joined": {"name"},
    "error": {"field", "id", "x", "y", "retry_after"},
}  # fmt: skip

Pixels = dict[tuple[int, int], str]


class Screen:
    """A client's picture and the people it knows of.

    Attributes:
        pixels: those that are not background
        users: those it knows of, itself included
        names: of those who have one
        user_count: how many there are, as far as it was told
        area: the part that it sees: x, y, width and height, None for all
        states: how often a state came
        resumes: how often it was welcomed without one
        skipped: changes it was not told of
        own: own changes that were shown, oldest first
        ids: for messages that are to be acknowledged
        acks: the seq of each `ack`, by its id, oldest first
        repeats: ids of messages that were sent more than once, and are acknowledged each time
        history: the messages about people, oldest first
        heartbeats: how many have come
    """

    def __init__(self) -> None:
        self.user_id = ""
        self.width = self.height = 0
        self.background = ""
        self.epoch = ""
        self.seq = 0
        self.pixels: Pixels = {}
        self.users: set[str] = set()
        self.user_count = 0
        self.names: dict[str, str] = {}
        self.cursors: dict[str, tuple[int, int]] = {}
        self.errors: list[dict[str, Any]] = []
        self.area: tuple[int, int, int, int] | None = None
        self.states = self.resumes = self.skipped = 0
        self.own: list[tuple[int, int, str]] = []
        self.ids = count(1)
        self.acks: dict[int, int] = {}
        self.repeats: set[int] = set()
        self.history: list[tuple[str, str]] = []
        self.heartbeats = 0
        self.head = 0
        self._welcome: dict[str, Any] | None = None

    def take(self, message: dict[str, Any]) -> None:
        """Show one message of the server."""
        kind = message.pop("type")
        fields = set(message) - OPTIONAL.get(kind, set())
        assert fields == FIELDS[kind], f"{kind} with {sorted(message)}"
        is_begun = self.states or self.resumes or kind in ("welcome", "canvas_state", "error", "ack")
        assert is_begun, f"{kind} before the first canvas_state"
        if kind == "error" and message["code"] == "canvas_too_large":
            self._welcome = None
        elif self._welcome is not None and kind != "ack":
            assert kind == "canvas_state", f"{kind} between welcome and canvas_state"
        show: Callable[[dict[str, Any]], None] = getattr(self, f"_show_{kind}")
        show(message)

    def _show_welcome(self, message: dict[str, Any]) -> None:
        if message["resumed"]:
            assert (message["epoch"], message["seq"]) == (self.epoch, self.seq), "resumed from somewhere else"
            self._welcome = None
            self.resumes += 1
        else:
            self._welcome = message
        self.user_id = message["user_id"]
        self.width, self.height = message["width"], message["height"]
        self.background = message["background"]
        self.head = message["head"]
        assert self.head >= message["seq"]
        users = message["users"]
        assert users[0] == self.user_id, "the client itself comes first"
        assert len(set(users)) == len(users) <= message["user_count"]
        self.users = set(users)
        self.user_count = message["user_count"]
        self.names = message["names"]
        assert set(self.names) <= self.users

    def _show_canvas_state(self, message: dict[str, Any]) -> None:
        welcome, self._welcome = self._welcome, None
        if welcome is not None:
            assert (message["epoch"], message["seq"]) == (welcome["epoch"], welcome["seq"])
        if message["epoch"] == self.epoch:
            assert message["seq"] >= self.seq, f"the canvas went back from {self.seq} to {message['seq']}"
        self.epoch, self.seq = message["epoch"], message["seq"]
        self.pixels = {(pixel["x"], pixel["y"]): pixel["color"] for pixel in message["pixels"]}
        assert len(self.pixels) == len(message["pixels"]), "a pixel is listed twice"
        assert self.background not in self.pixels.values(), "a pixel of background is listed"
        area = message.get("area")
        self.area = area and (area["x"], area["y"], area["width"], area["height"])
        x, y, width, height = self.area or (0, 0, self.width, self.height)
        assert all(x <= cell[0] < x + width and y <= cell[1] < y + height for cell in self.pixels)
        self.states += 1

    def _show_pixel_changed(self, message: dict[str, Any]) -> None:
        skipped = message.get("skipped", 0)
        assert message["seq"] == self.seq + 1 + skipped, f"change {message['seq']} came after {self.seq}"
        self.seq = message["seq"]
        self.skipped += skipped
        cell, color = (message["x"], message["y"]), message["color"]
        if color == self.background:
            self.pixels.pop(cell, None)
        else:
            self.pixels[cell] = color
        if message["user_id"] == self.user_id:
            self.own.append((*cell, color))

    def _show_user_joined(self, message: dict[str, Any]) -> None:
        user_id, name = message["user_id"], message.get("name", "")
        is_renamed = name != self.names.get(user_id, "")
        assert user_id not in self.users or is_renamed, f"{user_id} joined, who is there already"
        self.users.add(user_id)
        self.names[user_id] = name
        self.history.append(("joined", user_id))

    def _show_user_left(self, message: dict[str, Any]) -> None:
        user_id = message["user_id"]
        assert user_id != self.user_id, "told of its own departure"
        assert user_id in self.users, f"{user_id} left, who was not there"
        self.users.remove(user_id)
        self.names.pop(user_id, None)
        self.history.append(("left", user_id))

    def _show_user_count(self, message: dict[str, Any]) -> None:
        self.user_count = message["count"]

    def _show_cursor_moved(self, message: dict[str, Any]) -> None:
        self.cursors[message["user_id"]] = (message["x"], message["y"])

    def _show_ack(self, message: dict[str, Any]) -> None:
        is_first = message["id"] not in self.acks or message["id"] in self.repeats
        assert is_first, f"{message['id']} is acknowledged twice"
        self.acks[message["id"]] = message["seq"]

    def _show_heartbeat(self, message: dict[str, Any]) -> None:
        self.heartbeats += 1

    def _show_error(self, message: dict[str, Any]) -> None:
        self.errors.append(message)
