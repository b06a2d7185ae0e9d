"""Pure. Objects compared by identity, and the number and label of a process."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Identity:
    """An object that equals only itself: copying returns the same object, and pickling raises `TypeError`."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled: it is valid only in this Python process. Send a name instead")


class Pid(Identity):
    """The part of a reference that identifies its process, alive or dead.

    Attributes:
        id: number of the process, unique in its scheduler
        label: name shown to people
        restarts: how often its supervisor has restarted the child, up to this process
    """

    __slots__ = ("id", "label", "restarts")

    id: int
    label: str
    restarts: int

    def __str__(self) -> str:
        return f"<{self.id}>"

    def __repr__(self) -> str:
        return f"<{self.id} {self.label}>"
