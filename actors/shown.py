"""Pure. Declares which contents of values are safe to show in logs, crash reports, traces and the console."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from actors.anatomy import bases_of, class_name, fields_of, lookup, namespace_of

K = TypeVar("K", bound=type)


@dataclass(frozen=True, slots=True)
class Shown:
    """A value that may be shown, for `format_status`. Objects inside it show what their own class declares."""

    value: Any


def shown(*names: str) -> Callable[[K], K]:
    """Declare that these fields may be shown wherever the value is: in logs, crash reports, traces and the console.

    Put it above `@dataclass`, or on any other class, such as an actor, for its attributes. A collection in such a field
    is shown with all its items; an object in it shows what its own class declares.

    Args:
        names: fields or attributes; by default all fields of a data class or named tuple, or the whole value of a
            subclass of `str`, `bytes` or a number. Subclasses inherit the declared names.

    Raises:
        TypeError: if there is no such field.
    """

    def declare(kind: K) -> K:
        known = _field_names(kind)
        if known is not None:
            unknown = set(names) - set(known)
            if unknown:
                raise TypeError(f"{class_name(kind)} has no field {min(unknown)!r}")
        elif not names and not issubclass(kind, str | bytes | int | float | complex):
            raise TypeError(f"{class_name(kind)} is not a data class: name the attributes that may be shown")
        kind.__shown__ = frozenset(names or known or ())  # type: ignore[attr-defined]
        return kind

    return declare


def declared_by(kind: type) -> set[str]:
    """Return the names of the fields and attributes that may be shown."""
    names: set[str] = set()
    for base in bases_of(kind):
        declared = namespace_of(base).get("__shown__")
        if type(declared) is frozenset:
            names |= declared
    return names


def is_safe(kind: type) -> bool:
    """Return whether the whole value of a class, such as a subclass of `str`, is declared safe."""
    return namespace_of(kind).get("__shown__") == frozenset()


def _field_names(kind: type) -> list[str] | None:
    fields = fields_of(kind)
    if fields is not None:
        return [each.name for each in fields]
    named = lookup(kind, "_fields")
    return list(named) if issubclass(kind, tuple) and type(named) is tuple else None
