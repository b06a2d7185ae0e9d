"""The handler of one visitor's WebSocket: reads messages, keeps the limits, passes on what is good.

Runs in the connection actor. After a crash of that actor the next incarnation begins anew with the same `user_id`:
the visitor keeps its WebSocket and sees the canvas again.
"""

from __future__ import annotations

from typing import Any

import structlog

from actors import cast
from canvas.broadcaster import CursorMoved
from canvas.canvas import Join, Paint
from canvas.grid import Change
from canvas.messages import BadMessage, ClientPixelUpdate, decode, server_error
from canvas.rate_limit import RateLimit, TokenBucket
from canvas.room import Room, Viewer
from protocol import Binary, CloseCode, Text
from supervision.server import Connection

log = structlog.get_logger("canopy.canvas")

PATIENCE = RateLimit(per_second=5, burst=100)
"""Offences (bad messages, messages over the limit) that are answered with an `error`; one more closes with 1008."""


class Visitor:
    """One visitor."""

    def __init__(self, connection: Connection, room: Room, user_id: str) -> None:
        self._connection = connection
        self._room = room
        self._user_id = user_id
        self._clock = connection.scheduler.loop.time
        now = self._clock()
        limit = room.rate_limit
        self._pixels = None if limit is None else TokenBucket(limit, now)
        self._cursors = None if limit is None else TokenBucket(limit, now)
        self._patience = TokenBucket(PATIENCE, now)
        self._is_banned = False
        self._painted: list[Change] = []
        self._cursor: CursorMoved | None = None

    def opened(self) -> None:
        """Join the room."""
        connection = self._connection
        self._room.users.register(self._user_id, connection.wire.peer)
        cast(self._room.canvas, Join(Viewer(self._user_id, connection.ref, connection.wire)))

    def received(self, message: Text | Binary) -> None:
        """Take one message."""
        if self._is_banned:
            return
        try:
            if type(message) is Binary:
                raise BadMessage("unsupported_data", "messages are JSON in text frames")
            self._obey(message.data)
        except BadMessage as error:
            self._complain(error)

    def drained(self) -> None:
        """Pass on what came together."""
        if self._painted:
            cast(self._room.canvas, Paint(self._painted))
            self._painted = []
        if self._cursor is not None:
            cast(self._room.broadcaster, self._cursor)
            self._cursor = None

    def informed(self, message: Any) -> None:
        """No other actor has anything to say to a visitor."""
        log.warning("visitor.unexpected_message", user_id=self._user_id, message=repr(message)[:200])

    def closed(self, code: int, reason: str) -> None:
        """The visitor has gone."""
        log.debug("visitor.gone", user_id=self._user_id, code=code, reason=reason)

    def _obey(self, data: str | bytes) -> None:
        room = self._room
        message = decode(data, room.width, room.height)
        if type(message) is ClientPixelUpdate:
            self._spend(self._pixels, "pixel updates")
            self._painted.append(Change(message.x, message.y, message.color, self._user_id))
        else:
            self._spend(self._cursors, "cursor moves")
            self._cursor = CursorMoved(self._user_id, message.x, message.y)

    def _spend(self, bucket: TokenBucket | None, what: str) -> None:
        if bucket is not None and not bucket.take(self._clock()):
            limit = self._room.rate_limit
            assert limit is not None
            raise BadMessage("rate_limited", f"at most {limit.per_second:g} {what} a second, {limit.burst} at once")

    def _complain(self, error: BadMessage) -> None:
        if self._patience.take(self._clock()):
            self._connection.send_text(server_error(error.code, error.message, error.field))
            return
        self._is_banned = True
        log.info("visitor.banned", user_id=self._user_id, code=error.code)
        self._connection.close(CloseCode.POLICY_VIOLATION, f"too many bad messages, the last one: {error.code}")
