"""The first line of every screen: how it goes, or what is wrong."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static

from supervision.console.terminal import text
from supervision.console.terminal.text import Json


class StatusLine(Static):
    """Shows what the app has last heard of the instance."""

    seen: reactive[Json | None] = reactive(None)
    trouble: reactive[str] = reactive("")

    def render(self) -> Text:
        """The line."""
        if self.trouble:
            return Text(f" {self.trouble}", "bold", no_wrap=True, overflow="ellipsis")
        if self.seen is None:
            return Text(" …")
        names = {"up", "actors", "connections", "messages", "memory", "processor", "crashes"}
        facts = [f"{name} {value}" for name, value in text.overview_facts(self.seen) if name in names]
        draining = ["DRAINING"] if self.seen["is_draining"] else []
        return Text(" canopy  " + "  ".join([*draining, *facts]), no_wrap=True, overflow="ellipsis")

    def watch_trouble(self, trouble: str) -> None:
        """Inspection like trouble, or not."""
        self.set_class(bool(trouble), "trouble")
