"""Values that go wrong, or on and on, when they are made into text."""

import collections
import dataclasses
import enum
import functools
import itertools
import types
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy


class Touched(BaseException):
    """Code of a value's class has run."""


def refuse(*_: Any, **__: Any) -> Any:
    """Stands for every method that must not be called."""
    raise Touched


TRAPS = dict.fromkeys(
    (
        "__repr__", "__str__", "__format__", "__len__", "__iter__", "__getitem__", "__getattribute__", "__getattr__",
        "__eq__", "__hash__", "__bool__", "__contains__", "__reversed__", "__dir__", "__sizeof__", "__int__",
        "__index__", "__float__", "__abs__", "__complex__", "__bytes__", "__reduce_ex__", "keys", "items", "values",
        "__missing__", "bit_length", "isprintable", "encode", "decode", "hex", "as_integer_ratio", "isoformat",
        "__fspath__", "_asdict", "__rich_repr__", "_repr_pretty_", "__rich__", "__class__",
    ),
    refuse,
)  # fmt: skip
TRAPS["__class__"] = property(refuse)  # type: ignore[assignment]


def trapped(*bases: type, **namespace: Any) -> type:
    """A class whose methods all raise `Touched`."""
    return type("Trapped", bases or (object,), {**TRAPS, **namespace})


class TrappedMeta(type):
    """Of classes that must not be asked for their name either."""

    __repr__ = __str__ = __getattribute__ = __hash__ = __eq__ = refuse
    __instancecheck__ = __subclasscheck__ = refuse


@dataclasses.dataclass
class Deep:
    inner: Any
    other: Any = None


@dataclasses.dataclass
class TrappedFields:
    __getattribute__ = refuse
    a: Any = 1
    b: Any = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: Any
    b: Any


class Pair(NamedTuple):
    left: Any
    right: Any


class Zone(tzinfo):
    __repr__ = utcoffset = tzname = dst = refuse


class Color(enum.Enum):
    RED = "x" * 10_000

    __repr__ = __str__ = refuse


class Bits(enum.Flag):
    A = 1
    B = 2


class Odd(Exception):
    def __str__(self) -> str:
        return 42  # type: ignore[return-value]


class Failing(Exception):
    def __str__(self) -> str:
        raise SystemExit


class Slots:
    __slots__ = ("empty", "full")

    def __init__(self) -> None:
        self.full = "x" * 10**6


def nested(make: Callable[[Any], Any], depth: int) -> Any:
    """One inside the other."""
    value: Any = "end"
    for _ in range(depth):
        value = make(value)
    return value


def recursive() -> list[Any]:
    """Holds itself."""
    loop: list[Any] = []
    loop.append({"again": loop, "pair": Pair(loop, loop), "deep": Deep(loop)})
    return loop


def recursive_dict() -> dict[str, Any]:
    """Holds itself."""
    loop: dict[str, Any] = {}
    loop["own"] = loop
    return loop


def chained(depth: int) -> Exception:
    """Each is the cause of the next."""
    last = Exception("first")
    for number in range(depth):
        following = ValueError(number)
        following.__cause__ = last
        last = following
    return last


def circular() -> Exception:
    """Two that caused each other."""
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__context__ = other, one
    return one


