"""What the historian does whenever it is told to look: snapshots, folding and the index. In virtual time."""

import pytest
from structlog.testing import capture_logs

from actors import cast, start
from actors.testing import quiet
from canvas.history.historian import PIXELS_PER_CHANGE, SNAPSHOT_EVERY, Historian
from canvas.store import LookForSnapshot, MemoryStore, StoreError
from canvas.store.memory import MemoryReader
from tests.support.scenarios import simulated


class WatchedReader(MemoryReader):
    """A reader that notes what is done with it."""

    def __init__(self, store: "WatchedStore") -> None:
        super().__init__(store)
        self.watched = store
        store.is_open += 1

    def since_snapshot(self) -> int:
        return self.watched.since_snapshot

    def take_snapshot(self) -> None:
        self.watched.done.append("snapshot")
        if self.watched.error is not None:
            raise self.watched.error

    def fold(self) -> None:
        self.watched.done.append("fold")

    def index(self) -> bool:
        self.watched.done.append("index")
        return self.watched.done.count("index") % 3 != 0

    def close(self) -> None:
        self.watched.is_open -= 1


class WatchedStore(MemoryStore):
    """A store with so many changes since its last snapshot, whose index takes three steps."""

    def __init__(self, width: int, height: int, since_snapshot: int) -> None:
        super().__init__("an epoch", width, height, 0)
        self.since_snapshot = since_snapshot
        self.error: StoreError | None = None
        self.done: list[str] = []
        self.is_open = 0

    def reader(self) -> WatchedReader:
        return WatchedReader(self)


LARGE = 10_000
REST = ["fold", "index", "index", "index"]


@pytest.mark.parametrize(
    ("side", "changes", "is_due"),
    [
        (100, SNAPSHOT_EVERY - 1, False),
        (100, SNAPSHOT_EVERY, True),
        (LARGE, LARGE * LARGE // PIXELS_PER_CHANGE - 1, False),
        (LARGE, LARGE * LARGE // PIXELS_PER_CHANGE, True),
    ],
)
@simulated
async def test_look_takes_a_snapshot_that_is_due_then_folds_and_indexes_all(
    side: int, changes: int, is_due: bool
) -> None:
    store = WatchedStore(side, side, changes)
    historian = await start(Historian, store)
    await quiet()
    expected = [*(["snapshot"] if is_due else []), *REST]
    assert (store.done, store.is_open) == (expected, 0)
    cast(historian, LookForSnapshot())
    await quiet()
    assert (store.done, store.is_open) == (2 * expected, 0)


@simulated
async def test_snapshot_that_cannot_be_written_is_tried_again_at_the_next_look() -> None:
    store = WatchedStore(100, 100, SNAPSHOT_EVERY)
    store.error = StoreError("the disk is full")
    with capture_logs() as logs:
        historian = await start(Historian, store)
        await quiet()
    assert [(log["event"], log["error"]) for log in logs if log["log_level"] == "warning"] == [
        ("store.no_snapshot", "the disk is full")
    ]
    store.error = None
    store.done.clear()
    cast(historian, LookForSnapshot())
    await quiet()
    assert (store.done, store.is_open) == (["snapshot", *REST], 0)
