"""A store that fails when the seed says so, and remembers what was committed."""

from collections.abc import Sequence

from actors.testing import Fault, Kit
from canvas.board.grid import Change, Grid
from canvas.store import CommitPace, Reader, Store, StoreError

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
        self.kind = inner.kind
        self.blocks = inner.blocks
        self.durability = inner.durability
        self.epoch = inner.epoch
        self.width = inner.width
        self.height = inner.height
        self.background = inner.background
        self.log: list[Logged] = []
        self._kit = kit
        self._inner = inner
        self._often = often

    def take_over(self) -> Store:
        """See `Store.take_over`."""
        self._inner = self._inner.take_over()
        return self

    def reader(self) -> Reader:
        """See `Store.reader`."""
        return self._inner.reader()

    def verify(self) -> None:
        """See `Store.verify`."""
        self._inner.verify()

    def pace(self) -> CommitPace:
        """See `Store.pace`."""
        return self._inner.pace()

    def size(self) -> int:
        """See `Store.size`."""
        return self._inner.size()

    def close(self) -> None:
        """See `Store.close`."""
        self._inner.close()

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
