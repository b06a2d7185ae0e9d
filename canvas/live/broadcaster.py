"""One process: encodes each batch once, and writes the same bytes to every viewer's wire.

It writes to the wires directly, without a message to each connection actor: one write per viewer and batch. It skips a
viewer whose wire is congested until the peer has read the backlog. Then the viewer catches up from the recent changes,
or gets a snapshot if these do not reach back far enough. `canvas.live.view` explains the phases of a viewer.
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
from canvas.live.delivery import is_there, last_told, send, show, tell_progress, within
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
"""Minimum seconds between two broadcasts of cursors, arrivals and departures: 20 a second look smooth."""
PRESENCE_PAUSE = 50e-6
"""The same per viewer: one write takes 5 us, so these broadcasts use at most a tenth of a core."""
SILENCE = 20.0
"""Seconds without a message after which a viewer is sent a heartbeat."""
HEARTBEAT_CHECK_INTERVAL = 1.0
"""Seconds between two checks of which viewers need a heartbeat."""
MESSAGES_KEPT_FOR = 30.0
"""Seconds for which encoded old changes are kept for the next client that resumes: in JSON they take 8 MB."""
RETURN_TIMEOUT = 6.0
"""Seconds after the crash of a connection actor until its user has left, unless the wire still awaits adoption."""
PORTION = 5_000
"""Maximum number of changes sent at a time to a viewer that left too much unread; then other viewers get a turn."""
MAX_BEHIND = 20_000
"""Maximum number of changes that such a viewer, or one that moves to another part, catches up on: beyond this, a
snapshot costs less."""


@dataclass(frozen=True, slots=True)
class Join:
    """Cast: show the canvas to `viewer`, and every later change."""

    viewer: Viewer


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Cast: `viewer` has subscribed to the part in `view.subscribed`: show it that part only."""

    viewer: Viewer


@shown()
@dataclass(frozen=True, slots=True)
class Began:
    """Cast: the canvas has started, or restarted, after change `seq`; `recent` holds the last changes."""

    epoch: str
    seq: int
    recent: Sequence[Change]


@shown()
@dataclass(frozen=True, slots=True)
class Changed:
    """Cast: show committed changes to all viewers."""

    changes: Sequence[Change]


@shown()
@dataclass(frozen=True, slots=True)
class Answers:
    """Cast: send the answers to messages that painted."""

    answers: Sequence[Answer]


@shown()
@dataclass(slots=True)
class CursorMoved:
    """Cast: the pointer of `user_id` is at (x, y). Only the last position in an interval is broadcast."""

    user_id: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Advance:
    """Internal: send `viewer` what it needs next."""

    viewer: Viewer


@dataclass(frozen=True, slots=True)
class CheckReturn:
    """Internal: check whether the connection actor of `viewer`, which crashed `RETURN_TIMEOUT` ago, was replaced."""

    viewer: Viewer


class _Order(enum.Enum):
    """A message from the broadcaster to itself."""

    SHOW_PRESENCE = enum.auto()
    SEND_HEARTBEATS = enum.auto()


_LIVE = Phase.LIVE  # looking up an enum member on its class costs 40 ns
Part = tuple[SharedMessage, int] | None
"""The message about a batch to viewers of one area, and the last change in it; None if no change concerns them."""


