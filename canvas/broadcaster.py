"""One process: encodes once, and writes the same bytes to every viewer's wire.

It writes to wires itself, without a message to each connection: one write per viewer and batch. A viewer whose wire is
congested is left alone until its peer has read what waits; then it catches up from the recent changes, or is given a
state if these do not reach back so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from actors import GenServer, cast, send_after
from canvas.answers import Answer, send_answers
from canvas.area import columns_of
from canvas.codec import Codec
from canvas.encoder import Encoded, NeedStates
from canvas.errors import BadMessage
from canvas.grid import Change
from canvas.messages import Welcome
from canvas.presence import Presence
from canvas.recent import Batch, Recent, bits, latest
from canvas.room import TOPIC, Room, Viewer
from canvas.showing import is_there, send, show, tell_progress, want_of, within
from canvas.states import States
from canvas.tick import Tick
from canvas.view import Need, View
from protocol import SharedMessage, State
from registry import Registered, Unregistered

PRESENCE_INTERVAL = 0.05
"""Seconds between two broadcasts of cursors, arrivals and departures: 20 a second look smooth."""
PRESENCE_PAUSE = 50e-6
"""Seconds for each viewer that are at least between them: to write to one takes 5 us, so that is a tenth of a core."""
RETURN_TIMEOUT = 6.0
"""Seconds after which somebody whose connection crashed has left, unless the wire still waits for its next owner."""
PORTION = 5_000
"""Changes that one viewer is shown at a time when it catches up; then others have a turn."""
MAX_BEHIND = 20_000
"""Changes that a slow viewer may be behind and still catch up on: beyond, a state costs less."""
LARGE_STATE = 1024 * 1024
"""Bytes of a state from which on a newcomer may be given an older one, and the changes since."""
BYTES_PER_CHANGE = 4_096
"""Bytes of such a state for each change that it may be old: they cost it 2 % more."""


@dataclass(frozen=True, slots=True)
class Join:
    """Cast: show the canvas to `viewer`, and every change from then on."""

    viewer: Viewer


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Cast: show `viewer` the part of the canvas that its view says is wanted, and no other."""

    viewer: Viewer


@dataclass(frozen=True, slots=True)
class Began:
    """Cast: the canvas has begun, or begun again, after change `seq`; `recent` are the last changes."""

    epoch: str
    seq: int
    recent: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Changed:
    """Cast: show committed changes to everybody."""

    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Answers:
    """Cast: tell painters what became of their messages."""

    answers: Sequence[Answer]


@dataclass(slots=True)
class CursorMoved:
    """Cast: somebody's pointer is at (x, y). Of several in one interval the last one counts."""

    user_id: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Show `viewer` what it has missed."""

    viewer: Viewer


@dataclass(frozen=True, slots=True)
class CheckReturn:
    """Somebody's connection crashed a while ago: has the next incarnation come?"""

    viewer: Viewer


class _ShowPresence:
    def __repr__(self) -> str:
        return "SHOW_PRESENCE"


SHOW_PRESENCE: Final = _ShowPresence()
Part = tuple[SharedMessage, int] | None
"""What viewers of an area are told of a batch, and the last change in it."""


