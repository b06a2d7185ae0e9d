"""The SQLite store keeps what every store promises, and its file: over owners, versions, damage and a full disk."""

import contextlib
import itertools
import random
import shutil
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest
from structlog.testing import capture_logs

from actors import call, cast, start
from canvas.board.grid import Change
from canvas.history.historian import AskPixelHistory, Historian
from canvas.store import (
    About,
    Append,
    Load,
    LookForSnapshot,
    SqliteReader,
    SqliteStore,
    Store,
    StoreError,
    StoreServer,
    UnusableStore,
    dating,
    places,
    rows,
    schema,
    server,
    sqlite_reader,
)
from canvas.store.chunk import RECORD, RUN, pack
from tests.canvas.store_contract import AT, BACKGROUND, HEIGHT, WIDTH, StoreContract, changes, past
from tests.support.puppet import Puppet
from tests.support.scenarios import simulated

ABOUT = About("an epoch", WIDTH, HEIGHT, BACKGROUND)


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _take_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(places, "SEGMENT", 5)
        monkeypatch.setattr(places, "READ_ROWS", 2)
        monkeypatch.setattr(sqlite_reader, "MAX_UNINDEXED_SEGMENTS", 99)
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "canvas.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A new store."""
    store = SqliteStore.open(path, new=ABOUT)
    yield store
    store.close()


def written(path: Path, batches: int = 3, size: int = 4) -> bytes:
    """Make a store with some changes and close it; returns the file."""
    store = SqliteStore.open(path, "none", new=ABOUT)
    for number in range(batches):
        store.append(changes(size, after=number * size, color=number + 1), AT + number)
    store.close()
    return path.read_bytes()


# Another process, later.


def test_everything_is_there_when_it_is_opened_again(path: Path) -> None:
    written(path)
    store = SqliteStore.open(path, new=About("another epoch", 1, 1, 0))
    assert (store.epoch, store.width, store.height, store.background) == ("an epoch", WIDTH, HEIGHT, BACKGROUND)
    assert store.load().seq == 12
    store.append(changes(1, after=12), AT)
    assert store.load().seq == 13
    store.close()


def test_closed_store_is_one_file(path: Path, store: SqliteStore) -> None:
    with capture_logs() as logs:
        store.append(changes(3), AT)
        store.append(changes(1, after=3), AT)
    assert logs == []
    assert path.with_name("canvas.db-wal").exists()
    assert store.size() > path.stat().st_size
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["canvas.db"]
    assert store.size() == path.stat().st_size


def test_commits_wait_for_the_disk_unless_they_need_not(path: Path) -> None:
    for durability, expected in (("full", 2), ("none", 0)):
        store = SqliteStore.open(path, durability, new=ABOUT)  # type: ignore[arg-type]
        assert store.durability == durability
        store.append(changes(1, after=store.load().seq), AT)
        assert store._connection is not None
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (expected,)
        assert store._connection.execute("PRAGMA fullfsync").fetchone() == (1,)
        assert store._connection.execute("PRAGMA checkpoint_fullfsync").fetchone() == (1,)
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        store.close()


# Snapshots.


def test_epoch_is_another_where_changes_may_be_lost(tmp_path: Path) -> None:
    path = tmp_path / "canvas.db"
    epochs = []
    for number, durability in enumerate(("full", "full", "none", "none", "full", "full")):
        store = SqliteStore.open(path, durability, new=ABOUT, next_epoch=f"e{number}")  # type: ignore[arg-type]
        epochs.append(store.epoch)
        store.close()
    assert epochs == [ABOUT.epoch, ABOUT.epoch, "e2~", "e3~", "e4", "e4"]


def test_load_reads_the_last_snapshot_and_what_came_after_it(store: SqliteStore) -> None:
    reader = store.reader()
    store.append(changes(10), AT)
    reader.take_snapshot()
    store.append(changes(3, after=10, color=0xABCDEF), AT)
    assert reader.since_snapshot() == 3
    assert reader.grid().rgb() == store.load().rgb()
    assert reader.replayed == 3
    assert reader.grid(4).seq == 4
    assert reader.replayed == 4
    reader.close()


def test_a_start_after_ten_million_changes_reads_a_snapshot_and_no_history(path: Path) -> None:
    store = SqliteStore.open(path, "none", new=About("an epoch", 1000, 1000, 0))
    count, size = 10_000_000, 500_000
    records = np.zeros(size, RECORD)
    records["x"], records["y"] = np.arange(size) % 1000, np.arange(size) // 1000
    with schema.connected(path, writes=True, durability="none") as connection, schema.transaction(connection):
        connection.execute("INSERT INTO users VALUES (0, 'ann')")
        for first in range(0, count, size):
            records["color"] = first
            batch = records.tobytes()
            rows.insert(connection, first + 1, AT + first, None, batch)
    with closing(store.reader()) as reader:
        reader.take_snapshot()
    store.append([Change(999, 999, 0xABCDEF, "bob", count + 1)], AT + count)
    store.close()

    again = SqliteStore.open(path)
    with closing(again.reader()) as reader:
        grid = reader.grid()
        assert (grid.seq, reader.replayed) == (count + 1, 1)
        assert [grid.color(x, y) for x, y in ((0, 0), (999, 499), (0, 500), (999, 999))] == [
            count - size, count - size, 0, 0xABCDEF,
        ]  # fmt: skip
    again.close()