@shown("_columns", "_epoch", "_resumed_at", "_shown_at", "_silence")
class Broadcaster(GenServer):
    """Shows committed changes, presence and answers to viewers.

    Args (of `init`):
        room: the room whose viewers it serves
        silence: seconds without a message after which a viewer is sent a heartbeat; `inf` disables heartbeats
    """

    def init(self, room: Room, silence: float) -> None:
        self._room = room
        self._silence = silence
        self._columns = columns_of(room.width)
        self._loop = Scheduler.current().loop
        self._epoch = ""  # "" until the canvas has started
        self._recent = RecentChanges(0)
        self._presence = Presence()
        self._tick = Tick(self.ref, PRESENCE_INTERVAL, _Order.SHOW_PRESENCE)
        self._beat = Tick(self.ref, HEARTBEAT_CHECK_INTERVAL, _Order.SEND_HEARTBEATS)
        self._shown_at = -inf  # loop time of the last batch
        self._resumed_at = -inf  # loop time at which a client was last sent old changes
        self._snapshots = SnapshotCache(room.whole, room.held.snapshots)

    def handle_cast(self, request: Any) -> Any:
        """Show changes, answers, snapshots and presence to the viewers concerned."""
        kind = type(request)
        if kind is Changed:
            self._show(self._recent.append(request.changes))
        elif kind is CursorMoved:
            if self._presence.move_cursor(request.user_id, request.x, request.y):
                self._tick.request()
        elif kind is Join:
            self._enter(request.viewer, Phase.JOINING)
        elif kind is Subscribe:
            self._enter(request.viewer, Phase.NEEDS_SNAPSHOT)
        elif kind is Encoded:
            self._keep_encoded(request)
        elif kind is Answers:
            send_answers(request.answers)
        elif kind is Began:
            self._begin(request)
        else:
            return super().handle_cast(request)
        return None

    def handle_info(self, message: Any) -> Any:
        """Broadcast presence, send heartbeats, note departures, and advance viewers that are behind."""
        match message:
            case _Order.SHOW_PRESENCE:
                self._tick.begin()
                self._show_presence()
            case _Order.SEND_HEARTBEATS:
                self._beat.begin()
                self._send_heartbeats()
            case Advance(viewer):
                self._advance(viewer)
            case Unregistered(value=viewer) if _may_return(viewer):
                send_after(RETURN_TIMEOUT, self.ref, CheckReturn(viewer))
            case CheckReturn(viewer) if viewer.wire.owner is None and _may_return(viewer):
                # After a crash of many actors, thousands of wires await adoption.
                send_after(RETURN_TIMEOUT, self.ref, CheckReturn(viewer))
            case Unregistered(value=viewer) | CheckReturn(viewer):
                self._left(viewer)
            case Registered():
                pass
            case _:
                return super().handle_info(message)
        return None

    # Private: all viewers.

    def _begin(self, request: Began) -> None:
        self._epoch = request.epoch
        self._recent = RecentChanges(request.seq, request.recent)
        self._snapshots.forget()
        for viewer in [*self._room.viewers.values(TOPIC), *self._snapshots.waiting]:
            view = viewer.view
            if view.epoch != request.epoch:
                self._enter(viewer, Phase.JOINING)
            elif view.phase is Phase.LIVE:
                self._enter(viewer, Phase.RESUMING)  # it may have missed changes that were committed
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
                continue  # it is behind, or its actor has crashed and the next one resumes from `view.seq`
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
        """Send a viewer the changes in its part, and its own. Viewers with the same part and `told` share a message."""
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
        now, diff = self._loop.time(), self._presence.take_diff()
        self._tick.interval = max(PRESENCE_INTERVAL, PRESENCE_PAUSE * len(self._room.viewers))
        for viewer in self._room.viewers.values(TOPIC):
            wire = viewer.wire
            if wire.owner is not viewer.ref:
                continue  # its actor has crashed: the next incarnation is welcomed anew
            codec, variant = viewer.view.codec, wire.session.variant
            data = diff.frames(viewer, codec, variant, cursors=not wire.is_congested)
            if data:
                viewer.view.sent_at = now
                wire.send_frames(data)

    def _send_heartbeats(self) -> None:
        """Send heartbeats to viewers that have been sent nothing for `silence` seconds, and free what is not needed."""
        now, snapshots, viewers = self._loop.time(), self._snapshots, self._room.viewers
        for viewer in [*viewers.values(TOPIC), *snapshots.waiting]:
            view, wire = viewer.view, viewer.wire
            is_sent_all = view.phase is _LIVE and not view.tiles
            sent_at = max(view.sent_at, self._shown_at) if is_sent_all else view.sent_at
            if now - sent_at >= self._silence and not wire.is_congested and is_there(viewer):
                view.sent_at = now
                send(viewer, view.codec.heartbeat())
        if now - self._resumed_at >= MESSAGES_KEPT_FOR:
            self._recent.forget_messages()
        snapshots.release(now)
        self._request_snapshots()
        if (len(viewers) and self._silence < inf) or snapshots.is_in_use:
            self._beat.request()

    def _left(self, viewer: Viewer) -> None:
        if self._presence.leave(viewer):
            self._tick.request()

    # Private: one viewer.

    def _enter(self, viewer: Viewer, phase: Phase) -> None:
        """Put a viewer into a phase because of an event. One in JOINING stays: its welcome brings all that it needs."""
        if is_there(viewer):
            if viewer.view.phase is not Phase.JOINING:
                viewer.view.phase = phase
            self._advance(viewer)

    def _advance(self, viewer: Viewer) -> None:
        """Send a viewer what its phase needs next, or let it wait for its wire or its snapshot.

        Every step of a viewer passes through here. So exactly one thing is pending that will advance it: a message to
        ourselves, a writable wire, a snapshot, or (in LIVE and TOO_LARGE) an event from outside.
        """
        view, wire, recent = viewer.view, viewer.wire, self._recent
        if not is_there(viewer):
            return
        if wire.is_congested:
            self._snapshots.leave(viewer)
            wire.when_writable(partial(self.ref.tell, Advance(viewer)))
            return
        match view.phase:
            case Phase.LIVE | Phase.TOO_LARGE:
                return  # until an event from outside
            case Phase.JOINING if self._may_resume(view):
                self._snapshots.leave(viewer)  # it may have joined before the canvas could be read
                self._welcome(viewer, last_told(view), resumed=True)
                view.phase = Phase.RESUMING if view.shown is view.subscribed else Phase.NEEDS_SNAPSHOT
            case Phase.JOINING | Phase.NEEDS_SNAPSHOT:
                if not self._give_snapshot(viewer):
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
                view.phase = Phase.NEEDS_SNAPSHOT
        view.sent_at = self._loop.time()
        self.ref.tell(Advance(viewer))  # let other viewers have a turn

    def _may_resume(self, view: View) -> bool:
        is_known = view.may_resume and view.shown is not None and view.epoch == self._epoch != ""
        return is_known and self._recent.covers(view.seq)

    def _welcome(self, viewer: Viewer, seq: int, *, resumed: bool) -> None:
        room = self._room
        room.viewers.register(TOPIC, viewer, viewer.ref)
        users = self._presence.join(viewer)
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
        """Send the next changes that a viewer missed: if few, all of them in their batches; else the rest of a run."""
        view, recent = viewer.view, self._recent
        batches = None if view.tiles else recent.batches(view.seq)
        if batches is None:  # original batches are encoded already, or other viewers will need them, too
            batches = [recent.following(view.seq)]
            self._resumed_at = self._loop.time()
        for batch in batches:
            if view.tiles:
                self._show_part(batch, viewer, {})
            else:
                send(viewer, batch.message(view.codec))
            view.seq = batch.last

    def _show_latest(self, viewer: Viewer) -> None:
        """Send a portion of what a viewer missed, without changes that were painted over."""
        view, recent = viewer.view, self._recent
        changes = recent.since(view.seq)
        if view.tiles:
            changes = within(changes, view.shown, viewer.user_id)
        changes = latest(changes, viewer.user_id)
        show(viewer, changes[:PORTION], recent.seq if len(changes) <= PORTION else changes[PORTION - 1].seq)

    # Private: snapshots.

    def _give_snapshot(self, viewer: Viewer) -> bool:
        """Send a viewer the snapshot that it needs; if it is not cached, let the viewer wait, and return False."""
        view, recent = viewer.view, self._recent
        if self._epoch:
            forget_stale_view(view, self._epoch, recent)
        snapshot = self._snapshots.find(viewer, recent.seq)
        if snapshot is None or not recent.covers(snapshot.seq):
            self._snapshots.wait(viewer, recent.seq)
            self._request_snapshots()
            return False
        self._snapshots.leave(viewer)
        if view.phase is Phase.JOINING:
            self._welcome(viewer, snapshot.seq, resumed=False)
        elif recent.covers(view.seq):
            area = view.subscribed if view.shown is not None and view.codec is BINARY else None
            changes = [change for change in recent.since(view.seq) if change.seq <= snapshot.seq]
            show(viewer, within(changes, area, viewer.user_id), snapshot.seq)
        view.epoch, view.seq, view.told = self._epoch, snapshot.seq, snapshot.seq
        view.tiles = tiles_of(view.subscribed, self._room.width, self._room.height)
        if snapshot.frames is None:
            view.shown, view.phase = None, Phase.TOO_LARGE
            send(viewer, view.codec.error(BadMessage("canvas_too_large", "subscribe to a part of the canvas")))
        else:
            view.shown, view.phase = view.subscribed, Phase.RESUMING
            viewer.wire.send_shared(snapshot.frames)
            self._snapshots.use(snapshot, viewer.wire, self._loop.time())
        return True

    def _request_snapshots(self) -> None:
        keys = self._snapshots.take_keys(self._loop.time())
        if keys:
            cast(self._room.canvas, NeedSnapshots(keys))

    def _keep_encoded(self, request: Encoded) -> None:
        """Cache new snapshots, and advance the viewers that wait; some may need a different one by now."""
        if request.epoch != self._epoch:
            return  # the canvas has restarted, and `_begin` has asked it again
        self._snapshots.keep(request.seq, request.frames, self._loop.time())
        self._beat.request()
        for viewer in self._snapshots.waiting:
            self._advance(viewer)
        self._request_snapshots()


def forget_stale_view(view: View, epoch: str, recent: RecentChanges) -> None:
    """Forget what a client has seen if that was another epoch, or if too much has changed since.

    A `seq` beyond the last change is forgotten, too: no snapshot could ever satisfy a client that claims it.
    """
    if view.epoch != epoch or view.seq > recent.seq:
        view.seq = -1
    if view.phase is Phase.JOINING or not recent.covers(view.seq) or recent.seq - view.seq > MAX_BEHIND:
        view.shown = None


def _may_return(viewer: Viewer) -> bool:
    """Return whether a viewer whose connection actor has ended may get another one."""
    return viewer.wire.session.state is State.OPEN and not viewer.wire.is_closed
