"""The parts of the application that the console inspects, as the application provides them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from prometheus_client.core import Metric

from actors import Ref
from registry import Table
from supervision.console.inspection.model.overview import Usage
from supervision.server import Sockets, Wire

Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Client:
    """The user at the other end of a connection.

    Attributes:
        name: the display name; empty for none
    """

    user_id: str
    name: str = ""


@dataclass(slots=True)
class Sources:
    """The parts of the application that the console inspects.

    Attributes:
        application: the application's name
        root: returns the top supervisor
        servers: the application's servers by name
        own: the console's own servers by name
        tables: the registry's tables
        client_of: returns the user at the other end of a wire; None if unknown
        metrics: returns the application's metrics for Prometheus
        limits: returns the application's limits, and how full they are
        clock: returns seconds of a monotonic clock
        wall_clock: returns seconds since 1970
    """

    application: str
    root: Callable[[], Ref]
    servers: Mapping[str, Sockets] = field(default_factory=dict)
    own: dict[str, Sockets] = field(default_factory=dict)
    tables: Sequence[Table[Any]] = ()
    client_of: Callable[[Wire], Client | None] = lambda wire: None
    metrics: Callable[[], Iterable[Metric]] = tuple
    limits: Callable[[], Iterable[Usage]] = tuple
    clock: Clock = time.perf_counter
    wall_clock: Clock = time.time

    def all_servers(self) -> dict[str, Sockets]:
        """All servers by name, the console's own last."""
        return {**self.servers, **self.own}
