"""No process. SnapshotCache of the canvas: those in memory, who is being sent them, and who waits for one.

A state is kept for the next who need the same, and as long as a client has not taken all of it. The memory of all of
them is bounded: while `MAX_BYTES` are in use, clients wait for their state, and those who are slow to take theirs are
dropped; at once if their address takes more than its share, and those of another wait.
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
"""Bytes that all states in memory may take."""
SHARES = 2
"""Clients of an address that take more than one part in so many of these are dropped when others need the memory."""
KEPT_BYTES = 64 * 1024 * 1024
"""Bytes that those may take which are only kept for the next who need them."""
KEPT_FOR = 30.0
"""Seconds for which a state is kept that no client needs."""
LARGE_SNAPSHOT = 1024 * 1024
"""Bytes of a state from which on a client may be given an older one, and the changes since."""
BYTES_PER_CHANGE = 4_096
"""Bytes of such a state for each change that it may be old: they cost it 2 % more."""
DELIVERY_TIMEOUT = 30.0
"""Seconds in which a client has to take its state if others wait for the memory."""
BYTES_PER_PIXEL, BYTES_PER_TILE = 40, 3 * 256 * 256 + 1024
"""The most that JSON and binary take of a state."""


@shown("seq", "used_at")
@dataclass(slots=True, eq=False)
class CachedSnapshot:
    """A state that has been encoded.

    Attributes:
        seq: the change after which the canvas was so
        frames: None if they are too large to be sent
        used_at: when a client was last given it, or when it was made
        readers: the wires that it was written to, and how many bytes they have sent when all of it is taken
    """

    seq: int
    frames: bytes | None = field(repr=False)
    used_at: float
    readers: list[tuple[Wire, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.frames or b"")

    def may_be_old(self, changes: int) -> bool:
        """Whether a client may still be given it when so many changes have followed."""
        return changes == 0 or (self.size >= LARGE_SNAPSHOT and changes <= self.size // BYTES_PER_CHANGE)


class SnapshotCache:
    """The states of a canvas.

    Args:
        whole: all of the canvas
        meter: is told how many bytes they take
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
        """Those who wait for their state, who came first before the others."""
        return list(self._waiting)

    @property
    def is_in_use(self) -> bool:
        """Whether there are any in memory."""
        return bool(self._kept or self._read)

    @property
    def size(self) -> int:
        """Bytes that all states in memory take."""
        return sum(state.size for state in {*self._kept.values(), *self._read})

    # Who needs one.

    def find(self, viewer: Viewer, head: int) -> CachedSnapshot | None:
        """A state that a viewer may be given when `head` is the last change there is.

        It is not older than what the viewer has seen, and recent: made since it waits, or large and not too old.
        """
        state = self._kept.get(snapshot_key_of(viewer, self._whole))
        if state is None or not viewer.view.seq <= state.seq <= head:
            return None
        is_recent = state.seq >= self._waiting.get(viewer, head) or state.may_be_old(head - state.seq)
        return state if is_recent else None

    def wait(self, viewer: Viewer, head: int) -> None:
        """Note that a viewer waits for a state that is not older than change `head`."""
        self._waiting.setdefault(viewer, head)

    def leave(self, viewer: Viewer) -> None:
        """Note that a viewer waits no longer."""
        self._waiting.pop(viewer, None)

    def use(self, state: CachedSnapshot, wire: Wire, now: float) -> None:
        """Note that a state has just been written to a wire."""
        state.used_at = now
        if wire.backlog:
            state.readers.append((wire, wire.bytes_out))
            self._read.add(state)

    # Making them.

    def take_keys(self, now: float) -> tuple[SnapshotKey, ...]:
        """The states to make now, each once, and as many as there is memory for; none while others are being made."""
        if self._is_encoding:
            return ()
        self._waiting = {viewer: since for viewer, since in self._waiting.items() if is_there(viewer)}
        if not self._waiting:
            return ()
        self.release(now)
        keys: dict[SnapshotKey, None] = {}
        room = MAX_BYTES - self.size
        for viewer in self._by_share():
            key = snapshot_key_of(viewer, self._whole)
            if key in keys:
                continue
            needed = max_bytes(key, self._whole)
            if needed > room and not keys:
                room = self._free_memory(needed, now, client_network(viewer.wire.address))
            if needed > room:
                break
            keys[key] = None
            room -= needed
        self._is_encoding = bool(keys)
        return tuple(keys)

    def keep(self, seq: int, frames: Mapping[SnapshotKey, bytes | None], now: float) -> None:
        """Keep the states that were to be made, after change `seq`."""
        self._is_encoding = False
        for key, data in frames.items():
            self._kept[key] = CachedSnapshot(seq, data, now)
        self._kept = {key: state for key, state in self._kept.items() if state.may_be_old(seq - state.seq)}
        self._meter.used = self.size

    def forget(self) -> None:
        """Keep none, and expect none to come: who waited for one waits for another."""
        self._kept.clear()
        self._is_encoding = False

    # Memory.

    def release(self, now: float) -> None:
        """Forget the states that no client needs any more."""
        for state in list(self._read):
            state.readers = [reader for reader in state.readers if _is_reading(*reader)]
            if not state.readers:
                self._read.remove(state)
        size = 0
        for key, state in sorted(self._kept.items(), key=lambda item: item[1].used_at, reverse=True):
            if state not in self._read:
                size += state.size
                if size > KEPT_BYTES or now - state.used_at >= KEPT_FOR:
                    del self._kept[key]
        self._meter.used = self.size

    def _free_memory(self, needed: int, now: float, network: str) -> int:
        """Forget states until there is room for so many bytes for an address, as far as may be; returns how many."""
        room = MAX_BYTES - self.size
        for state in sorted({*self._kept.values(), *self._read}, key=lambda state: state.used_at):
            if room >= needed:
                break
            if state.readers and now - state.used_at < DELIVERY_TIMEOUT and not self._is_beyond_share(state, network):
                continue
            for wire, _ in state.readers:
                log.info("snapshot.not_taken", wire=wire.id, peer=wire.peer, backlog=wire.backlog)
                wire.abort()
            self._read.discard(state)
            self._kept = {key: kept for key, kept in self._kept.items() if kept is not state}
            room += state.size
        return room

    def _by_share(self) -> list[Viewer]:
        """Those who wait: from addresses that take less of the memory before the others, then who came first."""
        shares = self._shares()
        return sorted(self._waiting, key=lambda viewer: shares[client_network(viewer.wire.address)])

    def _shares(self) -> Counter[str]:
        """Bytes that each address takes."""
        shares: Counter[str] = Counter()
        for state in self._read:
            shares.update(dict.fromkeys(_client_networks(state), state.size))
        return shares

    def _is_beyond_share(self, state: CachedSnapshot, network: str) -> bool:
        """Whether all who have to take a state are of addresses that take too much, and not of the one that waits."""
        shares, networks = self._shares(), _client_networks(state)
        return network not in networks and all(shares[other] > MAX_BYTES // SHARES for other in networks)


def max_bytes(key: SnapshotKey, whole: Area) -> int:
    """The most that a state may take, however the canvas is painted."""
    area = key.area or whole
    if key.codec is BINARY:
        return min(MAX_SNAPSHOT, BYTES_PER_TILE * area.count_tiles())
    return min(MAX_SNAPSHOT, BYTES_PER_PIXEL * area.width * area.height + 1024)


def _client_networks(state: CachedSnapshot) -> set[str]:
    """The addresses of those who have to take a state."""
    return {client_network(address) for address in {wire.address for wire, _ in state.readers}}


def _is_reading(wire: Wire, end: int) -> bool:
    """Whether a peer has still to take some of the bytes up to number `end`."""
    return not wire.is_closed and wire.bytes_out - wire.backlog < end
