"""Rollbacks: undo selected changes, with a preview first. A rollback is made of ordinary changes. For the admin API."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from actors import CallExit, call
from actors.log import get_logger
from canvas.admin.user_directory import UserDirectory
from canvas.board.area import Area
from canvas.board.grid import Change
from canvas.history.historian import AskRollbackPlan, PlannedRollback
from canvas.history.queries import RollbackPlan
from canvas.history.sides import BeforeAfter
from canvas.live.canvas import GetPicture, Picture, Restore
from canvas.store import StoreError
from canvas.users.bans import read_network
from canvas.web.images import DrawRollback, EncodePng, Png
from protocol import HttpError, Response
from supervision.console import (
    Access,
    Act,
    ActionResult,
    ApiRequest,
    Form,
    FormField,
    PageTable,
    Parameter,
    ResultPicture,
    Route,
)

log = get_logger("canopy.canvas")

PATH = "/api/v1/rollback"
USER_ID = "rollback"
"""The user id of the changes that a rollback makes."""
EVERYTHING = AskRollbackPlan(None, None, None, None)
AT_ONCE = 10_000
"""Pixels per commit, and so how many pixels of a rollback other painters may have to wait for."""
PICTURE = "canvas.png"
LARGEST = 1_024
"""Pixels on the longer side of the picture of the canvas."""
MOST_SHARES = 100
"""How many painters are listed."""
DRAW_TIMEOUT = 10.0
"""Seconds after which a preview is sent without pictures."""


@dataclass(frozen=True, slots=True)
class Painted:
    """The share of one painter in a rollback: how many of the changes and of the pixels are theirs."""

    user_id: str
    name: str
    changes: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Undone:
    """The result of a rollback, or its preview.

    Attributes:
        changes: how many changes are selected
        pixels: how many pixels undoing them changes
        restored: how many pixels have been restored; 0 in a preview
        painters: the painters of the changes, those with most pixels first, at most 100
        told: the same, for the console
    """

    changes: int
    pixels: int
    restored: int
    painters: list[Painted]
    told: ActionResult


class Rollback:
    """Answers the rollback requests of the API.

    Args:
        users: resolves a text to a user
        wall_clock: returns seconds since 1970, as the canvas dates its changes
    """

    def __init__(self, users: UserDirectory, wall_clock: Callable[[], float]) -> None:
        self._users = users
        self._wall_clock = wall_clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def routes(self) -> Iterator[Route]:
        """Yield the routes for rollbacks."""
        yield Route(
            "POST",
            PATH,
            "Undo selected changes; without `apply`, only preview that.",
            self._undo,
            Undone,
            Access.MODERATE,
            parameters=(
                Parameter("user", "The painter: an id, at least the first 6 characters of one, or a name.", None),
                Parameter("area", "The area: X,Y,WIDTH,HEIGHT.", None),
                Parameter("from", "The earliest time, in seconds since 1970.", None),
                Parameter("to", "The latest time, in seconds since 1970.", None),
                Parameter("apply", "1 to carry out the rollback.", "0", ("0", "1")),
            ),
        )
        yield Route("GET", f"/api/v1/{PICTURE}", "The canvas as a PNG, scaled down if it is large.", _render, None)

    def form(self, width: int, height: int) -> Form:
        """Return the console's form for rollbacks, on a canvas of this size."""
        return Form(
            id="rollback",
            title="Roll back",
            about="Pixels that others have painted over since stay as they are. A rollback can itself be rolled back.",
            verb="Roll back",
            method="POST",
            path="rollback",
            fields=[
                FormField("user", "Painter", hint="Name, id, or first 6 characters of an id; empty: anyone"),
                FormField(
                    "area", "Where", "area", hint="X,Y,WIDTH,HEIGHT; empty: everywhere",
                    picture=PICTURE, width=width, height=height,
                ),
                FormField("from", "Since", "since", hint="empty: from the beginning"),
                FormField("to", "Until", "until", hint="empty: until now"),
            ],
        )  # fmt: skip

    async def _undo(self, asked: ApiRequest) -> Undone:
        """Answer one request per moderator at a time, so that none occupies the history and the images."""
        async with self._turns.setdefault(asked.principal.name, asyncio.Lock()):
            return await self._answer(asked)

    async def _answer(self, asked: ApiRequest) -> Undone:
        selection = await self._read({name: value for name, value in asked.query.items() if value is not None})
        found: PlannedRollback = await _ask("history", selection)
        painters = self._painters(found)
        if asked.query["apply"] == "0":
            result = await self._preview(selection, found.plan, painters)
            return Undone(found.plan.changes, len(found.plan.xs), 0, painters, result)
        await asked.note("rollback", f"{_pixels(len(found.plan.xs))}: {_describe(selection)}")
        began = self._wall_clock()
        restored = await _restore(found.plan)
        log.warning("canvas.rolled_back", pixels=restored, user=selection.user_id, area=str(selection.area))
        return Undone(
            found.plan.changes, len(found.plan.xs), restored, painters,
            self._report(selection, restored, len(found.plan.xs), began),
        )  # fmt: skip

    async def _preview(self, selection: AskRollbackPlan, plan: RollbackPlan, painters: list[Painted]) -> ActionResult:
        if not len(plan.xs):
            reason = (
                f"all {plan.changes} selected changes have been painted over" if plan.changes else "no changes match"
            )
            return ActionResult(f"There is nothing to roll back: {reason}.", is_possible=False)
        who = self._users.title(selection.user_id) if selection.user_id is not None else f"{len(painters)} users"
        result = ActionResult(f"{_pixels(len(plan.xs))} painted by {who} will be restored.")
        result.values = {"changes": plan.changes, "pixels": len(plan.xs), "where": describe_area(plan.area)}
        if len(painters) > 1:
            rows: list[list[Any]] = [[each.name, each.user_id, each.changes, each.pixels] for each in painters]
            result.table = PageTable("Painters", ["name", "user", "changes", "pixels"], rows, len(plan.shares))
        images = await _draw(plan)
        if images is not None:
            result.pictures = [_picture("Now", images.now, images), _picture("After", images.after, images)]
        return result

    def _report(self, selection: AskRollbackPlan, restored: int, wanted: int, began: float) -> ActionResult:
        result = ActionResult(f"{_pixels(restored)} restored.")
        if restored < wanted:
            result.text += f" {_pixels(wanted - restored)} had changed colour meanwhile."
        if restored:
            values = {"user": USER_ID, "from": repr(began), "to": repr(self._wall_clock())}
            if selection.area is not None:
                values["area"] = _format_area(selection.area)
            result.acts.append(Act("rollback", "Undo this rollback…", values))
        if selection.user_id is not None and selection.user_id != USER_ID:
            result.acts.append(Act("ban", "Ban them…", {"whom": selection.user_id}))
        return result

    def _painters(self, found: PlannedRollback) -> list[Painted]:
        shares = sorted(found.plan.shares.items(), key=lambda item: (-item[1].pixels, -item[1].changes))
        names = self._users.names()
        users = [(found.names[number], share) for number, share in shares[:MOST_SHARES]]
        return [Painted(user_id, names.get(user_id, ""), share.changes, share.pixels) for user_id, share in users]

    async def _read(self, query: dict[str, str]) -> AskRollbackPlan:
        try:
            area = Area.parse(query["area"]) if "area" in query else None
            since, until = (_moment(query[name]) if name in query else None for name in ("from", "to"))
        except ValueError:
            text = "area is X,Y,WIDTH,HEIGHT in whole numbers; from and to are seconds since 1970"
            raise HttpError(400, text) from None
        user = await self._user(query["user"].strip()) if "user" in query else None
        selection = AskRollbackPlan(user, area, since, until)
        if selection == EVERYTHING:
            raise HttpError(
                400, "a rollback needs user, area, from or to: without any of them it would undo everything"
            )
        return selection

    async def _user(self, text: str) -> str:
        if text == USER_ID:
            return text
        if read_network(text) is not None:
            raise HttpError(400, f"{text} is an address: changes are stored by user, not by address")
        return await self._users.identify(text)


