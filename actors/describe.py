"""Pure. Describes any value as text, bounded in time and size, and shows only what may be shown.

One rule holds for every text that leaves the process, in a crash report, the log, a trace, a generated test or the
console: it shows the structure of a value, and only those contents that its class declares safe with `shown`, or the
callback `format_status` with `Shown`. Structure is: None, booleans, enum members, references, classes, functions,
module constants, the names of classes and fields, sizes, and the strings that the framework uses as atoms. Contents
are: numbers, strings, bytes, dictionary keys and the attributes of other objects.

Nothing here runs code of a value's class, such as a `repr`, a property or an iterator: it might fail, take long, or
show too much.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from itertools import islice
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodType,
    ModuleType,
    NoneType,
)
from typing import Any
from uuid import UUID

from actors import exits
from actors.anatomy import (
    arguments_of,
    attribute_of,
    attributes_of,
    class_name,
    fields_of,
    importable,
    is_path,
    lookup,
    module_of,
    qualified_name_of,
)
from actors.description import LONGEST, MOST_ITEMS, Description, Entry, Group, Leaf, Record
from actors.guard import attempt
from actors.identity import Pid
from actors.oneline import LONGEST_NAME, hide_in_text, line
from actors.shown import Shown, declared_by, is_safe

LONGEST_WRITTEN = 2_000
"""Approximate maximum length in characters of one value that is kept for a test that reproduces a crash."""
LONGEST_TEXT = 200
"""Maximum length of one string (in characters) or bytes inside a value."""
MOST_KEPT = 100
"""Maximum number of items of one collection that are kept for a test.

A set of at most this size is shown in sorted order; that of a larger one differs between Python processes."""
DEEPEST = 5
"""Maximum number of levels of a nested value that are shown."""
OPAQUE_BELOW = DEEPEST - 1
"""The lowest level at which an object shows its attributes: below it, they are internals of another object."""
MOST_BITS = 512
"""Maximum size of an integer that is written out: Python refuses more than 4,300 digits."""
MOST_CONSTANTS = 2_000
"""Maximum number of names in a module that are searched for a constant."""

_id_of: Callable[[Pid], int] = Pid.__dict__["id"].__get__
_label_of: Callable[[Pid], Any] = Pid.__dict__["label"].__get__
_ZONES = (NoneType, timezone)
_DATES = (date, timedelta)
_TIMES = (datetime, time)
_PATHS = (PosixPath, PurePosixPath, WindowsPath, PureWindowsPath)
_COLLECTIONS: tuple[Any, ...] = (tuple, list, deque, set, frozenset)
_NUMBERS: tuple[Any, ...] = (int, float, complex)
_ATOMS: dict[str, str] = {
    atom: atom
    for atom in (exits.NORMAL, exits.SHUTDOWN, exits.KILL, exits.KILLED, exits.NOPROC, exits.TIMEOUT,
                 exits.CALLING_SELF, "crash", "restart")
}  # fmt: skip
"""Strings of the framework, compared by identity, so that a user's equal string is not taken for one."""

# Texts.


def describe(value: Any, *, shows_values: bool = False) -> str:
    """Describe a value on one line of at most `LONGEST` characters.

    Args:
        shows_values: show all contents, declared safe or not; only for a developer's own use
    """
    return examine(value, shows_values=shows_values).text


def examine(value: Any, *, shows_values: bool = False) -> Description:
    """Examine a value once, for all its texts; see `describe`."""
    return attempt(_examined, value, shows_values, default=Leaf(f"<{class_name(type(value))}>"))


def examine_state(
    owner: type, state: Mapping[str, Any], *, size: int, shows_values: bool = False
) -> tuple[dict[str, Description], bool]:
    """Describe the attributes of an object; return them by name, and whether some were left out.

    Args:
        owner: its class, which declares which of them may be shown
        state: attributes by name
        size: approximate maximum length of all descriptions, in characters
        shows_values: as for `describe`
    """
    declared = declared_by(owner)
    found: dict[str, Description] = {}
    for name, value in state.items():
        if size <= 0:
            return found, True
        is_shown = shows_values or (
            type(name) is str and (name in declared or (name == "state" and is_phase(owner, value)))
        )
        walker = _Walker(shows_values)
        found[_field_name(name)] = attempt(
            walker.walk, value, is_shown, default=Leaf(f"<{class_name(type(value))}>")
        )  # fmt: skip
        size -= LONGEST_WRITTEN - walker.left
    return found, False


