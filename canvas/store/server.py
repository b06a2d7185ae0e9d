"""One process: commits batches of changes, in order. Owner of the store while it lives; the store outlives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from actors import Call, GenServer, Ref
from canvas.grid import Change, Grid
from canvas.store.interface import Store, StoreError


@dataclass(frozen=True, slots=True)
class Load:
    """Call: the canvas as it is committed. Answered with `Loaded`."""

    recent: int = 0
    """How many of the last changes to send along, if they are remembered."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The canvas, and its last changes in order."""

    epoch: str
    grid: Grid
    recent: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Append:
    """Cast: commit `changes`, made at `at` (seconds since 1970), and tell `reply_to` `Committed` or `Rejected`."""

    changes: Sequence[Change]
    at: float
    reply_to: Ref


@dataclass(frozen=True, slots=True)
class Committed:
    """`changes` are durable."""

    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Rejected:
    """`changes` could not be committed, because of `error`."""

    changes: Sequence[Change]
    error: StoreError


class StoreServer(GenServer):
    """Serves one store.

    Args (of `init`):
        store: what it serves
    """

    def init(self, store: Store) -> None:
        self._store = store

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Load the canvas."""
        if isinstance(request, Load):
            grid = self._store.load()
            recent = self._store.since(max(0, grid.seq - request.recent))
            return Loaded(self._store.epoch, grid, recent or ())
        return super().handle_call(request, from_)

    def handle_cast(self, request: Any) -> Any:
        """Commit a batch."""
        if not isinstance(request, Append):
            return super().handle_cast(request)
        try:
            self._store.append(request.changes, request.at)
        except StoreError as error:  # the disk's fault, not ours: whoever painted is told
            request.reply_to.tell(Rejected(request.changes, error))
        else:
            request.reply_to.tell(Committed(request.changes))
        return None
