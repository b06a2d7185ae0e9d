"""How a refused handshake is told: a page by a close code, any other client by the status, whoever refuses it."""

import asyncio
from typing import Any

import pytest

from actors.testing import quiet, settle
from protocol import HttpError, Opcode, Request, encode_frame
from supervision.server import Answer, HandshakeRefused, Proxies, WebSocket
from supervision.server.listener import LINGER
from tests.server.test_drainer import Listener
from tests.support.instance import ServerSimulation, simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, MASK, VirtualBrowser, VirtualPeer

PAGE, FOREIGN = "Origin: http://canopy", "Origin: http://evil.example"
FULL = (503, "too many connections, try again later")
CROWDED = (429, "too many connections from your address")
OFTEN = (429, "too many new connections from your address, try again later")
CLOSED = (403, "not you")
ANN, PROXY = "192.0.2.1", "10.0.0.1"


def answer(request: Request) -> Answer:
    if request.path == "/closed":
        raise HandshakeRefused(403, "not you")
    return WebSocket(Listener)


async def answer_later(request: Request) -> Answer:
    await asyncio.sleep(1)
    return answer(request)


class Site:
    """A server that has let in as many as its rules allow, and refuses the next one."""

    def __init__(self, rules: dict[str, Any], expected: tuple[int, str], path: str = "/", address: str = ANN) -> None:
        self.rules, self.expected, self.path, self.address = rules, expected, path, address

    def serving(self, routes: Any = answer) -> Any:
        return simulated_server(routes, **self.rules)

    async def fill(self, server: ServerSimulation) -> None:
        if self.path != "/closed":
            assert (await self.knock(server)).response[9:12] == b"101"

    async def knock(self, server: ServerSimulation, *headers: str) -> VirtualPeer:
        peer = VirtualPeer(self.address)
        peer.begin(server.door, self.path, (f"X-Forwarded-For: {ANN}", *headers))
        await peer.until(lambda: bool(peer.response), "for the handshake")
        return peer


SITES = {
    "full": Site({"max_connections": 1}, FULL),
    "address": Site({"max_per_address": 1}, CROWDED),
    "arrivals": Site({"max_arrivals": 1}, OFTEN),
    "behind a proxy": Site({"max_per_address": 1, "proxies": Proxies.parse([PROXY])}, CROWDED, address=PROXY),
    "route": Site({}, CLOSED, "/closed"),
}
each_site = pytest.mark.parametrize("site", SITES.values(), ids=list(SITES))


@each_site
@simulated
async def test_page_that_is_refused_is_told_by_a_close_code(site: Site) -> None:
    async with site.serving() as server:
        await site.fill(server)
        status, text = site.expected
        for offer, chosen in (((), False), (("Sec-WebSocket-Protocol: a.v1, b.v1",), True)):
            peer = await site.knock(server, PAGE, *offer)
            assert peer.response.startswith(b"HTTP/1.1 101 ")
            assert (b"\r\nSec-WebSocket-Protocol: a.v1" in peer.response) is chosen  # a browser fails without
            assert await peer.end() == (4000 + status, text)
            assert peer.received == []


@each_site
@simulated
async def test_any_other_client_that_is_refused_sees_the_status(site: Site) -> None:
    async with site.serving() as server:
        await site.fill(server)
        assert int((await site.knock(server)).response[9:12]) == site.expected[0]
        assert int((await site.knock(server, FOREIGN)).response[9:12]) in (site.expected[0], 403)


@simulated
async def test_route_that_takes_its_time_to_refuse_tells_pages_the_same() -> None:
    site = SITES["route"]
    async with site.serving(answer_later) as server:
        assert await (await site.knock(server, PAGE)).end() == (4403, "not you")
        assert (await site.knock(server)).response[9:12] == b"403"
        assert server.sockets.closings == {4403: 1}


