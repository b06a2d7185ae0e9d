"""Pure. What is equal to itself alone, and the number and label by which people know a process."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Identity:
    """Something that is equal to itself alone: a copy of it is it, and another Python process cannot have it."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: a reference means a process of this Python process. Send a name in its place"
        )


class Pid(Identity):
    """What a reference tells of its process, alive or dead.

    Attributes:
        id: its number, unique in its scheduler
        label: what people call it
        restarts: how often its supervisor started a process in its place, this one included
    """

    __slots__ = ("id", "label", "restarts")

    id: int
    label: str
    restarts: int

    def __str__(self) -> str:
        return f"<{self.id}>"

    def __repr__(self) -> str:
        return f"<{self.id} {self.label}>"
