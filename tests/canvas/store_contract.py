"""What every store promises. A store's own test inherits `StoreContract` and says how to open one."""

from abc import ABC, abstractmethod
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas.board.area import TILE
from canvas.board.grid import Change, Grid
from canvas.store import Reader, Store
from canvas.store.dating import MAX_STEP_BACK, NOT_BEFORE

WIDTH, HEIGHT, BACKGROUND = 6, 4, 0x101010
AT = 1_700_000_000.0


def changes(count: int, after: int = 0, color: int = 0x0000FF) -> list[Change]:
    """Changes that follow on number `after`, from the top left corner on."""
    numbers = range(after + 1, after + count + 1)
    return [Change((seq - 1) % WIDTH, (seq - 1) // WIDTH % HEIGHT, color, "ann", seq) for seq in numbers]


def past(reader: Reader, after: int = 0, until: int | None = None) -> list[tuple[int, int, int, int, str, float]]:
    """What a reader finds: seq, x, y, colour, painter and time of each change."""
    found = []
    for chunk in reader.chunks(after, until):
        changes = chunk.changes(reader.names(chunk.users()))
        found += [(c.seq, c.x, c.y, c.color, c.user_id, at) for c, at in zip(changes, chunk.at.tolist(), strict=True)]
    return found


PixelChange = tuple[int, int, int, str]
_PLACED = st.tuples(
    st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(0, 0xFFFFFF), st.sampled_from("abc")
)
_LOG = st.lists(st.tuples(st.lists(_PLACED, min_size=1, max_size=9), st.booleans()), max_size=9)
"""Batches that are committed one after the other, and whether the history is folded and indexed after each."""


class StoreContract(ABC):
    """The promises of `canvas.store.Store`."""

    @abstractmethod
    def open_store(self) -> Store:
        """A new, empty store of WIDTH x HEIGHT pixels of BACKGROUND."""

    def test_new_store_is_empty_and_has_an_epoch(self) -> None:
        store = self.open_store()
        grid = store.load()
        assert (grid.width, grid.height, grid.background, grid.seq) == (WIDTH, HEIGHT, BACKGROUND, 0)
        assert (grid.colors == grid.background).all()
        assert isinstance(store.epoch, str)
        assert store.epoch

    def test_what_was_appended_is_loaded(self) -> None:
        store = self.open_store()
        store.append(changes(2), AT)
        store.append(changes(1, after=2, color=0xABCDEF), AT)
        grid = store.load()
        assert grid.seq == 3
        assert [grid.color(x, 0) for x in range(4)] == [0x0000FF, 0x0000FF, 0xABCDEF, BACKGROUND]

    def test_last_change_of_a_pixel_wins(self) -> None:
        store = self.open_store()
        store.append([Change(1, 1, 0xFF0000, "ann", 1), Change(1, 1, 0x00FF00, "bob", 2)], AT)
        assert store.load().color(1, 1) == 0x00FF00

    def test_empty_batch_changes_nothing(self) -> None:
        store = self.open_store()
        store.append([], AT)
        assert store.load().seq == 0

    @pytest.mark.parametrize("first", [0, 2, 3, 5], ids="first is {}".format)
    def test_batch_that_does_not_follow_is_refused(self, first: int) -> None:
        store = self.open_store()
        store.append(changes(3), AT)
        with pytest.raises(ValueError):
            store.append(changes(2, after=first - 1, color=0xABCDEF), AT)
        assert store.load().seq == 3

    def test_batch_with_a_gap_leaves_no_trace(self) -> None:
        store = self.open_store()
        with pytest.raises(ValueError):
            store.append([Change(0, 0, 0xFF0000, "ann", 1), Change(1, 0, 0xFF0000, "ann", 3)], AT)
        grid = store.load()
        assert grid.seq == 0
        assert (grid.colors == grid.background).all()

    def test_store_goes_on_after_a_refused_batch(self) -> None:
        store = self.open_store()
        with pytest.raises(ValueError):
            store.append(changes(1, after=7), AT)
        store.append(changes(1), AT)
        assert store.load().seq == 1

    def test_changes_since_a_number_are_those_after_it_in_order(self) -> None:
        store = self.open_store()
        store.append(changes(3), AT)
        store.append(changes(2, after=3, color=0xABCDEF), AT)
        after = store.since(2)
        assert after is not None
        assert [(change.seq, change.color) for change in after] == [(3, 0x0000FF), (4, 0xABCDEF), (5, 0xABCDEF)]
        assert store.since(5) == []

    @pytest.mark.parametrize("seq", [-1, 4])
    def test_there_are_no_changes_since_a_number_that_never_was(self, seq: int) -> None:
        store = self.open_store()
        store.append(changes(3), AT)
        assert store.since(seq) is None

    def test_loaded_grid_is_the_callers_own(self) -> None:
        store = self.open_store()
        mine = store.load()
        mine.apply(changes(3))
        assert store.load().seq == 0
        store.append(changes(1, color=0xABCDEF), AT)
        assert mine.color(0, 0) == 0x0000FF

    def test_epoch_stays_and_stores_do_not_share_one(self) -> None:
        store, other = self.open_store(), self.open_store()
        epoch = store.epoch
        store.append(changes(1), AT)
        assert store.epoch == epoch
        assert other.epoch != epoch

    # Owners.

    def test_successor_finds_what_its_predecessor_committed_and_goes_on(self) -> None:
        store = self.open_store().take_over()
        store.append(changes(2), AT)
        successor = store.take_over()
        assert successor.epoch == store.epoch
        assert successor.load().seq == 2
        successor.append(changes(1, after=2), AT)
        assert successor.load().seq == 3

    def test_closed_store_can_be_taken_over(self) -> None:
        store = self.open_store().take_over()
        store.append(changes(2), AT)
        store.close()
        store.close()
        assert store.take_over().load().seq == 2

    # The past.

    def test_reader_finds_every_change_with_its_time_and_painter(self) -> None:
        store = self.open_store()
        store.append([Change(1, 2, 0xFF0000, "ann", 1), Change(3, 2, 0x00FF00, "bob", 2)], AT)
        store.append([Change(1, 2, 0x0000FF, "bob", 3)], AT + 1)
        reader = store.reader()
        assert (reader.epoch, reader.width, reader.height, reader.background) == (
            store.epoch, WIDTH, HEIGHT, BACKGROUND,
        )  # fmt: skip
        assert (reader.seq(), reader.oldest()) == (3, 1)
        assert past(reader) == [
            (1, 1, 2, 0xFF0000, "ann", AT), (2, 3, 2, 0x00FF00, "bob", AT), (3, 1, 2, 0x0000FF, "bob", AT + 1),
        ]  # fmt: skip
        reader.close()

    def test_reader_sees_what_is_committed_after_it_was_made(self) -> None:
        store = self.open_store()
        reader = store.reader()
        assert (reader.seq(), past(reader)) == (0, [])
        store.append(changes(2), AT)
        assert reader.seq() == len(past(reader)) == 2
        reader.close()

    @pytest.mark.parametrize(("after", "until"), [(0, 9), (0, 4), (3, 5), (4, 4), (4, 5), (8, 9), (9, 9)])
    def test_reader_hands_out_any_part_of_the_past(self, after: int, until: int) -> None:
        store = self.open_store()
        for first, count in ((0, 4), (4, 1), (5, 4)):
            store.append(changes(count, after=first), AT + first)
        reader = store.reader()
        assert [seq for seq, *_ in past(reader, after, until)] == list(range(after + 1, until + 1))
        reader.close()

    def test_changes_are_found_by_place_and_painter_whatever_was_folded_and_indexed(self) -> None:
        @settings(max_examples=25)
        @given(log=_LOG, cells=st.none() | st.frozensets(st.integers(0, 5)), painter=st.sampled_from([None, *"abc"]))
        def check(log: list[tuple[list[PixelChange], bool]], cells: frozenset[int] | None, painter: str | None) -> None:
            store = self.open_store()
            with closing(store.reader()) as reader:
                everything: list[Change] = []
                for number, (batch, is_indexed) in enumerate(log):
                    first = len(everything) + 1
                    made = [Change(x, y, color, user, seq) for seq, (x, y, color, user) in enumerate(batch, first)]
                    store.append(made, AT + number)
                    everything += made
                    if is_indexed:
                        reader.fold()
                        reader.index()
                for x, y in ((0, 0), (2, 1), (5, 3)):
                    seqs = [change.seq for change in reversed(everything) if (change.x, change.y) == (x, y)]
                    assert [reader.seqs_of(x, y, limit) for limit in (1, 3, 99)] == [seqs[:1], seqs[:3], seqs]
                user = None if painter is None else reader.number(painter)
                if painter is not None and user is None:
                    return
                wanted = None if cells is None else np.isin(np.arange(TILE * TILE) % TILE, list(cells))
                expected = [
                    (c.seq, c.y * TILE + c.x, c.color, c.user_id)
                    for c in everything
                    if (cells is None or c.x in cells)
                    and any((c.x, c.y) == (d.x, d.y) and painter in (None, d.user_id) for d in everything)
                ]
                found: list[tuple[int, int, int, str]] = []
                for tile, parts in reader.by_tile([(0, wanted)], user):
                    assert tile == 0
                    for local in parts:
                        names = reader.names(set(local.users.tolist()))
                        users = [names[number] for number in local.users.tolist()]
                        assert not len(users) or local.first <= local.seqs.min() <= local.seqs.max() <= local.last
                        columns = (local.seqs.tolist(), local.cells.tolist(), local.colors.tolist(), users)
                        found += list(zip(*columns, strict=True))
                assert found == expected

        check()

    def test_canvas_can_be_had_as_it_was_after_any_change(self) -> None:
        store = self.open_store()
        store.append(changes(3), AT)
        store.append(changes(3, after=3, color=0xABCDEF), AT)
        reader, expected = store.reader(), Grid(WIDTH, HEIGHT, BACKGROUND)
        everything = store.since(0)
        assert everything is not None
        for change in [None, *everything]:
            if change is not None:
                expected.apply([change])
            grid = reader.grid(expected.seq)
            assert (grid.seq, grid.rgb()) == (expected.seq, expected.rgb())
        assert reader.grid().rgb() == expected.rgb()
        reader.close()

    def test_time_finds_the_last_change_made_by_then(self) -> None:
        store = self.open_store()
        for number, size in enumerate((3, 1, 5, 2)):
            store.append(changes(size, after=store.load().seq), AT + 10 * number)
        reader = store.reader()
        times = {-1: 0, 0: 3, 9: 3, 10: 4, 15: 4, 20: 9, 29: 9, 30: 11, 1000: 11}
        assert {offset: reader.seq_at(AT + offset) for offset in times} == times
        reader.close()

    def test_time_never_goes_back_in_the_past(self) -> None:
        store = self.open_store()
        store.append(changes(1), AT)
        store.append(changes(1, after=1), AT - MAX_STEP_BACK)
        store.append(changes(1, after=2), AT + 1)
        reader = store.reader()
        assert [at for *_, at in past(reader)] == [AT, AT, AT + 1]
        reader.close()

    @pytest.mark.parametrize("ahead", [2 * MAX_STEP_BACK, 86_400.0, 10 * 365 * 86_400.0])
    def test_clock_that_was_ahead_for_a_while_leaves_all_other_times_as_they_are(self, ahead: float) -> None:
        store = self.open_store()
        wrong = (2, 3)
        for seq in range(1, 8):
            store.append(changes(1, after=seq - 1), AT + 10 * seq + (ahead if seq in wrong else 0.0))
        reader = store.reader()
        assert [at for *_, at in past(reader)] == [AT + 10 * seq for seq in (1, 4, 4, 4, 5, 6, 7)]
        assert [reader.seq_at(AT + 10 * seq) for seq in range(8)] == [0, 1, 1, 1, 4, 5, 6, 7]
        reader.close()

    def test_clock_that_lost_its_battery_changes_no_time(self) -> None:
        store = self.open_store()
        for seq, at in enumerate((AT, 0.0, NOT_BEFORE - 1, AT + 5), start=1):
            store.append(changes(1, after=seq - 1), at)
        reader = store.reader()
        assert [at for *_, at in past(reader)] == [AT, AT, AT, AT + 5]
        reader.close()

    def test_whatever_the_clock_says_times_are_in_order_and_the_last_one_is_right(self) -> None:
        @settings(max_examples=20)
        @given(readings=st.lists(st.integers(-200, 200), min_size=1, max_size=12))
        def check(readings: list[int]) -> None:
            store = self.open_store()
            for seq, reading in enumerate(readings, start=1):
                store.append(changes(1, after=seq - 1), AT + reading)
            with closing(store.reader()) as reader:
                times = [at for *_, at in past(reader)]
                assert times == sorted(times)
                assert AT + readings[-1] <= times[-1] <= AT + readings[-1] + MAX_STEP_BACK
                for number, at in enumerate(times):
                    assert reader.seq_at(at) > number

        check()

    def test_painter_has_one_number_and_a_stranger_has_none(self) -> None:
        store = self.open_store()
        store.append([Change(0, 0, 1, "ann", 1), Change(0, 0, 1, "bob", 2), Change(0, 0, 1, "ann", 3)], AT)
        reader = store.reader()
        (chunk,) = reader.chunks()
        first, second, third = chunk.records["user"].tolist()
        assert first == third != second
        assert (reader.number("ann"), reader.number("bob")) == (first, second)
        assert reader.number("nobody") is None
        reader.close()

    def test_painters_are_found_by_how_their_id_begins(self) -> None:
        store = self.open_store()
        users = ["bob", "anna", "ann", "an%b", "an_c", "Ann"]
        store.append([Change(0, 0, seq, user, seq) for seq, user in enumerate(users, start=1)], AT)
        reader = store.reader()
        assert reader.painters("ann", 10) == ["ann", "anna"]
        assert reader.painters("ann", 1) == ["ann"]
        assert reader.painters("an%", 10) == ["an%b"]
        assert reader.painters("", 10) == sorted(users)
        assert reader.painters("eve", 10) == []
        reader.close()

    def test_snapshot_changes_nothing_that_can_be_seen(self) -> None:
        store = self.open_store()
        store.append(changes(5), AT)
        reader = store.reader()
        reader.take_snapshot()
        reader.fold()
        reader.index()
        assert reader.since_snapshot() == 0
        store.append(changes(2, after=5, color=0xABCDEF), AT)
        assert (store.load().seq, store.load().color(5, 0)) == (7, 0xABCDEF)
        assert len(past(reader)) == 7
        assert reader.grid(3).seq == 3
        reader.close()

    def test_batches_of_any_size_add_up(self) -> None:
        @settings(max_examples=30)
        @given(sizes=st.lists(st.integers(0, 20), max_size=8))
        def check(sizes: list[int]) -> None:  # inside, for Hypothesis wants one executor for each property
            store, expected = self.open_store(), self.open_store().load()
            for number, size in enumerate(sizes):
                batch = changes(size, after=expected.seq, color=number + 1)
                store.append(batch, AT)
                expected.apply(batch)
            loaded = store.load()
            assert (loaded.seq, loaded.rgb()) == (expected.seq, expected.rgb())

        check()
