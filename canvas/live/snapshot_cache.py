"""No process. The snapshots in memory, the clients that are being sent them, and the viewers that wait for one.

A snapshot stays in memory for viewers that need the same one, and until every client has taken what it was sent. Their
total memory is bounded: while `MAX_BYTES` are in use, viewers wait for their snapshots, and clients that are slow to
take theirs are dropped; at once if their network uses more than its share, and viewers of another one wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.log import get_logger
from actors.shown import shown
from canvas.board.area import Area
from canvas.live.delivery import is_there, snapshot_key_of
from canvas.live.held import Meter
from canvas.live.room import Viewer
from canvas.live.snapshot_encoder import MAX_SNAPSHOT, SnapshotKey
from canvas.messages.binary_codec import BINARY
from supervision.server import Wire
from supervision.server.addresses import client_network

log = get_logger("canopy.canvas")

MAX_BYTES = 2 * MAX_SNAPSHOT
"""Maximum total size of all snapshots in memory, in bytes."""
SHARES = 2
"""A network that uses more than `MAX_BYTES / SHARES` loses its slow clients as soon as others need the memory."""
KEPT_BYTES = 64 * 1024 * 1024
"""Maximum total size of snapshots that no client is being sent, in bytes."""
KEPT_FOR = 30.0
"""Seconds for which a snapshot is kept that no client needs."""
LARGE_SNAPSHOT = 1024 * 1024
"""Minimum snapshot size in bytes at which a cached snapshot plus later changes is sent instead of a fresh one."""
BYTES_PER_CHANGE = 4_096
"""Such a snapshot may be one change old per so many bytes of its size: the changes add 2 % to it."""
DELIVERY_TIMEOUT = 30.0
"""Seconds within which a client must take its snapshot if others wait for the memory."""
BYTES_PER_PIXEL, BYTES_PER_TILE = 40, 3 * 256 * 256 + 1024
"""Maximum size of a pixel in a JSON snapshot, and of a tile in a binary one, in bytes."""


@shown("seq", "used_at")
@dataclass(slots=True, eq=False)
class CachedSnapshot:
    """An encoded snapshot.

    Attributes:
        seq: the last change in it
        frames: None if the snapshot is too large to send
        used_at: loop time at which it was last sent, or at which it arrived
        readers: the wires that it was written to, each with the `bytes_out` at which its peer has taken all of it
    """

    seq: int
    frames: bytes | None = field(repr=False)
    used_at: float
    readers: list[tuple[Wire, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Size in memory in bytes."""
        return len(self.frames or b"")

    def may_be_old(self, changes: int) -> bool:
        """Return whether it may still be sent after so many later changes."""
        return changes == 0 or (self.size >= LARGE_SNAPSHOT and changes <= self.size // BYTES_PER_CHANGE)


class SnapshotCache:
    """The snapshots of a canvas.

    Args:
        whole: the area of the whole canvas
        meter: shows the bytes in use
    """

    def __init__(self, whole: Area, meter: Meter) -> None:
        self._whole = whole
        self._meter = meter
        self._meter.used = 0
        self._kept: dict[SnapshotKey, CachedSnapshot] = {}
        self._read: set[CachedSnapshot] = set()
        self._waiting: dict[Viewer, int] = {}
        self._is_encoding = False

    @property
    def waiting(self) -> list[Viewer]:
        """The viewers that wait for a snapshot, in order of arrival."""
        return list(self._waiting)

    @property
    def is_in_use(self) -> bool:
        """Whether there are snapshots in memory."""
        return bool(self._kept or self._read)

    @property
    def size(self) -> int:
        """Total size of all snapshots in memory in bytes."""
        return sum(snapshot.size for snapshot in {*self._kept.values(), *self._read})

    # Viewers.

    def find(self, viewer: Viewer, head: int) -> CachedSnapshot | None:
        """Return a snapshot that a viewer may be sent when `head` is the last change; None if there is none.

        It is not older than what the viewer has seen. It is recent: made since the viewer waits, or large and not too
        old.
        """
        snapshot = self._kept.get(snapshot_key_of(viewer, self._whole))
        if snapshot is None or not viewer.view.seq <= snapshot.seq <= head:
            return None
        is_recent = snapshot.seq >= self._waiting.get(viewer, head) or snapshot.may_be_old(head - snapshot.seq)
        return snapshot if is_recent else None

    def wait(self, viewer: Viewer, head: int) -> None:
        """Note that a viewer waits for a snapshot that is not older than change `head`."""
        self._waiting.setdefault(viewer, head)

    def leave(self, viewer: Viewer) -> None:
        """Note that a viewer no longer waits."""
        self._waiting.pop(viewer, None)

    def use(self, snapshot: CachedSnapshot, wire: Wire, now: float) -> None:
        """Note that a snapshot has just been written to a wire."""
        snapshot.used_at = now
        if wire.backlog:
            snapshot.readers.append((wire, wire.bytes_out))
            self._read.add(snapshot)

    # Encoding.

    def take_keys(self, now: float) -> tuple[SnapshotKey, ...]:
        """Return the keys to encode now, as far as memory allows; none while other snapshots are being encoded."""
        if self._is_encoding:
            return ()
        self._waiting = {viewer: since for viewer, since in self._waiting.items() if is_there(viewer)}
        if not self._waiting:
            return ()
        self.release(now)
        keys: dict[SnapshotKey, None] = {}
        free = MAX_BYTES - self.size
        for viewer in self._by_share():
            key = snapshot_key_of(viewer, self._whole)
            if key in keys:
                continue
            needed = max_bytes(key, self._whole)
            if needed > free and not keys:
                free = self._free_memory(needed, now, client_network(viewer.wire.address))
            if needed > free:
                break
            keys[key] = None
            free -= needed
        self._is_encoding = bool(keys)
        return tuple(keys)

    def keep(self, seq: int, frames: Mapping[SnapshotKey, bytes | None], now: float) -> None:
        """Cache the requested snapshots, which are at `seq`."""
        self._is_encoding = False
        for key, data in frames.items():
            self._kept[key] = CachedSnapshot(seq, data, now)
        self._kept = {key: snapshot for key, snapshot in self._kept.items() if snapshot.may_be_old(seq - snapshot.seq)}
        self._meter.used = self.size

    def forget(self) -> None:
        """Drop all cached snapshots, and expect none from earlier requests. Viewers that wait go on waiting."""
        self._kept.clear()
        self._is_encoding = False

    # Memory.

    def release(self, now: float) -> None:
        """Drop the snapshots that no client needs any more."""
        for snapshot in list(self._read):
            snapshot.readers = [reader for reader in snapshot.readers if _is_reading(*reader)]
            if not snapshot.readers:
                self._read.remove(snapshot)
        size = 0
        for key, snapshot in sorted(self._kept.items(), key=lambda item: item[1].used_at, reverse=True):
            if snapshot not in self._read:
                size += snapshot.size
                if size > KEPT_BYTES or now - snapshot.used_at >= KEPT_FOR:
                    del self._kept[key]
        self._meter.used = self.size

    def _free_memory(self, needed: int, now: float, network: str) -> int:
        """Drop snapshots, as far as allowed, until `needed` bytes are free for a network; return the free bytes."""
        free = MAX_BYTES - self.size
        for snapshot in sorted({*self._kept.values(), *self._read}, key=lambda snapshot: snapshot.used_at):
            if free >= needed:
                break
            has_time = snapshot.readers and now - snapshot.used_at < DELIVERY_TIMEOUT
            if has_time and not self._is_beyond_share(snapshot, network):
                continue
            for wire, _ in snapshot.readers:
                log.info("snapshot.not_taken", wire=wire.id, peer=wire.peer, backlog=wire.backlog)
                wire.abort()
            self._read.discard(snapshot)
            self._kept = {key: kept for key, kept in self._kept.items() if kept is not snapshot}
            free += snapshot.size
        return free

    def _by_share(self) -> list[Viewer]:
        """Return the waiting viewers: first those of networks that use less memory, then by arrival."""
        shares = self._shares()
        return sorted(self._waiting, key=lambda viewer: shares[client_network(viewer.wire.address)])

    def _shares(self) -> Counter[str]:
        """Return the bytes that each client network uses."""
        shares: Counter[str] = Counter()
        for snapshot in self._read:
            shares.update(dict.fromkeys(_client_networks(snapshot), snapshot.size))
        return shares

    def _is_beyond_share(self, snapshot: CachedSnapshot, network: str) -> bool:
        """Return whether all readers of a snapshot are in networks over their share, and none is in the waiting one."""
        shares, networks = self._shares(), _client_networks(snapshot)
        return network not in networks and all(shares[other] > MAX_BYTES // SHARES for other in networks)


def max_bytes(key: SnapshotKey, whole: Area) -> int:
    """Return the maximum size of a snapshot in bytes, whatever is painted."""
    area = key.area or whole
    if key.codec is BINARY:
        return min(MAX_SNAPSHOT, BYTES_PER_TILE * area.count_tiles())
    return min(MAX_SNAPSHOT, BYTES_PER_PIXEL * area.width * area.height + 1024)


def _client_networks(snapshot: CachedSnapshot) -> set[str]:
    """Return the client networks of the readers of a snapshot."""
    return {client_network(address) for address in {wire.address for wire, _ in snapshot.readers}}


def _is_reading(wire: Wire, end: int) -> bool:
    """Return whether a peer has not yet taken all bytes up to offset `end`."""
    return not wire.is_closed and wire.bytes_out - wire.backlog < end
