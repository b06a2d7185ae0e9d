"""What the canvas adds to the console: itself, its store, who is there, who is kept out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors import Target
from canvas.admin.moderation import describe
from canvas.admin.rollback import place
from canvas.admin.user_directory import UserDirectory
from canvas.history.historian import AskActivity, RecentActivity
from canvas.live.canvas import CanvasStatus, GetStatus
from canvas.live.health import ask
from canvas.live.room import Room
from canvas.store import SLOW_WRITE, GetHealth, Health, Store
from canvas.users.bans import Bans, read_network
from supervision.console import Act, PageContent, PageQuery, PageTable, Quantity

LATELY = 10_000
"""Changes whose painters are listed."""
SOME_WAITING = 1_000
"""Pixels that wait for the store of which somebody should know: a second of a busy canvas."""


class CanvasPage:
    """The canvas: its size, how far it has come, what waits, who painted lately."""

    id = "canvas"
    title = "Canvas"

    def __init__(self, room: Room, people: UserDirectory) -> None:
        self._room = room
        self._people = people

    async def snapshot(self, query: PageQuery) -> PageContent:
        """Ask the canvas, and its history."""
        room = self._room
        values: dict[str, Any] = {
            "size": f"{room.width} x {room.height} pixels",
            "background": f"#{room.background:06X}",
            "rate limit": "off" if room.rules.rate_limit is None else f"{room.rules.rate_limit.per_second:g} pixels/s",
            "users here": room.people,
        }
        status, lately = await asyncio.gather(ask(room.canvas, GetStatus()), ask("history", AskActivity(LATELY)))
        if isinstance(status, CanvasStatus):
            values |= {"epoch": status.epoch, "changes": status.seq}
            if status.error is not None:
                values["state"] = status.error
        else:
            values["state"] = status
        table = await self._painters(lately, query) if isinstance(lately, RecentActivity) else None
        if table is None:
            values["history"] = str(lately)
        return PageContent(self.id, self.title, values, table, "Name or id", list(ACTS[1:]))

    async def _painters(self, lately: RecentActivity, query: PageQuery) -> PageTable:
        names = self._people.names()
        painters = [(lately.names[activity.user], activity) for activity in lately.activities]
        shown, total = await query.select(painters, lambda pair: f"{pair[0]} {names.get(pair[0], '')}")
        rows: list[list[Any]] = [
            [names.get(user_id, ""), user_id, activity.changes, place(activity.area), Quantity(activity.at, "moment")]
            for user_id, activity in shown
        ]
        return PageTable(
            f"Who painted the last {LATELY:,} pixels",
            ["name", "user", "pixels", "where", "last"],
            rows,
            total,
            query.offset,
            "Nobody has painted yet.",
            [acts_on_user(user_id, is_banned=self._people.is_banned(user_id)) for user_id, _ in shown],
        )


class StorePage:
    """The store: what it has committed, how long its commits take, how many pixels wait for it.

    Args:
        store: asked directly for what it knows without its process
        server: the store's process
        canvas: the canvas's process, which keeps the pixels that wait
    """

    id = "store"
    title = "Store"

    def __init__(self, store: Store, server: Target, canvas: Target) -> None:
        self._store = store
        self._server = server
        self._canvas = canvas

    async def snapshot(self, query: PageQuery) -> PageContent:
        """Ask the store's process and the canvas; one that does not answer is shown as that."""
        store, pace = self._store, self._store.pace()
        level = "" if pace.seconds < SLOW_WRITE else "bad"
        values: dict[str, Any] = {
            "kind": store.kind,
            "durability": store.durability,
            "epoch": store.epoch,
            "write under way": Quantity(pace.seconds, "seconds", level),
            "slow writes": _warned(pace.slow, 1),
        }
        health, status = await asyncio.gather(ask(self._server, GetHealth()), ask(self._canvas, GetStatus()))
        if isinstance(health, Health):
            values |= {
                "seq": health.seq,
                "commits": health.commits,
                "last commit": Quantity(None if health.commits == 0 else health.last_commit, "seconds"),
                "size on disk": Quantity(health.bytes, "bytes"),
                "last error": health.lost or health.error,
            }
        else:
            values["state"] = health
        is_told = isinstance(status, CanvasStatus)
        values["pixels waiting"] = _warned(status.waiting, SOME_WAITING) if is_told else status
        return PageContent(self.id, self.title, values)