def is_phase(owner: type, value: Any) -> bool:
    """Return whether a value is the name of a method, as the states of a state machine are, and thus structure."""
    return type(value) is str and type(lookup(owner, value)) is FunctionType


def name_of(name: Any) -> str:
    """Format a label, or a registered name or key: show a string, describe any other value."""
    return line(hide_in_text(name), LONGEST_NAME) if issubclass(type(name), str) else describe(name)


def _examined(value: Any, shows_values: bool) -> Description:
    return _Walker(shows_values).walk(value, shows_values)


class _Walker:
    """Examines one value.

    Args:
        shows_all: show all contents, declared safe or not

    Attributes:
        left: number of characters left before the rest is omitted
    """

    def __init__(self, shows_all: bool) -> None:
        self.left = LONGEST_WRITTEN
        self._shows_all = shows_all

    def walk(self, value: Any, shows: bool, level: int = DEEPEST) -> Description:
        """Describe a value; show its contents if `shows`."""
        if self.left <= 0:
            return Leaf("...")
        kind = type(value)
        if kind is Shown:
            return self.walk(value.value, True, level)
        leaf = self._leaf(value, kind, shows or is_safe(kind))
        if leaf is None:
            self.left -= 8
            return self._nested(value, kind, shows, level)
        self.left -= len(leaf.written or leaf.as_text(True)) + 2
        return leaf

    def _leaf(self, value: Any, kind: type, shows: bool) -> Leaf | None:
        """Describe a value that has no parts; return None for any other."""
        if value is None or kind is bool:
            return Leaf(repr(value), written=repr(value))
        if value is ... or value is NotImplemented:
            return Leaf(repr(value))
        if issubclass(kind, enum.Enum):
            return _member(value, kind)
        for base in _NUMBERS:
            if issubclass(kind, base):
                return _number(value, base, class_name(kind), shows)
        if issubclass(kind, str):
            return self._string(value, kind, shows)
        if issubclass(kind, bytes | bytearray):
            return self._bytes(value, kind, shows)
        if issubclass(kind, type):
            return Leaf(f"<class {line(qualified_name_of(value), LONGEST_NAME)}>", None, *importable(value))
        if issubclass(kind, Pid):
            return Leaf(f"<{_id_of(value)} {name_of(_label_of(value))}>")
        return _function(value) or _stdlib(value, shows)

    def _string(self, value: str, kind: type, shows: bool) -> Leaf:
        if is_atom_of_ours(value):
            return Leaf(repr(value), written=repr(value))
        size = str.__len__(value)
        structure = f"{class_name(kind)}({size})"
        if not shows:
            return Leaf(structure)
        written = str.__repr__(value) if kind is str and size <= min(LONGEST, self.left) else None
        if size <= LONGEST_TEXT:
            return Leaf(structure, written or str.__repr__(value), written)
        cut = str.__getitem__(value, slice(0, LONGEST_TEXT))
        return Leaf(structure, f"{cut!r}... ({size} characters)", written)

    def _bytes(self, value: bytes | bytearray, kind: type, shows: bool) -> Leaf:
        base: Any = bytes if issubclass(kind, bytes) else bytearray
        size = base.__len__(value)
        structure = f"{class_name(kind)}({size})"
        if not shows:
            return Leaf(structure)
        cut = base.__getitem__(value, slice(0, LONGEST_TEXT))
        written = bytes.__repr__(value) if kind is bytes and size <= min(LONGEST, self.left) else None
        return Leaf(structure, repr(cut) if size <= LONGEST_TEXT else f"{cut!r}... ({size} bytes)", written)

    def _nested(self, value: Any, kind: type, shows: bool, level: int) -> Description:
        name = class_name(kind)
        if issubclass(kind, dict):
            return self._dict(value, kind, shows, level)
        for base in _COLLECTIONS:
            if issubclass(kind, base):
                return self._collection(value, base, shows, level)
        if issubclass(kind, BaseException):
            return self._record(f"{name}(", ")", [("", each) for each in arguments_of(value)], kind, level)
        fields = fields_of(kind)
        if fields is not None:
            return self._data_class(value, kind, fields, level)
        matched = lookup(kind, "__match_args__")
        if type(matched) is tuple and matched:
            return self._record(
                f"{name}(", ")", [(each, attribute_of(value, each)) for each in matched], kind, level, has_names=False
            )
        return _constant(value, kind) or self._opaque(value, kind, level)

    def _dict(self, value: dict[Any, Any], kind: type, shows: bool, level: int) -> Description:
        size = dict.__len__(value)
        structure = f"{class_name(kind)}({size})"
        if not shows:
            return Leaf(structure)
        if level <= 0:
            return Leaf(structure, "{...}" if size else "{}")
        items = []
        for key, item in islice(dict.items(value), MOST_KEPT):
            if self.left <= 0:
                break
            items.append((self.walk(key, True, level - 1), self.walk(item, True, level - 1)))
        begin, end = ("{", "}") if kind is dict else (f"{class_name(kind)}({{", "})")
        return Group(structure, begin, end, tuple(items), size, True, ("", "") if kind is dict else None)

    def _collection(self, value: Any, base: Any, shows: bool, level: int) -> Description:
        kind = type(value)
        size = base.__len__(value)
        if base is tuple and kind is not tuple:
            named = lookup(kind, "_fields")
            if type(named) is tuple and len(named) == size:
                entries = list(zip(named, tuple.__iter__(value), strict=True))
                found = self._record(f"{class_name(kind)}(", ")", entries, kind, level)
                written, needs = importable(kind)
                return replace(found, written=written, needs=needs)
        name = class_name(kind)
        structure = f"{name}({size})"
        if base is tuple and level > 0 and not shows:
            entries = [("", each) for each in islice(tuple.__iter__(value), MOST_ITEMS)]
            return self._record("(", ",)" if size == 1 else ")", entries, kind, level, size=size)
        if not shows:
            return Leaf(structure)
        if level <= 0:
            return Leaf(structure, f"{name}(...)" if size else f"{name}()")
        kept: list[tuple[None, Description]] = []
        for item in islice(base.__iter__(value), MOST_KEPT):
            if self.left <= 0:
                break
            kept.append((None, self.walk(item, True, level - 1)))
        begin, end = _brackets(kind, base, name, size)
        needs = {deque: ("collections", "deque")}.get(base, ("", "")) if kind is base else None
        return Group(structure, begin, end, tuple(kept), size, base not in (set, frozenset), needs)

    def _data_class(self, value: Any, kind: type, fields: list[dataclasses.Field[Any]], level: int) -> Description:
        written, needs = importable(kind)
        declared = declared_by(kind)
        entries = []
        for each in fields[:MOST_KEPT] if level > 0 else ():
            name = _field_name(each.name)
            self.left -= len(name)
            found = self.walk(attribute_of(value, each.name), self._shows_all or each.name in declared, level - 1)
            entries.append(Entry(name, found, bool(each.repr), bool(each.init)))
        return Record(f"{class_name(kind)}(", ")", tuple(entries), len(fields), written, needs)

    def _record(
        self,
        begin: str,
        end: str,
        items: list[tuple[str, Any]],
        kind: type,
        level: int,
        *,
        has_names: bool = True,
        size: int | None = None,
    ) -> Record:
        """Describe a value with fields or items, each of which its class declares safe or not."""
        declared = declared_by(kind)
        entries = []
        for name, value in items[:MOST_ITEMS] if level > 0 else ():
            field = _field_name(name) if name and has_names else ""
            self.left -= len(field)
            found = self.walk(value, self._shows_all or name in declared, level - 1)
            entries.append(Entry(field, found))
        return Record(begin, end, tuple(entries), len(items) if size is None else size)

    def _opaque(self, value: Any, kind: type, level: int) -> Description:
        """Describe any other object by the attributes that may be shown."""
        name = class_name(kind)
        declared = declared_by(kind)
        if not (declared or self._shows_all) or level < OPAQUE_BELOW:
            return Leaf(f"<{name}>")
        attributes = attributes_of(value) if self._shows_all else {each: attribute_of(value, each) for each in declared}
        items = sorted(attributes.items()) if not self._shows_all else list(attributes.items())
        return self._record(f"<{name} ", ">", items, kind, level) if items else Leaf(f"<{name}>")


