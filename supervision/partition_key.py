"""Pure. Maps keys to partitions."""

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
    """Return the partition of `key`, from 0. Equal keys have the same partition in every Python process, unlike `hash`.

    A key is a number, a string, bytes, None, a date, a time, a UUID, a reference, an enum member, or a tuple, frozenset
    or frozen dataclass of keys. A reference is represented by its `id`, which is unique in its scheduler.

    Raises:
        TypeError: for any other key: only its class knows when two of them are equal.
    """
    if isinstance(key, Ref):
        return key.id % partitions
    number = _number(key) if isinstance(key, Number) else None
    if number is not None and number == key:
        return number % partitions
    return zlib.crc32(_text(key).encode()) % partitions


def _number(key: Any) -> int:
    """Return a number that is the same for equal numbers; for an integer below 2**61, the integer itself.

    The `hash` of a number depends only on its value. Python reserves -1 for errors. ("Hashing of numeric types" in the
    library reference)
    """
    return -1 if key == -1 else hash(key)


def _text(key: Any) -> str:
    """Return a text that is the same for equal keys, and in every Python process."""
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
        f"a key of type {type(key).__qualname__} has no partition: use a number, a string or a tuple of them "
        "that identifies it"
    )


def _is_plain_dataclass(kind: Any) -> bool:
    """Whether `kind` is a frozen dataclass that compares by its fields, with the `__eq__` that `dataclass` made."""
    parameters = getattr(kind, "__dataclass_params__", None)
    code = getattr(kind.__eq__, "__code__", None)
    return parameters is not None and parameters.frozen and code is not None and code.co_filename == "<string>"


def _moment(key: datetime | time) -> str:
    """Return the text of a date or time. Aware ones are equal if they are the same moment in any zone (PEP 495)."""
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
"""The text of keys by type. It holds for subclasses as well, unless they define their own `__eq__`."""
