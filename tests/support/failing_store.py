"""Stores that fail while they are told to."""

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from canvas.board.grid import Change, Grid
from canvas.store import MemoryStore, Reader, StoreError


class FailingStore(MemoryStore):
    """A memory store of 32 x 16 pixels that cannot be read while `error` is not None."""

    def __init__(self) -> None:
        super().__init__("an epoch", 32, 16, 0xFFFFFF)
        self.error: StoreError | None = None

    def reader(self) -> Reader:  # type: ignore[override]
        self.fail()
        return super().reader()

    def load(self) -> Grid:
        self.fail()
        return super().load()

    def fail(self) -> None:
        """Raise the error, if there is one."""
        if self.error is not None:
            raise self.error


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Have memory stores refuse changes."""

    def refuse(store: MemoryStore, changes: Sequence[Change], at: float) -> None:
        raise StoreError("no space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryStore, "append", refuse)
        yield
