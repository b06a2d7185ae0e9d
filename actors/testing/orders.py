"""Pure. Run orders: which of the queued processes runs next."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from actors.kernel.cell import Cell

Order: TypeAlias = Callable[["deque[Cell]"], int]
"""Takes the run queue, and returns the position of the process to run."""

CHANGES = 3
"""Number of turns at which the running process drops to the lowest priority: finds bugs of that depth."""
HORIZON = 3_000
"""Number of turns from which these are drawn."""
PATIENCE = 100
"""Number of turns after which a process drops to the lowest priority, so that the others do not starve."""


def by_chance(chance: random.Random) -> Order:
    """Return an order in which each queued process is equally likely to run next."""
    return lambda queue: chance.randrange(len(queue))


def by_priority(chance: random.Random, *, changes: int = CHANGES, horizon: int = HORIZON) -> Order:
    """Return an order in which the process with the highest priority runs; priorities and their changes are random.

    It finds bugs that need one process to be slow all the time, which is very unlikely with a fair choice (PCT:
    Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
    """
    priorities: dict[int, float] = {}
    turns: dict[int, int] = {}
    change_at = {chance.randrange(horizon) for _ in range(changes)}
    step = 0
    lowest = 0.0

    def order(queue: deque[Cell]) -> int:
        nonlocal step, lowest
        step += 1
        best, highest = 0, float("-inf")
        for position, cell in enumerate(queue):
            number = cell.ref.id
            priority = priorities.get(number)
            if priority is None:
                priority = priorities[number] = chance.random()
            if priority > highest:
                best, highest = position, priority
        number = queue[best].ref.id
        turns[number] = turns.get(number, 0) + 1
        if step in change_at or turns[number] % PATIENCE == 0:
            lowest -= 1.0
            priorities[number] = lowest
        return best

    return order
