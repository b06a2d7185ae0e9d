"""The line in which one types what to search for."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from supervision.console.terminal.tui.view import ActionDone, Stale


class Search(Input):
    """Hidden until it is asked for, and while it is empty."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "End the search"),
        Binding("down", "leave", "To the results", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="Search", classes="search")

    def begin(self) -> None:
        """Ask for what to search."""
        self.display = True
        self.focus()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Stale())

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Go to what was found."""
        self.display = bool(self.value)
        self.post_message(ActionDone())

    def action_give_up(self) -> None:
        """Search for nothing."""
        self.value = ""
        self.action_leave()
