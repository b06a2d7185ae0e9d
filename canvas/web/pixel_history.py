"""The history of a pixel: the answer to `GET /api/pixel?x=&y=[&limit=]`."""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson

from actors import CallExit, call
from canvas.history.historian import AskPixelHistory, PixelHistory
from canvas.live.room import Room
from canvas.live.waiting import LATER, Waiting, unavailable
from canvas.store import StoreError
from protocol import HttpError, Request, Response, parse_index

CHANGES = 20
"""How many changes are returned by default."""
MOST_CHANGES = 200
"""How many changes are returned at most."""
MOST_WAITING = 64
"""How many queries may wait for an answer: on a history of 20 million changes, they take some seconds together."""
SHARE = 8
"""How many of them may come from one address."""


class PixelRoute:
    """Answers with the last changes of a pixel, newest first.

    Args:
        room: the canvas
        waiting: limits the queries that wait
    """

    def __init__(self, room: Room, waiting: Waiting) -> None:
        self._room = room
        self._waiting = waiting

    async def __call__(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            HttpError: 400 if the pixel or the limit is invalid, 429 or 503 if too many queries wait, 503 if the history
                cannot be read now.
        """
        query = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        x, y = _number(query, "x", self._room.width - 1), _number(query, "y", self._room.height - 1)
        limit = _number({"limit": str(CHANGES), **query}, "limit", MOST_CHANGES, least=1)
        with self._waiting.place(request.remote):
            past = await _ask(AskPixelHistory(x, y, limit))
        changes = [
            {"seq": placed.seq, "color": f"#{placed.color:06X}", "user_id": past.names[placed.user], "at": placed.at}
            for placed in past.changes
        ]
        body = orjson.dumps({"x": x, "y": y, "changes": changes}) + b"\n"
        return Response(200, (("Content-Type", "application/json"), ("Cache-Control", "no-store")), body)


async def _ask(question: AskPixelHistory) -> PixelHistory:
    try:
        answer: PixelHistory | StoreError = await call("history", question)
    except CallExit:
        raise HttpError(503, "the history is busy", LATER) from None
    if isinstance(answer, StoreError):
        raise unavailable(answer)
    return answer


def _number(query: dict[str, str], name: str, most: int, *, least: int = 0) -> int:
    text = query.get(name, "")
    number = parse_index(text, most)
    if number is None or number < least:
        raise HttpError(400, f"{name} must be an integer from {least} to {most}, got {text[:20]!r}")
    return number
