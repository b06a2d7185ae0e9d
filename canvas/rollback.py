"""Undoing what somebody painted: a preview, and the same as ordinary changes that everybody sees. For the admin API."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from actors import CallExit, call
from actors.log import get_logger
from canvas.area import Area
from canvas.canvas import Restore
from canvas.grid import Change
from canvas.historian import AskUndo
from canvas.history import Undoing
from canvas.store import StoreError
from protocol import HttpError
from supervision.console import Access, Asked, Parameter, Route

log = get_logger("canopy.canvas")

PATH = "/api/v1/rollback"
USER_ID = "rollback"
"""Who has painted what a rollback restored."""
EVERYTHING = AskUndo(None, None, None, None)
AT_ONCE = 10_000
"""Pixels that are committed together: those who paint meanwhile wait no longer than for these."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What a rollback would restore, and what it has restored.

    Attributes:
        changes: those that are to be undone
        pixels: on which they are
        restored: pixels that look again as they did; 0 of a preview
    """

    changes: int
    pixels: int
    restored: int


async def _undo(asked: Asked) -> Undone:
    given = {name: value for name, value in asked.query.items() if value is not None}
    question = _read(given)
    undoing = await _ask("history", question)
    restored = 0
    if given["apply"] == "1":
        what = ", ".join(f"{name} {value}" for name, value in given.items() if name != "apply")
        asked.note("rollback", f"{len(undoing.xs)} pixels: {what or 'everything'}")
        restored = await _restore(undoing)
        log.warning("canvas.rolled_back", pixels=restored, user=question.user_id, area=str(question.area))
    return Undone(undoing.changes, len(undoing.xs), restored)


ROUTE = Route(
    "POST",
    PATH,
    "Undo what somebody painted; without `apply` tell only how much that is.",
    _undo,
    Undone,
    Access.MODERATE,
    parameters=(
        Parameter("user", "Who painted it.", None),
        Parameter("area", "Where: X,Y,WIDTH,HEIGHT.", None),
        Parameter("from", "Not before, in seconds since 1970.", None),
        Parameter("to", "Not after, in seconds since 1970.", None),
        Parameter("apply", "1 to do it.", "0", ("0", "1")),
    ),
)


async def _restore(undoing: Undoing) -> int:
    """Paint the pixels that still look as they did when the question was answered."""
    restored = 0
    columns = (undoing.xs.tolist(), undoing.ys.tolist(), undoing.before.tolist())
    changes = [Change(x, y, color, USER_ID) for x, y, color in zip(*columns, strict=True)]
    now = undoing.now.tolist()
    for first in range(0, len(changes), AT_ONCE):
        piece = slice(first, first + AT_ONCE)
        restored += await _ask("canvas", Restore(changes[piece], now[piece]))
    return restored


async def _ask(name: str, request: Any) -> Any:
    try:
        answer = await call(name, request, timeout=None)  # it takes longer the longer the history is
    except CallExit as error:
        raise HttpError(503, f"the {name} did not answer ({error}): look, and try again") from None
    if isinstance(answer, StoreError):
        raise HttpError(409, str(answer))
    return answer


def _read(query: dict[str, str]) -> AskUndo:
    try:
        area = Area.parse(query["area"]) if "area" in query else None
        since, until = (_moment(query[name]) if name in query else None for name in ("from", "to"))
    except ValueError:
        raise HttpError(400, "area is X,Y,WIDTH,HEIGHT in whole numbers; from and to are seconds since 1970") from None
    question = AskUndo(query.get("user"), area, since, until)
    if question == EVERYTHING:
        raise HttpError(400, "a rollback needs user, area, from or to: without any it would be everything")
    return question


def _moment(text: str) -> float:
    """Read seconds since 1970.

    Raises:
        ValueError: if they are none, or not finite.
    """
    moment = float(text)
    if not math.isfinite(moment):
        raise ValueError(text)
    return moment
