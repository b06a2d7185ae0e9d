"""The first line of every screen: a summary of the instance, or an error."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static

from supervision.console.terminal import text
from supervision.console.terminal.text import Json


class StatusLine(Static):
    """Shows the latest overview of the instance, or the error of the last request."""

    seen: reactive[Json | None] = reactive(None)
    trouble: reactive[str] = reactive("")

    def render(self) -> Text:
        """Return the text of the line."""
        if self.trouble:
            return Text(f" {self.trouble}", "bold", no_wrap=True, overflow="ellipsis")
        if self.seen is None:
            return Text(" …")
        names = {"up", "actors", "connections", "messages", "memory", "processor", "crashes"}
        facts = [f"{name} {value}" for name, value in text.overview_facts(self.seen) if name in names]
        draining = ["DRAINING"] if self.seen["is_draining"] else []
        return Text(" canopy  " + "  ".join([*draining, *facts]), no_wrap=True, overflow="ellipsis")

    def watch_trouble(self, trouble: str) -> None:
        """Set the style for an error, or clear it."""
        self.set_class(bool(trouble), "trouble")
