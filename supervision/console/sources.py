"""What the console looks at, and what it may do: given by the application, once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from prometheus_client.core import Metric

from actors import Ref
from registry import Table
from supervision.console.model import PageContent
from supervision.console.routing import Route
from supervision.server import Sockets, Wire

Clock: TypeAlias = Callable[[], float]


class Page(Protocol):
    """A page that an application adds to the console; every face shows it in its own way."""

    id: str
    """What its address ends with: letters, digits and hyphens."""
    title: str

    def snapshot(self) -> PageContent | Awaitable[PageContent]:
        """What it shows now."""
        ...


@dataclass(slots=True)
class Sources:
    """What the console looks at, and what it may do.

    Attributes:
        application: its name
        root: tells the top supervisor
        servers: the application's servers by name
        own: those of the console itself
        tables: of the registry
        pages: the application's own
        routes: what it adds to the API
        user_of: who is at the other end of a wire
        store: what is known of the store: name -> value
        metrics: what the application adds for Prometheus
        limits: what can run out in the application: name, how much there is, how much there may be
        ban: keep an address out for so many seconds; None if the application cannot
        drain: let nobody in any more, and say goodbye to those who are there; None if the application cannot
        set_log_level: log from this level on; None if the application cannot
        clock: measures, in seconds
        wall_clock: seconds since 1970
    """

    application: str
    root: Callable[[], Ref]
    servers: Mapping[str, Sockets] = field(default_factory=dict)
    own: dict[str, Sockets] = field(default_factory=dict)
    tables: Sequence[Table[Any]] = ()
    pages: Sequence[Page] = ()
    routes: Sequence[Route] = ()
    user_of: Callable[[Wire], str | None] = lambda wire: None
    store: Callable[[], dict[str, Any] | Awaitable[dict[str, Any]]] = dict
    metrics: Callable[[], Iterable[Metric]] = tuple
    limits: Callable[[], Iterable[tuple[str, int, int]]] = tuple
    ban: Callable[[str, float], object] | None = None
    drain: Callable[[], object] | None = None
    set_log_level: Callable[[str], object] | None = None
    clock: Clock = time.perf_counter
    wall_clock: Clock = time.time

    def all_servers(self) -> dict[str, Sockets]:
        """All servers by name, the console's own last."""
        return {**self.servers, **self.own}
