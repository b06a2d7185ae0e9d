"""The WebSocket bench: every scenario on every server in turn, several rounds of it, and the medians.

All servers run all the time, on one core; whoever is not measured waits in epoll and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.bench.load import Failed, Load
from tests.bench.machine import resident_bytes
from tests.bench.plan import ECHOES, EVENTS_UNDER_WAY, FANOUTS, PAINTERS, Echo, Fanout, Plan
from tests.bench.servers import PAINTED_ON, Server, running

Say = Callable[[str], None]


@dataclass(slots=True)
class Row:
    """One server in one scenario, over all rounds.

    Attributes:
        failure: why there are no more rounds
    """

    scenario: str
    server: str
    rounds: list[dict[str, Any]] = field(default_factory=list)
    failure: str | None = None

    def median(self, key: str) -> float | None:
        """The median of a figure of `generator.Result`, or of one derived from it; None if there is none."""
        values = [value for value in self.values(key) if value is not None]
        return median(values) if values else None

    def values(self, key: str) -> list[float | None]:
        """A figure of each round."""
        match key:
            case "per_second":
                return [r["count"] / r["seconds"] for r in self.rounds]
            case "per_cpu_second":
                return [r["count"] / r["server_cpu"] for r in self.rounds]
            case "server_load" | "generator_load":
                return [r[key.replace("load", "cpu")] / r["seconds"] for r in self.rounds]
        return [r[key] for r in self.rounds]


@dataclass(slots=True)
class Memory:
    """What an idle connection takes of one server's resident memory, in bytes."""

    server: str
    connections: int
    per_connection: float | None
    failure: str | None = None


def bench_echo(plan: Plan, say: Say) -> tuple[list[Row], list[Memory]]:
    """Echo, and the memory of idle connections."""
    rows: list[Row] = []
    with running() as servers, Load() as load:
        say(f"memory of {plan.idle_connections:,} idle connections")
        memory = [_idle_memory(server, load, plan.idle_connections) for server in servers]
        for connections in sorted({echo.connections for echo in ECHOES}):
            with _opened(load, servers, "/echo", connections) as (opened, failed):
                for scenario in (echo for echo in ECHOES if echo.connections == connections):
                    say(f"echo: {scenario}")
                    rows += _measure(plan, load, scenario, opened, failed)
    return rows, memory


def bench_fanout(plan: Plan, say: Say) -> list[Row]:
    """Canvas fan-out."""
    rows: list[Row] = []
    for viewers in sorted({fanout.viewers for fanout in FANOUTS}):
        say(f"fan-out: {viewers:,} viewers arrive")
        with running(PAINTED_ON) as servers, Load() as load, _opened(load, servers, "/ws", viewers) as (opened, failed):
            for server in list(opened):
                try:
                    load.do("look_on", group=server.name, painters=min(PAINTERS, viewers))
                except Failed as error:
                    opened.remove(server)
                    failed[server.name] = str(error)
            for scenario in (fanout for fanout in FANOUTS if fanout.viewers == viewers):
                say(f"fan-out: {scenario}")
                rows += _measure(plan, load, scenario, opened, failed)
    return rows


@contextmanager
def _opened(
    load: Load, servers: Iterable[Server], path: str, count: int
) -> Iterator[tuple[list[Server], dict[str, str]]]:
    """Connections to all servers: those that took them, and why the others did not."""
    opened: list[Server] = []
    failed: dict[str, str] = {}
    for server in servers:
        try:
            load.do("open", group=server.name, port=server.port, path=path, count=count)
            opened.append(server)
        except Failed as error:
            failed[server.name] = str(error)
    yield opened, failed
    for server in servers:
        load.do("close", group=server.name)


def _measure(
    plan: Plan, load: Load, scenario: Echo | Fanout, servers: list[Server], failed: dict[str, str]
) -> list[Row]:
    """All rounds of one scenario. A server that fails in one is left out from then on, here and with `failed`."""
    rows = {server.name: Row(str(scenario), server.name) for server in servers}
    for name, failure in failed.items():
        rows[name] = Row(str(scenario), name, failure=failure)
    for number in range(plan.rounds):
        turn = number % max(1, len(servers))
        for server in servers[turn:] + servers[:turn]:  # nobody always comes after the same neighbour
            if server.name in failed:
                continue
            try:
                rows[server.name].rounds.append(_round(plan, load, scenario, server))
            except Failed as error:
                rows[server.name].failure = failed[server.name] = str(error)
    return list(rows.values())


def _round(plan: Plan, load: Load, scenario: Echo | Fanout, server: Server) -> dict[str, Any]:
    common = {"group": server.name, "pid": server.pid, "warmup": plan.warmup}
    match scenario:
        case Echo(_, size, depth):
            return load.do("echo", size=size, depth=depth, seconds=plan.echo_seconds, **common)
        case Fanout(viewers, None):
            under_way = EVENTS_UNDER_WAY // viewers
            return load.do("saturate", under_way=under_way, seconds=plan.fanout_seconds, **common)
        case Fanout(_, rate):
            return load.do("at_rate", rate=rate, seconds=plan.fanout_seconds, **common)


def _idle_memory(server: Server, load: Load, count: int) -> Memory:
    """Open `count` connections that do nothing; the first few, which load code and fill pools, are not counted."""
    group = f"{server.name} idle"
    try:
        load.do("open", group=group, port=server.port, path="/echo", count=20)
        before = resident_bytes(server.pid)
        load.do("open", group=group, port=server.port, path="/echo", count=count)
        return Memory(server.name, count, (resident_bytes(server.pid) - before) / count)
    except Failed as error:
        return Memory(server.name, count, None, str(error))
    finally:
        load.do("close", group=group)
