"""Handlers that echo messages and crash on command, and their routes."""

import asyncio
from typing import Any

from protocol import Binary, HttpError, Opcode, Request, Response, Text, encode_frame
from supervision.server import Answer, Connection, WebSocket
from tests.support.virtual_network import MASK, VirtualPeer


class Parrot:
    """Repeats what it hears, and crashes when it is told to."""

    def __init__(self, connection: Connection, diary: list[Any]) -> None:
        self.connection = connection
        self.diary = diary
        diary.append(self)

    def opened(self) -> None:
        self.connection.send_text("hello")

    def received(self, message: Text | Binary) -> None:
        if isinstance(message, Binary):
            self.connection.send_binary(message.data)
        elif message.data == "crash":
            raise RuntimeError("as you wish")
        elif message.data == "bye":
            self.connection.close(1000, "as you wish")
        else:
            self.connection.send_text(message.data)

    def drained(self) -> None:
        """Nothing was held back."""

    def informed(self, message: Any) -> None:
        self.connection.send_text(f"somebody says {message}")

    def closed(self, code: int, reason: str) -> None:
        self.diary.append((code, reason))


class Stillborn(Parrot):
    """Fails as soon as its WebSocket is open."""

    def opened(self) -> None:
        raise RuntimeError("not today")


class Clerk(Parrot):
    """Repeats what it hears when it is told to, and has the end wait for that."""

    def opened(self) -> None:
        self.open: list[str] = []
        self.connection.send_text("hello")

    def received(self, message: Text | Binary) -> None:
        assert isinstance(message, Text)
        self.open.append(message.data)
        self.connection.hold_end()

    def informed(self, message: Any) -> None:
        if message == "crash":
            raise RuntimeError("as you wish")
        self.connection.send_text(self.open.pop(0))
        self.connection.release_end()


class Aviary:
    """Routes to parrots, and to plain answers; remembers every parrot there was, and how it went."""

    def __init__(self) -> None:
        self.diary: list[Any] = []
        self.later: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked = asyncio.Event()

    @property
    def parrots(self) -> int:
        return sum(isinstance(entry, Parrot) for entry in self.diary)

    @property
    def goodbyes(self) -> list[tuple[int, str]]:
        return [entry for entry in self.diary if isinstance(entry, tuple)]

    def __call__(self, request: Request) -> Any:
        match request.path:
            case "/":
                return WebSocket(lambda connection: Parrot(connection, self.diary), label="parrot")
            case "/clerk":
                return WebSocket(lambda connection: Clerk(connection, self.diary))
            case "/stillborn":
                return WebSocket(lambda connection: Stillborn(connection, self.diary))
            case "/spoken":
                return WebSocket(lambda connection: Parrot(connection, self.diary), subprotocols=("squawk", "chirp"))
            case "/plain":
                return Response(200, (), request.target.encode())
            case "/crash":
                raise RuntimeError("as you wish")
            case "/later":
                return self._answer_later()
            case "/later/crash":
                return self._crash_later()
            case "/later/refused":
                return self._refuse_later()
        raise HttpError(404, f"there is no {request.path}")

    async def asked(self) -> None:
        """Wait until a request to `/later` is being served."""
        await self._asked.wait()

    async def _answer_later(self) -> Answer:
        self._asked.set()
        return await self.later

    async def _crash_later(self) -> Answer:
        await asyncio.sleep(1)
        raise RuntimeError("as you wish")

    async def _refuse_later(self) -> Answer:
        await asyncio.sleep(1)
        raise HttpError(418, "no coffee here")


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: canopy", *headers, "", ""]).encode()


def text(message: str) -> bytes:
    return encode_frame(Opcode.TEXT, message.encode(), mask=MASK)


async def greeted(peer: VirtualPeer) -> VirtualPeer:
    assert await peer.message() == "hello"
    return peer
