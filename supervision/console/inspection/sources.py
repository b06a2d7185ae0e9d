"""What the console looks at: given by the application, once."""

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
    """Who is at the other end of a connection.

    Attributes:
        name: the display name; empty for none
    """

    user_id: str
    name: str = ""


@dataclass(slots=True)
class Sources:
    """What the console looks at.

    Attributes:
        application: its name
        root: tells the top supervisor
        servers: the application's servers by name
        own: those of the console itself
        tables: of the registry
        client_of: who is at the other end of a wire
        metrics: what the application adds for Prometheus
        limits: what can run out in the application
        clock: measures, in seconds
        wall_clock: seconds since 1970
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
