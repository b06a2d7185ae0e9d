"""Pure. The randomness of a simulation: numbered decisions, drawn from a seed or read from a plan.

Every decision has a default outcome, 0: the process that waited longest runs, the fault does not happen. A seed and the
decisions with another outcome describe a run; with fewer of these it is a simpler run of the same kind, which is how
`explore` minimises a failure.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypeAlias

Decision: TypeAlias = tuple[str, int]
"""The name of a stream, and a position in it."""
Plan: TypeAlias = Mapping[Decision, int]
"""The decisions that do not have their default outcome, with their outcomes."""


class Stream:
    """The decisions of one kind, in order. Decisions of other kinds do not affect them."""

    __slots__ = ("_plan", "_position", "_random", "name", "taken")

    def __init__(self, name: str, source: random.Random | None, plan: Plan | None) -> None:
        self.name = name
        self.taken: dict[int, int] = {}
        self._random = source
        self._plan = plan
        self._position = 0

    def choose(self, count: int) -> int:
        """Draw an integer from 0, the default, to `count` - 1."""
        drawn = 0 if self._random is None or count < 2 else self._random.randrange(count)
        return self.settle(drawn, count)

    def happens(self, probability: float) -> bool:
        """Draw whether something happens; by default it does not."""
        drawn = self._random is not None and self._random.random() < probability
        return self.settle(int(drawn), 2) == 1

    def between(self, low: float, high: float, *, steps: int = 100) -> float:
        """Draw a number from `low`, the default, up to but not including `high`, in `steps` steps."""
        return low + (high - low) * self.choose(steps) / steps

    def settle(self, drawn: int, count: int) -> int:
        """Record `drawn` as the outcome of the next decision, unless a plan replaces it; return the outcome."""
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
        seed: source of the decisions; None gives every decision its default outcome
        plan: decisions that replace those of the seed
    """

    def __init__(self, seed: int | None, plan: Plan | None = None) -> None:
        self.seed = seed
        self._plan = plan
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """Return the stream of decisions called `name`."""
        stream = self._streams.get(name)
        if stream is None:
            source = None if self.seed is None else self.random(name)
            stream = self._streams[name] = Stream(name, source, self._plan)
        return stream

    def random(self, name: str) -> random.Random:
        """Return a source for randomness that no plan changes, such as the colours that a client paints."""
        return random.Random(f"{self.seed}/{name}")  # a string seed gives the same numbers in every Python process

    def plan(self) -> dict[Decision, int]:
        """Return the decisions that did not have their default outcome."""
        return {(name, at): taken for name, stream in self._streams.items() for at, taken in stream.taken.items()}
