"""Equal keys have one partition, in every Python process."""

import enum
import json
import math
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import GenServer, start
from supervision import partition_of
from tests.support.scenarios import simulated

NUMBERS = (1, 2, 3, 5, 8, 1_000)
"""Numbers of partitions."""


class Name(str):
    """A string with a text of its own, equal to the plain one."""

    def __repr__(self) -> str:
        return f"Name({self!s})"


class Color(enum.StrEnum):
    RED = "red"


class Size(enum.IntEnum):
    SMALL = 7


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


class Plain(enum.Enum):
    ONE = []  # type: ignore[var-annotated]
    SAME = ONE


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass(frozen=True)
class User:
    id: Any
    seen: Any = field(default=0, compare=False)


NEW_YORK = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)
EQUAL: list[tuple[Any, ...]] = [
    (1, 1.0, True, Fraction(1), Decimal("1.0"), 1 + 0j, np.int64(1), np.float32(1)),
    (-1, -1.0, Decimal(-1), np.int8(-1)),
    (0, 0.0, -0.0, False),
    (0.5, Fraction(1, 2), Decimal("0.50"), np.float32(0.5)),
    (2**80, 2.0**80, Decimal(2**80), Fraction(2**80)),
    (10**500, Decimal("1e500")),
    (math.inf, Decimal("inf"), np.float64("inf")),
    (Size.SMALL, 7, 7.0),
    ("red", Color.RED, Name("red")),
    ((1, "red"), (True, Color.RED), Point(1.0, Name("red"))),
    (frozenset({"a", "b", 8, 0}), frozenset({0.0, 8, "b", "a"}), frozenset({8, "b", False, "a"})),
    (User(1), User(1.0), User(True, seen=5)),
    (Plain.ONE, Plain.SAME),
    (Mode.READ | Mode.WRITE, Mode(3)),
    (uuid.UUID(int=5), uuid.UUID("00000000-0000-0000-0000-000000000005")),
    (datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 13, tzinfo=timezone(HOUR))),
    (datetime.min.replace(tzinfo=timezone(HOUR)), datetime.min.replace(tzinfo=timezone(HOUR))),
    (datetime(2020, 11, 1, 1, 30, tzinfo=NEW_YORK), datetime(2020, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK)),
    (datetime(2020, 11, 1, 1, 30), datetime(2020, 11, 1, 1, 30, fold=1)),
    (time(12, tzinfo=UTC), time(13, tzinfo=timezone(HOUR))),
    (time(0, tzinfo=timezone(HOUR)), time(0, tzinfo=timezone(HOUR))),
    (timedelta(days=1), timedelta(hours=24)),
]


@pytest.mark.parametrize("keys", EQUAL, ids=lambda keys: " ".join(type(key).__name__ for key in keys))
def test_equal_keys_have_one_partition(keys: tuple[Any, ...]) -> None:
    assert all(key == keys[0] and hash(key) == hash(keys[0]) for key in keys)
    for partitions in NUMBERS:
        assert len({partition_of(key, partitions) for key in keys}) == 1


def twins(leaves: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Pairs of equal keys made of pairs of equal keys."""
    pairs = st.lists(leaves, max_size=4)
    return st.one_of(
        pairs.map(lambda them: (tuple(a for a, _ in them), tuple(b for _, b in them))),
        pairs.map(lambda them: (frozenset(a for a, _ in them), frozenset(b for _, b in reversed(them)))),
        leaves.map(lambda pair: (User(pair[0]), User(pair[1], seen=1))),
    )


LEAVES: st.SearchStrategy[tuple[Any, Any]] = st.one_of(
    st.text().map(lambda text: (text, Name(text))),
    st.integers().map(lambda number: (number, Fraction(number))),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: (number, Decimal(number))),
    st.fractions(max_denominator=100).map(lambda number: (number, number + 0)),
    st.binary().map(lambda data: (data, bytes(bytearray(data)))),
    st.datetimes(timezones=st.just(UTC))
    .filter(lambda when: 1 < when.year < 9999)
    .map(lambda when: (when, when.astimezone(timezone(HOUR)))),
)


@given(st.recursive(LEAVES, twins, max_leaves=10), st.integers(1, 50))
def test_keys_made_of_equal_keys_have_one_partition(pair: tuple[Any, Any], partitions: int) -> None:
    one, other = pair
    assert one == other
    assert 0 <= partition_of(one, partitions) == partition_of(other, partitions) < partitions


PROGRAM = """
import json, sys
sys.path.insert(0, ".")
from supervision import partition_of
from tests.supervision import test_partition_key as keys
print(json.dumps([partition_of(key, 1_000) for group in keys.EQUAL for key in group]))
"""


def test_keys_have_the_same_partition_in_every_python_process() -> None:
    here = [partition_of(key, 1_000) for keys in EQUAL for key in keys]
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        root = Path(__file__).parents[2]
        printed = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, cwd=root, capture_output=True, text=True, check=True
        ).stdout
        assert json.loads(printed) == here


def test_the_partition_of_a_key_stays_what_it_is() -> None:
    assert [partition_of(key, 8) for key in ("a", "b", ("a", 1), -1, 15, None)] == [2, 1, 3, 7, 7, 1]


@pytest.mark.parametrize(
    "make",
    [
        lambda number: f"key {number}",
        lambda number: number,
        lambda number: number + 0.5,
        lambda number: number / 1024,
        lambda number: uuid.UUID(int=number << 64),
        lambda number: (number, "room"),
        lambda number: date.fromordinal(number + 1),
    ],
    ids=["text", "integers", "halves", "fractions", "uuids", "tuples", "dates"],
)
def test_keys_are_spread_evenly(make: Callable[[int], Any]) -> None:
    counts = Counter(partition_of(make(number), 8) for number in range(8_000))
    assert set(counts) == set(range(8))
    assert min(counts.values()) > 800


@simulated
async def test_a_reference_keeps_its_partition_when_it_is_renamed() -> None:
    ref = await start(GenServer)
    before = partition_of(ref, 1_000), partition_of((ref, 1), 1_000)
    ref.label = "other"
    assert (partition_of(ref, 1_000), partition_of((ref, 1), 1_000)) == before


class Caseless(str):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.lower() == self.lower()

    def __hash__(self) -> int:
        return hash(self.lower())


@dataclass(frozen=True)
class Odd:
    id: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd)

    def __hash__(self) -> int:
        return 1


@dataclass
class Thawed:
    id: int

    __hash__ = object.__hash__


@dataclass(frozen=True, eq=False)
class Unlike:
    id: int


@pytest.mark.parametrize(
    "key",
    [object(), GenServer, print, [1], {1}, Caseless("a"), Odd(1), Thawed(1), Unlike(1), Path("a"), User([1])],
    ids=lambda key: type(key).__name__,
)
@pytest.mark.parametrize("wrap", [lambda key: key, lambda key: ("in", (key,))], ids=["alone", "inside"])
def test_a_key_without_a_known_equality_is_refused_with_a_remedy(key: Any, wrap: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"a key of type \w+ has no partition: use a number, a string or a tuple"):
        partition_of(wrap(key), 8)
