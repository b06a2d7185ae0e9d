"""What every contestant measures, and how: batches until the time is up, with a barrier behind each."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

from tests.bench.machine import resident_bytes

CASTS: Final = 1_000
"""Messages between two barriers: the mailbox never gets longer."""
RING: Final = 100
"""Actors that pass one message round: each hop wakes another actor."""
ROUNDS: Final = 10
"""How often it goes round in a batch."""
CALLS: Final = 200
STARTS: Final = 500


Measure: TypeAlias = Callable[..., Coroutine[Any, Any, dict[str, float]]]


def compete(run: Callable[[Coroutine[Any, Any, dict[str, float]]], dict[str, float]], **kinds: Measure) -> None:
    """Measure what the command line asks for, one of `kinds`, and tell the figures."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    measure = kinds[asked.pop("what")]
    sys.stdout.write(json.dumps(run(measure(**asked))) + "\n")


async def rate(batch: Callable[[], Awaitable[float]], size: int, seconds: float) -> float:
    """How many of `size` things a batch are done in a second; the batch returns the seconds it took. One warms up."""
    await batch()
    count, spent = 0, 0.0
    while spent < seconds:
        spent += await batch()
        count += size
    return count / spent


class Timer:
    """The seconds that a block took: `with Timer() as timer: ...`, then `timer.seconds`."""

    seconds = 0.0

    def __enter__(self) -> Timer:
        self._begin = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._begin


class Growth:
    """The resident memory that a block added: `with Growth() as growth: ...`, then `growth.bytes`."""

    bytes = 0

    def __enter__(self) -> Growth:
        gc.collect()
        self._begin = resident_bytes()
        return self

    def __exit__(self, *_: object) -> None:
        gc.collect()
        self.bytes = resident_bytes() - self._begin
