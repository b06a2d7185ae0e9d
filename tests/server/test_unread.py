"""What waits because clients do not read is bounded, in all and by address; only those who read least are dropped."""

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import pytest

from actors.testing import run, settle
from protocol import Opcode, Request, Response, encode_frame
from supervision.server.addresses import Proxies, client_network
from supervision.server.outgoing import Outgoing
from supervision.server.unread import COUNTED_FROM, GRACE, UnreadLimiter
from tests.server.aviary import Aviary, get, greeted
from tests.support.instance import ServerSimulation, simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import VirtualBrowser

MOST = 4_000_000
SHARE = MOST // 4
PROXY = "10.0.0.1"
ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1", PROXY]


# The books.


@dataclass(eq=False)
class Peer:
    """What the books know of a wire."""

    address: str
    bytes_out: int = 0
    backlog: int = 0
    counted: int = 0
    dropped: str = ""

    def cut_off(self, reason: str) -> None:
        self.dropped = reason


def count(books: UnreadLimiter, peer: Peer, size: int) -> None:
    peer.bytes_out += max(0, size - peer.backlog)
    peer.backlog = size
    books.count(cast(Outgoing, peer), size)


@pytest.mark.parametrize("seed", range(40))
def test_limits_hold_and_nobody_is_dropped_for_another_address(seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        books = UnreadLimiter(MOST, Proxies.parse([PROXY]))
        peers: list[Peer] = []
        for _ in range(400):
            peer = Peer(chance.choice(ADDRESSES)) if not peers or chance.random() < 0.3 else chance.choice(peers)
            if peer not in peers:
                peers.append(peer)
            elif chance.random() < 0.1:
                peer.address = chance.choice(ADDRESSES)  # a proxy sends somebody else's request
            count(books, peer, chance.choice([0, COUNTED_FROM, 300_000, SHARE - 1, SHARE + 1, MOST + 1]))
            await settle(chance.choice([0.0, 1.0, 2 * GRACE]))
            dropped = [each for each in peers if each.dropped]
            peers = [each for each in peers if not each.dropped]
            sizes = Counter[str]()
            for each in peers:
                sizes[client_network(each.address)] += each.counted
            assert books.total == sizes.total()
            assert books.largest == max(sizes.values(), default=0)
            assert books.total <= MOST or sum(each.counted > 0 for each in peers) == 1
            for home, size in sizes.items():
                counted = sum(each.counted > 0 for each in peers if client_network(each.address) == home)
                assert size <= SHARE or counted == 1 or home == PROXY
            for each in dropped:
                assert each.dropped == "unread"
                assert each.counted == 0
                home = client_network(each.address)
                now = sizes[home] + sum(other.backlog for other in dropped if client_network(other.address) == home)
                now += COUNTED_FROM * len(dropped)  # a small change is not counted
                assert now > SHARE or now >= max(sizes.values(), default=0)
        for peer in peers:
            books.forget(cast(Outgoing, peer))
        assert (books.total, books.largest, books._usages, books._bytes_of, books._wires_of) == (0, 0, {}, {}, {})

    run(scenario())


@pytest.mark.parametrize("slowest", range(4))
def test_the_one_that_reads_least_is_dropped(slowest: int) -> None:
    async def scenario() -> None:
        books = UnreadLimiter(MOST, Proxies())
        peers = [Peer("192.0.2.1") for _ in range(4)]
        for peer in peers:
            count(books, peer, SHARE // 4)
        await settle(2 * GRACE)
        for number, peer in enumerate(peers):
            peer.bytes_out += 1_000 * (number != slowest)  # taken, for as much still waits
        newest = Peer("192.0.2.1")  # which has had no time to read
        count(books, newest, COUNTED_FROM)
        assert [peer.dropped for peer in [*peers, newest]] == ["unread" if n == slowest else "" for n in range(5)]

    run(scenario())


@pytest.mark.parametrize("change", [1 - COUNTED_FROM, -1, 1, COUNTED_FROM - 1, -COUNTED_FROM, COUNTED_FROM])
def test_small_change_is_not_counted(change: int) -> None:
    async def scenario() -> None:
        books = UnreadLimiter(MOST, Proxies())
        peer = Peer("192.0.2.1")
        count(books, peer, 300_000)
        count(books, peer, 300_000 + change)
        assert books.total == peer.counted == 300_000 + (change if abs(change) >= COUNTED_FROM else 0)

    run(scenario())


# A server.


def answers(size: int) -> Any:
    def routes(request: Request) -> Response:
        return Response(200, (), bytes(size))

    return routes


async def ask(server: ServerSimulation, address: str, forwarded: str = "") -> VirtualBrowser:
    """Somebody who asks once, and does not read the answer."""
    browser = VirtualBrowser(server.door, address)
    browser.stall()
    browser.send_bytes(get("/", f"X-Forwarded-For: {forwarded}") if forwarded else get("/"))
    await settle(0.01)
    return browser


@pytest.mark.parametrize("greedy", [["192.0.2.1"], ["2001:db8::1", "2001:db8::2", "2001:db8::3"]], ids=str)
@simulated
async def test_address_that_does_not_read_loses_its_own_connections(greedy: list[str]) -> None:
    async with simulated_server(answers(SHARE // 3), max_unread=MOST) as server:
        other = await ask(server, "192.0.2.7")
        stuck = [await ask(server, greedy[number % len(greedy)]) for number in range(9)]
        assert server.sockets.unread.largest <= SHARE
        assert [browser.closed is not None for browser in stuck].count(True) == 7
        assert server.sockets.cut_off == {"unread": 7}
        assert other.closed is None
        other.catch_up()
        assert (await other.answer()).startswith(b"HTTP/1.1 200")
        for browser in [other, *stuck]:
            browser.catch_up()
            await browser.leave()
        assert server.sockets.unread.total == 0


@simulated
async def test_addresses_behind_a_trusted_proxy_count_by_themselves() -> None:
    rules: dict[str, Any] = {"max_unread": MOST, "proxies": Proxies.parse([PROXY])}
    async with simulated_server(answers(SHARE // 3), **rules) as server:
        others = [await ask(server, PROXY, f"192.0.2.{number}") for number in range(2, 6)]
        stuck = [await ask(server, PROXY, "192.0.2.1") for _ in range(6)]
        assert [browser.closed for browser in others] == [None] * 4
        assert [browser.closed is not None for browser in stuck].count(True) == 4
        for browser in [*others, *stuck]:
            browser.catch_up()
            await browser.leave()


@simulated
async def test_requests_that_wait_behind_an_answer_count_for_their_address() -> None:
    async with simulated_server(answers(1_000), max_unread=MOST) as server:
        browser = VirtualBrowser(server.door, "192.0.2.1")
        browser.stall()
        browser.send_bytes(get("/") * 4_000)
        await settle(1.0)
        (wire,) = server.sockets.wires.values()
        assert server.sockets.unread.total > wire.bytes_in // 2
        assert server.sockets.unread.total >= wire.unread - COUNTED_FROM
        browser.catch_up()
        await settle(1.0)
        assert browser.answers.count(b"HTTP/1.1 200 OK\r\n") == 4_000
        assert server.sockets.unread.total == 0
        await browser.leave()


@simulated
async def test_message_that_is_kept_for_many_counts_for_nobody() -> None:
    async with simulated_server(aviary := Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        peer.stall()
        shared = encode_frame(Opcode.TEXT, b"x" * 1_000_000)
        wire.send_shared(shared)
        assert wire.backlog == len(shared)
        assert wire.unread == 0
        wire.send_text("y" * 200_000)
        assert 200_000 < wire.unread < 201_000
        for taken in range(0, 1_000_000, 50_000):
            assert 200_000 < wire.unread < 201_000, taken
            peer.read_some(50_000)
        await settle(0.01)
        assert server.sockets.unread.total > 100_000
        peer.catch_up()
        await settle(0.01)
        assert (wire.backlog, server.sockets.unread.total) == (0, 0)
        assert aviary.diary


# Order.


@pytest.mark.parametrize("course", range(6))
@simulated
async def test_what_is_written_in_pieces_arrives_in_order_and_before_the_end(course: int) -> None:
    chance = random.Random(course)
    async with simulated_server(Aviary()) as server:
        peer = await greeted(await server.join())
        (wire,) = server.sockets.wires.values()
        said: list[str] = []
        for number in range(60):
            if chance.random() < 0.2:
                peer.stall()
            if chance.random() < 0.3:
                peer.read_some(chance.choice([1, 1_000, 200_000]))
            if chance.random() < 0.1:
                peer.catch_up()
                await settle(0.001)
            said.append(str(number).ljust(chance.choice([10, 1_000, 130_000, 300_000]), "."))
            wire.send_text(said[-1])
            assert wire.is_congested or not wire._queue
        waited = wire.is_congested
        wire.close(1000, "that is all")
        peer.is_mute = True
        await settle(0.001)
        assert wire.backlog or not waited
        while wire.backlog:
            peer.read_some(chance.choice([1_000, 200_000]))
            await settle(0.001)
        peer.catch_up()
        assert await peer.end() == (1000, "that is all")
        assert [message for message in peer.received if message != "hello"] == said


@simulated
async def test_peer_that_ends_its_side_still_gets_an_answer_of_many_pieces() -> None:
    async with simulated_server(answers(1_000_000)) as server:
        browser = VirtualBrowser(server.door)
        browser.stall()
        browser.send_bytes(get("/"))
        await settle(0.01)
        browser.hang_up("eof")
        await settle(0.01)
        browser.catch_up()
        await browser.end()
        assert len(browser.answers) > 1_000_000
