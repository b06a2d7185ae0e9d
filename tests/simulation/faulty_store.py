"""A store that fails when the seed says so, and remembers what was committed."""

from collections.abc import Sequence

from actors.testing import Fault, Kit
from canvas.grid import Change, Grid
from canvas.store import Store, StoreError

Logged = tuple[int, int, str, str]
"""x, y, colour as text, painter."""


class FaultyStore:
    """Wraps any store.

    Args:
        often: the probability of each fault, at each commit

    Attributes:
        log: the committed changes, that with seq 1 first
    """

    def __init__(self, kit: Kit, inner: Store, *, often: float = 0.01) -> None:
        self.epoch = inner.epoch
        self.log: list[Logged] = []
        self._kit = kit
        self._inner = inner
        self._often = often

    def load(self) -> Grid:
        """See `Store.load`."""
        return self._inner.load()

    def since(self, seq: int) -> list[Change] | None:
        """See `Store.since`."""
        return self._inner.since(seq)

    def append(self, changes: Sequence[Change], at: float) -> None:
        """See `Store.append`."""
        kit, often = self._kit, self._often
        if kit.happens("the disk is full", often):
            raise StoreError("no space left on device")
        if kit.happens("the disk is slow", often):
            kit.jump(0.2)
        if kit.happens("the store crashes before the commit", often):
            raise Fault("before the commit")
        self._inner.append(changes, at)
        self.log += [(change.x, change.y, f"#{change.color:06X}", change.user_id) for change in changes]
        kit.note(f"committed up to {len(self.log)}")
        if kit.happens("the store crashes after the commit", often):
            raise Fault("after the commit")