class Broadcaster(GenServer):
    """Shows everything to everybody.

    Args (of `init`):
        room: whose viewers
    """

    def init(self, room: Room) -> None:
        self._room = room
        self._columns = columns_of(room.width)
        self._epoch = ""
        self._recent = Recent(0)
        self._presence = Presence()
        self._tick = Tick(self.ref, PRESENCE_INTERVAL, SHOW_PRESENCE)
        self._states = States()

    def handle_cast(self, request: Any) -> Any:
        """Show something to somebody or to everybody."""
        kind = type(request)
        if kind is Changed:
            self._show(self._recent.append(request.changes))
        elif kind is CursorMoved:
            if self._presence.point(request.user_id, request.x, request.y):
                self._tick.request()
        elif kind is Join:
            self._join(request.viewer)
        elif kind is Subscribe:
            self._subscribe(request.viewer)
        elif kind is Encoded:
            self._hand_out(request)
        elif kind is Answers:
            send_answers(request.answers)
        elif kind is Began:
            self._begin(request)
        else:
            return super().handle_cast(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Show who is there, notice who has gone, and go on with who is behind."""
        match message:
            case _ShowPresence():
                self._tick.begin()
                self._show_presence()
            case CatchUp(viewer):
                self._catch_up(viewer)
            case Unregistered(value=viewer) if _may_return(viewer):
                send_after(RETURN_TIMEOUT, self.ref, CheckReturn(viewer))
            case CheckReturn(viewer) if viewer.wire.owner is None and _may_return(viewer):  # thousands wait their turn
                send_after(RETURN_TIMEOUT, self.ref, CheckReturn(viewer))
            case Unregistered(value=viewer) | CheckReturn(viewer):
                self._left(viewer)
            case Registered():
                pass
            case _:
                return super().handle_info(message)
        return None

    # Private: everybody.

    def _begin(self, request: Began) -> None:
        self._epoch = request.epoch
        self._recent = Recent(request.seq, request.recent)
        self._states.forget()
        self._ask_for_states()

    def _show(self, batch: Batch) -> None:
        before, last = batch.first - 1, batch.last
        whole: dict[Codec, bytes] = {}
        parts: dict[Any, Part] = {}
        for viewer in self._room.viewers.values(TOPIC):
            view, wire = viewer.view, viewer.wire
            if view.seq != before or view.is_waiting or wire.owner is not viewer.ref:
                continue  # it is behind; or its actor has crashed, and the next one goes on from `view.seq`
            if wire.is_congested:
                view.is_slow = True
                self._fall_behind(viewer)
                continue
            view.seq = last
            if view.area is not None:
                self._show_part(batch, viewer, parts)
                continue
            codec, variant = view.codec, wire.session.variant
            if variant is not None:
                wire.send_frames(batch.message(codec).encoded(variant))
                continue
            frames = whole.get(codec)
            if frames is None:
                frames = whole[codec] = batch.message(codec).plain
            wire.send_frames(frames)

    def _show_part(self, batch: Batch, viewer: Viewer, parts: dict[Any, Part]) -> None:
        """Show the changes in a viewer's area, and its own; encoded once for all who have the same area."""
        view = viewer.view
        own = viewer.user_id if viewer.user_id in batch.painters else None
        if own is None and not batch.tiles(self._columns) & view.tiles:
            return
        key = view.codec, view.area, view.told, own
        if key not in parts:
            chosen = within(batch.changes, view.area, own)
            parts[key] = (view.codec.changes(chosen, view.told), chosen[-1].seq) if chosen else None
        part = parts[key]
        if part is not None:
            message, view.told = part
            viewer.wire.send_frames(message.encoded(viewer.wire.session.variant))

    def _show_presence(self) -> None:
        news = self._presence.take_news()
        self._tick.interval = max(PRESENCE_INTERVAL, PRESENCE_PAUSE * len(self._room.viewers))
        for viewer in self._room.viewers.values(TOPIC):
            wire = viewer.wire
            if wire.owner is not viewer.ref:
                continue  # its actor has crashed: the next incarnation is welcomed anew
            codec, variant = viewer.view.codec, wire.session.variant
            data = news.frames(viewer, codec, variant, cursors=not wire.is_congested)
            if data:
                wire.send_frames(data)

    def _left(self, viewer: Viewer) -> None:
        if self._presence.leave(viewer):
            self._tick.request()

    # Private: somebody.

    def _join(self, viewer: Viewer) -> None:
        """Let a viewer go on from where it is, if all that it has missed is there; else welcome it with a state."""
        view, wire = viewer.view, viewer.wire
        if not is_there(viewer):
            return
        if wire.is_congested:
            wire.when_drained(partial(cast, self.ref, Join(viewer)))
            return
        view.is_waiting = False
        if view.area is not None:
            view.tiles = bits(view.area.tiles(self._columns))
        is_known = view.may_resume and view.need is Need.NOTHING and view.epoch == self._epoch
        if is_known and self._recent.covers(view.seq):
            self._welcome(viewer, view.seq if view.area is None else view.told, resumed=True)
        else:
            view.need, view.seq, view.known = Need.WELCOME, -1, None
        self._subscribe(viewer)

    def _subscribe(self, viewer: Viewer) -> None:
        """Show a viewer what it wants, if that is something else than it is shown, and go on."""
        view = viewer.view
        area, view.wanted = view.wanted, None
        if area is not None:
            if view.area is None:
                view.told = view.seq
            if area == self._room.whole:
                view.area = None
            else:
                view.area, view.tiles = area, bits(area.tiles(self._columns))
            if view.need is Need.NOTHING:
                view.need = Need.STATE
        self._catch_up(viewer)

    def _welcome(self, viewer: Viewer, seq: int, *, resumed: bool) -> None:
        room = self._room
        room.viewers.register(TOPIC, viewer, viewer.ref)
        users = self._presence.come(viewer)
        self._tick.request()
        welcome = Welcome(
            user_id=viewer.user_id,
            width=room.width,
            height=room.height,
            background=room.background,
            epoch=self._epoch,
            seq=seq,
            head=self._recent.seq,
            resumed=resumed,
            users=users,
            user_count=len(self._presence),
            rules=room.rules,
        )
        send(viewer, viewer.view.codec.welcome(welcome))

    def _fall_behind(self, viewer: Viewer) -> None:
        """Leave somebody alone until it has read what waits for it."""
        viewer.wire.when_drained(partial(self.ref.tell, CatchUp(viewer)))

    def _catch_up(self, viewer: Viewer) -> None:
        """Show what a viewer has missed, or a part of it, as far as its wire takes it."""
        view, wire, recent = viewer.view, viewer.wire, self._recent
        if not is_there(viewer) or view.is_waiting:
            return
        if wire.is_congested:
            self._fall_behind(viewer)
        elif view.need is not Need.NOTHING:
            self._want_state(viewer)
        elif view.seq == recent.seq:
            view.is_slow = False
            tell_progress(viewer)
        elif not recent.covers(view.seq) or (view.is_slow and recent.seq - view.seq > MAX_BEHIND):
            view.need, view.known = Need.STATE, None
            self._want_state(viewer)
        else:
            self._show_missing(viewer)
            self.ref.tell(CatchUp(viewer))

    def _show_missing(self, viewer: Viewer) -> None:
        view = viewer.view
        batches = self._recent.batches(view.seq) if view.area is None else None
        if batches is not None:  # the messages are there, or will be needed again
            view.seq = self._recent.seq
            for batch in batches:
                send(viewer, batch.message(view.codec))
            return
        changes = self._recent.since(view.seq)
        if view.area is not None:
            changes = within(changes, view.area, viewer.user_id)
        if view.is_slow:
            changes = latest(changes, viewer.user_id)
        show(viewer, changes[:PORTION], self._recent.seq if len(changes) <= PORTION else changes[PORTION - 1].seq)

    # Private: states.

    def _want_state(self, viewer: Viewer) -> None:
        """Give a viewer the state that it needs, now or when it has been made."""
        kept = self._states.find(want_of(viewer))
        if kept is not None and self._is_fresh(viewer.view, *kept):
            self._give_state(viewer, *kept)
            return
        viewer.view.is_waiting = True
        self._states.wait(viewer)
        self._ask_for_states()

    def _is_fresh(self, view: View, seq: int, frames: bytes) -> bool:
        age = self._recent.seq - seq
        is_young = len(frames) >= LARGE_STATE and age <= len(frames) // BYTES_PER_CHANGE and self._recent.covers(seq)
        return seq >= view.seq and (age == 0 or is_young)

    def _ask_for_states(self) -> None:
        wants = self._states.take_wants()
        if wants:
            cast(self._room.canvas, NeedStates(wants))

    def _hand_out(self, request: Encoded) -> None:
        """Give states to those who wait, but for those who have changed their mind meanwhile."""
        viewers = self._states.take_viewers()
        if request.epoch == self._epoch:
            self._states.keep(request.seq, request.frames)
        for viewer in viewers:
            want = want_of(viewer)
            if want not in request.frames or not self._recent.covers(request.seq):
                self._states.wait(viewer)
            else:
                viewer.view.is_waiting = False
                self._give_state(viewer, request.seq, request.frames[want])
        self._ask_for_states()

    def _give_state(self, viewer: Viewer, seq: int, frames: bytes | None) -> None:
        view = viewer.view
        if viewer.wire.is_congested:
            self._fall_behind(viewer)
            return
        if view.need is Need.WELCOME:
            self._welcome(viewer, seq, resumed=False)
        elif view.seq < seq and self._recent.covers(view.seq):
            changes = [change for change in self._recent.since(view.seq) if change.seq <= seq]
            area = None if view.is_slow else view.area
            show(viewer, within(changes, area, viewer.user_id), seq)
        view.epoch, view.seq, view.told = self._epoch, seq, seq
        if frames is None:
            view.need, view.known, view.seq = Need.STATE, None, -1
            send(viewer, view.codec.error(BadMessage("canvas_too_large", "subscribe to a part of the canvas")))
            return
        viewer.wire.send_frames(frames)
        view.need, view.known = Need.NOTHING, view.area or self._room.whole
        self._catch_up(viewer)


def _may_return(viewer: Viewer) -> bool:
    """Whether a viewer whose connection actor has ended may have another one."""
    return viewer.wire.session.state is State.OPEN and not viewer.wire.is_closed
