"""The search field."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from supervision.console.terminal.tui.view import SearchDone, Stale


class Search(Input):
    """A search field, which is hidden while it is empty and not in use."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Clear the search"),
        Binding("down", "leave", "To the results", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="Search", classes="search")

    def begin(self) -> None:
        """Show and focus the field."""
        self.display = True
        self.screen.set_focus(self)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Stale())

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Leave the field for the results."""
        self.display = bool(self.value)
        self.post_message(SearchDone())

    def action_give_up(self) -> None:
        """Clear the search."""
        self.value = ""
        self.action_leave()
