"""How much memory an actor takes: an estimate."""

from __future__ import annotations

import sys
from itertools import islice

from actors.cell import Cell

ATTRIBUTES = 50
"""Attributes of one actor that are measured."""


def size_of(cell: Cell) -> int:
    """Bytes of a process: itself, its attributes, its mailbox; not what these hold on to. Takes some 5 us."""
    process = cell.process
    attributes = getattr(process, "__dict__", {})
    size = sys.getsizeof(cell) + sys.getsizeof(cell.ref) + sys.getsizeof(process) + sys.getsizeof(attributes)
    size += sum(map(sys.getsizeof, islice(attributes.values(), ATTRIBUTES)))
    for part in (cell.mailbox.items, cell.links, cell.monitors, cell.monitored_by):
        if part is not None:
            size += sys.getsizeof(part)
    return size