def _brackets(kind: type, base: Any, name: str, size: int) -> tuple[str, str]:
    if kind is tuple:
        return "(", ")"
    if kind is list:
        return "[", "]"
    if base is deque:
        return f"{name}([", "])"
    if base is list or base is tuple or not size:
        return f"{name}(", ")"
    return ("{", "}") if kind is set else (f"{name}({{", "})")


def is_atom_of_ours(value: Any) -> bool:
    """Return whether a value is a string of the framework, which may be shown."""
    return type(value) is str and len(value) <= 16 and _ATOMS.get(value) is value


def _member(value: enum.Enum, kind: type) -> Leaf:
    name = attribute_of(value, "_name_")
    if type(name) is not str:  # a combination of flags
        return Leaf(class_name(kind))
    written, needs = importable(kind)
    is_whole = written is not None and name.isidentifier()
    text = f"{class_name(kind)}.{line(name, LONGEST_NAME)}"
    return Leaf(text, None, f"{written}.{name}", needs) if is_whole else Leaf(text)


def _number(value: Any, base: Any, name: str, shows: bool) -> Leaf:
    if not shows:
        return Leaf(name)
    if base is int and int.bit_length(value) > MOST_BITS:
        return Leaf(name, f"<int of {int.bit_length(value)} bits>")
    text = base.__repr__(value)
    if type(value) is not base:
        return Leaf(name, text)
    if base is int or (math.isfinite(value) if base is float else math.isfinite(value.real + value.imag)):
        return Leaf(name, text, text)
    return Leaf(name, text, f"{base.__name__}({text!r})")


