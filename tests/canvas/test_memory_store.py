"""The memory store keeps what every store promises, and forgets all but the last changes."""

import itertools

import pytest

from canvas.store import MemoryStore, Store, StoreError
from tests.canvas.store_contract import AT, BACKGROUND, HEIGHT, WIDTH, StoreContract, changes, past

_epochs = itertools.count(1)


class TestMemoryStore(StoreContract):
    def open_store(self) -> Store:
        return MemoryStore(f"epoch {next(_epochs)}", WIDTH, HEIGHT, BACKGROUND)


def test_memory_store_remembers_the_last_changes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canvas.store.memory.REMEMBERED", 6)
    store = MemoryStore("an epoch", WIDTH, HEIGHT, BACKGROUND)
    for first in range(0, 12, 3):
        store.append(changes(3, after=first, color=first + 1), AT + first)
    reader = store.reader()
    assert (reader.oldest(), reader.seq()) == (7, 12)
    assert store.since(5) is None
    assert [change.seq for change in store.since(8) or ()] == [9, 10, 11, 12]
    assert [seq for seq, *_ in past(reader, after=6)] == [7, 8, 9, 10, 11, 12]
    assert reader.grid(6).color(5, 0) == 4
    assert reader.grid(7).color(0, 1) == 7
    for ask in (lambda: reader.grid(5), lambda: list(reader.chunks(5))):
        with pytest.raises(StoreError, match="a memory store remembers the last 6 changes only"):
            ask()
