"""Pure. The messages that the canvas has accepted, so that a repeated message is not painted twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from canvas.board.errors import BadMessage
from canvas.messages.values import MAX_ID

MAX_CLIENTS = 10_000
"""Maximum number of clients; beyond it, the one that painted least recently is forgotten."""
SHARE = MAX_CLIENTS // 2
"""Maximum number of these per client network."""
WINDOW = 4_096
"""Number of ids remembered per client, back from its latest."""
MAX_REFUSED = 100_000
"""Maximum number of refused pixels of all clients; beyond it, the messages with the oldest ones are forgotten."""
_IDS = MAX_ID + 1


class Key(NamedTuple):
    """A client's token, and its id of a message."""

    client: str
    id: int


@dataclass(slots=True)
class _Client:
    """The accepted ids of one client: a sliding window.

    Attributes:
        address: the client network from which it last painted
        latest: the latest id; ids count up, and wrap to 0 after `MAX_ID`
        seen: a bit set of accepted ids; bit n is the id n before `latest`
    """

    address: str
    latest: int
    seen: int = 0

    def __contains__(self, id_: int) -> bool:
        return bool(self.seen >> self._behind(id_) & 1)

    def add(self, id_: int) -> None:
        """Remember an id, unless it is `WINDOW` or more behind the latest."""
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
    """A message without an outcome yet.

    Attributes:
        address: the client network from which it came
        seq: the change that settles it, once it is with the store; else None
    """

    address: str
    seq: int | None = None


class Accepted:
    """The messages that the canvas has accepted.

    It outlives the canvas process. What a crash of that process loses (queued messages, and those that the store had
    not committed) is forgotten, too. A message that is forgotten counts as new when it is repeated.
    """

    def __init__(self) -> None:
        self._epoch = ""
        self._waiting: dict[Key, _Waiting] = {}
        self._clients: OrderedDict[str, _Client] = OrderedDict()  # the last to paint comes last
        self._addresses: dict[str, OrderedDict[str, None]] = {}  # the clients of each network, in the same order
        self._refusals: OrderedDict[Key, list[BadMessage]] = OrderedDict()
        self._refused = 0  # pixels in these

    def __contains__(self, key: Key | None) -> bool:
        if key is None:
            return False
        client = self._clients.get(key.client)
        return key in self._waiting or (client is not None and key.id in client)

    def add(self, key: Key, address: str) -> None:
        """Remember a new message, and the client network from which it came."""
        self._forget_refusals(key)  # left over if the message was accepted before, and forgotten
        self._waiting[key] = _Waiting(address)

    def send(self, key: Key, seq: int) -> None:
        """Note that a message is with the store: it is on the canvas if change `seq` of this epoch is."""
        if key in self._waiting:
            self._waiting[key].seq = seq

    def settle(self, key: Key) -> None:
        """Note that a message is on the canvas, except for its refused pixels."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._remember(key, waiting.address)

    def refuse(self, key: Key, refused: BadMessage) -> None:
        """Remember why pixels of a message were refused."""
        self._refusals.setdefault(key, []).append(refused)
        self._refused += _size(refused)
        while self._refused > MAX_REFUSED:
            # Forget the message as well: without its refusals, a repeat would be acknowledged as painted completely.
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
        """Note that the canvas has started or restarted after change `seq`, and forget the messages that were lost."""
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