class Whole:
    """A value that is made when it is needed: some are large."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self.name = name
        self.make = make


def _with_dictionary(own: Any) -> Any:
    value = Deep(1)
    value.__dict__ = own
    return value


NASTY = [
    Whole(name, make)
    for name, make in {
        "20 MB bytes": lambda: bytes(20_000_000),
        "20 MB bytearray": lambda: bytearray(20_000_000),
        "20 MB text": lambda: "x" * 20_000_000,
        "20 MB secret text": lambda: "token" * 4_000_000,
        "memoryview": lambda: memoryview(bytes(20_000_000)),
        "large dict": lambda: dict.fromkeys(range(300_000)),
        "large dict of text": lambda: dict.fromkeys(map(str, range(300_000))),
        "large set": lambda: set(map(str, range(300_000))),
        "large list": lambda: list(range(300_000)),
        "large tuple": lambda: tuple(range(300_000)),
        "large deque": lambda: collections.deque(range(300_000)),
        "large counter": lambda: collections.Counter(range(300_000)),
        "large array": lambda: numpy.zeros((1_000, 1_000)),
        "wide and deep": lambda: nested(lambda value: [value] * 100, 8),
        "deep lists": lambda: nested(lambda value: [value], 50_000),
        "deep data classes": lambda: nested(Deep, 50_000),
        "deep exceptions": lambda: nested(ValueError, 50_000),
        "data class with a large list": lambda: Deep(list(range(300_000)), "x" * 10**6),
        "many fields": lambda: dataclasses.make_dataclass("Many", [(f"f{n}", int, n) for n in range(500)])(),
        "huge integer": lambda: 10**5_000,
        "huge negative integer": lambda: -(10**50_000),
        "huge key": lambda: {10**5_000: 10**5_000},
        "huge decimal": lambda: Decimal("1" * 100_000),
        "odd numbers": lambda: [float("nan"), float("inf"), -0.0, complex("nan+infj"), numpy.float64(1.5), True],
        "surrogates": lambda: ["\ud800", {"\udfff": "\ud83d"}, "a\x00\x1b[31m\nb\u2028"],
        "class with an odd name": lambda: type("a\n" * 1_000, (), {})(),
        "recursive": recursive,
        "recursive dict": recursive_dict,
        "trapped": lambda: trapped()(),
        "trapped class": lambda: trapped(),
        "trapped metaclass": lambda: TrappedMeta("Odd", (), {}),
        "instance of a trapped metaclass": lambda: object.__new__(type.__call__(TrappedMeta, "Odd", (), {})),
        "trapped list": lambda: trapped(list)([1, 2]),
        "trapped tuple": lambda: trapped(tuple)((1, 2)),
        "trapped dict": lambda: trapped(dict)(a=1),
        "trapped set": lambda: trapped(set)((1, 2)),
        "trapped deque": lambda: trapped(collections.deque)((1, 2)),
        "trapped str": lambda: trapped(str)("x" * 300),
        "trapped bytes": lambda: trapped(bytes)(300),
        "trapped int": lambda: trapped(int)(7),
        "trapped float": lambda: trapped(float)(7.5),
        "trapped exception": lambda: trapped(Exception, __str__=Exception.__str__)("a", trapped()()),
        "trapped named tuple": lambda: trapped(Pair)(1, 2),
        "trapped fields": lambda: TrappedFields(),
        "trapped inside": lambda: Deep(Slotted(trapped()(), [trapped()()]), {"a": trapped()()}),
        "trapped items": lambda: collections.OrderedDict(a=trapped()()),
        "mapping proxy": lambda: types.MappingProxyType(trapped(dict)(a=1)),
        "weak proxy": lambda: weakref.proxy(KEPT),
        "partial": lambda: functools.partial(print, trapped()()),
        "endless iterator": lambda: itertools.count(),
        "range": lambda: range(10**30),
        "odd zone": lambda: datetime(2020, 1, 1, tzinfo=Zone()),
        "time": lambda: datetime(2020, 1, 1, tzinfo=UTC),
        "long path": lambda: PurePosixPath("x" * 100_000),
        "enumeration": lambda: Color.RED,
        "flags": lambda: Bits.A | Bits.B,
        "empty slot": Slots,
        "no dictionary left": lambda: _with_dictionary({}),
        "trapped dictionary": lambda: _with_dictionary(trapped(dict)(inner=1)),
        "attributes without names": lambda: _with_dictionary({1: 2, "a b": 3, "\ud800": 4}),
        "exception without a text": Odd,
        "exception whose text fails": Failing,
        "long exception": lambda: ValueError("x" * 20_000_000),
        "exception of large things": lambda: ValueError(bytes(20_000_000), list(range(300_000))),
        "os error with an odd file": lambda: OSError(2, "no", trapped()()),
        "decode error": lambda: UnicodeDecodeError("utf-8", bytes(20_000_000), 0, 1, "no"),
        "key error": lambda: KeyError(trapped()()),
        "exception group": lambda: ExceptionGroup("g", [ExceptionGroup("h", [ValueError(1)] * 1_000)] * 1_000),
        "long chain": lambda: chained(5_000),
        "circle of causes": circular,
        "function": lambda: refuse,
        "lambda": lambda: lambda: None,
        "method": lambda: trapped,
    }.items()
]  # fmt: skip
KEPT: Any = trapped(set)()
