"""The canvas's pages in the console: the canvas, its store, its users and the bans."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors import Target
from canvas.admin.moderation import describe
from canvas.admin.rollback import describe_area
from canvas.admin.user_directory import UserDirectory
from canvas.history.historian import AskActivity, RecentActivity
from canvas.live.canvas import CanvasStatus, GetStatus
from canvas.live.health import ask
from canvas.live.room import Room
from canvas.store import SLOW_WRITE, GetHealth, Health, Store
from canvas.users.bans import Bans, read_network
from supervision.console import Act, PageContent, PageQuery, PageTable, Quantity

LATELY = 10_000
"""How many of the latest changes the list of painters covers."""
SOME_WAITING = 1_000
"""Pixels waiting for the store from which the console warns: a second's worth of a busy canvas."""


class CanvasPage:
    """The canvas: its size and rules, its epoch and number of changes, and its recent painters."""

    id = "canvas"
    title = "Canvas"

    def __init__(self, room: Room, users: UserDirectory) -> None:
        self._room = room
        self._users = users

    async def snapshot(self, query: PageQuery) -> PageContent:
        """Query the canvas and its history."""
        room = self._room
        values: dict[str, Any] = {
            "size": f"{room.width} x {room.height} pixels",
            "background": f"#{room.background:06X}",
            "rate limit": "off" if room.rules.rate_limit is None else f"{room.rules.rate_limit.per_second:g} pixels/s",
            "users here": room.user_count,
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
        names = self._users.names()
        painters = [(lately.names[activity.user], activity) for activity in lately.activities]
        shown, total = await query.select(painters, lambda pair: f"{pair[0]} {names.get(pair[0], '')}")
        rows: list[list[Any]] = [
            [
                names.get(user_id, ""),
                user_id,
                activity.changes,
                describe_area(activity.area),
                Quantity(activity.at, "moment"),
            ]
            for user_id, activity in shown
        ]
        return PageTable(
            f"Painters of the last {LATELY:,} pixels",
            ["name", "user", "pixels", "where", "last"],
            rows,
            total,
            query.offset,
            "No pixel has been painted yet.",
            [acts_on_user(user_id, is_banned=self._users.is_banned(user_id)) for user_id, _ in shown],
        )


class StorePage:
    """The store: its commits, how long they take, and how many pixels wait for them.

    Args:
        store: read directly for what it reports without its process
        server: the store's process
        canvas: the canvas's process, which holds the waiting pixels
    """

    id = "store"
    title = "Store"

    def __init__(self, store: Store, server: Target, canvas: Target) -> None:
        self._store = store
        self._server = server
        self._canvas = canvas

    async def snapshot(self, query: PageQuery) -> PageContent:
        """Return facts about the store. If a process does not answer, say why."""
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
    """Mark a count as a warning from `many` on."""
    return Quantity(count, level="warning" if count >= many else "")


def measure_store(store: Store) -> Iterator[Metric]:
    """Yield the Prometheus metrics of the store."""
    pace = store.pace()
    about = "Seconds that the current write has taken so far; 0 if there is none."
    yield GaugeMetricFamily("canopy_store_write_seconds", about, value=pace.seconds)
    about = f"Writes that took longer than {SLOW_WRITE:g} s."
    yield CounterMetricFamily("canopy_store_slow_writes", about, value=pace.slow)


class UsersPage:
    """The connected users, and those who left recently."""

    id = "people"
    title = "Users"

    def __init__(self, users: UserDirectory) -> None:
        self._users = users

    async def snapshot(self, query: PageQuery) -> PageContent:
        """List users: the connected ones first, then those who left, the latest first."""
        shown, total = await query.select(self._users.all(), lambda user: user.searched)
        banned = {user.user_id for user in shown if self._users.is_banned(user.user_id)}
        rows: list[list[Any]] = [
            [
                user.name,
                user.user_id,
                ", ".join(user.addresses),
                "banned" if user.user_id in banned else "here" if user.actors else "has left",
                len(user.actors),
                user.actors[0] if user.actors else None,
            ]
            for user in shown
        ]
        table = PageTable(
            "Connected now and recently",
            ["name", "user", "address", "state", "windows", "actor"],
            rows,
            total,
            query.offset,
            "No user has connected since the start.",
            [acts_on_user(user.user_id, is_banned=user.user_id in banned) for user in shown],
        )
        here, left = self._users.count()
        values = {"here": here, "left lately": left}
        return PageContent(self.id, self.title, values, table, "Name, id or address", list(ACTS))


class BansPage:
    """The bans in force."""

    id = "bans"
    title = "Bans"

    def __init__(self, bans: Bans, users: UserDirectory) -> None:
        self._bans = bans
        self._users = users

    async def snapshot(self, query: PageQuery) -> PageContent:
        """List the bans in force, the latest first."""
        names = self._users.names()
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
            "Bans",
            ["name", "who", "reason", "since", "until", "left"],
            rows,
            total,
            query.offset,
            "There are no bans.",
            [[Act("lift", "Lift…", {"whom": ban.whom})] for ban in shown],
        )
        return PageContent(self.id, self.title, {}, table, "Name, id, address or reason", list(ACTS[:1]))


ACTS = (Act("ban", "Ban a user or an address…"), Act("rollback", "Roll back…"))
"""The actions that the pages offer."""


def acts_on_user(user_id: str, *, is_banned: bool = False) -> list[Act]:
    """Return the actions on a user."""
    whom = {"whom": user_id}
    ban = Act("lift", "Lift the ban…", whom) if is_banned else Act("ban", "Ban…", whom)
    return [ban, Act("rollback", "Roll back…", {"user": user_id})]


def acts_on_address(address: str) -> list[Act]:
    """Return the actions on a client that is not a user of the canvas."""
    return [] if read_network(address) is None else [Act("ban", "Ban…", {"whom": address})]