@pytest.mark.parametrize("snapshot_after", [None, 7])
def test_a_start_reads_each_row_once(path: Path, snapshot_after: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore.open(path, "none", new=ABOUT)
    for number in range(20):
        store.append(changes(2, after=2 * number, color=number), AT)
        if number == snapshot_after:
            with closing(store.reader()) as reader:
                reader.take_snapshot()
    expected = store.load().rgb()
    store.close()

    read: list[int] = []
    join = rows.join

    def note_and_join(found: Any, due: Any) -> Any:
        read.extend(row.first for row in found)
        return join(found, due)

    monkeypatch.setattr(rows, "join", note_and_join)
    again = SqliteStore.open(path)
    loaded = again.load()
    assert (loaded.seq, loaded.rgb()) == (40, expected)
    assert sorted(set(read)) == list(range(1, 41, 2))
    assert len(read) <= 20 + (snapshot_after is not None)  # one looks whether the snapshot's last row goes on behind it
    loaded.apply(changes(1, after=40, color=0xABCDEF))
    assert again.load().rgb() == expected
    again.close()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (256, 256), (257, 255), (300, 513), (10, 1000)])
def test_snapshot_has_all_colours_and_nothing_else(path: Path, width: int, height: int) -> None:
    store = SqliteStore.open(path, "none", new=About("e", width, height, BACKGROUND))
    chance = random.Random(1)
    places = [(chance.randrange(width), chance.randrange(height)) for _ in range(500)]
    store.append([Change(x, y, chance.randrange(1 << 24), "ann", seq) for seq, (x, y) in enumerate(places, 1)], AT)
    with closing(store.reader()) as reader, schema.connected(path, writes=True) as connection:
        expected = reader.grid().rgb()
        for _ in range(2):
            reader.take_snapshot()
            grid = reader.grid()
            assert (reader.replayed, grid.seq, grid.rgb()) == (0, 500, expected)
        bands = connection.execute("SELECT number, colors FROM bands ORDER BY number").fetchall()
        assert b"".join(zlib.decompress(colors) for _, colors in bands) == grid.colors.astype("<u4").tobytes()
        number, last = bands[-1]
        more = zlib.compress(zlib.decompress(last) + bytes(4 * width))
        for damaged in (b"", last[:-1], last[: len(last) // 2], more, zlib.compress(b""), zlib.compress(bytes(3))):
            connection.execute("UPDATE bands SET colors = ? WHERE number = ?", (damaged, number))
            with pytest.raises(StoreError, match="the snapshot of change 500 is damaged"):
                reader.grid()
    store.close()


@pytest.fixture
def tall(path: Path) -> Iterator[SqliteStore]:
    """A store whose snapshots have four bands, with two changes."""
    store = SqliteStore.open(path, "none", new=About("e", 5, 1000, BACKGROUND))
    store.append([Change(1, 999, 7, "ann", 1), Change(1, 0, 8, "ann", 2)], AT)
    yield store
    store.close()


class FailingTurn(contextlib.AbstractContextManager[None]):
    """A lock that lets so many in, and then does something before it lets in the next."""

    def __init__(self, left: int, act: Callable[[], object]) -> None:
        self._left = left
        self._act = act

    def __enter__(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._act()

    def __exit__(self, *_: object) -> None:
        pass


def fail() -> None:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("bands", range(5))
def test_snapshot_that_is_not_finished_is_none_and_is_removed(tall: SqliteStore, bands: int) -> None:
    with closing(tall.reader()) as reader, schema.connected(tall._file.path) as connection:
        reader._turn = FailingTurn(bands, fail)
        with pytest.raises(StoreError, match="disk I/O error"):
            reader.take_snapshot()
        assert reader.since_snapshot() == 2
        assert (reader.grid().color(1, 999), reader.replayed) == (7, 2)
        tall.append([Change(1, 1, 9, "ann", 3)], AT)
        reader._turn = contextlib.nullcontext()
        reader.take_snapshot()
        assert (reader.grid().color(1, 1), reader.replayed) == (9, 0)
        assert connection.execute("SELECT DISTINCT seq FROM bands").fetchall() == [(3,)]


@pytest.mark.parametrize("bands", range(5))
def test_two_who_take_a_snapshot_at_once_leave_a_whole_one(tall: SqliteStore, bands: int) -> None:
    """One of them belongs to a process that was killed; its thread goes on."""
    with closing(tall.reader()) as killed, closing(tall.reader()) as successor:
        killed._turn = FailingTurn(bands, successor.take_snapshot)
        with contextlib.suppress(StoreError):
            killed.take_snapshot()
        for seq in (2, 3):
            assert (successor.grid().color(1, 999), successor.replayed) == (7, 0)
            tall.append([Change(1, seq, 9, "ann", seq + 1)], AT)
            successor.take_snapshot()


def test_commits_wait_for_one_band_of_a_snapshot_and_not_for_all(tall: SqliteStore) -> None:
    with closing(tall.reader()) as reader:
        seqs = []

        class Between(contextlib.AbstractContextManager[None]):
            def __enter__(self) -> None:
                seqs.append(reader.seq())

            def __exit__(self, *_: object) -> None:
                tall.append([Change(2, 2, 9, "ann", reader.seq() + 1)], AT)

        reader._turn = Between()
        reader.take_snapshot()
        assert seqs == [2, 3, 4, 5, 6]
        reader._turn = contextlib.nullcontext()
        assert reader.grid(2).color(2, 2) == BACKGROUND
        assert reader.replayed == 0


def test_old_snapshots_go(store: SqliteStore) -> None:
    reader = store.reader()
    for number in range(12):
        store.append(changes(1, after=number), AT)
        reader.take_snapshot()
    reader.close()
    with schema.connected(store._file.path) as connection:
        assert connection.execute("SELECT min(seq), max(seq), count(*) FROM snapshots").fetchone() == (5, 12, 8)
        assert connection.execute("SELECT min(seq), max(seq), count(*) FROM bands").fetchone() == (5, 12, 8)


# Folding.


SIZES = (1, 2, 1, 4, 3, 12, 1, 1, 25, 2, 9, 1, 1)


@pytest.fixture
def small_batches(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    """A store with batches of `SIZES`, a second apart; up to ten changes are folded into a row."""
    monkeypatch.setattr(rows, "FOLDED", 10)
    for number, size in enumerate(SIZES):
        store.append(changes(size, after=sum(SIZES[:number]), color=number), AT + number)
    return store


def count_rows(store: SqliteStore) -> int:
    with schema.connected(store._file.path) as connection:
        count: int = connection.execute("SELECT count(*) FROM batches").fetchone()[0]
        return count


def test_folded_history_is_the_same_in_fewer_rows(small_batches: SqliteStore) -> None:
    times = [AT + number / 2 for number in range(-1, 2 * len(SIZES) + 1)]

    def look(reader: SqliteReader) -> object:
        return past(reader), past(reader, 5, 17), [reader.seq_at(time) for time in times], reader.grid(20).rgb()

    with closing(small_batches.reader()) as reader:
        before = look(reader)
        reader.fold()
        assert look(reader) == before
        assert count_rows(small_batches) == 8
        small_batches.append(changes(1, after=sum(SIZES)), AT + 100)
        reader.fold()
        assert len(past(reader)) == sum(SIZES) + 1
    assert small_batches.load().seq == sum(SIZES) + 1


def test_history_that_is_folded_while_it_is_read_is_read_whole(
    small_batches: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "READ_ROWS", 3)
    with closing(small_batches.reader()) as reader:
        everything = reader.chunks()
        first = next(everything)
        reader.fold()
        assert sum(map(len, everything)) == sum(SIZES) - len(first)


def all_rows(path: Path) -> list[tuple[object, ...]]:
    with schema.connected(path) as connection:
        return connection.execute(f"SELECT {rows.COLUMNS} FROM batches ORDER BY first_seq").fetchall()


@pytest.mark.parametrize("seed", range(20))
def test_same_batches_make_a_row_whenever_they_are_folded(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "FOLDED", 10)
    chance = random.Random(seed)
    often, once = (SqliteStore.open(tmp_path / name, "none", new=ABOUT) for name in ("often.db", "once.db"))
    with closing(often.reader()) as folding, closing(once.reader()) as reader:
        for number in range(60):
            batch = changes(chance.choice((1, 1, 1, 2, 3, 10, 15)), after=folding.seq(), color=number)
            for store in (often, once):
                store.append(batch, AT + number)
            if chance.random() < 0.3:
                folding.fold()
        assert past(folding) == past(reader)
        folding.fold()
        reader.fold()
        assert past(folding) == past(reader)
    assert all_rows(tmp_path / "often.db") == all_rows(tmp_path / "once.db")
    often.close()
    once.close()


def test_history_that_two_fold_at_once_loses_nothing(small_batches: SqliteStore) -> None:
    with closing(small_batches.reader()) as reader, closing(small_batches.reader()) as other:
        before = past(reader)

        class OtherIsFirst(contextlib.AbstractContextManager[None]):
            def __exit__(self, *_: object) -> None:
                pass

            def __enter__(self) -> None:
                other.fold()

        reader._turn = OtherIsFirst()
        with pytest.raises(StoreError, match="change 1 was folded by another process"):
            reader.fold()
        assert past(reader) == before
        assert count_rows(small_batches) == 8


@pytest.mark.parametrize("at", range(-1, len(SIZES)))
def test_folded_changes_are_dated_anew_as_others_are(
    tmp_path: Path, small_batches: SqliteStore, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dating, "MAX_STEP_BACK", 0.5)
    others = SqliteStore.open(tmp_path / "others.db", "none", new=ABOUT)
    for number, size in enumerate(SIZES):
        others.append(changes(size, after=sum(SIZES[:number]), color=number), AT + number)
    with closing(small_batches.reader()) as reader, closing(others.reader()) as other:
        reader.fold()
        for store in (small_batches, others):
            store.append(changes(1, after=sum(SIZES)), AT + at)
        assert past(reader) == past(other)
        assert max(made for *_, made in past(reader)) == AT + min(at, len(SIZES) - 1)
        small_batches.append(changes(12, after=sum(SIZES) + 1), AT + 100)
        reader.fold()
        assert past(reader, until=other.seq()) == past(other)
    others.close()
    small_batches.close()
    assert len(read_all(small_batches._file.path)) == 2 + sum(SIZES) + 13


def test_changes_that_are_dated_anew_while_they_are_folded_keep_the_new_time(
    small_batches: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dating, "MAX_STEP_BACK", 0.5)

    class ClockIsMendedFirst(contextlib.AbstractContextManager[None]):
        def __exit__(self, *_: object) -> None:
            pass

        def __enter__(self) -> None:
            if reader.seq() == sum(SIZES):
                small_batches.append(changes(1, after=sum(SIZES)), AT + 2.5)

    with closing(small_batches.reader()) as reader:
        reader._turn = ClockIsMendedFirst()
        for _ in range(3):
            with contextlib.suppress(StoreError):  # the next look folds them
                reader.fold()
            assert max(made for *_, made in past(reader)) == AT + 2.5
        assert count_rows(small_batches) == 8 + 1


def test_damaged_row_that_is_dated_anew_is_still_found(small_batches: SqliteStore) -> None:
    with closing(small_batches.reader()) as reader:
        reader.fold()
        with schema.connected(small_batches._file.path, writes=True) as connection:
            connection.execute("UPDATE batches SET times = zeroblob(length(times)) WHERE times IS NOT NULL")
        small_batches.append(changes(1, after=sum(SIZES)), AT - 1000)
        with pytest.raises(StoreError, match="is not what was written"):
            past(reader)


@pytest.mark.parametrize("row", range(3))
def test_fold_that_fails_half_way_changes_nothing(
    small_batches: SqliteStore, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, left = rows.insert, [row]

    def fail(*args: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise sqlite3.OperationalError("disk I/O error")
        insert(*args)

    with closing(small_batches.reader()) as reader:
        before = past(reader)
        with monkeypatch.context() as broken:
            broken.setattr(rows, "insert", fail)
            with pytest.raises(StoreError, match="disk I/O error"):
                reader.fold()
        assert past(reader) == before
        assert small_batches.load().seq == sum(SIZES)
        reader.fold()
        assert past(reader) == before


@simulated
async def test_start_reads_few_rows_however_quiet_the_canvas_was(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that come alone, on a canvas so large that no snapshot is due for a long time."""
    monkeypatch.setattr(rows, "FOLDED", 10)
    monkeypatch.setattr(server, "LOOK_EVERY", 20)
    store = SqliteStore.open(tmp_path_factory.mktemp("data") / "canvas.db", "none", new=About("e", 10_000, 10_000, 0))
    history = await start(Historian, store)
    committing = await start(StoreServer, store, history)
    painter = await start(Puppet)
    for seq in range(1, 1001):
        cast(committing, Append([Change(seq, seq, seq, "ann", seq)], AT + seq, painter))
    assert (await call(committing, Load())).grid.seq == 1000
    await call(history, AskPixelHistory(0, 0, 1))
    with closing(store.reader()) as reader:
        assert reader.grid().seq == reader.replayed == 1000
    assert count_rows(store) <= 1000 / 10 + 20
    store.close()


# The index by place.


def indexed(store: SqliteStore) -> tuple[int, int]:
    """How many changes are indexed, and how many by name."""
    with schema.connected(store._file.path) as connection:
        names = connection.execute("SELECT count(DISTINCT first_seq) FROM places").fetchone()
        return places.last(connection), names[0]


@simulated
async def test_history_of_an_earlier_version_is_indexed_between_the_questions(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SEGMENT", 10)
    store = SqliteStore.open(tmp_path_factory.mktemp("data") / "canvas.db", "none", new=ABOUT)
    for number in range(12):
        store.append(changes(10, after=10 * number), AT + number)
    with capture_logs() as logs:
        history = await start(Historian, store)
        answer = await call(history, AskPixelHistory(0, 0, 1))
        assert isinstance(answer, StoreError)
        assert str(answer) == "the history is being indexed, 110 changes are left: try again in a minute"
        for _ in range(20):
            answer = await call(history, AskPixelHistory(0, 0, 1))
        assert [placed.seq for placed in answer.changes] == [97]
    assert indexed(store) == (120, 12)
    assert [event["event"] for event in logs if "index" in event["event"]] == ["store.indexing", "store.indexed"]
    store.append(changes(9, after=120), AT + 20)
    cast(history, LookForSnapshot())
    assert [placed.seq for placed in (await call(history, AskPixelHistory(5, 1, 2))).changes] == [108, 84]
    assert indexed(store) == (120, 12)
    store.append(changes(1, after=129), AT + 21)
    cast(history, LookForSnapshot())
    await call(history, AskPixelHistory(0, 0, 1))
    assert indexed(store) == (130, 13)
    store.close()


def test_history_that_two_index_at_once_is_indexed_once(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SEGMENT", 10)
    store.append(changes(25), AT)
    with closing(store.reader()) as reader, closing(store.reader()) as other:

        class OtherIsFirst(contextlib.AbstractContextManager[None]):
            def __exit__(self, *_: object) -> None:
                pass

            def __enter__(self) -> None:
                other.index()

        reader._turn = OtherIsFirst()
        with pytest.raises(StoreError, match="change 1 was indexed by another process"):
            reader.index()
        assert indexed(store) == (10, 1)
        assert reader.seqs_of(0, 0, 9) == [25, 1]


def test_change_that_is_taken_back_is_not_indexed(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SEGMENT", 10)
    store.append(changes(9), AT)
    store.append(changes(1, after=9), AT)
    with closing(store.reader()) as reader:

        class TakenBack(contextlib.AbstractContextManager[None]):
            def __exit__(self, *_: object) -> None:
                pass

            def __enter__(self) -> None:
                with schema.connected(store._file.path, writes=True) as connection:
                    connection.execute("DELETE FROM batches WHERE first_seq = 10")

        reader._turn = TakenBack()
        with pytest.raises(StoreError, match="change 10 was taken back"):
            reader.index()
        assert indexed(store) == (0, 0)


def test_log_stays_small_while_the_history_of_an_earlier_version_is_indexed(path: Path) -> None:
    about = About("an epoch", 1000, 1000, 0)
    store = SqliteStore.open(path, "none", new=about)
    records = np.zeros(1_000_000, RECORD)
    records["x"], records["y"] = np.arange(len(records)) % 1000, np.arange(len(records)) // 1000
    with schema.connected(path, writes=True, durability="none") as connection:
        rows.insert(connection, 1, AT, None, records.tobytes())
    store.close()
    store = SqliteStore.open(path, "none")
    store.load()
    is_more = True
    while is_more:
        with closing(store.reader()) as reader:
            is_more = reader.index()
    assert indexed(store)[0] == 1_000_000
    assert path.with_name("canvas.db-wal").stat().st_size < 4096 * 1_300  # SQLite's limit is 1,000 pages
    store.close()


def test_index_that_is_damaged_is_found_by_a_start(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SEGMENT", 10)
    store.append(changes(10), AT)
    with closing(store.reader()) as reader:
        reader.index()
    store.close()
    with schema.connected(path, writes=True) as connection:
        connection.execute("UPDATE places SET users = zeroblob(length(users))")
    with pytest.raises(UnusableStore, match=r"is damaged \(the index of change 1 is not what was written\)"):
        SqliteStore.open(path)


@pytest.mark.parametrize(("width", "height", "expected"), [(1000, 1000, 100_000), (10_000, 10_000, 500_000)])
def test_large_canvas_is_indexed_in_longer_segments(width: int, height: int, expected: int) -> None:
    assert places.segment_of(width, height) == expected


# Owners.


def test_predecessor_commits_nothing_after_it_was_taken_over(store: SqliteStore) -> None:
    predecessor = store.take_over()
    predecessor.append(changes(1), AT)
    successor = predecessor.take_over()
    loaded = successor.load()
    with pytest.raises(StoreError, match="the store has another owner"):
        predecessor.append(changes(1, after=1), AT)
    successor.append(changes(1, after=loaded.seq, color=0xABCDEF), AT)
    assert [change.color for change in successor.since(1) or ()] == [0xABCDEF]


def test_take_over_waits_for_a_commit_under_way_and_finds_it(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    commit = SqliteStore._commit

    def commit_slowly(owner: SqliteStore, *args: object) -> None:
        inside.set()
        assert go_on.wait(30)
        commit(owner, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(SqliteStore, "_commit", commit_slowly)
    killed = threading.Thread(target=store.append, args=(changes(2), AT))
    killed.start()
    assert inside.wait(30)
    found: list[int] = []
    successor = threading.Thread(target=lambda: found.append(store.take_over().load().seq))
    successor.start()
    assert found == []
    go_on.set()
    for thread in (killed, successor):
        thread.join(30)
    assert found == [2]


# Versions.


def test_file_of_version_1_is_brought_up_to_date_and_keeps_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "VERSIONS", schema.VERSIONS[:1])
        schema.create(path, ABOUT)
    records = np.array([(1, 2, 0xABCDEF, 7)], RECORD).tobytes()
    with schema.connected(path, writes=True) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        connection.execute("INSERT INTO users VALUES (7, 'ann')")
        rows.insert(connection, 1, AT, None, records)

    ours = len(schema.VERSIONS)
    with pytest.raises(UnusableStore, match=f"has version 1, and this canopy reads {ours}: `canopy run` migrates it"):
        SqliteReader(path)
    with capture_logs() as logs:
        store = SqliteStore.open(path)
    (event,) = logs
    assert (event["event"], event["earlier"], event["version"]) == ("store.migrated", 1, ours)
    assert store.epoch == "an epoch"
    with closing(store.reader()) as reader:
        assert past(reader) == [(1, 1, 2, 0xABCDEF, "ann", AT)]
        reader.take_snapshot()
    store.append(changes(1, after=1), AT)
    store.close()
    with schema.connected(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(schema.VERSIONS),)


def test_snapshots_of_version_2_are_read_in_this_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There all colours were in one row."""
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "VERSIONS", schema.VERSIONS[:2])
        schema.create(path, About("e", 300, 600, BACKGROUND))
    colors = np.arange(600 * 300, dtype="<u4").reshape(600, 300)
    records = np.array([(1, 2, 0xABCDEF, 7), (1, 2, 0xABCDEF, 7)], RECORD).tobytes()
    with schema.connected(path, writes=True) as connection:
        connection.execute("INSERT INTO users VALUES (7, 'ann')")
        rows.insert(connection, 1, AT, None, records)
        connection.execute("INSERT INTO snapshots VALUES (?, ?)", (1, zlib.compress(colors.tobytes())))
    store = SqliteStore.open(path)
    with closing(store.reader()) as reader:
        grid = reader.grid()
        assert (reader.replayed, grid.color(299, 599), grid.color(1, 2)) == (1, 600 * 300 - 1, 0xABCDEF)
        reader.take_snapshot()
        assert (reader.grid().rgb(), reader.replayed) == (grid.rgb(), 0)
    store.close()


def test_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(path)
    monkeypatch.setattr(schema, "VERSIONS", (*schema.VERSIONS, ("CREATE TABLE more (a)", "CREATE TABLE canvas (b)")))
    with pytest.raises(UnusableStore, match=r"canvas\.db cannot be opened: table canvas already exists"):
        SqliteStore.open(path)
    assert path.read_bytes() == before


# Files that are not to be touched.


def truncated(file: bytes) -> bytes:
    return file[: len(file) // 2]


def overwritten(start: float, length: int) -> Callable[[bytes], bytes]:
    def damage(file: bytes) -> bytes:
        first = int(len(file) * start)
        return file[:first] + b"\xa5" * length + file[first + length :]

    return damage


DAMAGES = {
    "empty": lambda file: b"",
    "half of it": truncated,
    "all but the last bytes": lambda file: file[:-100],
    "one page": lambda file: file[:4096],
    "no database": lambda file: b"once upon a time\n" * 1000,
    "its header is overwritten": overwritten(0.0, 16),
    "its schema is overwritten": overwritten(0.0, 4096),
    "its middle is overwritten": overwritten(0.5, 4096),
    "a picture": lambda file: b"\x89PNG\r\n\x1a\n" + bytes(5000),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_file_is_refused_in_one_line_and_left_as_it_is(path: Path, damage: Callable[[bytes], bytes]) -> None:
    whole = written(path, batches=300, size=40)
    path.write_bytes(damage(whole))
    with pytest.raises(UnusableStore) as refusal:
        SqliteStore.open(path, new=ABOUT)
    text = str(refusal.value)
    assert text.startswith(f"{path} ")
    assert "it was left as it is" in text
    assert "\n" not in text
    assert path.read_bytes() == damage(whole)


@pytest.mark.parametrize("place", range(0, 40_960, 1_024))
def test_changed_byte_is_found_or_changes_nothing(path: Path, place: int) -> None:
    whole = bytearray(written(path, batches=40, size=60))
    expected = read_all(path)
    place %= len(whole)
    whole[place] ^= 0x55
    path.write_bytes(whole)
    try:
        assert read_all(path) == expected
    except UnusableStore:
        assert path.read_bytes() == whole


def read_all(path: Path) -> list[object]:
    store = SqliteStore.open(path)
    try:
        with closing(store.reader()) as reader:
            return [store.epoch, store.load().rgb(), *past(reader)]
    finally:
        store.close()


def test_one_changed_colour_is_found(path: Path, store: SqliteStore) -> None:
    store.append(changes(2), AT)
    store.close()
    with schema.connected(path, writes=True) as connection:
        connection.execute("UPDATE batches SET records = zeroblob(length(records))")
    before = path.read_bytes()
    with pytest.raises(UnusableStore, match=r"is damaged \(change 1 is not what was written\)"):
        SqliteStore.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("seq", [1, 5])
def test_missing_change_is_found(path: Path, seq: int) -> None:
    written(path)
    with schema.connected(path, writes=True) as connection:
        connection.execute("DELETE FROM batches WHERE first_seq = ?", (seq,))
    with pytest.raises(UnusableStore, match=rf"is damaged \(change {seq} is missing\)"):
        SqliteStore.open(path)


DAMAGING = (
    "DELETE FROM batches WHERE first_seq = 1",
    "DELETE FROM users",
    "UPDATE batches SET times = x'00' WHERE times IS NOT NULL",
    "UPDATE batches SET records = x'00'",
    "UPDATE bands SET colors = x'00'",
    "UPDATE places SET cells = x'00'",
    "UPDATE places SET cells = zeroblob(length(cells))",
    "UPDATE places SET gaps = substr(gaps, 1, length(gaps) - 1) || x'FF'",
    "UPDATE places SET painters = zeroblob(length(painters))",
    "UPDATE places SET colors = x''",
)


def on_tiles(reader: SqliteReader, user: int | None) -> object:
    return [
        [local.seqs.tolist(), local.cells.tolist(), local.colors.tolist(), local.users.tolist()]
        for _, changes in reader.by_tile([(0, None)], user)
        for local in changes
    ]


LOOKS: dict[str, Callable[[SqliteReader], object]] = {
    "past": past,
    "places": lambda reader: [reader.seqs_of(seq % WIDTH, seq // WIDTH % HEIGHT, 9) for seq in range(20)],
    "tiles": lambda reader: on_tiles(reader, None),
    "painter": lambda reader: on_tiles(reader, 1),
    "grid": lambda reader: [reader.grid().rgb(), reader.grid(5).rgb()],
    "time": lambda reader: [reader.seq_at(AT + number / 2) for number in range(-1, 30)],
}


@pytest.mark.parametrize("damage", DAMAGING)
def test_damage_that_is_met_while_it_is_used_is_a_store_error_or_changes_nothing(
    small_batches: SqliteStore, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SEGMENT", 20)
    with closing(small_batches.reader()) as reader:
        reader.take_snapshot()
        reader.fold()
        while reader.index():
            pass
        before = {name: look(reader) for name, look in LOOKS.items()}
        with schema.connected(small_batches._file.path, writes=True) as connection:
            connection.execute(damage)
        found = 0
        for name, look in LOOKS.items():
            try:
                assert look(reader) == before[name]
            except StoreError:
                found += 1
        assert found


def test_changed_byte_of_the_times_of_a_folded_row_is_found(small_batches: SqliteStore) -> None:
    """Whatever byte it is: such a row is made of many batches, and of their times."""
    with closing(small_batches.reader()) as reader, schema.connected(small_batches._file.path, writes=True) as other:
        reader.fold()
        find = "SELECT first_seq, times FROM batches WHERE times IS NOT NULL ORDER BY length(times) DESC LIMIT 1"
        first, times = other.execute(find).fetchone()
        assert len(times) >= 3 * RUN.itemsize
        for place in range(len(times)):
            damaged = bytes(byte ^ (1 << place % 8 if number == place else 0) for number, byte in enumerate(times))
            other.execute("UPDATE batches SET times = ? WHERE first_seq = ?", (damaged, first))
            for look in (past, LOOKS["grid"]):
                with pytest.raises(StoreError, match=f"change {first} is not what was written"):
                    look(reader)
        other.execute("UPDATE batches SET times = ? WHERE first_seq = ?", (times, first))
        assert len(past(reader)) == sum(SIZES)


def test_file_that_cannot_be_opened_is_a_store_error_whatever_is_asked(path: Path) -> None:
    written(path)
    store = SqliteStore.open(path)
    path.rename(path.with_name("away.db"))
    for ask in (store.reader, store.load, lambda: store.since(0), lambda: store.append(changes(1, after=12), AT)):
        with pytest.raises(StoreError):
            ask()
    path.with_name("away.db").rename(path)
    store.append(changes(1, after=12), AT)
    assert store.load().seq == 13
    store.close()


@pytest.mark.parametrize("part", [0, 0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("use", [SqliteStore.open, SqliteReader], ids=lambda use: use.__qualname__)
def test_no_connection_stays_open_to_a_file_that_cannot_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], object], part: float
) -> None:
    whole = written(path)
    path.write_bytes(whole[: int(part * len(whole))])
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    with pytest.raises(UnusableStore):
        use(path)
    assert opened
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_database_of_somebody_else_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE canvas (epoch, width, height, background)")
        connection.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(UnusableStore, match="is not a canopy canvas: it was left as it is"):
        SqliteStore.open(path, new=ABOUT)
    assert path.read_bytes() == before


OURS = len(schema.VERSIONS)


@pytest.mark.parametrize("open_it", [SqliteStore.open, SqliteReader])
@pytest.mark.parametrize(
    ("version", "error"),
    [
        (OURS + 1, rf"has version {OURS + 1}, and this canopy knows versions up to {OURS}: a later canopy wrote it"),
        (0, r"is damaged \(version 0 does not exist\)"),
        (-1, r"is damaged \(version -1 does not exist\)"),
    ],
)
def test_file_of_an_unknown_version_is_refused_and_left_as_it_is(
    path: Path, open_it: Callable[[Path], object], version: int, error: str
) -> None:
    written(path)
    with schema.connected(path, writes=True) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(UnusableStore, match=error):
        open_it(path)
    assert path.read_bytes() == before


def test_file_that_was_never_finished_is_made_anew(path: Path) -> None:
    path.with_name("canvas.db-new").write_bytes(b"killed while it was being made")
    SqliteStore.open(path, new=ABOUT).close()
    assert not path.with_name("canvas.db-new").exists()
    assert path.exists()


def test_file_that_cannot_be_finished_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UnusableStore("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(schema, "settle", fail)
        with pytest.raises(UnusableStore, match="the disk is full"):
            SqliteStore.open(path, new=ABOUT)
        assert list(path.parent.iterdir()) == []
    SqliteStore.open(path, new=ABOUT).close()
    assert read_all(path)


# How much is read at once.


@pytest.mark.parametrize(("most_rows", "most_changes", "expected"), [(3, 99, 3), (99, 5, 3), (99, 4, 2), (99, 99, 6)])
def test_one_read_ends_with_so_many_rows_or_changes(
    store: SqliteStore, most_rows: int, most_changes: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long one would keep SQLite from taking its log over into the file."""
    for first in range(0, 12, 2):
        store.append(changes(2, after=first), AT)
    monkeypatch.setattr(rows, "READ_ROWS", most_rows)
    assert store._connection is not None
    found = rows.read(store._connection, "first_seq >= ? ORDER BY first_seq", 1, changes=most_changes)
    assert [row.first for row in found] == list(range(1, 12, 2))[:expected]


# A disk that is full.


def test_full_disk_refuses_changes_and_the_store_goes_on_when_there_is_room(store: SqliteStore) -> None:
    store.append(changes(2), AT)
    assert store._connection is not None
    pages: int = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    large = [Change(0, 0, 1, f"somebody {number}", 3 + number) for number in range(2_000)]
    with pytest.raises(StoreError, match="database or disk is full"):
        store.append(large, AT)
    assert store.load().seq == 2
    store._connection.execute("PRAGMA max_page_count = 1000000")
    store.append(large, AT)
    assert (store.load().seq, (store.since(2001) or [])[0].user_id) == (2002, "somebody 1999")


def test_painter_whose_first_change_was_refused_is_known_later(store: SqliteStore) -> None:
    store.append(changes(1), AT)
    assert store._connection is not None
    store._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="attempt to write a readonly database"):
        store.append([Change(0, 0, 1, "bob", 2)], AT)
    store._connection.execute("PRAGMA query_only = 0")
    store.append([Change(0, 0, 1, "bob", 2)], AT)
    assert [change.user_id for change in store.since(1) or ()] == ["bob"]


@pytest.mark.parametrize("half", ["the painters", "the row", "the end"])
def test_new_painters_of_a_commit_that_failed_half_way_are_who_they_say_later(
    store: SqliteStore, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They got numbers in what was rolled back, and others get these numbers later."""
    names = ["bob", "carol", "dave", "erin"]
    store.append(changes(1), AT)
    batch = [Change(x, 0, x, name, 2 + x) for x, name in enumerate(names)]

    def fail(*_: object) -> Never:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        if half == "the painters":
            find = SqliteStore._find_number
            broken.setattr(SqliteStore, "_find_number", lambda s, name: fail() if name == "erin" else find(s, name))
        elif half == "the row":
            broken.setattr(rows, "insert", fail)
        else:
            insert = rows.insert

            def insert_and_fail(*args: Any) -> None:
                insert(*args)
                fail()

            broken.setattr(rows, "insert", insert_and_fail)
        with pytest.raises(StoreError, match="disk I/O error"):
            store.append(batch, AT)
    assert store.load().seq == 1
    backwards = [Change(x, 0, x, name, 2 + x) for x, name in enumerate(reversed(names))]
    store.append(backwards, AT)
    store.append([Change(0, 0, x, name, 6 + x) for x, name in enumerate(names)], AT)
    assert [change.user_id for change in store.since(1) or ()] == [*reversed(names), *names]


def test_snapshot_that_cannot_be_written_is_no_harm(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(changes(3), AT)
    monkeypatch.setattr(schema, "BUSY_TIMEOUT", 0.0)
    with closing(store.reader()) as reader, schema.connected(store._file.path, writes=True) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            reader.take_snapshot()
        other.execute("ROLLBACK")
        assert (store.load().seq, reader.since_snapshot()) == (3, 3)


# Files that are lost, and writes that fail.


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "moved": lambda path: path.rename(path.with_name("away")),
    "replaced": lambda path: (
        path.with_name("copy").write_bytes(path.read_bytes()) and path.with_name("copy").replace(path)
    ),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_nothing_is_committed_to_a_file_that_is_lost(
    path: Path, store: SqliteStore, loss: Callable[[Path], object]
) -> None:
    store.append(changes(2), AT)
    store.verify()
    loss(path)
    for ask in (store.verify, store.reader, store.load, lambda: store.append(changes(1, after=2), AT)):
        with pytest.raises(StoreError, match=r"canvas\.db was deleted, moved or replaced while it was in use"):
            ask()
    if path.with_name("away").exists():
        path.with_name("away").rename(path)
        store.append(changes(1, after=2, color=7), AT)
        assert [change.color for change in store.since(2) or ()] == [7]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_lost_log_costs_nothing(path: Path, tmp_path: Path, store: SqliteStore, loss: Callable[[Path], object]) -> None:
    store.append(changes(2), AT)
    loss(path.with_name("canvas.db-wal"))
    with pytest.raises(StoreError, match=r"canvas\.db-wal was deleted, moved or replaced while it was in use"):
        store.verify()
    with capture_logs() as logs:
        store.append(changes(1, after=2, color=7), AT)
    assert [log["event"] for log in logs] == ["store.log_lost"]
    store.verify()
    assert past_of_copy(path, tmp_path) == [1, 2, 3]
    store.append(changes(1, after=3), AT)
    store.close()
    assert len(read_all(path)) == 2 + 4


def past_of_copy(path: Path, tmp_path: Path) -> list[int]:
    """The changes that would be found if the process were killed now."""
    copy = tmp_path / "killed" / path.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir()
    for tail in ("", "-wal"):
        if (file := path.with_name(path.name + tail)).exists():
            shutil.copyfile(file, copy.with_name(copy.name + tail))
    with closing(SqliteReader(copy)) as reader:
        return [seq for seq, *_ in past(reader)]


class HookedConnection(sqlite3.Connection):
    """A connection whose next commit runs a function before it, or behind it."""

    before: Callable[[], object] | None = None  # of the class
    behind: Callable[[], object] | None = None

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *parameters)  # type: ignore[arg-type]
        kind = HookedConnection
        before, kind.before = kind.before, None
        behind, kind.behind = kind.behind, None
        if before is not None:
            before()
        cursor = super().execute(sql)
        if behind is not None:
            behind()
        return cursor


@pytest.fixture
def hooked(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """An empty store whose connections are `HookedConnection`s."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=HookedConnection))
    store = SqliteStore.open(path, new=ABOUT)
    yield store
    HookedConnection.before = HookedConnection.behind = None
    store.close()


@pytest.mark.parametrize("earlier", [0, 2], ids="after {} changes".format)
@pytest.mark.parametrize("moment", ["before", "behind"])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_log_that_is_lost_in_the_middle_of_a_commit_costs_nothing(
    path: Path, tmp_path: Path, hooked: SqliteStore, loss: Callable[[Path], object], moment: str, earlier: int
) -> None:
    hooked.append(changes(earlier), AT)
    setattr(HookedConnection, moment, lambda: loss(path.with_name("canvas.db-wal")))
    hooked.append(changes(1, after=earlier), AT)
    assert past_of_copy(path, tmp_path) == list(range(1, earlier + 2))
    hooked.append(changes(1, after=earlier + 1), AT)
    hooked.close()
    assert len(read_all(path)) == 2 + earlier + 2


def test_log_that_is_lost_as_soon_as_it_is_opened_costs_nothing(
    path: Path, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = rows.last

    def look_and_lose(connection: sqlite3.Connection) -> tuple[int, float]:
        found = last(connection)
        path.with_name("canvas.db-wal").unlink()
        monkeypatch.undo()
        return found

    monkeypatch.setattr(rows, "last", look_and_lose)
    store.append(changes(2), AT)
    assert past_of_copy(path, tmp_path) == [1, 2]


@pytest.mark.parametrize("moment", ["before", "behind"])
@pytest.mark.parametrize("what", ["canvas.db", "canvas.db-wal"])
def test_change_that_was_refused_for_a_lost_file_does_not_come_back_with_it(
    path: Path, hooked: SqliteStore, moment: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log that is lost cannot be saved either: somebody reads in the old one."""
    lost, away = path.with_name(what), path.with_name("away")
    monkeypatch.setattr(schema, "BUSY_TIMEOUT", 0.0)
    hooked.append(changes(2), AT)
    with schema.connected(path) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM batches").fetchone()
        setattr(HookedConnection, moment, lambda: lost.rename(away))
        with pytest.raises(StoreError, match="was deleted, moved or replaced while it was in use"):
            hooked.append([Change(0, 0, 0xBAD, "mallory", 3)], AT)
        with pytest.raises(StoreError):
            hooked.append([Change(0, 0, 0xBAD, "mallory", 3)], AT)
    away.rename(lost)
    hooked.append([Change(0, 0, 7, "bob", 3)], AT)
    hooked.append([Change(0, 0, 8, "mallory", 4)], AT)
    hooked.close()
    with closing(SqliteStore.open(path).reader()) as reader:
        assert [(color, user) for _, _, _, color, user, _ in past(reader, after=2)] == [(7, "bob"), (8, "mallory")]


class FailingConnection(sqlite3.Connection):
    """A connection whose next commits fail as if fsync did: what they wrote is in the log, with its end mark."""

    failures: list[Callable[[], None]] = []  # of the class: each does what the commit would leave

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.failures:
            super().execute("ROLLBACK")
            self.failures.pop()()
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(sql, *parameters)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close it; the last one cannot empty the log either."""
        super().close()
        if self.failures:
            self.failures[-1]()


@pytest.mark.parametrize("loads", [False, True], ids=["", "read in between"])
@pytest.mark.parametrize("failures", [1, 2, 3, 4, 7])
def test_change_whose_fsync_failed_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, loads: bool
) -> None:
    path, twin, later = (tmp_path / name / "canvas.db" for name in ("first", "twin", "later"))
    for each in (path, twin, later):
        each.parent.mkdir()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=FailingConnection))
    store = SqliteStore.open(path, new=ABOUT)
    store.append(changes(2), AT)

    def copy(source: Path, target: Path) -> None:
        for tail in ("", "-wal"):
            target.with_name(target.name + tail).write_bytes(source.with_name(source.name + tail).read_bytes())

    copy(path, twin)
    with schema.connected(twin, writes=True) as other:  # where it succeeds: these bytes are what it leaves in the log
        with schema.transaction(other):
            rows.insert(other, 3, AT, None, pack(changes(1, after=2), lambda name: 1).tobytes())
        whole = twin.with_name("canvas.db-wal").read_bytes()

    def leave() -> None:
        with path.with_name("canvas.db-wal").open("r+b" if path.with_name("canvas.db-wal").exists() else "wb") as file:
            file.write(whole)

    FailingConnection.failures[:] = [leave] * failures
    distrusted = store._connection
    while FailingConnection.failures:
        with pytest.raises(StoreError, match="disk I/O error"):
            store.append(changes(1, after=2), AT)
        if loads:
            with contextlib.suppress(StoreError):
                assert store.load().seq == 2
    if failures == 1:
        copy(path, later)  # as after a kill
        assert len(read_all(later)) == 2 + 2
    store.append(changes(1, after=2, color=7), AT)
    assert store._connection is not distrusted
    assert [change.color for change in store.since(2) or ()] == [7]
    store.close()
