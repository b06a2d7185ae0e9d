"""`canopy chaos`: crash random actors of a running instance through its admin socket. Blocking."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervision.console.terminal.client import AdminError, ask_admin

SPARED_AFTER = 4
"""Crashes of one actor within `SPARED_FOR` seconds after which it is spared: by design, the server closes a connection
that crashes more than 5 times in that time."""
SPARED_FOR = 10.0
"""Seconds over which crashes of one actor are counted."""


@dataclass
class Report:
    """The counts of one run of `crash_at_random`."""

    seconds: float = 0.0
    crashes: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    restarts: int = 0

    def lines(self) -> Iterator[str]:
        """Yield the lines of a human-readable report."""
        yield f"{self.crashes.total()} actors crashed in {self.seconds:.1f} s, {self.unanswered} without an answer"
        yield ", ".join(f"{count} {kind}" for kind, count in self.crashes.most_common())
        yield f"the actors that run now were restarted {self.restarts} times"


def crash_at_random(data: Path, rate: float, seconds: float, rng: random.Random) -> Report:
    """Crash `rate` random actors per second for `seconds`.

    Raises:
        AdminError: if no instance answers.
    """
    report = Report()
    recent: deque[tuple[float, str]] = deque()
    begin = due = time.monotonic()
    while due < begin + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        due += 1 / rate
        now = time.monotonic()
        while recent and recent[0][0] < now - SPARED_FOR:
            recent.popleft()
        crashes = Counter(label for _, label in recent)
        victims = [actor for actor in _actors(data) if crashes[_place(actor)] < SPARED_AFTER]
        if victims:
            victim = rng.choice(victims)
            recent.append((now, _place(victim)))
            _crash(data, victim, report)
    report.seconds = time.monotonic() - begin
    report.restarts = sum(actor["restarts"] for actor in _actors(data))
    return report


def _crash(data: Path, victim: dict[str, Any], report: Report) -> None:
    try:
        ask_admin(data, "POST", f"/api/v1/actors/{victim['ref']}/exit", {"reason": "crash"})
    except AdminError as error:
        if "there is no actor" in str(error):  # it has exited meanwhile
            return
        report.unanswered += 1
    report.crashes[victim["kind"]] += 1


def _actors(data: Path) -> list[dict[str, Any]]:
    """Return all actors below the top supervisor, which has no supervisor to restart it."""
    for attempt in range(3):
        try:
            top = ask_admin(data, "GET", "/api/v1/tree")
            break
        except AdminError:  # the console is being restarted
            if attempt == 2:
                raise
            time.sleep(0.1)
    return [actor for child in top["children"] for actor in _flat(child, top["label"])]


def _flat(actor: dict[str, Any], parent: str) -> Iterator[dict[str, Any]]:
    yield {**actor, "parent": parent}
    for child in actor["children"]:
        yield from _flat(child, actor["label"])


def _place(actor: dict[str, Any]) -> str:
    """Identify an actor by its place in the tree, which survives restarts."""
    return f"{actor['parent']} > {actor['label']}"
