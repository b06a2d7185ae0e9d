"""RFC 6455 §10.4: a message has a limit, here 16 MiB, judged before its bytes are there."""

import struct

import pytest

from tests.conformance.peer import KEY, close, converse, deflated, exchange, frame, handshake, length, read_answer

LIMIT = 16 * 1024 * 1024


def test_a_message_of_16_mib_is_echoed(port: int) -> None:
    data = bytes(LIMIT)
    answer = read_answer(exchange(port, handshake() + frame(2, data, key=bytes(4)) + close()))
    assert answer.rest == b"\x82\x7f" + struct.pack("!Q", LIMIT) + data + b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("size", [LIMIT + 1, 1 << 32, (1 << 63) - 1])
@pytest.mark.parametrize("opcode", [1, 2])
def test_a_larger_message_is_1009_from_its_header(port: int, opcode: int, size: int) -> None:
    assert converse(port, bytes([0x80 | opcode]) + length(size) + KEY) == ["close 1009"]


def test_fragments_are_added_up(port: int) -> None:
    sent = [frame(2, bytes(LIMIT - 10), fin=False, key=bytes(4)), b"\x80" + length(11) + KEY]
    assert converse(port, *sent) == ["close 1009"]


def test_the_number_of_fragments_has_a_limit(port: int) -> None:
    assert converse(port, frame(2, fin=False), *[frame(0, fin=False)] * 131_072) == ["close 1009"]


def test_a_bomb_is_1009(port: int) -> None:
    bomb = frame(2, deflated(bytes(LIMIT + 1)), rsv=4)
    assert len(bomb) < 20_000
    assert converse(port, bomb, extensions="permessage-deflate") == ["close 1009"]


def test_a_bomb_in_fragments_is_1009(port: int) -> None:
    data = deflated(bytes(LIMIT + 1))
    half = len(data) // 2
    sent = [frame(2, data[:half], fin=False, rsv=4), frame(0, data[half:])]
    assert converse(port, *sent, extensions="permessage-deflate") == ["close 1009"]