def _warned(count: int, many: int) -> Quantity:
    """A number that somebody should look at from `many` on."""
    return Quantity(count, level="warning" if count >= many else "")


def measure_store(store: Store) -> Iterator[Metric]:
    """What Prometheus sees of the store."""
    pace = store.pace()
    about = "How long the write under way has taken; 0 if there is none."
    yield GaugeMetricFamily("canopy_store_write_seconds", about, value=pace.seconds)
    about = f"Writes that took longer than {SLOW_WRITE:g} s."
    yield CounterMetricFamily("canopy_store_slow_writes", about, value=pace.slow)


class UsersPage:
    """Who is here, and who has been here lately."""

    id = "people"
    title = "People"

    def __init__(self, people: UserDirectory) -> None:
        self._people = people

    async def snapshot(self, query: PageQuery) -> PageContent:
        """Look for people: those who are here first, then those who left, the last one first."""
        shown, total = await query.select(self._people.all(), lambda person: person.searched)
        banned = {person.user_id for person in shown if self._people.is_banned(person.user_id)}
        rows: list[list[Any]] = [
            [
                person.name,
                person.user_id,
                ", ".join(person.addresses),
                "banned" if person.user_id in banned else "here" if person.actors else "has left",
                len(person.actors),
                person.actors[0] if person.actors else None,
            ]
            for person in shown
        ]
        table = PageTable(
            "Here now, and lately",
            ["name", "user", "address", "state", "windows", "actor"],
            rows,
            total,
            query.offset,
            "Nobody has been here since the start.",
            [acts_on_user(person.user_id, is_banned=person.user_id in banned) for person in shown],
        )
        here, left = self._people.count()
        values = {"here": here, "left lately": left}
        return PageContent(self.id, self.title, values, table, "Name, id or address", list(ACTS))


class BansPage:
    """Who is kept out."""

    id = "bans"
    title = "Bans"

    def __init__(self, bans: Bans, people: UserDirectory) -> None:
        self._bans = bans
        self._people = people

    async def snapshot(self, query: PageQuery) -> PageContent:
        """Look for bans that hold, the last one first."""
        names = self._people.names()
        shown, total = await query.select(
            reversed(self._bans.all()), lambda ban: f"{describe(ban)} {names.get(ban.whom, '')} {ban.reason}"
        )
        rows: list[list[Any]] = [
            [
                names.get(ban.whom) or ban.name,
                " ".join((ban.whom, *ban.addresses)),
                ban.reason,
                Quantity(ban.at, "moment"),
                "for good" if ban.until is None else Quantity(ban.until, "moment"),
                None if ban.until is None else Quantity(ban.until - self._bans.now(), "seconds"),
            ]
            for ban in shown
        ]
        table = PageTable(
            "Kept out",
            ["name", "who", "reason", "since", "until", "left"],
            rows,
            total,
            query.offset,
            "Nobody is kept out.",
            [[Act("lift", "Lift…", {"whom": ban.whom})] for ban in shown],
        )
        return PageContent(self.id, self.title, {}, table, "Name, id, address or reason", list(ACTS[:1]))


ACTS = (Act("ban", "Ban somebody…"), Act("rollback", "Roll back…"))
"""What the canvas offers to do."""


def acts_on_user(user_id: str, *, is_banned: bool = False) -> list[Act]:
    """What the canvas offers to do about a user."""
    whom = {"whom": user_id}
    ban = Act("lift", "Lift the ban…", whom) if is_banned else Act("ban", "Ban…", whom)
    return [ban, Act("rollback", "Roll back…", {"user": user_id})]


def acts_on_address(address: str) -> list[Act]:
    """What the canvas offers to do about a client who is no visitor."""
    return [] if read_network(address) is None else [Act("ban", "Ban…", {"whom": address})]
