"""What an application adds to the console: pages, routes and forms, and what can be done to it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from supervision.console.api.routing import Route
from supervision.console.inspection.model.forms import Act, Form
from supervision.console.inspection.model.pages import PageContent
from supervision.console.inspection.paging import Looks
from supervision.server import Wire

T = TypeVar("T")


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


def offer_nothing(wire: Wire) -> list[Act]:
    """Offer no action on a connection."""
    return []


@dataclass(slots=True)
class Extensions:
    """What an application adds to the console.

    Attributes:
        pages: of its own
        routes: of its own, in the API
        forms: those of its routes that people use by a form
        acts_on: the actions that it offers on a connection of its servers
        drain: accept no more connections and close those that are open; None if the application cannot
        set_log_level: set the lowest level that is logged; None if the application cannot
    """

    pages: Sequence[Page] = ()
    routes: Sequence[Route] = ()
    forms: Sequence[Form] = ()
    acts_on: Callable[[Wire], list[Act]] = offer_nothing
    drain: Callable[[], object] | None = None
    set_log_level: Callable[[str], object] | None = None