@simulated
async def test_refusal_of_anything_but_a_handshake_is_an_answer_also_to_a_page() -> None:
    def refuse(request: Request) -> Answer:
        raise HttpError(403, "no") if request.path == "/plain" else HandshakeRefused(403, "no")

    async with simulated_server(refuse) as server:
        browser = VirtualBrowser(server.door)
        browser.send_text(f"GET / HTTP/1.1\r\nHost: canopy\r\n{PAGE}\r\n\r\n")
        assert (await browser.answer()).startswith(b"HTTP/1.1 403 ")
        peer = VirtualPeer()
        peer.begin(server.door, "/plain", (PAGE,))
        await peer.until(lambda: bool(peer.response), "for the handshake")
        assert peer.response.startswith(b"HTTP/1.1 403 ")


@simulated
async def test_page_that_closes_with_its_handshake_is_counted_once() -> None:
    async with simulated_server(answer) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(HANDSHAKE.replace(b"/ws", b"/closed") + encode_frame(Opcode.CLOSE, b"", mask=MASK))
        await browser.end()
        await quiet()
        assert server.sockets.closings.total() == 1


@simulated
async def test_page_that_is_cut_off_before_it_is_refused_leaves_nothing_behind() -> None:
    async with simulated_server(answer_later) as server:
        peer = VirtualPeer()
        peer.begin(server.door, "/closed", (PAGE,))
        await settle(0.5)
        (wire,) = server.sockets.wires.values()
        wire.abort()
        await settle(2.0)
        assert server.sockets.deadlines.is_idle
        assert server.connections() == []


# Before the server lets anybody in.

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: canopy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyBvaw==\r\nOrigin: http://canopy\r\n\r\n"
)
CLOSE_4503 = b"\x88\x27\x11\x97" + FULL[1].encode()


@simulated
async def test_handshake_that_comes_in_pieces_is_refused_with_the_same_words() -> None:
    async with simulated_server(answer, max_connections=0) as server:
        for at in (*range(1, len(HANDSHAKE), 17), len(HANDSHAKE)):
            browser = VirtualBrowser(server.door)
            browser.send_bytes(HANDSHAKE[:at])
            await asyncio.sleep(0)
            browser.send_bytes(HANDSHAKE[at:] + b"\x81\x80abcd")  # and a message that nobody reads
            await browser.end()
            head, _, rest = browser.answers.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert rest == CLOSE_4503


@pytest.mark.parametrize(
    ("said", "status"),
    [(b"", b"503"), (HANDSHAKE[:40], b"503"), (b"\x16\x03\x01", b"400"),
     (b"POST / HTTP/1.1\r\nHost: canopy\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", b"503")],
    ids=["nothing", "a part", "TLS", "a body to come"],
)  # fmt: skip
@simulated
async def test_refused_client_that_sends_no_whole_request_is_told_in_time(said: bytes, status: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with simulated_server(answer, max_connections=0) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(said)
        began = loop.time()
        assert (await browser.answer())[9:12] == status
        assert loop.time() - began <= LINGER
        browser.hang_up(EOF)
        await browser.end()


@simulated
async def test_refused_client_that_goes_on_sending_is_dropped_in_time() -> None:
    async with simulated_server(answer, max_connections=0) as server:
        browser = VirtualBrowser(server.door)
        browser.send_bytes(HANDSHAKE + encode_frame(Opcode.CLOSE, b"", mask=MASK))
        for _ in range(8):
            await settle(LINGER / 4)
            browser.send_bytes(b"more")
        assert browser.closed is not None


@pytest.mark.parametrize("said", [HANDSHAKE, b"GET / HTTP/1.1\r\nHost: canopy\r\n\r\n"], ids=["page", "request"])
@simulated
async def test_refused_client_is_told_once_whatever_it_says_afterwards(said: bytes) -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with simulated_server(answer, max_connections=0) as server:
        browser = VirtualBrowser(server.door)
        for more in (said, encode_frame(Opcode.CLOSE, b"\x11\x97", mask=MASK), said):
            browser.send_bytes(more)
        await browser.end()
        assert len(browser.writes) == 1
    assert failures == []
