"""One process: encodes once, and writes the same bytes to every viewer's wire.

It writes to wires itself, without a message to each connection: one write per viewer and batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors import GenServer, send_after
from canvas.grid import Change
from canvas.messages import (
    server_cursor_moved,
    server_error,
    server_pixels_changed,
    server_user_joined,
    server_user_left,
    server_welcome,
)
from canvas.room import TOPIC, Room, Viewer
from canvas.tick import Tick
from protocol import State, encode_text
from registry import Registered, Unregistered

USERS_IN_WELCOME = 200
"""How many of those present a newcomer is told by name: the list would grow with the square of a crowd."""
PRESENCE_INTERVAL = 0.05
"""Seconds between two broadcasts of cursors, arrivals and departures: 20 a second look smooth."""
RETURN_TIMEOUT = 6.0
"""Seconds after which somebody whose connection crashed has left; the wire waits 5 s for its next owner."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Cast: greet `viewer` with the canvas as it is after change `seq`, and show it every change from then on.

    `state` is the frame of the canvas, the same for all who come between two changes: it may have 45 MB.
    """

    viewer: Viewer
    epoch: str
    seq: int
    state: bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """Cast: show committed changes to everybody."""

    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Cast: tell the painters of `changes` that they could not be committed."""

    changes: Sequence[Change]
    error: str


@dataclass(slots=True)
class CursorMoved:
    """Cast: somebody's pointer is at (x, y). Of several in one interval the last one counts."""

    user_id: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class CheckReturn:
    """Somebody's connection crashed a while ago: has the next incarnation come?"""

    viewer: Viewer


class _ShowPresence:
    def __repr__(self) -> str:
        return "SHOW_PRESENCE"


SHOW_PRESENCE: Final = _ShowPresence()


class Broadcaster(GenServer):
    """Shows everything to everybody.

    Args (of `init`):
        room: whose viewers
    """

    def init(self, room: Room) -> None:
        self._room = room
        self._present: dict[str, Viewer] = {}
        self._comings: list[bytes] = []  # user_joined and user_left of this interval, in order
        self._newcomers: dict[str, int] = {}  # how many of these a newcomer knows from its welcome
        self._cursors: dict[str, CursorMoved] = {}
        self._tick = Tick(self.ref, PRESENCE_INTERVAL, SHOW_PRESENCE)

    def handle_cast(self, request: Any) -> Any:
        """Show something to somebody or to everybody."""
        kind = type(request)
        if kind is Changed:
            self._send_to_all(server_pixels_changed(request.changes))
        elif kind is CursorMoved:
            if request.user_id in self._present:
                self._cursors[request.user_id] = request
                self._tick.request()
        elif kind is Admit:
            self._admit(request)
        elif kind is Refuse:
            self._tell_refused(request)
        else:
            return super().handle_cast(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Show who is there, and notice who has gone."""
        match message:
            case _ShowPresence():
                self._tick.begin()
                self._show_presence()
            case Unregistered(value=viewer):
                if viewer.wire.session.state is State.OPEN and not viewer.wire.is_closed:
                    send_after(RETURN_TIMEOUT, self.ref, CheckReturn(viewer))
                else:
                    self._left(viewer)
            case CheckReturn(viewer):
                self._left(viewer)
            case Registered():
                pass
            case _:
                return super().handle_info(message)
        return None

    def _admit(self, request: Admit) -> None:
        viewer, room = request.viewer, self._room
        if not viewer.ref.is_alive():
            return
        user_id = viewer.user_id
        if user_id not in self._present:
            self._comings.append(server_user_joined(user_id))
            self._tick.request()
        self._newcomers[user_id] = len(self._comings)
        self._present[user_id] = viewer
        users = [user_id, *(other for other in self._first_present() if other != user_id)][:USERS_IN_WELCOME]
        welcome = server_welcome(
            user_id=user_id,
            width=room.width,
            height=room.height,
            background=room.background,
            epoch=request.epoch,
            seq=request.seq,
            users=users,
            user_count=len(self._present),
            rate_limit=room.rate_limit,
        )
        viewer.wire.send_frames(encode_text(welcome))
        viewer.wire.send_frames(request.state)
        room.viewers.register(TOPIC, viewer, viewer.ref)

    def _first_present(self) -> list[str]:
        return [user_id for user_id, _ in zip(self._present, range(USERS_IN_WELCOME), strict=False)]

    def _left(self, viewer: Viewer) -> None:
        """Note a departure, unless a later incarnation of the same visitor is there."""
        if self._present.get(viewer.user_id) is not viewer:
            return
        del self._present[viewer.user_id]
        self._cursors.pop(viewer.user_id, None)
        self._newcomers.pop(viewer.user_id, None)
        self._comings.append(server_user_left(viewer.user_id))
        self._tick.request()

    def _tell_refused(self, request: Refuse) -> None:
        error = encode_text(server_error("store_unavailable", f"the pixel could not be kept: {request.error}"))
        for user_id in dict.fromkeys(change.user_id for change in request.changes):  # a set's order is no seed's
            viewer = self._present.get(user_id)
            if viewer is not None:
                viewer.wire.send_frames(error)

    def _show_presence(self) -> None:
        comings, self._comings = self._comings, []
        newcomers, self._newcomers = self._newcomers, {}
        cursors = [server_cursor_moved(c.user_id, c.x, c.y) for c in self._cursors.values()]
        self._cursors = {}
        self._send_to_all(comings + cursors, newcomers)

    def _send_to_all(self, texts: list[bytes], known: dict[str, int] | None = None) -> None:
        """Write messages to every viewer; `known` says how many of the first ones a viewer is spared."""
        frames = [encode_text(text) for text in texts]
        data = b"".join(frames)
        if not data:
            return
        for viewer in self._room.viewers.values(TOPIC):
            wire = viewer.wire
            if wire.owner is not viewer.ref:
                continue  # its actor has crashed: the next incarnation is admitted anew, with all that it missed
            spared = known.get(viewer.user_id) if known else None
            wire.send_frames(b"".join(frames[spared:]) if spared else data)
