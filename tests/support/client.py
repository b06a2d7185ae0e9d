"""A client of the canvas, whatever carries its messages: waits for what it shows, and paints without a pause."""

import asyncio
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from tests.support.screen import Screen


class Client(ABC):
    """One open WebSocket.

    Attributes:
        screen: what it shows
        closed: the close code and the reason, once it is closed and TCP has ended
    """

    def __init__(self) -> None:
        self.screen = Screen()
        self.closed: tuple[int, str] | None = None
        self.on_message: Callable[[str, dict[str, Any]], None] = lambda kind, message: None
        self._failure: BaseException | None = None
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    @abstractmethod
    def send_text(self, text: str) -> None:
        """Send a text message."""

    @abstractmethod
    async def leave(self) -> None:
        """Close the WebSocket and wait until it is closed."""

    def send(self, **message: Any) -> None:
        """Send a JSON message."""
        self.send_text(json.dumps(message))

    def paint(self, x: int, y: int, color: str, id_: int | None = None) -> None:
        """Send a `pixel_update`, with an id or without."""
        self.send(type="pixel_update", x=x, y=y, color=color, **({} if id_ is None else {"id": id_}))

    async def acknowledged(self, *ids: int) -> None:
        """Wait until the server has acknowledged these messages."""
        await self.until(lambda: all(id_ in self.screen.acks for id_ in ids), f"for the acks of {ids}")

    async def until(self, condition: Callable[..., bool], what: str = "") -> None:
        """Wait until `condition()` holds; it is asked again after every message.

        Raises:
            AssertionError: if the WebSocket is closed before, or a promise was broken.
        """
        if self._failure is not None:
            raise self._failure
        if condition():
            return
        assert self.closed is None, f"closed with {self.closed} while waiting {what}"
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((condition, reached))
        await reached

    async def error(self) -> dict[str, Any]:
        """Wait for the next `error` and take it."""
        await self.until(lambda: bool(self.screen.errors), "for an error")
        return self.screen.errors.pop(0)

    async def end(self) -> tuple[int, str]:
        """Wait until the WebSocket is closed; returns the code and the reason."""
        await self.until(lambda: self.closed is not None, "for the end")
        assert self.closed is not None
        return self.closed

    def _received(self, text: str | bytes) -> None:
        """What carries the messages calls this for each."""
        if self._failure is not None:
            return
        try:
            self._show(text)
        except BaseException as failure:  # noqa: BLE001  # it belongs to whoever waits
            self._failure = failure
        self._wake()

    def _show(self, text: str | bytes) -> None:
        assert isinstance(text, str), f"a binary message: {text!r}"
        message = json.loads(text)
        kind = message["type"]
        self.screen.take(message)
        self.on_message(kind, message)

    def _ended(self, code: int, reason: str) -> None:
        """What carries the messages calls this when TCP has ended."""
        self.closed = (code, reason)
        self._wake()

    def _wake(self) -> None:
        for item in list(self._waiting):
            condition, reached = item
            failure = self._failure
            if failure is None and not condition():
                if self.closed is None:
                    continue
                failure = AssertionError(f"closed with {self.closed}")
            self._waiting.remove(item)
            if reached.done():
                continue
            if failure is None:
                reached.set_result(None)
            else:
                reached.set_exception(failure)


class Painter:
    """Paints cells one after the other, the next as soon as one is acknowledged, again and again in new colours.

    What a crash of the server swallowed before it was acknowledged it paints again, as the page does.

    Attributes:
        painted: cell -> the last colour of it that was acknowledged
    """

    def __init__(self, client: Client, cells: Iterable[tuple[int, int]], *, at_once: int = 3) -> None:
        self.client = client
        self.painted: dict[tuple[int, int], str] = {}
        self._at_once = at_once
        self._cells = itertools.cycle(cells)
        self._colors = itertools.cycle(range(1, 0xFFFF))
        self._underway: dict[tuple[int, int], tuple[str, int]] = {}  # the colour, and the id of the message
        self._is_painting = False
        client.on_message = self._note

    def begin(self) -> None:
        """Start painting."""
        self._is_painting = True
        self._paint_on()

    async def pause(self) -> None:
        """Paint no more, and wait until all is acknowledged."""
        self._is_painting = False
        await self.client.until(lambda: not self._underway, "for acknowledgements")

    async def paint_more(self, count: int = 20) -> None:
        """Wait until `count` more pixels are acknowledged."""
        screen = self.client.screen
        goal = len(screen.own) + count
        await self.client.until(lambda: len(screen.own) >= goal, "to paint on")

    def _note(self, kind: str, message: dict[str, Any]) -> None:
        screen = self.client.screen
        if kind == "ack":
            for cell, (color, id_) in list(self._underway.items()):
                if id_ == message["id"]:
                    self._acknowledge(cell, color)
        elif kind == "welcome" and message["resumed"]:
            self.paint_again()  # what was under way may be lost; if not, nobody sees it twice
        elif kind == "canvas_state":
            for cell, (color, _) in list(self._underway.items()):
                if screen.pixels.get(cell) == color:
                    self._acknowledge(cell, color)
            self.paint_again()

    def paint_again(self) -> None:
        """Send all that is under way once more."""
        for cell, (color, _) in list(self._underway.items()):
            self._paint(cell, color)

    def _acknowledge(self, cell: tuple[int, int], color: str) -> None:
        del self._underway[cell]
        self.painted[cell] = color
        self._paint_on()

    def _paint_on(self) -> None:
        while self._is_painting and len(self._underway) < self._at_once:
            cell, color = next(self._cells), f"#{next(self._colors):06X}"
            if cell in self._underway:
                return
            self._paint(cell, color)

    def _paint(self, cell: tuple[int, int], color: str) -> None:
        id_ = next(self.client.screen.ids)
        self._underway[cell] = color, id_
        self.client.paint(*cell, color, id_)


def paint_together(clients: Iterable[Client], *, height: int = 16) -> list[Painter]:
    """Let each client paint a column of its own, and the cell (0, 0) that all of them fight for."""
    painters = []
    for number, client in enumerate(clients, start=1):
        painters.append(Painter(client, [(number, y) for y in range(height)] + [(0, 0)]))
        painters[-1].begin()
    return painters


async def assert_same_canvas(painters: Iterable[Painter], fresh: Client) -> None:
    """Stop painting; then everybody shows what `fresh`, who came last, was given, and no acknowledged pixel is lost."""
    painters = list(painters)
    for painter in painters:
        await painter.pause()
    goal = max(seq for painter in painters for seq in (painter.client.screen.seq, *painter.client.screen.acks.values()))
    everybody = [*(painter.client for painter in painters), fresh]
    for client in everybody:
        await client.until(lambda screen=client.screen: screen.seq >= goal, "for the last change")
    for client in everybody:
        assert client.screen.seq == goal
        assert client.screen.pixels == fresh.screen.pixels
    for painter in painters:
        for cell, color in painter.painted.items():
            assert cell == (0, 0) or fresh.screen.pixels[cell] == color, f"the pixel {cell} is lost"
