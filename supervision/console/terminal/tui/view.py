"""The base class of the views, and the messages they post to the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from supervision.console.terminal.text import Json, clean
from supervision.console.terminal.tui.link import Link


class View(Vertical):
    """A view of the app. It is loaded when it becomes visible, and then every second.

    It keeps its widgets as attributes: when the response to a load arrives, the view may have been closed, and then it
    has no children.
    """

    async def load(self, link: Link) -> None:
        """Fetch the content and show it. Raises `AdminError`."""
        raise NotImplementedError

    def focus_main(self) -> None:
        """Focus the main widget at once: `Widget.focus` waits its turn, and keys typed meanwhile reach the old view."""
        raise NotImplementedError


class Stale(Message):
    """The content is out of date: load again at once."""


class SearchDone(Message):
    """The search field is done: focus the view again."""


@dataclass
class OpenActor(Message):
    """Open an actor."""

    ref: str


@dataclass
class OpenCrash(Message):
    """Open a crash."""

    number: int


@dataclass
class Act(Message):
    """Run an action after the user confirms.

    Attributes:
        question: the text of the confirmation
        do: runs the action; returns the API's response
    """

    question: str
    do: Callable[[Link], Awaitable[Json]]


@dataclass
class Offer(Message):
    """Let the user choose one of the application's actions, and run it.

    Attributes:
        acts: the actions, as in the API
        about: their target
    """

    acts: list[Json]
    about: str


class Facts(VerticalScroll):
    """Scrollable text."""

    def __init__(self) -> None:
        super().__init__()
        self._text = Static(markup=False)

    def compose(self) -> Iterable[Static]:
        yield self._text

    def show(self, content: Any) -> None:
        """Show a Rich renderable, which must contain no markup."""
        self._text.update(content)


def grid(facts: Sequence[tuple[str, str]], columns: int = 1) -> Table:
    """Lay out (name, text) pairs in columns."""
    shown = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(columns):
        shown.add_column(style="dim", no_wrap=True)
        shown.add_column(overflow="fold")
    height = -(-len(facts) // columns)
    for row in range(height):
        cells = [facts[number] for number in range(row, len(facts), height)]
        shown.add_row(*(Text(text) for pair in cells for text in pair))
    return shown


def heading(title: str) -> Text:
    """Format a heading."""
    return Text(clean(title), "bold underline")
