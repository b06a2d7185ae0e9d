"""RFC 6455 §7.2, RFC 9112 §8: a connection may end anywhere, in order or by a reset, and hold anything."""

import random
import socket
import struct

import pytest

from tests.conformance.peer import TIMEOUT, close, converse, deflated, exchange, frame, handshake, request

CONVERSATIONS = {
    "WebSocket": handshake(Sec_WebSocket_Extensions="permessage-deflate")
    + frame(1, "hello")
    + frame(9, "ping")
    + frame(1, deflated(b"hello " * 300), rsv=4)
    + frame(2, b"a" * 200, fin=False)
    + frame(0, b"b")
    + close(),
    "HTTP": request("POST /healthz HTTP/1.1", "Host: a", "Content-Length: 5", body="hello") * 2,
}
conversations = pytest.mark.parametrize("data", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: a close sends RST."""


def is_alive(port: int) -> bool:
    return converse(port, frame(1, "alive"), close()) == ["text alive", "close 1000"]


@conversations
def test_the_stream_may_end_behind_any_byte(port: int, data: bytes) -> None:
    for end in range(len(data)):
        exchange(port, data[:end], half_close=True)
    assert is_alive(port)


@conversations
@pytest.mark.parametrize("linger", [RESET, None], ids=["reset", "closed"])
def test_the_connection_may_be_gone_behind_any_byte(port: int, data: bytes, linger: bytes | None) -> None:
    for end in range(len(data)):
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
            connection.sendall(data[:end])
            if linger:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert is_alive(port)


@conversations
def test_any_bytes_may_be_wrong(port: int, data: bytes) -> None:
    chance = random.Random(6455)
    for _ in range(300):
        wrong = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            wrong[chance.randrange(len(wrong))] = chance.randrange(256)
        exchange(port, bytes(wrong), half_close=True)
    assert is_alive(port)
