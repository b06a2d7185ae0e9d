"""What the console looks at, and what it may do: given by the application, once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from prometheus_client.core import Metric

from actors import Ref
from registry import Table
from supervision.console.api.routing import Route
from supervision.console.inspection.model.forms import Act, Form
from supervision.console.inspection.model.overview import Usage
from supervision.console.inspection.model.pages import PageContent
from supervision.console.inspection.paging import Looks
from supervision.server import Sockets, Wire

T = TypeVar("T")
Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the other end of a connection.

    Attributes:
        name: the display name; empty for none
    """

    user_id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows of a page are asked for.

    Attributes:
        search: only those that have this in them, in small letters
        offset, limit: which of these
        looks, holder: in which this holder takes a turn to go through many items
    """

    search: str = ""
    offset: int = 0
    limit: int = 100
    looks: Looks = field(default_factory=lambda: Looks(time.perf_counter))
    holder: str = ""

    async def select(self, items: Iterable[T], text_of: Callable[[T], str]) -> tuple[list[T], int]:
        """Return those of `items` that are on this page, and how many are found in all; others run in between.

        Args:
            items: no collection that they are taken from may change its size meanwhile
            text_of: what an item is searched for in
        """
        async with self.looks.turn(self.holder) as look:
            found = [
                item
                async for chunk in look.chunks(items)
                for item in chunk
                if not self.search or self.search in text_of(item).lower()
            ]
        return found[self.offset : self.offset + self.limit], len(found)


class Page(Protocol):
    """A page that an application adds to the console; every face shows it in its own way."""

    id: str
    """What its address ends with: letters, digits and hyphens."""
    title: str

    def snapshot(self, query: PageQuery) -> PageContent | Awaitable[PageContent]:
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
        forms: which of these routes people can use by a form
        client_of: who is at the other end of a wire
        acts_on: what the application offers to do about a wire of its own servers
        store: what is known of the store: name -> value
        metrics: what the application adds for Prometheus
        limits: what can run out in the application
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
    forms: Sequence[Form] = ()
    client_of: Callable[[Wire], Client | None] = lambda wire: None
    acts_on: Callable[[Wire], list[Act]] = lambda wire: []
    store: Callable[[], dict[str, Any] | Awaitable[dict[str, Any]]] = dict
    metrics: Callable[[], Iterable[Metric]] = tuple
    limits: Callable[[], Iterable[Usage]] = tuple
    drain: Callable[[], object] | None = None
    set_log_level: Callable[[str], object] | None = None
    clock: Clock = time.perf_counter
    wall_clock: Clock = time.time

    def all_servers(self) -> dict[str, Sockets]:
        """All servers by name, the console's own last."""
        return {**self.servers, **self.own}
