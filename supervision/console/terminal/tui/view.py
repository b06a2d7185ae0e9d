"""What all views have in common."""

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
    """One of the app's views: it is loaded when one begins to look at it, and then every second.

    It keeps its widgets as attributes: when a load is answered, it may have been closed, and then it has no children.
    """

    async def load(self, link: Link) -> None:
        """Fetch what is shown, and show it. Raises `AdminError`."""
        raise NotImplementedError

    def focus_main(self) -> None:
        """Put the keyboard where it is needed most."""
        raise NotImplementedError


class Stale(Message):
    """Something else is to be shown than what was loaded: load again at once."""


class ActionDone(Message):
    """Nothing more is typed: the keyboard belongs to the view again."""


@dataclass
class OpenActor(Message):
    """Show an actor."""

    ref: str


@dataclass
class OpenCrash(Message):
    """Show a crash."""

    number: int


@dataclass
class Act(Message):
    """Do something, once the user has said yes.

    Attributes:
        question: what the user is asked
        do: does it; returns what the API answers
    """

    question: str
    do: Callable[[Link], Awaitable[Json]]


@dataclass
class Offer(Message):
    """Let the user choose one of the acts that the application offers, and do it.

    Attributes:
        acts: as the API has them
        about: whom they are about
    """

    acts: list[Json]
    about: str


class Facts(VerticalScroll):
    """Text that one can scroll."""

    def __init__(self) -> None:
        super().__init__()
        self._text = Static(markup=False)

    def compose(self) -> Iterable[Static]:
        yield self._text

    def show(self, content: Any) -> None:
        """Show this, as rich renders it; it must hold no markup."""
        self._text.update(content)


def grid(facts: Sequence[tuple[str, str]], columns: int = 1) -> Table:
    """Names and texts, side by side in as many columns."""
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
    """A line above something."""
    return Text(clean(title), "bold underline")
