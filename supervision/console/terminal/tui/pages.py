"""The view of the application's pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget

from supervision.console.terminal import text
from supervision.console.terminal.text import Column, Json
from supervision.console.terminal.tui.link import Link
from supervision.console.terminal.tui.listing import Paged
from supervision.console.terminal.tui.view import Facts, Offer, OpenActor, Stale, grid


class Pages(Paged):
    """The application's pages, one at a time: named values, and a table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign", "choose(-1)", "Previous page of the application", show=False, key_display="<"),
        Binding("greater_than_sign", "choose(1)", "Other page", key_display="< >"),
        Binding("m", "offer", "More"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.facts = Facts()
        self._links: list[Json] = []
        self._chosen = 0

    def compose(self) -> Iterable[Widget]:
        yield self.facts
        yield self._caption
        yield self.table
        yield self._search

    async def load(self, link: Link) -> None:
        """Show the current content of the chosen page."""
        self._links = (await link.get("pages"))["pages"]
        if not self._links:
            self.facts.show(Text("the application has no pages"))
            return
        chosen = self._chosen
        seen = await link.get("pages", self._links[chosen]["id"], **self.paging)
        if chosen == self._chosen:
            self._show(seen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that do not apply to this page."""
        if action == "choose":
            return len(self._links) > 1
        if action in ("search", "turn") and not self.table.display:
            return False
        return super().check_action(action, parameters)

    def focus_main(self) -> None:
        """Put the keyboard on the table, or on the text of a page that has none."""
        self.screen.set_focus(self.table if self.table.display else self.facts)

    def open(self, row: Json) -> None:
        """Open the actor that the row names."""
        if row["actor"]:
            self.post_message(OpenActor(row["actor"]))

    # Keys.

    def action_choose(self, step: int) -> None:
        """Show the next or the previous page of the application."""
        if self._links:
            self._chosen = (self._chosen + step) % len(self._links)
            self._search.action_give_up()
            self.first = 0
            self.post_message(Stale())

    def action_offer(self) -> None:
        """Offer the actions on the row under the cursor."""
        row = self.table.current
        if row is not None and row["acts"]:
            self.post_message(Offer(row["acts"], text.clean(row["about"])))

    # Private.

    def _show(self, seen: Json) -> None:
        tabs = [Text(f" {text.clean(each['title'])} ", self._style(each, seen)) for each in self._links]
        shown = Table.grid()
        shown.add_row(Text("  ").join(tabs))
        if seen["values"]:
            shown.add_row(_values(seen["values"]))
        self.facts.show(shown)
        self._show_table(seen["table"])
        if self.is_attached:
            self.refresh_bindings()

    def _show_table(self, table: Json | None) -> None:
        if self.table.display != (table is not None):
            has_focus = self.table.has_focus or self.facts.has_focus
            self.table.display = self._caption.display = table is not None
            self.set_class(table is None, "tableless")
            if has_focus:
                self.focus_main()
        if table is None:
            self.total = 0
            self.table.show({})
            return
        rows = {str(index): _row(table, index) for index in range(len(table["rows"]))}
        self.table.reshape([_column(title, index, table["rows"]) for index, title in enumerate(table["columns"])])
        self.total = table["total"]
        self.table.show(rows)
        self.set_caption(text.clean(table["title"] if rows or self._searched else table["empty"]), len(rows))
        if self.is_attached:
            self.refresh_bindings()

    def _style(self, link: Json, seen: Json) -> str:
        return "bold reverse" if link["id"] == seen["id"] else "dim"


def _values(values: dict[str, Any]) -> Table:
    return grid([(text.clean(name), text.amount(value)) for name, value in values.items()])


def _row(table: Json, index: int) -> Json:
    """Return a row as column number -> cell, with its actions, their target and its actor."""
    cells = table["rows"][index]
    acts = table["acts"][index] if index < len(table["acts"]) else []
    about = ", ".join(cell for cell in cells[:2] if isinstance(cell, str) and cell)
    actor = cells[table["columns"].index("actor")] if "actor" in table["columns"] else None
    return {**{str(number): cell for number, cell in enumerate(cells)}, "acts": acts, "about": about, "actor": actor}


def _column(title: str, index: int, rows: list[list[Any]]) -> Column:
    is_number = any(isinstance(row[index], int | float | dict) for row in rows)
    return Column(str(index), text.clean(title).capitalize(), is_number=is_number)
