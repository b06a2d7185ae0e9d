"""Who painted this pixel, and what was there before: the answer to `GET /api/pixel?x=&y=[&limit=]`."""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson

from actors import CallExit, call
from canvas.historian import AskPast, Past
from canvas.room import Room
from canvas.store import StoreError
from protocol import HttpError, Request, Response

CHANGES = 20
MOST_CHANGES = 200


async def pixel_route(request: Request, room: Room) -> Response:
    """Answer with the last changes of a pixel, the newest first.

    Raises:
        HttpError: 400 for what is no pixel of this canvas, 503 if the past cannot be read now.
    """
    query = {name: values[-1] for name, values in parse_qs(request.query).items()}
    x, y = _number(query, "x", room.width - 1), _number(query, "y", room.height - 1)
    limit = _number({"limit": str(CHANGES), **query}, "limit", MOST_CHANGES)
    try:
        past: Past | StoreError = await call("history", AskPast(x, y, limit))
    except CallExit:
        raise HttpError(503, "the history is busy", (("Retry-After", "1"),)) from None
    if isinstance(past, StoreError):
        raise HttpError(503, str(past), (("Retry-After", "1"),))
    changes = [
        {"seq": placed.seq, "color": f"#{placed.color:06X}", "user_id": past.names[placed.user], "at": placed.at}
        for placed in past.changes
    ]
    body = orjson.dumps({"x": x, "y": y, "changes": changes}) + b"\n"
    return Response(200, (("Content-Type", "application/json"), ("Cache-Control", "no-store")), body)


def _number(query: dict[str, str], name: str, most: int) -> int:
    text = query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= most):
        raise HttpError(400, f"{name} must be an integer from 0 to {most}, got {text[:20]!r}")
    return int(text)
