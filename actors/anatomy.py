"""Pure. Reads attributes of objects and classes without running code of their class."""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Callable, Mapping
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType, NoneType
from typing import Any

from actors.guard import attempt
from actors.oneline import LONGEST_NAME, line

MOST_ATTRIBUTES = 9
"""Maximum number of attributes of one object that are read."""
_EMPTY = object()

# Python's own attributes of a class, which its metaclass may override.
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
qualified_name_of: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_module_of: Callable[[type], Any] = type.__dict__["__module__"].__get__
bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
arguments_of: Callable[[BaseException], tuple[Any, ...]] = BaseException.__dict__["args"].__get__
namespace_of: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__


def class_name(kind: type) -> str:
    """Return the name of a class, truncated for display."""
    return line(_name_of(kind), LONGEST_NAME)


def lookup(kind: type, name: str) -> Any:
    """Return the attribute of a class or its bases with this name, without calling descriptors; None if missing."""
    for base in bases_of(kind):
        namespace = namespace_of(base)
        if name in namespace:
            return namespace[name]
    return None


def fields_of(kind: type) -> list[dataclasses.Field[Any]] | None:
    """Return the fields of a data class, or None for any other class."""
    fields = lookup(kind, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    known = (each for each in fields.values() if type(each) is dataclasses.Field)
    return [each for each in known if each._field_type is dataclasses._FIELD]  # type: ignore[attr-defined]


def module_of(kind: type) -> str | None:
    """Return the name of the module of a class, or None if it is not a short string."""
    module = _module_of(kind)
    return module if type(module) is str and len(module) <= LONGEST_NAME else None


def importable(kind: type) -> tuple[str | None, tuple[str, str] | None]:
    """Return a class as Python and the import that this needs; None for both if it cannot be imported."""
    module, name = module_of(kind), qualified_name_of(kind)
    if module is None or module == "__main__" or not is_path(module) or not is_path(name):
        return None, None
    return name, ("", "") if module == "builtins" else (module, name.partition(".")[0])


def attribute_of(value: Any, name: str) -> Any:
    """Return an attribute from a slot or the object's dictionary, or a simple default of its class, else None."""
    own = _dictionary_of(value)
    if dict.__contains__(own, name):
        return dict.__getitem__(own, name)
    found = lookup(type(value), name)
    if type(found) is MemberDescriptorType:
        return attempt(found.__get__, value, default=None)  # the slot may be empty
    return found if type(found) in (NoneType, bool, int, float, str) else None  # the default of a field


def attributes_of(value: Any) -> dict[str, Any]:
    """Return attributes by name, at least as many as are shown."""
    shown = dict(islice(dict.items(_dictionary_of(value)), MOST_ATTRIBUTES))
    for base in bases_of(type(value)):
        names = namespace_of(base).get("__slots__", ())
        for name in names[:MOST_ATTRIBUTES] if type(names) in (tuple, list) else ():
            slot = namespace_of(base).get(name)
            if type(slot) is MemberDescriptorType:
                shown.setdefault(name, attempt(slot.__get__, value, default=_EMPTY))
    return {name: each for name, each in shown.items() if type(name) is str and each is not _EMPTY}


def _dictionary_of(value: Any) -> dict[str, Any]:
    found = lookup(type(value), "__dict__")
    own = found.__get__(value) if type(found) is GetSetDescriptorType else None
    return own if own is not None and issubclass(type(own), dict) else {}


def is_path(name: str) -> bool:
    """Return whether a name is a Python identifier, or several joined by dots, and not a keyword."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
