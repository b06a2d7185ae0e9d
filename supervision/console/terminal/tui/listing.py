"""The table views. The server sorts, searches and pages them, so they may have any length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable, Static

from supervision.console.terminal import text
from supervision.console.terminal.text import Column, Json
from supervision.console.terminal.tui.link import Link
from supervision.console.terminal.tui.rows import RowTable
from supervision.console.terminal.tui.search import Search
from supervision.console.terminal.tui.view import Act, Offer, OpenActor, OpenCrash, SearchDone, Stale, View

PAGE = 100
"""Rows per page."""


class Paged(View):
    """Shows one page of the rows that match a search.

    Attributes:
        table: the widget that shows the rows
        first: number of rows before this page
        total: number of rows on all pages
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/"),
        Binding("n", "turn(1)", "Next page"),
        Binding("p", "turn(-1)", "Previous page"),
    ]

    def __init__(self, columns: Sequence[Column] = (), **options: Any) -> None:
        super().__init__(**options)
        self.table = RowTable(columns)
        self.first = 0
        self.total = 0
        self._searched = ""
        self._caption = Static(markup=False, classes="caption")
        self._search = Search()

    @property
    def paging(self) -> Json:
        """The query parameters of the page to request."""
        search = self._search.value
        if search != self._searched:
            self._searched, self.first = search, 0
        return {"q": search, "offset": self.first, "limit": PAGE}

    def set_caption(self, title: str, count: int) -> None:
        """Show the title above the table, the range of its rows, and their total number."""
        found = f" with {self._searched!r}" if self._searched else ""
        which = f"{self.first + 1:,} to {self.first + count:,} of " if count < self.total else ""
        self._caption.update(Text(f"{title}: {which}{self.total:,}{found}", no_wrap=True))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that do not apply to this table."""
        return self.total > PAGE if action == "turn" else True

    def focus_main(self) -> None:
        """Focus the table."""
        self.screen.set_focus(self.table)

    # Keys.

    def action_search(self) -> None:
        """Open the search field."""
        self._search.begin()

    @on(SearchDone)
    def _search_ended(self, event: SearchDone) -> None:
        event.stop()
        self.focus_main()

    def action_turn(self, pages: int) -> None:
        """Show the next or the previous page."""
        first = self.first + pages * PAGE
        if 0 <= first < self.total:
            self.first = first
            self.post_message(Stale())

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        row = self.table.current
        if row is not None:
            self.open(row)

    def open(self, row: Json) -> None:
        """Open the actor of a row."""
        if row.get("ref") is not None:
            self.post_message(OpenActor(row["ref"]))


class Listing(Paged):
    """A table of the API.

    Args:
        path: the path of the table in the API
        rows: the field of the response with the rows
        columns: the columns to show
        key: returns a unique key of a row
        sort: the initial sort column, largest first; None if the table cannot be sorted
        pages: whether the table can be searched and has pages
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign", "sort(-1)", "Sort by the previous column", show=False, key_display="<"),
        Binding("greater_than_sign", "sort(1)", "Sort by", key_display="< >"),
        Binding("r", "reverse", "Reverse"),
    ]

    def __init__(
        self,
        path: str,
        rows: str,
        columns: Sequence[Column],
        key: Callable[[Json], str],
        *,
        sort: str | None = None,
        pages: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(columns, **options)
        self._path = path
        self._rows = rows
        self._columns = columns
        self._key = key
        self._sort = sort
        self._descending = True
        self._pages = pages

    def compose(self) -> Iterable[Widget]:
        yield self._caption
        yield self.table
        yield self._search

    async def load(self, link: Link) -> None:
        """Show the current rows."""
        order = {} if self._sort is None else {"sort": self._sort, "order": "desc" if self._descending else "asc"}
        seen = await link.get(self._path, **order, **(self.paging if self._pages else {}))
        rows = {self._key(row): row for row in seen[self._rows]}
        self.total = seen["total"]
        self.table.show(rows, self._sort or "", self._descending)
        self.set_caption(self._path, len(rows))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that do not apply to this table."""
        if action in ("sort", "reverse"):
            return self._sort is not None
        return super().check_action(action, parameters) if self._pages or action not in ("search", "turn") else False

    # Keys.

    def action_sort(self, step: int) -> None:
        """Sort by the next or the previous column."""
        names = [column.name for column in self._columns if column.name != "id"]
        self._sort = names[(names.index(str(self._sort)) + step) % len(names)]
        self._reload()

    @on(DataTable.HeaderSelected)
    def _sort_by(self, event: DataTable.HeaderSelected) -> None:
        name = str(event.column_key.value)
        if self._sort is None or name == "id":
            return
        self._descending = not self._descending if name == self._sort else True
        self._sort = name
        self._reload()

    def action_reverse(self) -> None:
        """Reverse the sort order."""
        self._descending = not self._descending
        self._reload()

    def _reload(self) -> None:
        self.first = 0
        self.post_message(Stale())


class Actors(Listing):
    """All actors."""

    def __init__(self) -> None:
        super().__init__("actors", "actors", text.ACTORS, lambda row: str(row["ref"]), sort="mailbox")


class Connections(Listing):
    """All connections."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "disconnect", "Disconnect"),
        Binding("m", "offer", "More"),
    ]

    def __init__(self) -> None:
        super().__init__("connections", "connections", text.CONNECTIONS, lambda row: str(row["id"]), sort="backlog")

    def open(self, row: Json) -> None:
        """Open the actor that owns the connection."""
        if row["actor"] is not None:
            self.post_message(OpenActor(row["actor"]))

    def action_disconnect(self) -> None:
        """Disconnect the client under the cursor, after the user confirms."""
        self._act("Disconnect {}?", "disconnect")

    def action_offer(self) -> None:
        """Offer further actions on the client under the cursor."""
        row = self.table.current
        if row is not None and row["acts"]:
            self.post_message(Offer(row["acts"], text.clean(f"{_client(row)} at {row['peer']}")))

    def _act(self, question: str, action: str) -> None:
        row = self.table.current
        if row is not None:
            who = f"{_client(row)} at {row['peer']}"
            self.post_message(Act(question.format(who), lambda link: link.post("connections", row["id"], action)))


def _client(row: Json) -> str:
    """Return the name of the client at the other end of a connection."""
    return f"{row['name']} ({row['user']})" if row["name"] else str(row["user"] or row["id"])


class Crashes(Listing):
    """The latest crashes."""

    def __init__(self) -> None:
        super().__init__("crashes", "crashes", text.CRASHES, lambda row: str(row["number"]), pages=False)

    def open(self, row: Json) -> None:
        """Open the details of the crash."""
        self.post_message(OpenCrash(row["number"]))


class Names(View):
    """Names and topics."""

    def __init__(self) -> None:
        super().__init__()
        self._listings = (
            Listing("names", "entries", text.ENTRIES, lambda row: f"{row['table']}\0{row['key']}\0{row['ref']}"),
            Listing("topics", "topics", text.TOPICS, lambda row: f"{row['table']}\0{row['key']}"),
        )

    def compose(self) -> Iterable[Widget]:
        yield from self._listings

    async def load(self, link: Link) -> None:
        """Show the current names and topics."""
        for listing in self._listings:
            await listing.load(link)

    def focus_main(self) -> None:
        """Focus the names; Tab moves on to the topics."""
        self._listings[0].focus_main()
