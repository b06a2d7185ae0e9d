"""A table whose cursor stays on its row while other rows come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from supervision.console.terminal.text import Column, Json


class RowTable(DataTable[Text]):
    """Shows rows of the API.

    Args:
        columns: the columns to show
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Open")]

    def __init__(self, columns: Sequence[Column], **options: Any) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True, **options)
        self._shown = columns
        self._titles: list[str] = []
        self._records: dict[str, Json] = {}

    @property
    def current(self) -> Json | None:
        """The row under the cursor."""
        return self._records.get(self._keys()[self.cursor_row]) if self.is_valid_row_index(self.cursor_row) else None

    def reshape(self, columns: Sequence[Column]) -> None:
        """Set the columns; they appear with the next rows."""
        self._shown = columns

    def show(self, rows: dict[str, Json], sort: str = "", descending: bool = False) -> None:
        """Show rows in this order.

        Args:
            rows: key -> row
            sort, descending: the column that they are sorted by, and the order; shown in the column's title
        """
        with self.app.batch_update():
            titles = [_title(column, sort, descending) for column in self._shown]
            if titles != self._titles or list(rows) != self._keys():
                self._rebuild(titles, rows)
            else:
                self._update(rows)
            self._records = rows
        # Textual measures the columns when it is idle, and may have drawn them before.
        self.call_after_refresh(self.notify_style_update)

    def _keys(self) -> list[str]:
        return [str(row.key.value) for row in self.ordered_rows]

    def _rebuild(self, titles: list[str], rows: dict[str, Json]) -> None:
        keys, at, x, y = self._keys(), self.cursor_row, self.scroll_x, self.scroll_y
        under = keys[at] if at < len(keys) else None
        self.clear(columns=titles != self._titles)
        if titles != self._titles:
            self._titles = titles
            for column, title in zip(self._shown, titles, strict=True):
                self.add_column(Text(title, justify=_side(column)), key=column.name)
        for key, row in rows.items():
            self.add_row(*(_cell(column, row) for column in self._shown), key=key)
        new = list(rows)
        index = new.index(under) if under in rows else min(at, len(new) - 1)
        self.cursor_coordinate = Coordinate(max(0, index), 0)
        self.call_after_refresh(self.scroll_to, x, y, animate=False, force=True)

    def _update(self, rows: dict[str, Json]) -> None:
        for key, row in rows.items():
            for column in self._shown:
                cell = _cell(column, row)
                if self.get_cell(key, column.name) != cell:
                    self.update_cell(key, column.name, cell, update_width=True)


def _cell(column: Column, row: Json) -> Text:
    return Text(column.cell(row), justify=_side(column), no_wrap=True)


def _side(column: Column) -> Any:
    return "right" if column.is_number else "left"


def _title(column: Column, sort: str, descending: bool) -> str:
    return f"{column.title} {'▼' if descending else '▲'}" if column.name == sort else column.title
