"""The rows of the table of actors, and what they are sorted by."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

from actors import Scheduler
from actors.cell import Cell
from supervision.console.history import History
from supervision.console.model import Actor

ATTRIBUTES = 50
"""Attributes of one actor that are measured."""


class Rows:
    """Makes rows of the table of actors, and what they are sorted by."""

    def __init__(self, scheduler: Scheduler, history: History) -> None:
        now, mark = scheduler.loop.time(), history.mark
        self.window = 0.0 if mark is None else now - mark.at
        work: dict[int, tuple[int, float]] = {} if mark is None else mark.work
        used, nothing = scheduler.used, (0, 0.0)
        # A process that is not in the mark came after it: all it did is recent. Without a mark nothing is.
        self.keys: dict[str, Callable[[Cell], Any]] = {
            "ref": lambda cell: cell.ref.id,
            "label": lambda cell: cell.ref.label,
            "kind": lambda cell: type(cell.process).__name__,
            "state": lambda cell: cell.status.value,
            "parent": lambda cell: 0 if cell.parent is None else cell.parent.id,
            "restarts": lambda cell: cell.ref.restarts,
            "mailbox": lambda cell: len(cell.mailbox),
            "peak": lambda cell: cell.mailbox.peak,
            "handled": lambda cell: cell.handled,
            "recent": lambda cell: 0 if mark is None else cell.handled - work.get(cell.ref.id, nothing)[0],
            "used": lambda cell: used.get(cell, 0.0),
            "recently_used": lambda cell: max(0.0, used.get(cell, 0.0) - work.get(cell.ref.id, nothing)[1]),
            "memory": size_of,
        }

    def __call__(self, cell: Cell) -> Actor:
        keys = self.keys
        return Actor(
            ref=str(cell.ref.id),
            label=cell.ref.label,
            kind=type(cell.process).__name__,
            state=cell.status.value,
            parent=None if cell.parent is None else str(cell.parent.id),
            restarts=cell.ref.restarts,
            mailbox=len(cell.mailbox),
            peak=cell.mailbox.peak,
            handled=cell.handled,
            recent=keys["recent"](cell),
            used=keys["used"](cell),
            recently_used=keys["recently_used"](cell),
            memory=size_of(cell),
        )


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
