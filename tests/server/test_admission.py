"""Who may connect: pure rules, and what the refused are told, in virtual time."""

from hypothesis import given
from hypothesis import strategies as st

from actors.testing import settle
from protocol import Request, Response
from supervision.server import Policy, Proxies, Sockets, WebSocket
from supervision.server.addresses import client_network
from supervision.server.admission import PAGE_CONNECTIONS, RETRY_AFTER, Admission, Refusal, Unrecognized
from tests.server.test_drainer import Listener
from tests.support.instance import ServerSimulation, simulated_server
from tests.support.scenarios import simulated
from tests.support.virtual_network import EOF, VirtualBrowser, VirtualPeer

REQUEST = b"GET / HTTP/1.1\r\nHost: canopy\r\n\r\n"
ANN, BOB = "192.0.2.1", "192.0.2.2"


def answer(request: Request) -> Response:
    return Response(200, (), request.remote.encode())


def ask(server: ServerSimulation, address: str | None, *headers: str) -> VirtualBrowser:
    """A client at `address` that sends a request."""
    browser = VirtualBrowser(server.door, address)
    browser.send_bytes(b"\r\n".join([REQUEST[:-4], *(line.encode() for line in headers), b"", b""]))
    return browser


# Pure.


def test_address_may_have_so_many_websockets_and_again_when_one_has_gone() -> None:
    admission = Admission(Policy(max_per_address=2))
    assert [admission.open(ANN, 0.0) for _ in range(3)] == [None, None, Refusal.TOO_MANY_OF_ADDRESS]
    assert admission.open(BOB, 0.0) is None
    admission.close(ANN)
    assert [admission.open(ANN, 0.0) for _ in range(2)] == [None, Refusal.TOO_MANY_OF_ADDRESS]


def test_address_may_open_websockets_so_often_in_a_second() -> None:
    admission = Admission(Policy(max_arrivals=2))
    assert [admission.open(ANN, at) for at in (0.0, 0.5, 0.9)] == [None, None, Refusal.TOO_FAST]
    assert admission.open(BOB, 0.9) is None
    assert admission.open(ANN, 1.0) is None


def test_connections_of_an_address_may_be_so_many_more_than_its_websockets() -> None:
    for policy, refusal in (
        (Policy(max_per_address=2), Refusal.TOO_MANY_OF_ADDRESS),
        (Policy(max_arrivals=2), Refusal.TOO_FAST),
    ):
        admission = Admission(policy)
        assert [admission.enter(ANN, 0.0) for _ in range(2 + PAGE_CONNECTIONS + 1)] == [None] * (
            2 + PAGE_CONNECTIONS
        ) + [refusal]
        assert admission.open(ANN, 0.0) is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([ANN, BOB, "2001:db8::1", "2001:db8::2"]))))
def test_books_are_empty_when_everybody_has_gone(steps: list[tuple[bool, str]]) -> None:
    admission = Admission(Policy(max_per_address=3))
    books = (
        (admission.enter, admission.leave, admission.connections),
        (admission.open, admission.close, admission.websockets),
    )
    for enter, leave, book in books:
        present: list[str] = []
        for comes, address in steps:
            if comes:
                if enter(address, 0.0) is None:
                    present.append(address)
            elif address in present:
                present.remove(address)
                leave(address)
            assert book.present.total() == len(present)
        for address in present:
            leave(address)
        assert not book.present


def test_rules_that_are_off_cost_no_memory() -> None:
    admission = Admission(Policy())
    assert admission.enter(ANN, 0.0) is None
    assert admission.open(ANN, 0.0) is None
    assert not admission.connections.present
    assert not admission.websockets.present


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([ANN, BOB, "2001:db8::1", "2001:db8::2"]))))
def test_stranger_that_makes_room_is_the_oldest_of_those_who_are_most(arrivals: list[tuple[int, str]]) -> None:
    strangers, present = Unrecognized[int](), dict[int, str]()
    for number, address in arrivals:
        if number in present:
            strangers.discard(number)
            del present[number]
        else:
            strangers.add(number, address)
            present[number] = client_network(address)
        assert len(strangers) == len(present)
    while present:
        households = list(present.values())
        dropped = strangers.pop()
        assert households.count(present[dropped]) == max(map(households.count, households))
        assert dropped == next(number for number, where in present.items() if where == present[dropped])
        del present[dropped]


