"""The memory store keeps what every store promises."""

import itertools

from canvas.store import MemoryStore, Store
from tests.canvas.store_contract import BACKGROUND, HEIGHT, WIDTH, StoreContract

_epochs = itertools.count(1)


class TestMemoryStore(StoreContract):
    def open_store(self) -> Store:
        return MemoryStore(f"epoch {next(_epochs)}", WIDTH, HEIGHT, BACKGROUND)
