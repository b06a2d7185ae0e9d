"""A store that forgets everything with the Python process. For play and for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from canvas.grid import Change, Grid

REMEMBERED = 100_000
"""Changes that can be read again one by one."""


class MemoryStore:
    """A grid that outlives the actor that uses it, as an ETS table goes to its heir. As large as the canvas."""

    def __init__(self, epoch: str, width: int, height: int, background: int) -> None:
        self.epoch = epoch
        self._grid = Grid(width, height, background)
        self._log: deque[Change] = deque(maxlen=REMEMBERED)

    def load(self) -> Grid:
        """The canvas with all committed changes; see `Store.load`."""
        return self._grid.copy()

    def since(self, seq: int) -> list[Change] | None:
        """The changes after number `seq`; see `Store.since`."""
        missing = self._grid.seq - seq
        if not 0 <= missing <= len(self._log):
            return None
        return list(islice(self._log, len(self._log) - missing, None))

    def append(self, changes: Sequence[Change], at: float) -> None:
        """Commit changes; see `Store.append`."""
        self._grid.apply(changes)
        self._log.extend(changes)
