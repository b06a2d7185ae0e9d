"""The process of the store: what it loads, commits and says of its health. In virtual time."""

import pytest

from actors import Call, GenServer, Ref, call, cast, start
from actors.testing import Probe, quiet
from canvas.board.grid import Change
from canvas.store import (
    Append,
    Committed,
    GetHealth,
    Health,
    Load,
    Loaded,
    LookForSnapshot,
    MemoryStore,
    Rejected,
    StoreError,
    StoreServer,
)
from canvas.store.server import LOOK_EVERY
from tests.canvas.store_contract import AT, BACKGROUND, HEIGHT, WIDTH, changes
from tests.support.scenarios import simulated


class FullStore(MemoryStore):
    """A memory store that refuses changes while `error` is not None."""

    def __init__(self) -> None:
        super().__init__("an epoch", WIDTH, HEIGHT, BACKGROUND)
        self.error: StoreError | None = None

    def append(self, changes: list[Change], at: float) -> None:  # type: ignore[override]
        if self.error is not None:
            raise self.error
        super().append(changes, at)


async def begin(store: MemoryStore) -> tuple[Ref, Probe]:
    """Start a server of a store, and one to whom it tells everything."""
    probe = await Probe.begin()
    server = await start(StoreServer, store, probe.ref, iter([0.0, 0.25, 1.0, 1.0, 2.0, 2.5]).__next__)
    return server, probe


@pytest.mark.parametrize("recent", [0, 1, 3, 5, 99])
@simulated
async def test_canvas_comes_with_so_many_of_its_last_changes(recent: int) -> None:
    store = FullStore()
    store.append(changes(3), AT)
    store.append(changes(2, after=3), AT)
    server, _ = await begin(store)
    loaded = await call(server, Load(recent))
    assert isinstance(loaded, Loaded)
    assert (loaded.epoch, loaded.grid.seq) == ("an epoch", 5)
    assert [change.seq for change in loaded.recent] == list(range(1, 6))[max(0, 5 - recent) :]


@simulated
async def test_health_tells_the_last_commit_and_an_error_until_one_succeeds() -> None:
    store = FullStore()
    store.append(changes(2), AT)
    server, probe = await begin(store)
    await call(server, Load(0))
    cast(server, Append(changes(3, after=2), AT, probe.ref))
    assert isinstance(await probe.receive_message(), Committed)
    assert await call(server, GetHealth()) == Health("memory", "none", 5, 1, 0.25, 0, None, None)
    store.error = StoreError("the disk is full")
    cast(server, Append(changes(1, after=5), AT, probe.ref))
    refused = await probe.receive_message()
    assert (type(refused), refused.error) == (Rejected, store.error)
    assert await call(server, GetHealth()) == Health("memory", "none", 5, 1, 0.25, 0, "the disk is full", None)
    store.error = None
    cast(server, Append(changes(1, after=5), AT, probe.ref))
    assert isinstance(await probe.receive_message(), Committed)
    health = await call(server, GetHealth())
    assert (health.seq, health.commits, health.error) == (6, 2, None)


class Looks(GenServer):
    """Counts how often it is told to look for a snapshot."""

    def init(self) -> None:
        self.count = 0

    def handle_cast(self, request: object) -> None:
        assert isinstance(request, LookForSnapshot)
        self.count += 1

    def handle_call(self, request: object, from_: Call) -> int:
        return self.count


@simulated
async def test_history_is_told_to_look_whenever_so_many_changes_have_been_committed() -> None:
    history, probe = await start(Looks), await Probe.begin()
    server = await start(StoreServer, FullStore(), history)
    after, counts = 0, []
    for size in (LOOK_EVERY - 1, 1, LOOK_EVERY - 1, 1):
        cast(server, Append(changes(size, after=after), AT, probe.ref))
        assert isinstance(await probe.receive_message(), Committed)
        after += size
        await quiet()
        counts.append(await call(history, None))
    assert counts == [0, 1, 1, 2]
