"""The SQLite store keeps what every store promises."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from canvas.store import About, SqliteStore, Store
from tests.canvas.store_contract import BACKGROUND, HEIGHT, WIDTH, StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _take_folder(self, tmp_path: Path) -> Iterator[None]:
        self._numbers = itertools.count(1)
        self._folder = tmp_path
        self._stores: list[SqliteStore] = []
        yield
        for store in self._stores:
            store.close()

    def open_store(self) -> Store:
        number = next(self._numbers)
        about = About(f"epoch {number}", WIDTH, HEIGHT, BACKGROUND)
        store = SqliteStore.open(self._folder / f"{number}.db", "none", new=about)
        self._stores.append(store)
        return store
