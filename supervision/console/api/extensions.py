"""What an application adds to the console: pages, routes, forms and actions."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from supervision.console.api.routing import Route
from supervision.console.inspection.model.forms import Act, Form
from supervision.console.inspection.model.pages import PageContent
from supervision.console.inspection.paging import Inspections
from supervision.server import Wire

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The rows of a page that a client requests.

    Attributes:
        search: only rows that contain this text, in lower case
        offset, limit: the slice of these rows
        inspections, principal: the time that inspections share, and the name of the principal that `select` works for
    """

    search: str = ""
    offset: int = 0
    limit: int = 100
    inspections: Inspections = field(default_factory=lambda: Inspections(time.perf_counter))
    principal: str = ""

    async def select(self, items: Iterable[T], text_of: Callable[[T], str]) -> tuple[list[T], int]:
        """Return the matching items of this page, and the number of all matching items. Works in slices.

        Args:
            items: a collection that they come from must not change its size while this runs
            text_of: returns the text of an item that is searched
        """
        async with self.inspections.turn(self.principal) as inspection:
            found = [
                item
                async for chunk in inspection.chunks(items)
                for item in chunk
                if not self.search or self.search in text_of(item).lower()
            ]
        return found[self.offset : self.offset + self.limit], len(found)


class Page(Protocol):
    """A page that an application adds to the console; the web and terminal front ends render it."""

    id: str
    """The last segment of its path: letters, digits and hyphens."""
    title: str

    def snapshot(self, query: PageQuery) -> PageContent | Awaitable[PageContent]:
        """Return the current content."""
        ...


def offer_nothing(wire: Wire) -> list[Act]:
    """Offer no action on a connection."""
    return []


@dataclass(slots=True)
class Extensions:
    """What an application adds to the console.

    Attributes:
        pages: the application's pages
        routes: the application's routes in the API
        forms: the forms through which users call these routes
        acts_on: returns the actions that the application offers on a connection of its servers
        drain: stops accepting connections and closes the open ones; None if the application cannot
        set_log_level: sets the lowest level that is logged; None if the application cannot
    """

    pages: Sequence[Page] = ()
    routes: Sequence[Route] = ()
    forms: Sequence[Form] = ()
    acts_on: Callable[[Wire], list[Act]] = offer_nothing
    drain: Callable[[], object] | None = None
    set_log_level: Callable[[str], object] | None = None
