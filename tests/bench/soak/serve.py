"""`canopy` with a thread that counts what lives in the process: `python -m tests.bench.soak.serve SOCKET run …`.

The console does not show timers, or objects that only a leak keeps. Whoever connects to SOCKET sends one byte and is
answered with a `Census` in JSON: `?` counts, `!` collects garbage first.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from actors import Scheduler
from canvas.cli import main as canopy

OWN = ("actors", "canvas", "protocol", "registry", "supervision")
"""The packages whose objects are counted by class."""
LATE = 1.0
"""Seconds for which a timer that is due may still have to fire."""


@dataclass(frozen=True, slots=True)
class Census:
    """What lives in the server's process.

    Attributes:
        timers: of the event loop that will fire, but for the one of all deadlines, which is set for answered calls too
        calls: that wait for an answer, each with a deadline
        objects: that the garbage collector knows
        classes: how many of these are of each class of our own
    """

    timers: int
    calls: int
    objects: int
    classes: dict[str, int]


def take_census(loop: asyncio.AbstractEventLoop) -> Census:
    """Count, which takes 0.1 s at a million objects."""
    objects = gc.get_objects()
    kinds = Counter(map(type, objects))
    deadlines = Scheduler.of(loop).deadlines
    timers = [each for each in objects if type(each).__name__ == "TimerHandle" and each is not deadlines._timer]
    some_late = loop.time() - LATE
    return Census(
        timers=sum(not timer.cancelled() and timer.when() > some_late for timer in timers),
        calls=len(deadlines.calls()),
        objects=len(objects),
        classes={
            f"{kind.__module__}.{kind.__qualname__}": count
            for kind, count in kinds.items()
            if str(kind.__module__).partition(".")[0] in OWN
        },
    )


def ask_census(path: Path, *, collect: bool = False) -> Census:
    """Ask the server whose socket is `path`."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(60)
        asker.connect(str(path))
        asker.sendall(b"!" if collect else b"?")
        with asker.makefile() as answer:
            return Census(**json.load(answer))


def _answer(listening: socket.socket) -> None:
    while True:
        asker, _ = listening.accept()
        with asker:
            (loop,) = (loop for loop in Scheduler._of_loop if loop.is_running())
            census = asyncio.run_coroutine_threadsafe(_count(loop, collect=asker.recv(1) == b"!"), loop).result()
            asker.sendall(json.dumps(asdict(census)).encode())


async def _count(loop: asyncio.AbstractEventLoop, *, collect: bool) -> Census:
    """Count on the loop's thread: no finalizer of garbage runs elsewhere, and no collection is under way meanwhile."""
    if collect:
        gc.collect()
    return take_census(loop)


def main() -> None:
    """Answer in a thread, and run `canopy`."""
    path = sys.argv.pop(1)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    threading.Thread(target=_answer, args=(listening,), daemon=True).start()
    canopy()


if __name__ == "__main__":
    main()
