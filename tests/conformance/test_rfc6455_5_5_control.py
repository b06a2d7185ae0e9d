"""RFC 6455 §5.5: pings, pongs, and how long a control frame may be."""

import pytest

from tests.conformance.peer import KEY, close, converse, frame


@pytest.mark.parametrize("size", [0, 1, 124, 125])
def test_5_5_2_a_ping_is_answered_with_its_data(port: int, size: int, bytewise: bool) -> None:
    data = bytes(range(size))
    assert converse(port, frame(9, data), close(), bytewise=bytewise) == [f"pong {data.hex()}".rstrip(), "close 1000"]


def test_5_5_2_pings_are_answered_in_order(port: int) -> None:
    sent = [frame(9, str(number)) for number in range(100)]
    assert converse(port, *sent, close()) == [f"pong {str(number).encode().hex()}" for number in range(100)] + [
        "close 1000"
    ]


@pytest.mark.parametrize("size", [0, 125])
def test_5_5_3_an_unsolicited_pong_is_no_reason_to_answer(port: int, size: int) -> None:
    assert converse(port, frame(10, bytes(size)), frame(1, "a"), close()) == ["text a", "close 1000"]


TOO_LONG = {
    "126 bytes": lambda opcode: frame(opcode, bytes(126)),
    "65,536 bytes": lambda opcode: frame(opcode, bytes(65_536)),
    "an announcement of 126": lambda opcode: bytes([0x80 | opcode, 0xFE]),
    "an announcement of 127": lambda opcode: bytes([0x80 | opcode, 0xFF]),
    "5 bytes with a longer length": lambda opcode: bytes([0x80 | opcode, 0xFE, 0, 5]) + KEY + bytes(5),
}


@pytest.mark.parametrize("opcode", [8, 9, 10])
@pytest.mark.parametrize("build", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_5_5_a_control_frame_has_at_most_125_bytes(port: int, build, opcode: int) -> None:  # type: ignore[no-untyped-def]
    assert converse(port, build(opcode)) == ["close 1002"]


def test_5_5_2_a_flood_of_pings_is_answered_and_what_follows_is_heard(port: int) -> None:
    heard = converse(port, *[frame(9, "p")] * 20_000, frame(1, "a"), close())
    assert heard == ["pong 70"] * 20_000 + ["text a", "close 1000"]
