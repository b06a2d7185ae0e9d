"""A store that forgets everything with the Python process. For play and for tests."""

from __future__ import annotations

from collections.abc import Sequence

from canvas.grid import Change, Grid


class MemoryStore:
    """A grid that outlives the actor that uses it, as an ETS table goes to its heir. As large as the canvas."""

    def __init__(self, epoch: str, width: int, height: int, background: int) -> None:
        self.epoch = epoch
        self._grid = Grid(width, height, background)

    def load(self) -> Grid:
        """The canvas with all committed changes; see `Store.load`."""
        return self._grid.copy()

    def append(self, changes: Sequence[Change]) -> None:
        """Commit changes; see `Store.append`."""
        self._grid.apply(changes)
