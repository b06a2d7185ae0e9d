"""Meters of what the processes of the canvas hold for all clients, for the console. One process writes each meter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from actors.shown import shown


@shown("used")
@dataclass(slots=True)
class Meter:
    """The usage and the limit of a queue or cache.

    Attributes:
        name: its name in the console
        most: the limit
        used: the usage
        unit: `bytes`, or "" for a count
    """

    name: str
    most: int
    used: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The queues and caches that all clients share.

    Attributes:
        pixels: painted pixels that wait for the store
        snapshots: bytes of encoded snapshots, being sent or cached
        tiles: bytes of compressed tiles
        pictures: bytes of renders
    """

    pixels: Meter
    snapshots: Meter
    tiles: Meter
    pictures: Meter

    def __iter__(self) -> Iterator[Meter]:
        return (getattr(self, field.name) for field in fields(self))
