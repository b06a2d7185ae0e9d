"""Pure. Which partition a key belongs to."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Hashable, Iterable
from datetime import date, datetime, time, timedelta
from enum import Enum, Flag
from numbers import Number
from types import NoneType
from typing import Any, Final
from uuid import UUID

from actors import Ref


def partition_of(key: Hashable, partitions: int) -> int:
    """The partition of `key`, from 0: the same for equal keys, and in every Python process, unlike `hash`.

    A key is a number, a string, bytes, None, a date, a time, a UUID, a reference, a member of an enumeration, or a
    tuple, a frozenset or a frozen dataclass of keys. A reference counts by its `id`, which is unique in its scheduler.

    Raises:
        TypeError: if it is anything else: only its class knows what equal ones have in common.
    """
    if isinstance(key, Ref):
        return key.id % partitions
    number = _number(key) if isinstance(key, Number) else None
    if number is not None and number == key:
        return number % partitions
    return zlib.crc32(_text(key).encode()) % partitions


def _number(key: Any) -> int:
    """A number that equal numbers have in common: of an integer below 2**61, that integer.

    Python defines `hash` of numbers by their value and nothing else, and keeps -1 for errors. ("Hashing of numeric
    types" in the library reference)
    """
    return -1 if key == -1 else hash(key)


def _text(key: Any) -> str:
    """A text that equal keys have in common. Nothing in it differs between Python processes."""
    if isinstance(key, Number):
        return "nan" if key != key else str(_number(key))  # the `hash` of NaN is by identity
    equality: Any = type(key).__eq__
    for kind, write in _TEXTS.items():
        if isinstance(key, kind) and equality is kind.__eq__:
            return write(key)
    if isinstance(key, Enum) and equality is object.__eq__:
        return f"{type(key).__qualname__}.{key.value if isinstance(key, Flag) else key.name}"
    if _is_plain_dataclass(type(key)):
        fields = [getattr(key, field.name) for field in dataclasses.fields(key) if field.compare]
        return f"{type(key).__qualname__}{_joined(map(_text, fields))}"
    raise TypeError(
        f"a key of type {type(key).__qualname__} has no partition: give what tells it from others, "
        "as a number, a string, or a tuple of them"
    )


def _is_plain_dataclass(kind: Any) -> bool:
    """Tell whether objects are frozen and equal if their fields are: `__eq__` is the one that `dataclass` made."""
    parameters = getattr(kind, "__dataclass_params__", None)
    code = getattr(kind.__eq__, "__code__", None)
    return parameters is not None and parameters.frozen and code is not None and code.co_filename == "<string>"


def _moment(key: datetime | time) -> str:
    """Aware ones are equal if they are the same moment, whatever the zone and the fold. (PEP 495)"""
    offset = key.replace(fold=0).utcoffset()
    local = key if isinstance(key, datetime) else datetime.combine(date.min, key)
    elapsed = local.replace(tzinfo=None) - datetime.min
    return f"{elapsed}" if offset is None else f"{elapsed - offset} UTC"


def _joined(texts: Iterable[str]) -> str:
    return f"({', '.join(texts)})"


_TEXTS: Final[dict[type, Callable[[Any], str]]] = {
    str: lambda key: ascii(str.__str__(key)),
    bytes: bytes.__repr__,
    NoneType: repr,
    Ref: lambda key: f"<{key.id}>",
    UUID: str,
    datetime: _moment,
    date: date.isoformat,
    time: _moment,
    timedelta: str,
    tuple: lambda key: _joined(map(_text, key)),
    frozenset: lambda key: _joined(sorted(map(_text, key))),
}
"""How to write the keys of a type and of its subclasses, unless these compare in a way of their own."""