def _constant(value: Any, kind: type) -> Leaf | None:
    """Describe a value that is a constant of its class's module, such as a message compared by identity."""
    module = sys.modules.get(module_of(kind) or "")
    if type(module) is not ModuleType:
        return None
    for name, known in islice(list(vars(module).items()), MOST_CONSTANTS):
        if known is value and type(name) is str and is_path(name):
            return Leaf(name, None, name, (module.__name__, name))
    return None


def _field_name(name: Any) -> str:
    is_name = type(name) is str and len(name) <= LONGEST_NAME and is_path(name)
    return str(name) if is_name else describe(name)


def _function(value: Any) -> Leaf | None:
    kind = type(value)
    if kind is MethodType:
        return _function(value.__func__)
    if kind is FunctionType or kind is BuiltinFunctionType:
        name = value.__qualname__ if kind is FunctionType else value.__name__
        return Leaf(f"<function {line(name, LONGEST_NAME)}>")
    return None


def _stdlib(value: Any, shows: bool) -> Leaf | None:
    """Describe a value of a standard class whose `repr` is well known and short."""
    kind = type(value)
    is_known = (
        any(kind is each for each in _DATES)
        or (any(kind is each for each in _TIMES) and any(type(value.tzinfo) is zone for zone in _ZONES))
        or kind is UUID
    )
    if is_known:
        return Leaf(class_name(kind), repr(value) if shows else None)
    if any(kind is each for each in _PATHS):
        text = str(value) if shows else ""
        is_whole = shows and len(text) <= LONGEST_TEXT
        written = f"{class_name(kind)}({text!r})" if is_whole else None
        shown = f"{class_name(kind)}({line(text, LONGEST_TEXT)!r})" if shows else None
        return Leaf(class_name(kind), shown, written, ("pathlib", class_name(kind)) if is_whole else None)
    return None
