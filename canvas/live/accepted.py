"""Pure. Which messages of a client the canvas has accepted, so that one that is sent again is not painted again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from canvas.board.errors import BadMessage
from canvas.messages.values import MAX_ID

MAX_CLIENTS = 10_000
"""Clients that are remembered; then those that painted least recently are forgotten."""
SHARE = MAX_CLIENTS // 2
"""Of these, so many of one address."""
WINDOW = 4_096
"""Ids that are remembered of one client, counted back from its latest."""
MAX_REFUSED = 100_000
"""Refused pixels that are remembered, of all clients; then the messages of the oldest ones are forgotten."""
_IDS = MAX_ID + 1


class Key(NamedTuple):
    """The client's name for itself, and its id of a message."""

    client: str
    id: int


@dataclass(slots=True)
class _Client:
    """What is remembered of one client.

    Attributes:
        address: whence it painted last
        latest: the latest id; ids count up, and after the largest comes 0
        seen: a bit for each accepted id, the lowest for the latest
    """

    address: str
    latest: int
    seen: int = 0

    def __contains__(self, id_: int) -> bool:
        return bool(self.seen >> self._behind(id_) & 1)

    def add(self, id_: int) -> None:
        """Remember an id; one that is far behind the latest cannot be."""
        ahead = (id_ - self.latest) % _IDS
        if 0 < ahead < _IDS // 2:
            self.seen = self.seen << min(ahead, WINDOW) & (1 << WINDOW) - 1
            self.latest = id_
        if self._behind(id_) < WINDOW:
            self.seen |= 1 << self._behind(id_)

    def discard(self, id_: int) -> None:
        """Forget an id."""
        if id_ in self:
            self.seen ^= 1 << self._behind(id_)

    def _behind(self, id_: int) -> int:
        return min((self.latest - id_) % _IDS, WINDOW)


@dataclass(slots=True)
class _Waiting:
    """A message that is not settled.

    Attributes:
        address: whence it came
        seq: the last change of one that is with the store; None for others
    """

    address: str
    seq: int | None = None


class Accepted:
    """The messages that the canvas has accepted.

    It outlives the canvas, but not what is lost with it: messages that wait for their turn, and those that the store
    had not committed. What it forgets is taken like new.
    """

    def __init__(self) -> None:
        self._epoch = ""
        self._waiting: dict[Key, _Waiting] = {}
        self._clients: OrderedDict[str, _Client] = OrderedDict()  # the one that painted last is last
        self._addresses: dict[str, OrderedDict[str, None]] = {}  # the clients of each, likewise
        self._refusals: OrderedDict[Key, list[BadMessage]] = OrderedDict()
        self._refused = 0  # pixels in these

    def __contains__(self, key: Key | None) -> bool:
        if key is None:
            return False
        client = self._clients.get(key.client)
        return key in self._waiting or (client is not None and key.id in client)

    def add(self, key: Key, address: str) -> None:
        """Remember a message that is not there yet, and whence it came."""
        self._forget_refusals(key)  # it may have been there, and been forgotten
        self._waiting[key] = _Waiting(address)

    def send(self, key: Key, seq: int) -> None:
        """A message is with the store: all of it is on the canvas if change `seq` of this epoch is."""
        if key in self._waiting:
            self._waiting[key].seq = seq

    def settle(self, key: Key) -> None:
        """A message is on the canvas, but for the pixels that were refused."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._remember(key, waiting.address)

    def refuse(self, key: Key, refused: BadMessage) -> None:
        """Remember why pixels of a message were refused."""
        self._refusals.setdefault(key, []).append(refused)
        self._refused += _size(refused)
        while self._refused > MAX_REFUSED:
            # The message is forgotten with its refusals: it would be acknowledged as if all of it had been painted.
            oldest = next(iter(self._refusals))
            self._forget_refusals(oldest)
            self._waiting.pop(oldest, None)
            if oldest.client in self._clients:
                self._clients[oldest.client].discard(oldest.id)

    def refusals(self, key: Key) -> Sequence[BadMessage]:
        """Return why pixels of a message were refused; empty if all were painted."""
        return self._refusals.get(key, ())

    def refusals_on(self, key: Key, id_: int | None, pixels: Set[tuple[int, int]]) -> Iterator[BadMessage]:
        """Yield the refusals of a message as far as they concern `pixels`, for a repeat of it with id `id_`."""
        for refused in self.refusals(key):
            common = [pixel for pixel in refused.pixels if pixel in pixels]
            if common:
                yield refused.about(id_, common)

    def begin(self, epoch: str, seq: int) -> None:
        """The canvas has begun, or begun again, after change `seq`: find out what was lost."""
        if epoch != self._epoch:
            for memory in (self._clients, self._addresses, self._refusals):
                memory.clear()
            self._refused = 0
        else:
            for key, waiting in self._waiting.items():
                if waiting.seq is not None and waiting.seq <= seq:
                    self._remember(key, waiting.address)
                else:
                    self._forget_refusals(key)
        self._epoch = epoch
        self._waiting.clear()

    def _remember(self, key: Key, address: str) -> None:
        client = self._clients.pop(key.client, None)
        if client is None:
            client = _Client(address, key.id)
        else:
            self._leave(key.client, client.address)
        client.address = address
        client.add(key.id)
        self._clients[key.client] = client
        neighbours = self._addresses.setdefault(address, OrderedDict())
        neighbours[key.client] = None
        if len(neighbours) > SHARE:
            self._forget(next(iter(neighbours)))
        elif len(self._clients) > MAX_CLIENTS:
            self._forget(next(iter(self._clients)))

    def _forget(self, name: str) -> None:
        self._leave(name, self._clients.pop(name).address)

    def _leave(self, name: str, address: str) -> None:
        neighbours = self._addresses[address]
        del neighbours[name]
        if not neighbours:
            del self._addresses[address]

    def _forget_refusals(self, key: Key) -> None:
        self._refused -= sum(map(_size, self._refusals.pop(key, ())))


def _size(refused: BadMessage) -> int:
    return max(1, len(refused.pixels))
