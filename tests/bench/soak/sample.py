"""What is measured of the server, from outside and by asking it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervision.console.terminal.client import AdminError, ask_admin
from tests.bench.machine import cpu_seconds
from tests.bench.soak.serve import Census, ask_census

_KIB = 1024
MAX_TRIES = 4
"""How often a question is asked whose answers the chaos crashes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. Sizes in bytes, times in seconds.

    Attributes:
        at: since the load began
        rss, private: resident memory; of this, what no other process shares
        descriptors, threads: of the process
        timers: of the event loop, and deadlines of calls
        objects: that the garbage collector knows
        actors, entries: living ones, and entries in the tables of the registry
        connections, backlog: of the canvas, and bytes that its clients have not taken
        messages: in mailboxes
        lag: the longest that the event loop was late in the last seconds
        cpu: so far
        crashes: so far
        disk, log: the database with its write-ahead log, and what was logged
    """

    at: float
    rss: int
    private: int
    descriptors: int
    threads: int
    timers: int
    objects: int
    actors: int
    entries: int
    connections: int
    backlog: int
    messages: int
    lag: float
    cpu: float
    crashes: int
    disk: int
    log: int


class Sampler:
    """Looks at one server.

    Args:
        pid: of the server
        data: its data folder
        census: its socket of `serve`
        log: where its stderr goes
    """

    def __init__(self, pid: int, data: Path, census: Path, log: Path) -> None:
        self._pid = pid
        self._data = data
        self._census = census
        self._log = log
        self._began = time.monotonic()

    def restart_clock(self) -> None:
        """Let `at` count from now on."""
        self._began = time.monotonic()

    def take(self, *, collect: bool = False) -> tuple[Sample, Census]:
        """Look now; blocking. With `collect` after a garbage collection, for levels that are compared exactly.

        Raises:
            AdminError, OSError: if the server does not answer.
        """
        at = time.monotonic() - self._began
        census = ask_census(self._census, collect=collect)
        descriptors = len(os.listdir(f"/proc/{self._pid}/fd"))
        memory = _kilobytes(Path(f"/proc/{self._pid}/smaps_rollup"))
        status = _kilobytes(Path(f"/proc/{self._pid}/status"))
        overview = self._ask("overview")
        connections = self._ask("connections?limit=1000")
        return (
            Sample(
                at=at,
                rss=memory["Rss"] * _KIB,
                private=(memory["Private_Clean"] + memory["Private_Dirty"]) * _KIB,
                descriptors=descriptors,
                threads=status["Threads"],
                timers=census.timers + census.calls,
                objects=census.objects,
                actors=overview["actors"],
                entries=self._ask("names?limit=1")["total"],
                connections=connections["total"],
                backlog=sum(row["backlog"] for row in connections["connections"]),
                messages=overview["waiting"],
                lag=overview["loop_lag"] or 0.0,
                cpu=cpu_seconds(self._pid),
                crashes=overview["crashes"],
                disk=sum(path.stat().st_size for path in self._data.glob("canvas.db*")),
                log=self._log.stat().st_size,
            ),
            census,
        )

    def _ask(self, path: str) -> Any:
        """Ask the console, and again if the chaos crashed the actor that was answering."""
        tries = 1
        while True:
            try:
                return ask_admin(self._data, "GET", f"/api/v1/{path}", timeout=30)
            except AdminError as error:
                if error.status != 500 or tries == MAX_TRIES:
                    raise
            tries += 1


def _kilobytes(path: Path) -> dict[str, int]:
    """The numbers of a file like `/proc/PID/status`."""
    lines = (line.split() for line in path.read_text().splitlines() if ":" in line)
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
