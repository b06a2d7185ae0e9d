"""Undoing what somebody painted: a preview, and the same as ordinary changes that everybody sees. For the admin API."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog

from actors import CallExit, call
from canvas.area import Area
from canvas.canvas import Restore
from canvas.grid import Change
from canvas.historian import AskUndo
from canvas.history import Undoing
from canvas.store import StoreError
from protocol import HttpError, Request, Response
from supervision.server import Answer

log = structlog.get_logger("canopy.canvas")

PATH = "/api/v1/rollback"
USER_ID = "rollback"
"""Who has painted what a rollback restored."""
AT_ONCE = 10_000
"""Pixels that are committed together: those who paint meanwhile wait no longer than for these."""
TIMEOUT = 60.0


def rollback_route(request: Request) -> Answer | Awaitable[Answer] | None:
    """Answer `POST /api/v1/rollback?user=&area=&from=&to=[&apply=1]`; times in seconds since 1970."""
    if request.path != PATH:
        return None
    if request.method != "POST":
        raise HttpError(405, "only POST is allowed here", (("Allow", "POST"),))
    return _answer(request)


async def _answer(request: Request) -> Response:
    query = {name: values[-1] for name, values in parse_qs(request.query).items()}
    question = _read(query)
    undoing = await _ask("history", question)
    restored = 0
    if query.get("apply") == "1":
        restored = await _restore(undoing)
        log.warning("canvas.rolled_back", pixels=restored, user=question.user_id, area=str(question.area))
    answer = {"changes": undoing.changes, "pixels": len(undoing.xs), "restored": restored}
    return Response(200, (("Content-Type", "application/json"),), orjson.dumps(answer) + b"\n")


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
        answer = await call(name, request, timeout=TIMEOUT)
    except CallExit as error:
        raise HttpError(503, f"the {name} did not answer ({error}): look, and try again") from None
    if isinstance(answer, StoreError):
        raise HttpError(409, str(answer))
    return answer


def _read(query: dict[str, str]) -> AskUndo:
    try:
        area = Area(*map(int, query["area"].split(","))) if "area" in query else None
        since, until = (float(query[name]) if name in query else None for name in ("from", "to"))
    except (TypeError, ValueError):
        raise HttpError(400, "area is X,Y,WIDTH,HEIGHT in whole numbers; from and to are seconds since 1970") from None
    return AskUndo(query.get("user"), area, since, until)
