"""Pure. Where a simulation gets its chance: numbered decisions, drawn from a seed or read from a plan.

Every decision has an ordinary outcome, 0: the process runs that waited longest, the fault does not happen. A run is
described by its seed and by the decisions that were not ordinary; with fewer of them it is a simpler run of the same
kind, and so `explore` shrinks what it finds.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypeAlias

Decision: TypeAlias = tuple[str, int]
"""The name of a stream, and the position in it."""
Plan: TypeAlias = Mapping[Decision, int]
"""The decisions that are not ordinary, and their outcomes."""


class Stream:
    """The decisions about one thing, in order; what happens to another thing does not shift them."""

    __slots__ = ("_plan", "_position", "_random", "name", "taken")

    def __init__(self, name: str, source: random.Random | None, plan: Plan | None) -> None:
        self.name = name
        self.taken: dict[int, int] = {}
        self._random = source
        self._plan = plan
        self._position = 0

    def choose(self, count: int) -> int:
        """Decide for a number below `count`."""
        drawn = 0 if self._random is None or count < 2 else self._random.randrange(count)
        return self.settle(drawn, count)

    def happens(self, probability: float) -> bool:
        """Decide whether something happens that ordinarily does not."""
        drawn = self._random is not None and self._random.random() < probability
        return self.settle(int(drawn), 2) == 1

    def between(self, low: float, high: float, *, steps: int = 100) -> float:
        """Decide for a number from `low`, the ordinary one, up to `high`."""
        return low + (high - low) * self.choose(steps) / steps

    def settle(self, drawn: int, count: int) -> int:
        """Take `drawn` as the outcome of the next decision, unless a plan says otherwise."""
        position = self._position
        self._position = position + 1
        if self._plan is not None:
            drawn = self._plan.get((self.name, position), 0) % count
        if drawn:
            self.taken[position] = drawn
        return drawn


class Chance:
    """All decisions of one run.

    Args:
        seed: None makes every decision an ordinary one
        plan: what to decide in place of what the seed says
    """

    def __init__(self, seed: int | None, plan: Plan | None = None) -> None:
        self.seed = seed
        self._plan = plan
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """The decisions about `name`."""
        stream = self._streams.get(name)
        if stream is None:
            source = None if self.seed is None else self.random(name)
            stream = self._streams[name] = Stream(name, source, self._plan)
        return stream

    def random(self, name: str) -> random.Random:
        """Randomness for what is no decision, like the colours that a client paints: no plan changes it."""
        return random.Random(f"{self.seed}/{name}")  # of a string, and so the same in every process

    def plan(self) -> dict[Decision, int]:
        """The decisions that were not ordinary."""
        return {(name, at): taken for name, stream in self._streams.items() for at, taken in stream.taken.items()}