async def _render(_: ApiRequest) -> Response:
    try:
        picture = await call("canvas", GetPicture())
        if isinstance(picture, StoreError):
            raise HttpError(503, str(picture))
        step = -(-max(picture.grid.width, picture.grid.height) // LARGEST)
        png: Png = await call("images", EncodePng(picture, step), timeout=DRAW_TIMEOUT)
    except CallExit as error:
        raise HttpError(503, f"the canvas cannot be drawn: {error}") from None
    return Response(200, (("Content-Type", "image/png"),), png.content)


async def _restore(plan: RollbackPlan) -> int:
    """Restore the pixels whose colour has not changed since the plan was made; return how many."""
    restored = 0
    columns = (plan.xs.tolist(), plan.ys.tolist(), plan.before.tolist())
    changes = [Change(x, y, color, USER_ID) for x, y, color in zip(*columns, strict=True)]
    now = plan.now.tolist()
    for first in range(0, len(changes), AT_ONCE):
        piece = slice(first, first + AT_ONCE)
        restored += await _ask("canvas", Restore(changes[piece], now[piece]))
    return restored


async def _draw(plan: RollbackPlan) -> BeforeAfter | None:
    """Draw the canvas before and after a rollback; return None if that fails or takes too long."""
    try:
        picture = await call("canvas", GetPicture())
        if not isinstance(picture, Picture):
            return None
        images: BeforeAfter | None = await call("images", DrawRollback(picture, plan), timeout=DRAW_TIMEOUT)
    except CallExit:
        return None
    return images


def _picture(title: str, content: bytes, images: BeforeAfter) -> ResultPicture:
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return ResultPicture(title, source, images.width, images.height)


async def _ask(name: str, request: Any) -> Any:
    try:
        answer = await call(name, request, timeout=None)  # the time grows with the length of the history
    except CallExit as error:
        raise HttpError(503, f"the {name} did not answer ({error}): check the canvas, then try again") from None
    if isinstance(answer, StoreError):
        raise HttpError(409, str(answer))
    return answer


def _moment(text: str) -> float:
    """Read seconds since 1970.

    Raises:
        ValueError: if `text` is not a finite number.
    """
    moment = float(text)
    if not math.isfinite(moment):
        raise ValueError(text)
    return moment


def _describe(selection: AskRollbackPlan) -> str:
    """Describe the selection, for the audit log."""
    area = None if selection.area is None else _format_area(selection.area)
    given = {"user": selection.user_id, "area": area, "from": selection.since, "to": selection.until}
    return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count:,} pixels"


def _format_area(area: Area) -> str:
    return f"{area.x},{area.y},{area.width},{area.height}"


def describe_area(area: Area | None) -> str:
    """Describe an area in words; empty for None."""
    if area is None:
        return ""
    sides = (("x", area.x, area.width), ("y", area.y, area.height))
    return ", ".join(f"{name} {at} to {at + size - 1}" if size > 1 else f"{name} {at}" for name, at, size in sides)
