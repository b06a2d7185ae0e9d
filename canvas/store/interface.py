"""Pure. What a store can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from canvas.grid import Change, Grid


class StoreError(Exception):
    """The store cannot do it now; nothing was changed."""


class Store(Protocol):
    """The committed changes of one canvas, numbered from 1 without gaps.

    It outlives the process that uses it, and is used by one process at a time.
    """

    epoch: str
    """Names this canvas. Another canvas, another epoch: their numbers cannot be compared."""

    def load(self) -> Grid:
        """The canvas with all committed changes; a copy of the caller's own."""
        ...

    def since(self, seq: int) -> list[Change] | None:
        """All committed changes after number `seq`, in order; None if it does not remember that far."""
        ...

    def append(self, changes: Sequence[Change], at: float) -> None:
        """Commit changes that were made at `at` (seconds since 1970): all of them or none.

        When this returns they are as durable as this store can make them.

        Raises:
            StoreError: if they cannot be kept.
            ValueError: if their numbers do not follow on the last committed one.
        """
        ...
