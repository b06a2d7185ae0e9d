"""A number in a path or a query is digits and nothing else."""

import pytest
from hypothesis import given
from hypothesis.strategies import integers, text

from protocol import parse_index
from protocol.index import MAX_INDEX


@given(integers(0, MAX_INDEX))
def test_number_is_read_as_it_is_written(number: int) -> None:
    assert parse_index(str(number)) == number


@pytest.mark.parametrize(
    "written", ["", " ", "-1", "+1", " 1", "1 ", "1_0", "1.0", "1e3", "0x1", "\u0661", "\u00b2", "1\n"]
)
def test_what_int_may_take_but_is_not_digits_is_no_number(written: str) -> None:
    assert parse_index(written) is None


@given(text(max_size=30))
def test_any_text_is_a_number_or_none(written: str) -> None:
    assert parse_index(written) is None or set(written) <= set("0123456789")


def test_zeros_may_lead() -> None:
    assert parse_index("007") == 7


def test_number_above_the_largest_is_none() -> None:
    assert (parse_index("7", 7), parse_index("8", 7)) == (7, None)
    assert parse_index(str(MAX_INDEX + 1)) is None
    assert parse_index("9" * 5_000) is None
