"""Pure. Send one viewer what it needs, and keep its `View` up to date (see `canvas.live.view`)."""

from __future__ import annotations

from collections.abc import Sequence

from canvas.board.area import Area
from canvas.board.grid import Change
from canvas.live.room import Viewer
from canvas.live.snapshot_encoder import SnapshotKey
from canvas.live.view import View
from canvas.messages.binary_codec import BINARY
from protocol import SharedMessage


def send(viewer: Viewer, message: SharedMessage) -> None:
    """Send a message whose encoding is shared with other viewers."""
    viewer.wire.send_frames(message.encoded(viewer.wire.session.variant))


def show(viewer: Viewer, changes: Sequence[Change], upto: int) -> None:
    """Send a viewer these changes, which are all that concern it up to `upto`."""
    view = viewer.view
    if changes:
        send(viewer, view.codec.changes(changes, last_told(view)))
        view.told = changes[-1].seq
    view.seq = upto


def last_told(view: View) -> int:
    """Return the last `seq` that the client knows of."""
    return view.told if view.tiles else view.seq


def tell_progress(viewer: Viewer) -> None:
    """Tell a viewer of a part its `seq`, if the last changes did not concern it."""
    view = viewer.view
    if last_told(view) < view.seq:
        message = view.codec.progress(view.told, view.seq)
        if message is not None:
            send(viewer, message)
            view.told = view.seq


def within(changes: Sequence[Change], area: Area | None, user_id: str | None) -> list[Change]:
    """Return the changes in an area (None: nowhere), and those of `user_id` wherever they are."""
    if area is None:
        return [change for change in changes if change.user_id == user_id]
    x, y, right, bottom = area.x, area.y, area.x + area.width, area.y + area.height
    return [c for c in changes if (x <= c.x < right and y <= c.y < bottom) or c.user_id == user_id]


def snapshot_key_of(viewer: Viewer, whole: Area) -> SnapshotKey:
    """Return the key of the snapshot that a viewer needs, of a canvas whose area is `whole`."""
    view = viewer.view
    area = None if view.subscribed == whole else view.subscribed
    if view.codec is BINARY:
        return SnapshotKey(BINARY, area, view.shown, None)
    return SnapshotKey(view.codec, area, None, viewer.wire.session.variant)


def is_there(viewer: Viewer) -> bool:
    """Return whether the viewer's connection is open and still owned by the same actor."""
    return viewer.ref.is_alive() and viewer.wire.owner is viewer.ref and not viewer.wire.is_closed
