"""The first view: the system at a glance, its limits, and links to the longest mailbox and the last crash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.console import Group
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.widget import Widget
from textual.widgets import Sparkline, Static

from supervision.console.terminal import text
from supervision.console.terminal.text import Json
from supervision.console.terminal.tui.link import Link
from supervision.console.terminal.tui.view import Facts, OpenActor, OpenCrash, View, grid

CHARTS = (
    ("messages_per_second", "messages", text.rate),
    ("connections", "connections", text.amount),
    ("loop_lag", "loop lag", text.duration),
    ("memory", "memory", text.size),
)
BAR = 20


class Overview(View):
    """The system at a glance, and the last hour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "open_longest", "Longest mailbox"),
        Binding("l", "open_crash", "Last crash"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._longest: Json | None = None
        self._crash: Json | None = None
        self._next_sample = 0.0
        self._facts = Facts()
        self._charts = [(Static(markup=False), Sparkline()) for _ in CHARTS]

    def compose(self) -> Iterable[Widget]:
        yield self._facts
        with Grid(classes="charts"):
            for title, chart in self._charts:
                yield Vertical(title, chart)

    async def load(self, link: Link) -> None:
        """Show the current overview."""
        seen = await link.get("overview")
        longest = await link.get("actors", sort="mailbox" if seen["waiting"] else "peak", order="desc", limit=1)
        crashes = await link.get("crashes")
        self._longest = next(iter(longest["actors"]), None)
        self._crash = next(iter(crashes["crashes"]), None)
        self._facts.show(
            Group(grid(text.overview_facts(seen), 3), Text(), grid(self._hints(seen)), Text(), grid(_limits(seen)))
        )
        if seen["at"] >= self._next_sample:
            history = await link.get("history")
            self._draw(history["samples"])
            self._next_sample = seen["at"] + history["interval"] / 2

    def _hints(self, seen: Json) -> list[tuple[str, str]]:
        """Return the longest mailbox, the last crash, and the keys that open them."""
        longest, crash = "no messages are waiting", "no actor has crashed"
        if self._longest is not None:
            row = self._longest
            waiting = f"{row['mailbox']:,} waiting" if row["mailbox"] else f"empty now, {row['peak']:,} at most"
            longest = f"{text.actor_name(row)}, {waiting}  (m opens it)"
        if self._crash is not None:
            when = text.duration(max(0.0, seen["at"] - self._crash["at"]))
            reason = text.clean(self._crash["reason"])
            crash = f"{text.actor_name(self._crash)}, {when} ago: {reason}  (l opens it)"
        act = "2 shows the tree: Enter opens an actor, and then c crashes it"
        return [("longest mailbox", longest), ("last crash", crash), ("to act on an actor", act)]

    def _draw(self, samples: list[Json]) -> None:
        for (name, title, show), (above, chart) in zip(CHARTS, self._charts, strict=True):
            values = [sample[name] for sample in samples]
            above.update(f"{title}, now {show(values[-1])}, at most {show(max(values))}" if values else title)
            chart.data = values

    def focus_main(self) -> None:
        """Focus the text, so that the keys scroll it."""
        self.screen.set_focus(self._facts)

    def action_open_longest(self) -> None:
        """Open the actor with the longest mailbox."""
        if self._longest is not None:
            self.post_message(OpenActor(self._longest["ref"]))

    def action_open_crash(self) -> None:
        """Open the last crash."""
        if self._crash is not None:
            self.post_message(OpenCrash(self._crash["number"]))


def _limits(seen: Json) -> list[tuple[str, str]]:
    return [
        (text.clean(limit["name"]), f"{text.bar(limit['share'], BAR)} {text.usage(limit)}") for limit in seen["limits"]
    ]
