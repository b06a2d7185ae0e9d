"""Pure. Which messages of a client the canvas has accepted, so that one that is sent again is not painted again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from canvas.errors import BadMessage

MAX_CLIENTS = 10_000
"""Clients that are remembered; then those that painted least recently are forgotten."""
MAX_RUNS = 64
"""Runs of consecutive ids that are remembered of one client; each message that was lost or refused ends one."""
MAX_REFUSALS = 1_000
"""Refusals that are remembered, of all clients."""


Key = tuple[str, int]
"""The client's name for itself, and its id of a message."""


class Accepted:
    """The messages that the canvas has accepted.

    A client takes a new id for each new message, so nearly all of its ids are one run. It outlives the canvas, but not
    what is lost with it: messages that wait for their turn, and those that the store had not committed.
    """

    def __init__(self) -> None:
        self._epoch = ""
        self._waiting: dict[Key, int | None] = {}
        """What is not settled; the last change of those that are with the store, None for others."""
        self._runs: OrderedDict[str, list[range]] = OrderedDict()
        self._refusals: OrderedDict[Key, list[BadMessage]] = OrderedDict()

    def __contains__(self, key: Key | None) -> bool:
        if key is None:
            return False
        client, id_ = key
        return key in self._waiting or any(id_ in run for run in reversed(self._runs.get(client, ())))

    def add(self, key: Key) -> None:
        """Remember a message that is not there yet."""
        self._waiting[key] = None

    def send(self, key: Key, seq: int) -> None:
        """A message is with the store: all of it is on the canvas if change `seq` of this epoch is."""
        if key in self._waiting:
            self._waiting[key] = seq

    def settle(self, key: Key) -> None:
        """A message is on the canvas, but for the pixels that were refused."""
        if key in self._waiting:
            del self._waiting[key]
            self._remember(*key)

    def refuse(self, key: Key, refused: BadMessage) -> None:
        """Remember why pixels of a message were refused."""
        self._refusals.setdefault(key, []).append(refused)
        if len(self._refusals) > MAX_REFUSALS:
            self._refusals.popitem(last=False)

    def refusals(self, key: Key) -> Sequence[BadMessage]:
        """Return why pixels of a message were refused; empty if all were painted."""
        return self._refusals.get(key, ())

    def begin(self, epoch: str, seq: int) -> None:
        """The canvas has begun, or begun again, after change `seq`: find out what was lost."""
        if epoch != self._epoch:
            self._runs.clear()
            self._refusals.clear()
        else:
            for key, last in self._waiting.items():
                if last is not None and last <= seq:
                    self._remember(*key)
                else:
                    self._refusals.pop(key, None)
        self._epoch = epoch
        self._waiting.clear()

    def _remember(self, client: str, id_: int) -> None:
        runs = self._runs.setdefault(client, [])
        self._runs.move_to_end(client)
        if runs and runs[-1].stop == id_:
            runs[-1] = range(runs[-1].start, id_ + 1)
        else:
            runs.append(range(id_, id_ + 1))
            del runs[:-MAX_RUNS]
        if len(self._runs) > MAX_CLIENTS:
            self._runs.popitem(last=False)
