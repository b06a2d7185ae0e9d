"""The handler of one client's WebSocket: decodes messages, enforces limits, and forwards valid messages.

It runs in the connection actor. After a crash of that actor the next incarnation starts over with the same `user_id`:
the client keeps its WebSocket, and is shown the canvas again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors import cast
from actors.describe import describe
from actors.log import get_logger
from actors.shown import shown
from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.live.answers import Answered
from canvas.live.broadcaster import CursorMoved, Join, Subscribe
from canvas.live.canvas import Paint
from canvas.live.room import Peer, Room, Viewer
from canvas.live.view import View
from canvas.messages.values import ClientCursorMove, ClientMessage, ClientPixels, ClientPixelUpdate, ClientSubscribe
from protocol import Binary, CloseCode, Text
from supervision.server import Connection
from supervision.server.rate_limit import Allowance

log = get_logger("canopy.canvas")

TILES_PER_MOVE = 16
"""Subscribed tiles that cost as much allowance as one cursor move: the server encodes them in a few milliseconds."""


@shown("_cursor", "_paints", "_user_id")
class CanvasHandler:
    """Handles one WebSocket of the canvas. Its view outlives it."""

    __slots__ = (
        "_allowances",
        "_check",
        "_clock",
        "_codec",
        "_connection",
        "_cursor",
        "_decode",
        "_painter",
        "_paints",
        "_room",
        "_user_id",
        "_viewer",
    )

    def __init__(self, connection: Connection, room: Room, user_id: str, name: str, view: View) -> None:
        self._connection = connection
        self._room = room
        self._user_id = user_id
        self._codec = view.codec
        self._decode = view.codec.decode
        self._viewer = Viewer(user_id, name, connection.ref, connection.wire, view)
        self._clock = connection.scheduler.loop.time
        self._check = room.rules.check if room.rules.are_strict else None
        self._painter = self._viewer.painter
        self._allowances = room.allowances
        self._paints: list[Paint] = []
        self._cursor: CursorMoved | None = None

    def opened(self) -> None:
        """Join the room."""
        self._room.users.register(self._user_id, Peer(self._connection.wire.peer))
        cast(self._room.broadcaster, Join(self._viewer))

    def received(self, message: Text | Binary) -> None:
        """Handle one message."""
        if self._viewer.view.is_dismissed:
            return
        try:
            self._spend(self._allowances.bytes, "bytes of messages", len(message.data))  # before it is decoded
            self._dispatch(self._decode(message, self._room.width, self._room.height))
        except BadMessage as error:
            self._send_error(error)
            if error.paints and error.id is not None:
                self._paint_for(error.id)  # an empty message, so that it is acknowledged

    def drained(self) -> None:
        """Forward the messages that arrived together."""
        if self._paints:
            for paint in self._paints:
                if paint.changes or paint.id is not None:
                    cast(self._room.canvas, paint)
            self._paints = []
            self._viewer.view.has_painted = True
        if self._cursor is not None:
            cast(self._room.broadcaster, self._cursor)
            self._cursor = None

    def informed(self, message: Any) -> None:
        """Let the connection end once everything that the client painted has been answered."""
        if isinstance(message, Answered):
            self._connection.release_end()
        else:
            log.warning("client.unexpected_message", user_id=self._user_id, message=describe(message))

    def closed(self, code: int, reason: str) -> None:
        """Hold the end of the connection until what the client painted is answered: it may still read the answers."""
        log.debug("client.gone", user_id=self._user_id, code=code, reason=reason)
        if self._viewer.view.has_painted:
            self._connection.hold_end()
            cast(self._room.canvas, Paint([], self._viewer, is_last=True))

    def _dispatch(self, message: ClientMessage) -> None:
        if type(message) is ClientPixelUpdate:
            self._paint((message,), message.id)
        elif isinstance(message, ClientPixels):
            self._paint(message.pixels, message.id)
        elif isinstance(message, ClientCursorMove):
            self._spend(self._allowances.cursors, "cursor moves", 1, message.id)
            self._cursor = CursorMoved(self._user_id, message.x, message.y)
        elif isinstance(message, ClientSubscribe):
            moves = max(1.0, message.area.count_tiles() / TILES_PER_MOVE)
            self._spend(self._allowances.cursors, "cursor moves and subscriptions", moves, message.id)
            self._viewer.view.subscribed = message.area
            cast(self._room.broadcaster, Subscribe(self._viewer))

    def _paint(self, pixels: Sequence[ClientPixelUpdate], id_: int | None) -> None:
        paint = self._paint_for(id_)
        if paint.key in self._room.accepted:  # a repeat costs no allowance
            paint.repeated = frozenset((pixel.x, pixel.y) for pixel in pixels)
            return
        for number, pixel in enumerate(pixels):
            try:
                self._check_pixel(pixel)
            except BadMessage as error:
                paint.refused = error.about(id_, ((refused.x, refused.y) for refused in pixels[number:]))
                self._send_error(paint.refused)
                return
            paint.changes.append(Change(pixel.x, pixel.y, pixel.color, self._user_id))

    def _paint_for(self, id_: int | None) -> Paint:
        """Return the `Paint` for a message. Consecutive messages without an id share one."""
        if id_ is not None or not self._paints or self._paints[-1].id is not None:
            self._paints.append(Paint([], self._viewer, id_))
        return self._paints[-1]

    def _check_pixel(self, pixel: ClientPixelUpdate) -> None:
        room = self._room
        if self._check is not None:
            self._check(pixel.x, pixel.y, pixel.color)
        if self._allowances.cooldowns is not None:  # the canvas starts it if the pixel becomes a change
            self._allowances.cooldowns.check(self._painter, room.user_count, self._clock())
        self._spend(self._allowances.pixels, "pixel updates", 1)

    def _spend(self, allowance: Allowance | None, what: str, count: float, id_: int | None = None) -> None:
        if allowance is None:
            return
        wait = allowance.take(self._painter, self._clock(), count)
        if wait > 0.0:
            limit = allowance.limit
            text = f"at most {limit.per_second:g} {what} a second, {limit.burst} at once"
            error = BadMessage("rate_limited", text, retry_after=wait)
            error.id = id_
            raise error

    def _send_error(self, error: BadMessage) -> None:
        if self._allowances.patience.take(self._painter, self._clock()) == 0.0:
            self._connection.wire.send(self._codec.error(error))
            return
        self._viewer.view.is_dismissed = True
        log.info("connection.kicked", user_id=self._user_id, code=error.code)
        self._connection.close(CloseCode.POLICY_VIOLATION, f"too many bad messages, the last one: {error.code}")
