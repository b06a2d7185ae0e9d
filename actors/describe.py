"""Pure. Foreign values as text for people: bounded in time and size whatever the value is, and only what may be seen.

There is one rule for every text that leaves the process, be it in a crash report, the log, a trace, a generated test or
the console: the structure of a value is shown, and of its contents only what its class declares safe with `shown`, or
the callback `format_status` with `Shown`. Structure is: None, booleans, members of enumerations, references, classes,
functions, constants of a module, the names of classes and of their fields, sizes, and the strings that the framework
uses as atoms. Numbers, strings, bytes, the keys of dictionaries and the attributes of other objects are contents.

None of this runs code of the values' classes, such as a `repr`, a property or an iterator: it may fail, take long, or
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
"""Characters of one value that are kept for a test that repeats a crash."""
LONGEST_TEXT = 200
"""Characters of one string, or bytes, inside a value."""
MOST_KEPT = 100
"""Items of one collection that are kept for a test; sets of at most so many are shown in a fixed order, which differs
between Python processes otherwise."""
DEEPEST = 5
"""Levels of a nested value that are shown."""
OPAQUE_BELOW = DEEPEST - 1
"""Levels at which an object shows its attributes: below, they are the insides of something else."""
MOST_BITS = 512
"""Above so many an integer is not written out: Python refuses to above 4,300 digits."""
MOST_CONSTANTS = 2_000
"""Names of one module among which a constant is looked for."""

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
"""Strings that the framework makes: the very objects, which no user can have written."""

# Texts.


def describe(value: Any, *, shows_values: bool = False) -> str:
    """Show a value in at most `LONGEST` characters, on one line.

    Args:
        shows_values: show all contents, declared or not: for a developer's own eyes
    """
    return examine(value, shows_values=shows_values).text


def examine(value: Any, *, shows_values: bool = False) -> Description:
    """Look at a value once, for all texts that are made of it; see `describe`."""
    return attempt(_examined, value, shows_values, default=Leaf(f"<{class_name(type(value))}>"))


def examine_state(
    owner: type, state: Mapping[str, Any], *, size: int, shows_values: bool = False
) -> tuple[dict[str, Description], bool]:
    """Look at the attributes of an object; returns them by name, and whether some were left out.

    Args:
        owner: its class, which declares what of them may be seen
        state: attributes by name
        size: characters in all, about
        shows_values: as of `describe`
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
    """Tell whether a value is the name of a method, as the states of a state machine are: that is structure."""
    return type(value) is str and type(lookup(owner, value)) is FunctionType


def name_of(name: Any) -> str:
    """A label, or the name or key under which something is registered: a text is shown, any other value described."""
    return line(hide_in_text(name), LONGEST_NAME) if issubclass(type(name), str) else describe(name)


def _examined(value: Any, shows_values: bool) -> Description:
    return _Walker(shows_values).walk(value, shows_values)


class _Walker:
    """Looks at one value.

    Args:
        shows_all: show all contents, declared or not

    Attributes:
        left: characters that are looked at before the rest is left out
    """

    def __init__(self, shows_all: bool) -> None:
        self.left = LONGEST_WRITTEN
        self._shows_all = shows_all

    def walk(self, value: Any, shows: bool, level: int = DEEPEST) -> Description:
        """Look at a value; its contents may be seen if `shows`."""
        if self.left <= 0:
            return Leaf("...")
        kind = type(value)
        if kind is Shown:
            return self.walk(value.value, True, level)
        leaf = self._leaf(value, kind, shows or is_safe(kind))
        if leaf is None:
            self.left -= 8
            return self._nested(value, kind, shows, level)
        self.left -= len(leaf.written or leaf.face(True)) + 2
        return leaf

    def _leaf(self, value: Any, kind: type, shows: bool) -> Leaf | None:
        """What has nothing inside."""
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
        """What has fields, or items of its own, each of which is declared by itself."""
        declared = declared_by(kind)
        entries = []
        for name, value in items[:MOST_ITEMS] if level > 0 else ():
            field = _field_name(name) if name and has_names else ""
            self.left -= len(field)
            found = self.walk(value, self._shows_all or name in declared, level - 1)
            entries.append(Entry(field, found))
        return Record(begin, end, tuple(entries), len(items) if size is None else size)

    def _opaque(self, value: Any, kind: type, level: int) -> Description:
        """Any other object: its attributes, as far as they may be seen."""
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
    """Tell whether a value is a string that the framework made, which may be seen."""
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
    """A value that a module has under a name, like the messages that are told apart by identity."""
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
    """Those of Python's own classes whose `repr` people know, and is short."""
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
