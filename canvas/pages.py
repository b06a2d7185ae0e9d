"""What the canvas adds to the console: itself, its store, who is there, who is kept out, the groups of the registry."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors import CallExit, Target, call
from canvas.bans import Bans
from canvas.canvas import CanvasStatus, GetStatus
from canvas.room import Room
from canvas.store import SLOW_WRITE, GetHealth, Health, Store
from canvas.waiting import Waiting
from registry import Table
from supervision.console import PageContent, PageTable

PATIENCE = 1.0
"""Seconds that an actor has to answer who looks at it."""
MAX_ROWS = 200
"""Rows of one table; the API has all of them."""


class CanvasPage:
    """The canvas: its size, how far it has come, what waits."""

    id = "canvas"
    title = "Canvas"

    def __init__(self, room: Room, waiting: Waiting) -> None:
        self._room = room
        self._waiting = waiting

    async def snapshot(self) -> PageContent:
        """Ask the canvas."""
        room = self._room
        values: dict[str, Any] = {
            "width": room.width,
            "height": room.height,
            "background": f"#{room.background:06X}",
            "rate limit": "off" if room.rules.rate_limit is None else f"{room.rules.rate_limit.per_second:g}/s",
            "present": len(room.users),
            "questions waiting": f"{len(self._waiting)} of {self._waiting.most}",
            **{meter.name: f"{meter.used} of {meter.most}" for meter in room.held},
        }
        status = await _ask(room.canvas, GetStatus())
        if isinstance(status, CanvasStatus):
            values |= {"epoch": status.epoch, "seq": status.seq}
            if status.error is not None:
                values["state"] = status.error
        else:
            values["state"] = status
        return PageContent(self.id, self.title, values, [])


async def look_at_store(store: Store, server: Target, canvas: Target) -> dict[str, Any]:
    """The store, as far as its process answers, and what the canvas has for it."""
    values: dict[str, Any] = {"kind": store.kind, "durability": store.durability, "epoch": store.epoch}
    pace = store.pace()
    values |= {"write under way (s)": round(pace.seconds, 1), "slow writes": pace.slow}
    health, status = await asyncio.gather(_ask(server, GetHealth()), _ask(canvas, GetStatus()))
    if isinstance(health, Health):
        values |= {
            "seq": health.seq,
            "commits": health.commits,
            "last commit (ms)": None if health.commits == 0 else round(health.last_commit * 1000, 3),
            "bytes on disk": health.bytes,
            "last error": health.lost or health.error,
        }
    else:
        values["state"] = health
    values["pixels waiting"] = status.waiting if isinstance(status, CanvasStatus) else status
    return values


def measure_store(store: Store) -> Iterator[Metric]:
    """What Prometheus sees of the store."""
    pace = store.pace()
    about = "How long the write under way has taken; 0 if there is none."
    yield GaugeMetricFamily("canopy_store_write_seconds", about, value=pace.seconds)
    about = f"Writes that took longer than {SLOW_WRITE:g} s."
    yield CounterMetricFamily("canopy_store_slow_writes", about, value=pace.slow)


async def what_is_wrong(server: Target, canvas: Target) -> str | None:
    """Tell why the canvas can be neither painted nor shown until an operator repairs it; None if it can.

    A full or slow disk does not count: viewing goes on. Anybody may read the text; the log and the console tell more.
    """
    health, status = await asyncio.gather(_ask(server, GetHealth()), _ask(canvas, GetStatus()))
    if isinstance(health, Health) and health.lost is not None:
        return "the database was deleted, moved or replaced"
    return "the canvas cannot be read" if isinstance(status, CanvasStatus) and status.error is not None else None


async def _ask(target: Target, question: object) -> Any:
    """The answer, or a text that says why there is none: what waits for a full disk must not hold up who looks."""
    try:
        return await call(target, question, timeout=PATIENCE)
    except CallExit as exit:
        return f"does not answer: {exit.reason}"


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


class BansPage:
    """Who is kept out."""

    id = "bans"
    title = "Bans"

    def __init__(self, bans: Bans) -> None:
        self._bans = bans

    def snapshot(self) -> PageContent:
        """Read the bans that hold, the last one first."""
        bans = self._bans.all()
        rows = [
            [
                " ".join((ban.whom, *ban.addresses)),
                ban.reason,
                _moment(ban.at),
                "for good" if ban.until is None else _moment(ban.until),
            ]
            for ban in reversed(bans[-MAX_ROWS:])
        ]
        table = PageTable("Kept out", ["who", "reason", "since", "until"], rows)
        return PageContent(self.id, self.title, {"bans": len(bans)}, [table])


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


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
