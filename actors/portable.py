"""Pure. Exceptions that can be copied, and pickled for another Python process, whatever values they carry."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from actors.guard import attempt


class PortableException(Exception):
    """An exception that may carry any value, such as a reference, an exit reason or data from a client.

    A copy has the same arguments and attributes. After unpickling, the text of a value replaces one that cannot be
    pickled or unpickled, such as a reference, on which multiprocessing would hang or fail.
    """

    def __copy__(self) -> PortableException:
        return _rebuild(type(self), self.args, vars(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> PortableException:
        memo[id(self)] = copied = _rebuild(type(self), (), {})
        copied.args = copy.deepcopy(self.args, memo)
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        parcels: dict[int, _Parcel] = {}

        def pack(value: Any) -> _Parcel:
            if id(value) not in parcels:  # an argument is often also an attribute
                parcels[id(value)] = _Parcel(value)
            return parcels[id(value)]

        attributes = {name: pack(value) for name, value in vars(self).items()}
        return _unpack, (type(self), tuple(pack(argument) for argument in self.args), attributes)


class _Parcel:
    """A value that is pickled separately, if possible, and its text."""

    __slots__ = ("data", "text")

    def __init__(self, value: Any) -> None:
        self.data = attempt(pickle.dumps, value, default=None)
        self.text = attempt(str, value, default=type(value).__name__)

    def open(self) -> Any:
        return self.text if self.data is None else attempt(pickle.loads, self.data, default=self.text)


def _unpack(
    kind: type[PortableException], arguments: tuple[_Parcel, ...], attributes: dict[str, _Parcel]
) -> PortableException:
    opened = {name: parcel.open() for name, parcel in attributes.items()}
    return _rebuild(kind, tuple(parcel.open() for parcel in arguments), opened)


def _rebuild(
    kind: type[PortableException], arguments: tuple[Any, ...], attributes: dict[str, Any]
) -> PortableException:
    """Create an exception without calling its constructor, whose parameters are unknown here."""
    exception = kind.__new__(kind)
    exception.args = arguments
    vars(exception).update(attributes)
    return exception