# With a server.


class Host:
    """Recognizes whoever names themselves in the path."""

    def __init__(self) -> None:
        self.sockets: Sockets | None = None

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        assert self.sockets is not None
        holder = request.path.strip("/")
        spare = 0 if holder.startswith("admin") else 2
        refusal = self.sockets.recognize(request.connection, holder, spare=spare) if holder else None
        if refusal is not None:
            raise refusal.error
        return Response(200, (), holder.encode())


def say(server: ServerSimulation, holder: str, address: str = ANN) -> VirtualBrowser:
    """A client that says who it is."""
    browser = VirtualBrowser(server.door, address)
    browser.send_bytes(f"GET /{holder} HTTP/1.1\r\nHost: canopy\r\n\r\n".encode())
    return browser


@simulated
async def test_strangers_keep_nobody_out_however_many_they_are() -> None:
    host = Host()
    async with simulated_server(host, max_connections=6, max_unrecognized=4, max_per_holder=2) as server:
        host.sockets = server.sockets
        known = say(server, "ann", BOB)
        await known.answer()
        for number in range(50):
            stranger = VirtualBrowser(server.door, f"192.0.2.{number % 7 + 10}")
            stranger.send_bytes(b"GET / HTTP/1.1\r\nHost: ")
            await settle()
            assert len(server.sockets.wires) <= 4 + 1
            assert (await say(server, "").answer()).startswith(b"HTTP/1.1 200 ")
        admin = say(server, "admin")
        assert (await admin.answer()).endswith(b"admin")
        known.send_bytes(b"GET /ann HTTP/1.1\r\nHost: canopy\r\n\r\n")
        assert (await known.answer()).endswith(b"ann")
        assert server.sockets.cut_off["crowded"] > 90
        assert not server.sockets.refused


@simulated
async def test_holder_has_a_share_of_the_connections_and_some_are_spared() -> None:
    host = Host()
    async with simulated_server(host, max_connections=6, max_unrecognized=9, max_per_holder=2) as server:
        host.sockets = server.sockets
        present = {holder: [say(server, holder) for _ in range(2)] for holder in ("ann", "bob")}
        for holder, browsers in present.items():
            assert [(await browser.answer())[-3:] for browser in browsers] == [holder.encode()] * 2
            assert b" 429 " in (await say(server, holder).answer())[:16]
        assert b" 503 " in (await say(server, "eve").answer())[:16]
        for _ in range(2):
            assert (await say(server, "admin").answer()).endswith(b"admin")
        assert b" 503 " in (await say(server, "admin2").answer())[:16]
        present["ann"][0].hang_up(EOF)
        await present["ann"][0].end()
        assert (await say(server, "ann").answer()).endswith(b"ann")


@simulated
async def test_one_too_many_of_an_address_gets_429_and_others_are_let_in() -> None:
    async with simulated_server(answer, max_per_address=1) as server:
        first = ask(server, ANN)
        assert (await first.answer()).endswith(ANN.encode())
        for _ in range(PAGE_CONNECTIONS):
            assert (await ask(server, ANN).answer()).startswith(b"HTTP/1.1 200 ")
        refusal = await ask(server, ANN).answer()
        assert refusal.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert f"\r\nRetry-After: {RETRY_AFTER}\r\n".encode() in refusal
        assert refusal.endswith(b"\r\n\r\ntoo many connections from your address\n")
        assert (await ask(server, BOB).answer()).startswith(b"HTTP/1.1 200 ")
        assert server.sockets.refused == {"too_many_of_address": 1}
        first.hang_up(EOF)
        await first.end()
        assert (await ask(server, ANN).answer()).startswith(b"HTTP/1.1 200 ")


@simulated
async def test_address_that_comes_too_often_gets_429_until_the_second_is_over() -> None:
    async with simulated_server(answer, max_arrivals=3) as server:
        answers = [await ask(server, ANN).answer() for _ in range(3 + PAGE_CONNECTIONS + 1)]
        assert [each[9:12] for each in answers] == [b"200"] * (3 + PAGE_CONNECTIONS) + [b"429"]
        await settle(1.0)
        assert (await ask(server, ANN).answer())[9:12] == b"200"


