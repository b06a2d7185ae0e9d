"""Pure. Run orders: which of the processes that could run does."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from actors.kernel.cell import Cell

Order: TypeAlias = Callable[["deque[Cell]"], int]
"""Takes the run queue, returns the position of the one to run."""

CHANGES = 3
"""Times at which the running process falls behind all others: finds bugs that need so many unlikely steps."""
HORIZON = 3_000
"""Turns among which these times are."""
PATIENCE = 100
"""Turns that one process may have while others wait, before it falls behind: nobody starves for ever."""


def by_chance(chance: random.Random) -> Order:
    """Any of those that could run, each as likely as the others."""
    return lambda queue: chance.randrange(len(queue))


def by_priority(chance: random.Random, *, changes: int = CHANGES, horizon: int = HORIZON) -> Order:
    """Always the process with the highest priority; these are drawn, and fall at a few times that are drawn as well.

    Finds what needs one process to be slow all the time, which a fair choice makes very unlikely (PCT: Burckhardt
    et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
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
