"""One process: encodes once, and writes the same bytes to every viewer's wire.

It writes to wires itself, without a message to each connection: one write per viewer and batch. A viewer whose wire is
congested is left alone until its peer has read what waits; then it catches up from the recent changes, or is given a
state if these do not reach back so far.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

from actors import GenServer, Scheduler, cast, send_after
from actors.shown import shown
from canvas.board.area import columns_of
from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.live.answers import Answer, send_answers
from canvas.live.delivery import is_there, send, show, tell_progress, told_of, within
from canvas.live.presence import Presence
from canvas.live.recent_changes import Batch, RecentChanges, latest
from canvas.live.room import TOPIC, Room, Viewer
from canvas.live.snapshot_cache import SnapshotCache
from canvas.live.snapshot_encoder import Encoded, NeedSnapshots
from canvas.live.tick import Tick
from canvas.live.view import Phase, View, tiles_of
from canvas.messages.binary_codec import BINARY
from canvas.messages.codec import Codec
from canvas.messages.values import Welcome
from protocol import SharedMessage, State
from registry import Registered, Unregistered

PRESENCE_INTERVAL = 0.05
"""Seconds between two broadcasts of cursors, arrivals and departures: 20 a second look smooth."""
PRESENCE_PAUSE = 50e-6
"""Seconds for each viewer that are at least between them: to write to one takes 5 us, so that is a tenth of a core."""
SILENCE = 20.0
"""Seconds without a message after which a viewer is sent a heartbeat."""
BEAT = 1.0
"""Seconds between two looks at who is due."""
MESSAGES_KEPT_FOR = 30.0
"""Seconds for which the messages of old changes are kept for the next client that resumes: in JSON they take 8 MB."""
RETURN_TIMEOUT = 6.0
"""Seconds after which somebody whose connection crashed has left, unless the wire still waits for its next owner."""
PORTION = 5_000
"""Changes that a viewer that left too much unread is shown at a time; then others have a turn."""
MAX_BEHIND = 20_000
"""Changes that such a viewer, or one that moves to another part, may catch up on: beyond, a state costs less."""


@dataclass(frozen=True, slots=True)
class Join:
    """Cast: show the canvas to `viewer`, and every change from then on."""

    viewer: Viewer


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Cast: `viewer` has subscribed to a part of the canvas, which its view names: show it that one, and no other."""

    viewer: Viewer


@shown()
@dataclass(frozen=True, slots=True)
class Began:
    """Cast: the canvas has begun, or begun again, after change `seq`; `recent` are the last changes."""

    epoch: str
    seq: int
    recent: Sequence[Change]


@shown()
@dataclass(frozen=True, slots=True)
class Changed:
    """Cast: show committed changes to everybody."""

    changes: Sequence[Change]


@shown()
@dataclass(frozen=True, slots=True)
class Answers:
    """Cast: tell painters what became of their messages."""

    answers: Sequence[Answer]


@shown()
@dataclass(slots=True)
class CursorMoved:
    """Cast: somebody's pointer is at (x, y). Of several in one interval the last one counts."""

    user_id: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Advance:
    """Give `viewer` what it is to be given next."""

    viewer: Viewer


@dataclass(frozen=True, slots=True)
class CheckReturn:
    """Somebody's connection crashed a while ago: has the next incarnation come?"""

    viewer: Viewer


class _Order(enum.Enum):
    """What the broadcaster tells itself."""

    SHOW_PRESENCE = enum.auto()
    BEAT = enum.auto()


_LIVE = Phase.LIVE  # a member looked up on its class costs 40 ns
Part = tuple[SharedMessage, int] | None
"""What viewers of an area are told of a batch, and the last change in it."""


