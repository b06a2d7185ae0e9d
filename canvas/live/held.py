"""What the processes of the canvas hold for all clients together, for the console. One process writes each number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from actors.shown import shown


@shown("used")
@dataclass(slots=True)
class Meter:
    """How much there is of something, and how much there may be.

    Attributes:
        name: what the console calls it
        most: the limit
        used: how much there is
        unit: `bytes`, or nothing
    """

    name: str
    most: int
    used: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The queues and caches that all clients share.

    Attributes:
        pixels: painted ones that wait for the store
        states: bytes of states that are being sent, or kept
        tiles: bytes of compressed tiles
        pictures: bytes of pictures
    """

    pixels: Meter
    snapshots: Meter
    tiles: Meter
    pictures: Meter

    def __iter__(self) -> Iterator[Meter]:
        return (getattr(self, field.name) for field in fields(self))
