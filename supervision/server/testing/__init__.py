"""A virtual network for tests: in virtual time, clients connect to a real server tree without system calls.

    network = VirtualNetwork(weather=Weather(kit))
    listening = network.listen()
    sockets = Sockets([listening.as_socket()])
    await kit.start_supervised(server("server", sockets, routes))
    client = VirtualWebSocket()
    client.begin(listening, "/ws")

`kit` is the fixture of `actors.testing`. Only tests import this package.
"""

from supervision.server.testing.client import MASK, VirtualEndpoint, VirtualWebSocket
from supervision.server.testing.network import (
    EOF,
    HIGH_WATER,
    RESET,
    VirtualNetwork,
    VirtualSocket,
    VirtualTransport,
    Weather,
)

__all__ = [
    "EOF",
    "HIGH_WATER",
    "MASK",
    "RESET",
    "VirtualEndpoint",
    "VirtualNetwork",
    "VirtualSocket",
    "VirtualTransport",
    "VirtualWebSocket",
    "Weather",
]