@shown("_columns", "_epoch", "_resumed_at", "_shown_at", "_silence")
class Broadcaster(GenServer):
    """Shows everything to everybody.

    Args (of `init`):
        room: whose viewers
        silence: seconds without a message after which a viewer is sent a heartbeat; `inf` for none
    """

    def init(self, room: Room, silence: float) -> None:
        self._room = room
        self._silence = silence
        self._columns = columns_of(room.width)
        self._loop = Scheduler.current().loop
        self._epoch = ""  # until the canvas has begun
        self._recent = RecentChanges(0)
        self._presence = Presence()
        self._tick = Tick(self.ref, PRESENCE_INTERVAL, _Order.SHOW_PRESENCE)
        self._beat = Tick(self.ref, BEAT, _Order.BEAT)
        self._shown_at = -inf  # when the last batch was
        self._resumed_at = -inf  # when a client was last shown old changes
        self._states = SnapshotCache(room.whole, room.held.states)

    def handle_cast(self, request: Any) -> Any:
        """Show something to somebody or to everybody."""
        kind = type(request)
        if kind is Changed:
            self._show(self._recent.append(request.changes))
        elif kind is CursorMoved:
            if self._presence.point(request.user_id, request.x, request.y):
                self._tick.request()
        elif kind is Join:
            self._enter(request.viewer, Phase.JOINING)
        elif kind is Subscribe:
            self._enter(request.viewer, Phase.NEEDS_STATE)
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
            case _Order.SHOW_PRESENCE:
                self._tick.begin()
                self._show_presence()
            case _Order.BEAT:
                self._beat.begin()
                self._look_after_all()
            case Advance(viewer):
                self._advance(viewer)
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
        self._recent = RecentChanges(request.seq, request.recent)
        self._states.forget()
        for viewer in [*self._room.viewers.values(TOPIC), *self._states.waiting]:
            view = viewer.view
            if view.epoch != request.epoch:
                self._enter(viewer, Phase.JOINING)
            elif view.phase is Phase.LIVE:
                self._enter(viewer, Phase.RESUMING)  # some changes may have been committed that it was not shown
            else:
                self._advance(viewer)

    def _show(self, batch: Batch) -> None:
        last = batch.last
        self._shown_at = self._loop.time()
        whole: dict[Codec, bytes] = {}
        parts: dict[Any, Part] = {}
        for viewer in self._room.viewers.values(TOPIC):
            view, wire = viewer.view, viewer.wire
            if view.phase is not _LIVE or wire.owner is not viewer.ref:
                continue  # it is behind; or its actor has crashed, and the next one goes on from `view.seq`
            if wire.is_congested:
                view.phase = Phase.SKIPPING
                self._advance(viewer)
                continue
            view.seq = last
            if view.tiles:
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
        """Show the changes in a viewer's part, and its own; encoded once for all who have the same part."""
        view = viewer.view
        own = viewer.user_id if viewer.user_id in batch.painters else None
        if own is None and not batch.tiles(self._columns) & view.tiles:
            return
        key = view.codec, view.shown, view.told, own
        if key not in parts:
            chosen = within(batch.changes, view.shown, own)
            parts[key] = (view.codec.changes(chosen, view.told), chosen[-1].seq) if chosen else None
        part = parts[key]
        if part is not None:
            message, view.told = part
            view.sent_at = self._shown_at
            viewer.wire.send_frames(message.encoded(viewer.wire.session.variant))

    def _show_presence(self) -> None:
        now, news = self._loop.time(), self._presence.take_diff()
        self._tick.interval = max(PRESENCE_INTERVAL, PRESENCE_PAUSE * len(self._room.viewers))
        for viewer in self._room.viewers.values(TOPIC):
            wire = viewer.wire
            if wire.owner is not viewer.ref:
                continue  # its actor has crashed: the next incarnation is welcomed anew
            codec, variant = viewer.view.codec, wire.session.variant
            data = news.frames(viewer, codec, variant, cursors=not wire.is_congested)
            if data:
                viewer.view.sent_at = now
                wire.send_frames(data)

    def _look_after_all(self) -> None:
        """Send a heartbeat to those who have not been sent anything for long, and forget what nobody needs any more."""
        now, states, viewers = self._loop.time(), self._states, self._room.viewers
        for viewer in [*viewers.values(TOPIC), *states.waiting]:
            view, wire = viewer.view, viewer.wire
            is_sent_all = view.phase is _LIVE and not view.tiles
            sent_at = max(view.sent_at, self._shown_at) if is_sent_all else view.sent_at
            if now - sent_at >= self._silence and not wire.is_congested and is_there(viewer):
                view.sent_at = now
                send(viewer, view.codec.heartbeat())
        if now - self._resumed_at >= MESSAGES_KEPT_FOR:
            self._recent.forget_messages()
        states.release(now)
        self._ask_for_states()
        if (len(viewers) and self._silence < inf) or states.is_in_use:
            self._beat.request()

    def _left(self, viewer: Viewer) -> None:
        if self._presence.leave(viewer):
            self._tick.request()

    # Private: one viewer.

    def _enter(self, viewer: Viewer, phase: Phase) -> None:
        """Begin a phase that is not due by itself; a viewer that waits for its welcome gets what it needs with it."""
        if is_there(viewer):
            if viewer.view.phase is not Phase.JOINING:
                viewer.view.phase = phase
            self._advance(viewer)

    def _advance(self, viewer: Viewer) -> None:
        """Give a viewer what it is to be given next, or have it wait for its wire or its state.

        All that happens to one viewer comes by here: so there is always something that brings it on, and only one.
        """
        view, wire, recent = viewer.view, viewer.wire, self._recent
        if not is_there(viewer):
            return
        if wire.is_congested:
            self._states.leave(viewer)
            wire.when_writable(partial(self.ref.tell, Advance(viewer)))
            return
        match view.phase:
            case Phase.LIVE | Phase.TOO_LARGE:
                return  # until something happens
            case Phase.JOINING if self._may_resume(view):
                self._states.leave(viewer)  # it may have come before the canvas could be read
                self._welcome(viewer, told_of(view), resumed=True)
                view.phase = Phase.RESUMING if view.shown is view.subscribed else Phase.NEEDS_STATE
            case Phase.JOINING | Phase.NEEDS_STATE:
                if not self._give_state(viewer):
                    return
            case Phase.RESUMING | Phase.SKIPPING if view.seq == recent.seq:
                tell_progress(viewer)
                view.phase = Phase.LIVE
                return
            case Phase.RESUMING if recent.covers(view.seq):
                self._show_missing(viewer)
            case Phase.SKIPPING if recent.covers(view.seq) and recent.seq - view.seq <= MAX_BEHIND:
                self._show_latest(viewer)
            case _:
                view.shown = None
                view.phase = Phase.NEEDS_STATE
        view.sent_at = self._loop.time()
        self.ref.tell(Advance(viewer))  # others have a turn

    def _may_resume(self, view: View) -> bool:
        is_known = view.may_resume and view.shown is not None and view.epoch == self._epoch != ""
        return is_known and self._recent.covers(view.seq)

    def _welcome(self, viewer: Viewer, seq: int, *, resumed: bool) -> None:
        room = self._room
        room.viewers.register(TOPIC, viewer, viewer.ref)
        users = self._presence.come(viewer)
        self._tick.request()
        self._beat.request()
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

    def _show_missing(self, viewer: Viewer) -> None:
        """Show the next changes that a viewer missed: all of a few, in the batches of then, or the rest of a run."""
        view, recent = viewer.view, self._recent
        batches = None if view.tiles else recent.batches(view.seq)
        if batches is None:  # otherwise the messages are there, or will be needed again
            batches = [recent.following(view.seq)]
            self._resumed_at = self._loop.time()
        for batch in batches:
            if view.tiles:
                self._show_part(batch, viewer, {})
            else:
                send(viewer, batch.message(view.codec))
            view.seq = batch.last

    def _show_latest(self, viewer: Viewer) -> None:
        """Show some of what a viewer missed, but nothing that was painted over."""
        view, recent = viewer.view, self._recent
        changes = recent.since(view.seq)
        if view.tiles:
            changes = within(changes, view.shown, viewer.user_id)
        changes = latest(changes, viewer.user_id)
        show(viewer, changes[:PORTION], recent.seq if len(changes) <= PORTION else changes[PORTION - 1].seq)

    # Private: states.

    def _give_state(self, viewer: Viewer) -> bool:
        """Give a viewer the state that it needs, if it is there; else have it wait, and return False."""
        view, recent = viewer.view, self._recent
        if self._epoch:
            look_back(view, self._epoch, recent)
        state = self._states.find(viewer, recent.seq)
        if state is None or not recent.covers(state.seq):
            self._states.wait(viewer, recent.seq)
            self._ask_for_states()
            return False
        self._states.leave(viewer)
        if view.phase is Phase.JOINING:
            self._welcome(viewer, state.seq, resumed=False)
        elif recent.covers(view.seq):
            area = view.subscribed if view.shown is not None and view.codec is BINARY else None
            changes = [change for change in recent.since(view.seq) if change.seq <= state.seq]
            show(viewer, within(changes, area, viewer.user_id), state.seq)
        view.epoch, view.seq, view.told = self._epoch, state.seq, state.seq
        view.tiles = tiles_of(view.subscribed, self._room.width, self._room.height)
        if state.frames is None:
            view.shown, view.phase = None, Phase.TOO_LARGE
            send(viewer, view.codec.error(BadMessage("canvas_too_large", "subscribe to a part of the canvas")))
        else:
            view.shown, view.phase = view.subscribed, Phase.RESUMING
            viewer.wire.send_shared(state.frames)
            self._states.use(state, viewer.wire, self._loop.time())
        return True

    def _ask_for_states(self) -> None:
        wants = self._states.take_keys(self._loop.time())
        if wants:
            cast(self._room.canvas, NeedSnapshots(wants))

    def _hand_out(self, request: Encoded) -> None:
        """Give states to those who wait for them, but for those who have changed their mind meanwhile."""
        if request.epoch != self._epoch:
            return  # the canvas has begun again, and has been asked again
        self._states.keep(request.seq, request.frames, self._loop.time())
        self._beat.request()
        for viewer in self._states.waiting:
            self._advance(viewer)
        self._ask_for_states()


def look_back(view: View, epoch: str, recent: RecentChanges) -> None:
    """Forget what a client has seen if it was of another canvas, or if too much has changed since.

    No state could be made for a client that claims to have seen more than there is.
    """
    if view.epoch != epoch or view.seq > recent.seq:
        view.seq = -1
    if view.phase is Phase.JOINING or not recent.covers(view.seq) or recent.seq - view.seq > MAX_BEHIND:
        view.shown = None


def _may_return(viewer: Viewer) -> bool:
    """Whether a viewer whose connection actor has ended may have another one."""
    return viewer.wire.session.state is State.OPEN and not viewer.wire.is_closed
