"""The views of what the application tells: its store and its own pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.widget import Widget

from supervision.console import text
from supervision.console.text import Json
from supervision.console.tui.link import Link
from supervision.console.tui.view import Facts, View, grid, heading


class Told(View):
    """Named values and tables, one below the other."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = Facts()

    def compose(self) -> Iterable[Widget]:
        yield self.facts

    def focus_main(self) -> None:
        """Put the keyboard on the text, so that it scrolls."""
        self.facts.focus()


class Store(Told):
    """What is kept, and how."""

    async def load(self, link: Link) -> None:
        """Show it as it is now."""
        seen = await link.get("store")
        self.facts.show(_values(seen["values"]) if seen["values"] else Text("nothing is told of it"))


class Pages(Told):
    """The pages of the application."""

    async def load(self, link: Link) -> None:
        """Show them as they are now."""
        links = await link.get("pages")
        pages = [await link.get("pages", page["id"]) for page in links["pages"]]
        shown = [each for page in pages for each in _page(page)]
        self.facts.show(Group(*shown) if shown else Text("the application has no pages"))


def _page(page: Json) -> Iterator[RenderableType]:
    yield heading(page["title"])
    if page["values"]:
        yield _values(page["values"])
    table = page["table"]
    if table is not None:
        yield _table(table) if table["rows"] else Text(text.clean(table["empty"]))
    yield Text()


def _values(values: dict[str, Any]) -> Table:
    return grid([(text.clean(name), text.amount(value)) for name, value in values.items()])


def _table(seen: Json) -> Table:
    count, total = len(seen["rows"]), seen["total"]
    title = seen["title"] if count == total else f"{seen['title']}: {count:,} of {total:,}"
    shown = Table(title=Text(text.clean(title)), title_justify="left", box=None, header_style="bold")
    for column in seen["columns"]:
        shown.add_column(Text(text.clean(column)))
    for row in seen["rows"]:
        shown.add_row(*(Text(text.amount(value)) for value in row))
    return shown
