"""A store that may fail keeps what every store promises, and fails when the seed says so."""

from collections.abc import Iterator

import pytest

from actors.testing import Fault, Kit
from canvas.store import MemoryStore, Store, StoreError
from tests.canvas.store_contract import BACKGROUND, HEIGHT, WIDTH, StoreContract, changes
from tests.simulation.faulty_store import FaultyStore


def memory_store(number: int = 1) -> MemoryStore:
    return MemoryStore(f"epoch {number}", WIDTH, HEIGHT, BACKGROUND)


class TestFaultyStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _take_kit(self) -> Iterator[None]:
        self._stores = 0
        self._kit = Kit()
        yield
        self._kit.close()

    def open_store(self) -> Store:
        self._stores += 1
        return FaultyStore(self._kit, memory_store(self._stores))


def test_it_fails_in_every_way_and_remembers_what_was_committed() -> None:
    async def scenario(kit: Kit) -> set[str]:
        inner = memory_store()
        store = FaultyStore(kit, inner, often=0.1)
        failures = set()
        for _ in range(200):
            before = inner.load().seq
            try:
                store.append(changes(2, after=before), 0.0)
            except (StoreError, Fault) as failure:
                failures.add(str(failure))
            assert inner.load().seq == len(store.log)
        return failures

    kit = Kit(1)
    assert kit.run(scenario(kit)) == {"no space left on device", "before the commit", "after the commit"}
    assert any(fault.endswith("the disk is slow") for fault in kit.faults)
