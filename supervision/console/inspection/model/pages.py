"""Pure. The application's pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supervision.console.inspection.model.forms import Act


@dataclass(slots=True)
class Quantity:
    """A number with a unit or a severity.

    Attributes:
        amount: None if unknown
        unit: `bytes`, `seconds`, `moment` (seconds since 1970), or empty
        level: `warning` or `bad` if an operator should act on it; otherwise empty
    """

    amount: float | None
    unit: str = ""
    level: str = ""


@dataclass(slots=True)
class PageTable:
    """A table on a page of the application.

    Attributes:
        rows: the rows from `offset` on; a column named `actor` holds numbers of actors
        total: the number of all rows
        empty: the text to show if there are no rows
        acts: for each row, the actions that the application offers on it
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
    """The content of an application's page, which the front ends render.

    Attributes:
        values: name -> value, which may be a `Quantity`
        search: a hint for the table's search field; empty if the table cannot be searched
        acts: the actions that the application offers
    """

    id: str
    title: str
    values: dict[str, Any]
    table: PageTable | None = None
    search: str = ""
    acts: list[Act] = field(default_factory=list)


@dataclass(slots=True)
class PageLink:
    """An entry in the list of pages."""

    id: str
    title: str


@dataclass(slots=True)
class PageLinks:
    """The pages of the application."""

    pages: list[PageLink]
