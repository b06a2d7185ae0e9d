"""The network of simulations: weather cuts and delays, in order on a connection and in any order between them."""

import asyncio
from functools import partial

from actors.testing import Kit
from supervision.server.testing import EOF, RESET, VirtualEndpoint, VirtualNetwork, VirtualTransport, Weather


class Server(asyncio.Protocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ends: list[str] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    def eof_received(self) -> bool:
        self.ends.append("eof")
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.ends.append(repr(error))


class Client(VirtualEndpoint):
    """Keeps what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.is_lost = False

    def feed(self, data: bytes) -> None:
        self.pieces.append(data)

    def lost(self) -> None:
        self.is_lost = True


async def connect(network: VirtualNetwork) -> tuple[Client, Server, VirtualTransport]:
    door, client = network.listen(), Client()
    door.connect(client)
    accepted, _ = door.accept()
    await network.loop.connect_accepted_socket(Server, accepted)
    transport = network.transports[-1]
    server = transport._protocol
    assert isinstance(server, Server)
    return client, server, transport


async def test_bytes_keep_their_order_on_a_connection_whatever_the_weather(kit: Kit) -> None:
    network = VirtualNetwork(Weather(kit, cuts=0.5, delays=0.5))
    client, server, transport = await connect(network)
    data = bytes(range(256))
    for at in range(0, 256, 8):
        client.send_bytes(data[at : at + 8])
        transport.write(data[at : at + 8])
    await asyncio.sleep(10)
    assert b"".join(server.pieces) == b"".join(client.pieces) == data
    assert (len(server.pieces) > 32) == (kit.seed is not None)


def test_connections_overtake_each_other() -> None:
    async def race(kit: Kit) -> list[int]:
        network = VirtualNetwork(Weather(kit, delays=0.5))
        order: list[int] = []

        def hear(number: int, _: bytes) -> None:
            order.append(number)

        for number in range(10):
            client, server, _ = await connect(network)
            server.data_received = partial(hear, number)  # type: ignore[method-assign]
            client.send_bytes(b"!")
        await asyncio.sleep(1)
        return order

    orders = []
    for seed in (1, 1, 2):
        kit = Kit(seed)
        orders.append(kit.run(race(kit)))
    assert sorted(orders[0]) == list(range(10)) != orders[0]
    assert orders[0] == orders[1] != orders[2]


async def test_half_close_comes_after_the_bytes_and_reset_ends_both_sides(kit: Kit) -> None:
    network = VirtualNetwork(Weather(kit, cuts=0.5, delays=0.5))
    client, server, transport = await connect(network)
    client.send_bytes(b"hello")
    client.hang_up(EOF)
    await asyncio.sleep(1)
    assert (b"".join(server.pieces), server.ends) == (b"hello", ["eof"])
    transport.write(b"still here")
    await asyncio.sleep(1)
    assert b"".join(client.pieces) == b"still here"
    client.hang_up(RESET)
    await asyncio.sleep(1)
    assert server.ends == ["eof", "ConnectionResetError()"]
    assert client.is_lost
    assert transport.ends == 1


async def test_stalled_client_gets_everything_when_it_reads_again(kit: Kit) -> None:
    client, _, transport = await connect(VirtualNetwork(Weather(kit)))
    client.stall()
    transport.write(b"one")
    transport.close()
    await asyncio.sleep(1)
    assert (client.pieces, client.is_lost) == ([], False)
    client.catch_up()
    await asyncio.sleep(1)
    assert (b"".join(client.pieces), client.is_lost) == (b"one", True)


async def test_write_to_a_client_that_has_reset_breaks_the_pipe_before_the_reset_is_read(kit: Kit) -> None:
    client, server, transport = await connect(VirtualNetwork(Weather(kit)))
    transport.pause_reading()
    client.hang_up(RESET)
    await asyncio.sleep(1)
    assert server.ends == []
    transport.write(b"still here")
    await asyncio.sleep(1)
    assert (server.ends, client.pieces, client.is_lost) == (["BrokenPipeError()"], [], True)
