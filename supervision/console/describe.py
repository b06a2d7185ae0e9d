"""Pure. Values as text for people: short, without secrets, and in bounded time whatever the value is."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from actors.report import HIDDEN, is_secret


class _Short(reprlib.Repr):
    """Never builds the whole text of a long value, nor shows an attribute whose name looks secret."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxtuple = self.maxlist = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = 8
        self.maxstring = self.maxother = length

    def repr_bytes(self, value: bytes, level: int) -> str:
        cut = bytes(value[: self.maxstring])
        return repr(cut) if len(value) <= self.maxstring else f"{cut!r}... ({len(value)} bytes)"

    repr_bytearray = repr_memoryview = repr_bytes

    def repr_str(self, value: str, level: int) -> str:
        return super().repr_str(value[: 4 * self.maxstring], level)

    def repr_dict(self, value: Mapping[Any, Any], level: int) -> str:
        if level <= 0:
            return "{...}"
        shown = [self._item(key, value[key], level) for key in list(value)[: self.maxdict]]
        rest = ["..."] if len(value) > len(shown) else []
        return "{" + ", ".join(shown + rest) + "}"

    def repr_instance(self, value: Any, level: int) -> str:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, level)
        return super().repr_instance(value, level)

    def _item(self, key: Any, value: Any, level: int) -> str:
        hidden = isinstance(key, str) and is_secret(key)
        return f"{self.repr1(key, level - 1)}: {HIDDEN if hidden else self.repr1(value, level - 1)}"

    def _dataclass(self, value: Any, level: int) -> str:
        name = type(value).__name__
        if level <= 0:
            return f"{name}(...)"
        fields = [field for field in dataclasses.fields(value) if field.repr]
        return f"{name}({', '.join(self._field(value, field.name, level) for field in fields)})"

    def _field(self, value: Any, name: str, level: int) -> str:
        shown = HIDDEN if is_secret(name) else self.repr1(getattr(value, name, None), level - 1)
        return f"{name}={shown}"


LONGEST = 2_000
"""Characters of one value that are shown."""

_TEXT = _Short(200)


def describe(value: Any) -> str:
    """A value as a short text."""
    try:
        text = _TEXT.repr(value)
    except Exception as exception:  # noqa: BLE001  # a `repr` that fails must not hide the rest
        return f"<{type(value).__name__} whose repr failed: {type(exception).__name__}>"
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def describe_state(
    state: Mapping[str, Any], *, size: int, seconds: float, clock: Callable[[], float]
) -> tuple[dict[str, str], bool]:
    """Attributes as texts, and whether something had to be left out.

    Args:
        state: name -> value
        size: characters in all
        seconds: after so long the rest is left out
        clock: tells the time
    """
    shown: dict[str, str] = {}
    deadline = clock() + seconds
    for name, value in list(state.items()):
        if size <= 0 or clock() > deadline:
            return shown, True
        text = HIDDEN if is_secret(name) else describe(value)
        shown[name] = text[:size]
        size -= len(name) + len(text)
    return shown, size < 0
