"""Pure. Pages of the application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supervision.console.inspection.model.forms import Act


@dataclass(slots=True)
class Quantity:
    """A number that has a unit, or that somebody should look at.

    Attributes:
        amount: None if it is not known
        unit: `bytes`, `seconds`, `moment` (seconds since 1970), or nothing
        level: `warning` or `bad` if somebody should look at it, or nothing
    """

    amount: float | None
    unit: str = ""
    level: str = ""


@dataclass(slots=True)
class PageTable:
    """A table of a page of the application.

    Attributes:
        rows: those from `offset` on; a column called `actor` has numbers of actors
        total: how many rows there are in all
        empty: what to say if there are none
        acts: of each row, what the application offers to do about it
    """

    title: str
    columns: list[str]
    rows: list[list[Any]]
    total: int
    offset: int = 0
    empty: str = "There are none."
    acts: list[list[Act]] = field(default_factory=list)


@dataclass(slots=True)
class PageContent:
    """A page of the application, which every face shows in its own way.

    Attributes:
        values: name -> value, which may be a `Quantity`
        search: what its table can be searched for, as a hint; empty if it cannot be searched
        acts: what the application offers to do
    """

    id: str
    title: str
    values: dict[str, Any]
    table: PageTable | None = None
    search: str = ""
    acts: list[Act] = field(default_factory=list)


@dataclass(slots=True)
class PageLink:
    """That there is a page."""

    id: str
    title: str


@dataclass(slots=True)
class PageLinks:
    """The pages of the application."""

    pages: list[PageLink]
