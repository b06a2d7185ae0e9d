"""What the canvas adds to the console: itself, who is present, and the groups of the registry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from actors import CallExit, call
from canvas.canvas import CanvasStatus, GetStatus
from canvas.room import Room
from registry import Table
from supervision.console import PageContent, PageTable

MAX_ROWS = 200
"""Rows of one table; the API has all of them."""


class CanvasPage:
    """The canvas: its size, how far it has come, what waits."""

    id = "canvas"
    title = "Canvas"

    def __init__(self, room: Room) -> None:
        self._room = room

    async def snapshot(self) -> PageContent:
        """Ask the canvas."""
        room = self._room
        values: dict[str, Any] = {
            "width": room.width,
            "height": room.height,
            "background": f"#{room.background:06X}",
            "rate limit": "off" if room.rules.rate_limit is None else f"{room.rules.rate_limit.per_second:g}/s",
            "present": len(room.users),
        }
        try:
            status: CanvasStatus = await call(room.canvas, GetStatus(), timeout=1.0)
        except CallExit as exit:
            values["state"] = f"does not answer: {exit.reason}"
        else:
            values |= {"epoch": status.epoch, "seq": status.seq, "pixels waiting for the store": status.waiting}
        return PageContent(self.id, self.title, values, [])


class PresencePage:
    """Who is there."""

    id = "presence"
    title = "Presence"

    def __init__(self, room: Room) -> None:
        self._room = room

    def snapshot(self) -> PageContent:
        """Read the table of users."""
        users = self._room.users
        rows = [[key, value, str(ref.id), ref.label] for key, ref, value in islice(users, MAX_ROWS)]
        table = PageTable("Users", ["user", "address", "actor", "label"], rows)
        return PageContent(self.id, self.title, {"present": len(users), "shown": len(rows)}, [table])


class GroupsPage:
    """The tables of the registry, and their fullest keys."""

    id = "groups"
    title = "Groups"

    def __init__(self, tables: Sequence[Table[Any]]) -> None:
        self._tables = tables

    def snapshot(self) -> PageContent:
        """Count who is where."""
        members = Counter((table.name, str(key)) for table in self._tables for key, _, _ in table)
        tables = [[table.name, table.kind.value, len(table)] for table in self._tables]
        fullest = [[name, key, count] for (name, key), count in members.most_common(MAX_ROWS)]
        return PageContent(
            self.id,
            self.title,
            {},
            [
                PageTable("Tables", ["table", "keys", "entries"], tables),
                PageTable("Fullest keys", ["table", "key", "members"], fullest),
            ],
        )
