"""Routes and handlers with mistakes: the client gets a 500 at once, the log says why, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from actors import KILL, NORMAL, SHUTDOWN, ProcessExit, send, shown
from actors.debug import crash_reports
from actors.testing import quiet, run
from protocol import HttpError, Opcode, Request, Response, Text, encode_frame
from supervision import Limit
from supervision.server import Connection, WebSocket
from tests.support.instance import ServerSimulation, simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import MASK, VirtualBrowser, VirtualPeer


@shown("heard")
class Echo:
    """A handler without a mistake."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.heard: list[str] = []
        self.password = "topsecret"

    def opened(self) -> None:
        """Wait."""

    def received(self, message: Any) -> Any:
        self.heard.append(message.data)
        self.connection.send_text(message.data)

    def drained(self) -> Any:
        """Nothing was held back."""

    def informed(self, message: Any) -> Any:
        """Nobody says anything."""

    def closed(self, code: int, reason: str) -> Any:
        """It was nice."""


async def late() -> None:
    await asyncio.sleep(0)


def items() -> Iterator[int]:
    yield 1


async def async_items() -> AsyncIterator[int]:
    yield 1


class Textless(Exception):
    def __str__(self) -> str:
        raise SystemExit("no")


async def returning_a_coroutine() -> object:
    return late()


class NoIterator:
    """Claims that it can be awaited."""

    def __await__(self) -> Any:
        return 5


def raising(exception: BaseException) -> Callable[..., Any]:
    def function(*_: object) -> Any:
        raise exception

    return function


def handler_with(name: str, function: Any) -> type[Echo]:
    return type("Mistaken", (Echo,), {name: function})


async def async_callback(self: Any, *_: object) -> None:
    await asyncio.sleep(0)


def generator_callback(self: Any, *_: object) -> Iterator[int]:
    yield 1


NOT_PLAIN = "Mistaken.{} is not a plain function"
CALLBACKS = ("opened", "received", "drained", "informed", "closed")

MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "None": (lambda: None, "the route <function {}> returned NoneType for GET /mistake, not a Response or WebSocket"),
    "str": (lambda: "hello", "the route <function {}> returned str for GET /mistake, not a Response or WebSocket"),
    "dict": (lambda: {"a": 1}, "returned dict for GET /mistake"),
    "class": (lambda: Response, "returned type for GET /mistake"),
    "function": (lambda: late, "returned function for GET /mistake"),
    "coroutine of a coroutine": (returning_a_coroutine, "returned coroutine for GET /mistake"),
    "generator": (items, "returned generator for GET /mistake"),
    "async generator": (async_items, "returned async_generator for GET /mistake"),
    "no iterator": (NoIterator, ""),
    "status 99": (lambda: Response(99), "99 is not a final status"),
    "status 101": (lambda: Response(101), "101 is not a final status"),
    "status 1000": (lambda: Response(1000), "not an HTTP status: 1000"),
    "status str": (lambda: Response("200"), ""),  # type: ignore[arg-type]
    "status float": (lambda: Response(200.0), "a status must be an int, not a float"),  # type: ignore[arg-type]
    "status None": (lambda: Response(None), ""),  # type: ignore[arg-type]
    "body None": (lambda: Response(200, (), None), "a body must be bytes, not NoneType"),  # type: ignore[arg-type]
    "body str": (lambda: Response(200, (), "text"), "a body must be bytes, not str"),  # type: ignore[arg-type]
    "body of a 204": (lambda: Response(204, (), b"x"), "a 204 response has no body"),
    "headers None": (lambda: Response(200, None), "headers must be a tuple of pairs, not a NoneType"),  # type: ignore[arg-type]
    "headers dict": (lambda: Response(200, {"TE": "x"}), "headers must be a tuple of pairs, not a dict"),  # type: ignore[arg-type]
    "header bytes": (lambda: Response(200, ((b"A", b"x"),)), "a header must be a name and a value"),  # type: ignore[arg-type]
    "header int": (lambda: Response(200, (("A", 1),)), "a header must be a name and a value"),  # type: ignore[arg-type]
    "header alone": (lambda: Response(200, ("AB",)), "a header must be a name and a value"),  # type: ignore[arg-type]
    "header of two lines": (lambda: Response(200, (("A", "a\r\nB: b"),)), "not a header field"),
    "header not latin": (lambda: Response(200, (("A", "€"),)), "not a header field"),
    "length": (lambda: Response(200, (("Content-Length", "9"),), b"x"), "the encoder adds"),
    "error 99": (raising(HttpError(99, "no")), "99 is not a final status"),
    "error str": (raising(HttpError("404", "no")), ""),  # type: ignore[arg-type]
    "error surrogate": (raising(HttpError(404, "\ud800")), ""),
    "error headers": (raising(HttpError(404, "no", {"TE": "x"})), "a header must be a name"),  # type: ignore[arg-type]
    "RuntimeError": (raising(RuntimeError("no")), "RuntimeError: no"),
    "SystemExit": (raising(SystemExit(3)), "SystemExit: 3"),
    "CancelledError": (raising(asyncio.CancelledError()), ""),
    "GeneratorExit": (raising(GeneratorExit()), ""),
    "StopIteration": (raising(StopIteration(1)), ""),
    "BaseException": (raising(BaseException("no")), "BaseException: no"),
    "no text": (raising(Textless()), "Textless"),
    "exit normal": (raising(ProcessExit(NORMAL)), ""),
    "exit shutdown": (raising(ProcessExit(SHUTDOWN)), ""),
    "exit kill": (raising(ProcessExit(KILL)), ""),
    "handler None": (lambda: WebSocket(None), ""),  # type: ignore[arg-type]
    "handler raises": (lambda: WebSocket(raising(RuntimeError("not today"))), "not today"),
    "handler refuses": (lambda: WebSocket(raising(HttpError(404, "no"))), "404 no"),
    "handler exits": (lambda: WebSocket(raising(SystemExit(3))), "SystemExit: 3"),
    "handler is None": (lambda: WebSocket(lambda _: None), "a NoneType is not a handler"),  # type: ignore[arg-type, return-value]
    "handler has less": (
        lambda: WebSocket(handler_with("drained", None)),
        "a Mistaken is not a handler: it has no function 'drained'",
    ),
    "handler headers": (lambda: WebSocket(Echo, headers=(("A", "\n"),)), "not a header field"),
    "handler protocols": (lambda: WebSocket(Echo, subprotocols=None), ""),  # type: ignore[arg-type]
    **{
        f"handler {kind} {name}": (
            lambda name=name, function=function: WebSocket(handler_with(name, function)),  # type: ignore[misc]
            NOT_PLAIN.format(name),
        )
        for name in CALLBACKS
        for kind, function in {"async": async_callback, "generator": generator_callback}.items()
    },
}
"""What a route does, and what the crash report says of it; "" if that is not ours to say."""


