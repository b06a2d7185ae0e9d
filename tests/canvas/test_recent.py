"""The last changes of a canvas, against a list of all that there were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.grid import Change
from canvas.live import recent_changes
from canvas.live.recent_changes import RecentChanges, latest

RUN, REMEMBERED, ENCODED = 4, 12, 5


@pytest.fixture(autouse=True)
def _remember_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_changes, "RUN", RUN)
    monkeypatch.setattr(recent_changes, "REMEMBERED", REMEMBERED)
    monkeypatch.setattr(recent_changes, "ENCODED", ENCODED)


def changes(after: int, count: int) -> list[Change]:
    return [Change(seq, 0, 0, "ann", seq) for seq in range(after + 1, after + count + 1)]


def seqs(some: object) -> list[int]:
    return [change.seq for change in some]  # type: ignore[attr-defined]


def test_recent_changes_are_those_that_the_canvas_had() -> None:
    @given(begin=st.integers(0, 9), loaded=st.integers(0, 20), sizes=st.lists(st.integers(1, 7), max_size=9))
    def check(begin: int, loaded: int, sizes: list[int]) -> None:
        kept, last, ends = RecentChanges(begin + loaded, changes(begin, loaded)), begin + loaded, []
        for size in [0, *sizes]:
            if size:
                batch = kept.append(changes(last, size))
                ends.append(last)
                last += size
                assert (batch.first, batch.last, kept.seq) == (last - size + 1, last, last)
            oldest = max(begin, last - REMEMBERED)
            assert [seq for seq in range(last + 3) if kept.covers(seq)] == list(range(oldest, last + 1))
            for seq in range(oldest, last):
                assert seqs(kept.since(seq)) == list(range(seq + 1, last + 1))
                end = min(last, begin + ((seq - begin) // RUN + 1) * RUN)
                assert seqs(kept.following(seq).changes) == list(range(seq + 1, end + 1))
            assert kept.since(last) == []
            assert len(kept._runs) * RUN + len(kept._rest) < REMEMBERED + RUN
            for seq in range(begin, last + 1):
                found = kept.batches(seq)
                if seq in ends and (last - seq <= ENCODED or seq == ends[-1]):
                    assert found is not None
                    assert [batch.first - 1 for batch in found] == [end for end in ends if end >= seq]
                else:
                    assert found is None

    check()


@pytest.mark.parametrize(
    ("user", "expected"), [("ann", [1, 3, 4]), ("bob", [2, 3, 4]), ("eve", [3, 4])], ids="shown to {}".format
)
def test_pixel_that_was_painted_over_is_shown_to_its_painter_alone(user: str, expected: list[int]) -> None:
    some = [Change(1, 1, 1, "ann", 1), Change(1, 1, 2, "bob", 2), Change(1, 1, 3, "ann", 3), Change(1, 2, 1, "bob", 4)]
    assert seqs(latest(some, user)) == expected
