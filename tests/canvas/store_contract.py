"""What every store promises. A store's own test inherits `StoreContract` and says how to open one."""

from abc import ABC, abstractmethod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.grid import Change
from canvas.store import Store

WIDTH, HEIGHT, BACKGROUND = 6, 4, 0x101010
AT = 1_700_000_000.0


def changes(count: int, after: int = 0, color: int = 0x0000FF) -> list[Change]:
    """Changes that follow on number `after`, from the top left corner on."""
    numbers = range(after + 1, after + count + 1)
    return [Change((seq - 1) % WIDTH, (seq - 1) // WIDTH % HEIGHT, color, "ann", seq) for seq in numbers]


class StoreContract(ABC):
    """The promises of `canvas.store.Store`."""

    @abstractmethod
    def open_store(self) -> Store:
        """A new, empty store of WIDTH x HEIGHT pixels of BACKGROUND."""

    def test_new_store_is_empty_and_has_an_epoch(self) -> None:
        store = self.open_store()
        grid = store.load()
        assert (grid.width, grid.height, grid.background, grid.seq) == (WIDTH, HEIGHT, BACKGROUND, 0)
        assert grid.pixels_json() == b"[]"
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
        assert (grid.seq, grid.pixels_json()) == (0, b"[]")

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

    def test_batches_of_any_size_add_up(self) -> None:
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