@simulated
async def test_people_behind_a_proxy_are_counted_one_by_one_when_they_open_a_websocket() -> None:
    rules = {"max_per_address": 1, "proxies": Proxies.parse(["10.0.0.0/8"])}
    async with simulated_server(lambda request: WebSocket(Listener), **rules) as server:

        async def open_websocket(client: str) -> VirtualPeer:
            peer = VirtualPeer("10.0.0.1")
            peer.begin(server.door, "/", headers=(f"X-Forwarded-For: {client}",))
            await peer.until(lambda: bool(peer.response), "for the handshake")
            return peer

        first, second = await open_websocket(ANN), await open_websocket(BOB)
        third = await open_websocket(ANN)
        assert [peer.response[9:12] for peer in (first, second, third)] == [b"101", b"101", b"429"]
        first.say_goodbye()
        await first.end()
        assert (await open_websocket(ANN)).response[9:12] == b"101"
        assert sorted(server.sockets.admission.websockets.present) == [ANN, BOB]
    assert not server.sockets.admission.websockets.present


@simulated
async def test_websockets_of_an_address_are_counted_without_its_other_connections() -> None:
    def serve(request: Request) -> Response | WebSocket:
        return WebSocket(Listener) if request.path == "/ws" else answer(request)

    async with simulated_server(serve, max_per_address=1, max_arrivals=2) as server:
        for _ in range(6):  # as a browser that loads a page
            assert (await ask(server, ANN).answer())[9:12] == b"200"
        peers = [VirtualPeer(ANN), VirtualPeer(ANN)]
        for peer in peers:
            peer.begin(server.door, "/ws")
            await peer.until(lambda peer=peer: bool(peer.response), "for the handshake")
        assert [peer.response[9:12] for peer in peers] == [b"101", b"429"]


@simulated
async def test_stranger_who_claims_to_be_somebody_else_is_not_believed() -> None:
    async with simulated_server(answer, proxies=Proxies.parse(["10.0.0.0/8"])) as server:
        assert (await ask(server, ANN, f"X-Forwarded-For: {BOB}").answer()).endswith(ANN.encode())
        assert (await ask(server, "10.0.0.1", f"X-Forwarded-For: {BOB}").answer()).endswith(BOB.encode())


@simulated
async def test_request_is_secure_if_a_proxy_that_is_trusted_says_so() -> None:
    def is_secure(request: Request) -> Response:
        return Response(200, (), f"{request.is_secure}".encode())

    async with simulated_server(is_secure, proxies=Proxies.parse(["10.0.0.0/8"])) as server:
        assert (await ask(server, ANN, "X-Forwarded-Proto: https").answer()).endswith(b"False")
        assert (await ask(server, "10.0.0.1", "X-Forwarded-Proto: https").answer()).endswith(b"True")
        assert (await ask(server, "10.0.0.1").answer()).endswith(b"False")


@simulated
async def test_page_of_another_host_gets_403() -> None:
    async with simulated_server(lambda request: WebSocket(Listener)) as server:
        for origin, status in (("http://evil.example", b"403"), ("http://canopy", b"101"), ("null", b"403")):
            peer = VirtualPeer()
            peer.begin(server.door, "/", headers=(f"Origin: {origin}",))
            await peer.until(lambda peer=peer: bool(peer.response), "for the handshake")
            assert peer.response[9:12] == status
        assert server.sockets.refused == {"origin": 2}


@simulated
async def test_so_many_are_told_why_at_a_time_and_the_others_are_dropped() -> None:
    async with simulated_server(answer, max_connections=1, max_pending_refusals=2) as server:
        crowd = [ask(server, ANN) for _ in range(6)]
        for client in crowd[1:]:
            await client.end()
        assert [client.answers[:12] for client in crowd] == [b"HTTP/1.1 200"] + 2 * [b"HTTP/1.1 503"] + 3 * [b""]
        await crowd[0].leave()