class Site:
    """Routes to a mistake and to an echo."""

    def __init__(self, mistake: Callable[[], Any]) -> None:
        self.mistake = mistake

    def plain(self, request: Request) -> Any:
        return self.mistake() if request.path == "/mistake" else WebSocket(Echo)

    async def awaited(self, request: Request) -> Any:
        await asyncio.sleep(0)
        return self.plain(request)

    def later(self, request: Request) -> Any:
        return asyncio.ensure_future(self.awaited(request))


async def say(peer: VirtualPeer, text: str) -> None:
    peer.send_text(text)
    assert await peer.message() == text


def ask_for_the_mistake(server: ServerSimulation) -> VirtualBrowser:
    browser = VirtualBrowser(server.door)
    browser.send_bytes(
        b"GET /mistake HTTP/1.1\r\nHost: canopy\r\nCookie: a=topsecret\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return browser


def ways(mistake: str) -> list[str]:
    if mistake == "SystemExit":  # in a task, asyncio ends the program with it
        return ["plain", "awaited"]
    return ["plain", "awaited", "later"]


@pytest.mark.parametrize(("mistake", "way"), [(mistake, way) for mistake in MISTAKES for way in ways(mistake)])
def test_whatever_a_route_does_the_client_gets_500_at_once_and_nobody_else_notices(mistake: str, way: str) -> None:
    act, said = MISTAKES[mistake]

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with simulated_server(getattr(Site(act), way)) as server:
            neighbour = await server.join("/echo")
            await say(neighbour, "hello")
            began = loop.time()
            browser = ask_for_the_mistake(server)
            answer = await browser.answer()
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert b"\r\nConnection: close\r\n" in answer
            await browser.end()
            await quiet()
            assert loop.time() == began
            assert len(crash_reports()) <= 1
            if said:
                assert said.format(f"Site.{way}") in crash_reports()[-1].reason
                assert "topsecret" not in str(crash_reports())
            await say(neighbour, "still there?")
            assert len(server.connections()) == len(server.sockets.wires) == 1

    run(scenario())


@pytest.mark.parametrize("callback", CALLBACKS)
@simulated
async def test_callback_that_returns_a_coroutine_crashes_with_a_text_that_names_it(callback: str) -> None:
    handler = handler_with(callback, lambda *_: late())
    async with simulated_server(lambda _: WebSocket(handler), crash_budget=Limit(0, 1.0)) as server:
        peer = await server.join()
        match callback:
            case "informed":
                send(server.connections()[0], "boo")
            case "closed":
                peer.say_goodbye()
            case _:
                peer.send_text("hello")
        assert (await peer.end())[0] in (1000, 1011)
        await quiet()
        (report,) = crash_reports()
        assert NOT_PLAIN.format(callback) in report.reason


@simulated
async def test_crash_report_shows_the_message_in_hand_and_the_state_of_the_handler() -> None:
    def crash_on(message: str) -> Any:
        def received(self: Echo, text: Text) -> None:
            if text.data == message:
                raise RuntimeError("as you wish")
            self.heard.append(text.data)

        return received

    handler = handler_with("received", crash_on("crash"))
    async with simulated_server(lambda _: WebSocket(handler)) as server:
        peer = await server.join()
        peer.send_bytes(b"".join(encode_frame(Opcode.TEXT, word, mask=MASK) for word in (b"one", b"crash", b"two")))
        await quiet()
        (report,) = crash_reports()
        assert report.message == "Text(data=str(5))"
        assert report.state["_handler"] == "<Mistaken heard=['one']>"
        assert report.case == "# No test can reproduce this: a Connection depends on more than its attributes.\n"
        assert server.connections()


@simulated
async def test_crash_report_of_a_route_shows_the_request() -> None:
    async with simulated_server(Site(raising(RuntimeError("no"))).awaited) as server:
        await ask_for_the_mistake(server).answer()
        await quiet()
        (report,) = crash_reports()
        assert report.message == "PendingRequest(method='GET', path='/mistake')"
