"""Clients of a simulation; the network itself is `supervision.server.testing`."""

import re
from collections.abc import Iterable
from struct import pack
from typing import Self

from protocol import Opcode, encode_frame
from supervision.server.testing import (
    EOF,
    MASK,
    RESET,
    VirtualEndpoint,
    VirtualNetwork,
    VirtualSocket,
    VirtualWebSocket,
)
from tests.support.binary_screen import BinaryScreen
from tests.support.client import Client
from tests.support.screen import Screen

__all__ = [
    "EOF",
    "MASK",
    "RESET",
    "BinaryClient",
    "VirtualBrowser",
    "VirtualClient",
    "VirtualNetwork",
    "VirtualPeer",
    "VirtualSocket",
]


class VirtualClient(VirtualWebSocket, Client):
    """A client of the canvas."""

    def __init__(self, address: str | None = None) -> None:
        VirtualWebSocket.__init__(self, address)
        Client.__init__(self)

    @classmethod
    async def open(cls, listening: VirtualSocket, path: str = "/ws") -> Self:
        """Connect and wait until the canvas is there."""
        client = cls()
        client.begin(listening, path)
        await client.until(lambda: client.screen.states > 0, "for the canvas")
        return client

    @classmethod
    async def resume(cls, listening: VirtualSocket, screen: Screen, more: str = "") -> Self:
        """Connect anew with what `screen` shows already, and wait until it is there again."""
        client = cls()
        client.screen = screen
        before = screen.states + screen.resumes
        client.begin(listening, f"/ws?epoch={screen.epoch}&seq={screen.seq}{more}")
        await client.until(lambda: screen.states + screen.resumes > before, "for the canvas")
        return client

    def subscribe(self, x: int, y: int, width: int, height: int) -> None:
        """Ask for a part of the canvas."""
        self.send(type="subscribe", x=x, y=y, width=width, height=height)

    async def leave(self) -> None:
        self.say_goodbye()
        await self.end()

    def on_open(self) -> None:
        self._wake()

    def on_data(self, payload: str | bytes) -> None:
        self._received(payload)

    def on_end(self, code: int, reason: str) -> None:
        self._ended(code, reason)


class BinaryClient(VirtualClient):
    """A client of the canvas that speaks `canopy.v1.bin`."""

    screen: BinaryScreen

    def __init__(self, address: str | None = None) -> None:
        super().__init__(address)
        self.screen = BinaryScreen()

    def begin(self, listening: VirtualSocket, path: str = "/ws", headers: Iterable[str] = ()) -> None:
        """Connect and offer the subprotocol."""
        super().begin(listening, path, ["Sec-WebSocket-Protocol: other.v9, canopy.v1.bin", *headers])

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self.send_bytes(encode_frame(Opcode.BINARY, data, mask=MASK))

    def paint(self, x: int, y: int, color: str, id_: int | None = None) -> None:
        """Send `pixels` of one, or `pixels_with_id`."""
        head = b"\x01" if id_ is None else pack("<BI", 4, id_)
        self.send_binary(head + pack("<HH", x, y) + bytes.fromhex(color[1:]))

    def subscribe(self, x: int, y: int, width: int, height: int) -> None:
        """Send `subscribe`."""
        self.send_binary(pack("<BHHHH", 3, x, y, width, height))

    def _show(self, text: str | bytes) -> None:
        assert isinstance(text, bytes), f"a text message: {text!r}"
        for message in self.screen.take_binary(text):
            self.on_message(message["type"], message)


class VirtualPeer(VirtualClient):
    """A WebSocket client of any server: keeps the messages as they are.

    Attributes:
        received: the messages, oldest first
    """

    def __init__(self, address: str | None = None) -> None:
        super().__init__(address)
        self.received: list[str | bytes] = []

    def _received(self, text: str | bytes) -> None:
        self.received.append(text)
        self._wake()

    async def message(self) -> str | bytes:
        """Wait for the next message and take it."""
        await self.until(lambda: bool(self.received), "for a message")
        return self.received.pop(0)


class VirtualBrowser(VirtualEndpoint, Client):
    """A client that speaks plain HTTP.

    Attributes:
        answers: all the server has sent
    """

    def __init__(self, listening: VirtualSocket, address: str | None = None) -> None:
        VirtualEndpoint.__init__(self, address)
        Client.__init__(self)
        self.answers = b""
        listening.connect(self)

    def send_text(self, text: str) -> None:
        self.send_bytes(text.encode())

    async def leave(self) -> None:
        self.hang_up(EOF)
        await self.end()

    def feed(self, data: bytes) -> None:
        self.answers += data
        self._wake()

    def lost(self) -> None:
        self._ended(1006, "")

    async def answer(self) -> bytes:
        """Wait for a whole response and take it."""
        await self.until(lambda: self._end_of_answer() is not None, "for an answer")
        end = self._end_of_answer()
        answer, self.answers = self.answers[:end], self.answers[end:]
        return answer

    def _end_of_answer(self) -> int | None:
        head, separator, _ = self.answers.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        end = len(head) + len(separator) + (int(length[1]) if length else 0)
        return end if separator and len(self.answers) >= end else None
