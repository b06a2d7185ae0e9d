"""Pure. What is measured, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Echo:
    """Every connection has `depth` messages of `size` bytes under way, and sends the next when one comes back."""

    connections: int
    size: int
    depth: int

    def __str__(self) -> str:
        size = f"{self.size} B" if self.size < 1024 else f"{self.size // 1024} KiB"
        return f"{self.connections} conn, {size}, depth {self.depth}"


@dataclass(frozen=True, slots=True)
class Fanout:
    """`viewers` see what some of them paint: `rate` changes a second, or as many as the server takes if None."""

    viewers: int
    rate: float | None

    def __str__(self) -> str:
        return f"{self.viewers:,} viewers, " + ("saturated" if self.rate is None else f"{self.rate:g} changes/s")


ECHOES = tuple(Echo(connections, size, depth) for connections in (1, 50) for size in (32, 4096) for depth in (1, 8))
FANOUTS = tuple(Fanout(viewers, rate) for viewers in (100, 1_000) for rate in (None, 50.0))

PAINTERS = 20
"""How many of the viewers paint."""
EVENTS_UNDER_WAY = 320_000
"""Changes under way times viewers when people paint as fast as the server takes it: 16 of each painter's for 1,000
viewers, 160 for 100. Enough that no server waits for the painters, and none builds up a queue of many seconds."""
SAMPLES = 8
"""Viewers whose latency is taken; the slowest of them also says how far the saturated painters may go on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much effort a run makes. Times in seconds; `warmup` comes before every round and is not counted."""

    rounds: int
    warmup: float
    echo_seconds: float
    fanout_seconds: float
    idle_connections: int
    kernel_rounds: int
    kernel_seconds: float
    idle_actors: int
    thread_children: tuple[int, ...]
    children: tuple[int, ...] = (1_000, 10_000)
    idle_threads: int = 1_000


FULL = Plan(
    rounds=5,
    warmup=0.2,
    echo_seconds=1.0,
    fanout_seconds=2.0,
    idle_connections=5_000,
    kernel_rounds=5,
    kernel_seconds=0.5,
    idle_actors=100_000,
    thread_children=(1_000, 10_000),
)
QUICK = Plan(
    rounds=3,
    warmup=0.05,
    echo_seconds=0.2,
    fanout_seconds=0.5,
    idle_connections=2_000,
    kernel_rounds=3,
    kernel_seconds=0.05,
    idle_actors=100_000,
    thread_children=(1_000,),
)
