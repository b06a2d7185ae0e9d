"""RFC 6455 §5.1 to §5.3, §5.6: one frame."""

import struct

import pytest

from tests.conformance.peer import KEY, close, converse, frame

HEARD = {
    "5.6 text": (frame(1, "Hello"), ["text Hello"]),
    "5.6 binary": (frame(2, b"\x00\xff"), ["binary 00ff"]),
    "5.6 an empty text": (frame(1), ["text"]),
    "5.6 an empty binary": (frame(2), ["binary"]),
    "5.2 125 bytes": (frame(1, "a" * 125), ["text " + "a" * 125]),
    "5.2 126 bytes": (frame(1, "a" * 126), ["text " + "a" * 126]),
    "5.2 65,535 bytes": (frame(1, "a" * 65_535), ["text " + "a" * 65_535]),
    "5.2 65,536 bytes": (frame(1, "a" * 65_536), ["text " + "a" * 65_536]),
    "5.3 a key of zeros": (frame(1, "Hello", key=bytes(4)), ["text Hello"]),
    "5.3 a key of ones": (frame(1, "Hello", key=b"\xff" * 4), ["text Hello"]),
    "5.3 a key for each frame": (frame(1, "a", key=b"abcd") + frame(1, "b", key=b"efgh"), ["text a", "text b"]),
}


@pytest.mark.parametrize(("sent", "heard"), HEARD.values(), ids=HEARD.keys())
def test_a_frame_is_echoed(port: int, sent: bytes, heard: list[str]) -> None:
    assert converse(port, sent, close()) == [*heard, "close 1000"]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 125, 126, 127, 511, 512, 513])
def test_5_3_every_byte_is_unmasked(port: int, size: int, bytewise: bool) -> None:
    data = bytes(i % 251 for i in range(size))
    assert converse(port, frame(2, data), close(), bytewise=bytewise) == [f"binary {data.hex()}".rstrip(), "close 1000"]


BROKEN = {
    "5.1 a frame without a mask": b"\x81\x05Hello",
    "5.1 an empty frame without a mask": b"\x81\x00",
    "5.1 a close frame without a mask": b"\x88\x02\x03\xe8",
    **{f"5.2 reserved bits {rsv:03b}": frame(1, "a", rsv=rsv) for rsv in range(1, 8)},
    **{f"5.2 reserved bits {rsv:03b} of a ping": frame(9, "a", rsv=rsv) for rsv in (1, 2, 4)},
    **{f"5.2 reserved bits {rsv:03b} of a close frame": frame(8, "", rsv=rsv) for rsv in (1, 2, 4)},
    **{f"5.2 opcode {opcode}": frame(opcode, "a") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "5.2 a reserved bit, and nothing more": b"\xc1",
    "5.2 2 bytes for a length of 125": b"\x81\xfe\x00\x7d" + KEY + bytes(125),
    "5.2 2 bytes for a length of 0": b"\x82\xfe\x00\x00" + KEY,
    "5.2 8 bytes for a length of 65,535": b"\x82\xff" + struct.pack("!Q", 65_535) + KEY + bytes(65_535),
    "5.2 8 bytes for a length of 5": b"\x82\xff" + struct.pack("!Q", 5) + KEY + bytes(5),
    "5.2 the top bit of a length": b"\x82\xff" + struct.pack("!Q", 1 << 63) + KEY,
    "5.2 all bits of a length": b"\x82\xff" + b"\xff" * 8 + KEY,
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_frame_is_1002_after_what_was_right(port: int, sent: bytes) -> None:
    assert converse(port, frame(1, "right"), sent) == ["text right", "close 1002"]


@pytest.mark.parametrize("name", [name for name, sent in BROKEN.items() if len(sent) < 200])
def test_a_broken_frame_is_1002_byte_by_byte(port: int, name: str) -> None:
    assert converse(port, BROKEN[name], bytewise=True) == ["close 1002"]


def test_nothing_is_read_behind_a_broken_frame(port: int) -> None:
    assert converse(port, frame(3, "a"), frame(1, "late"), frame(9, "late"), close()) == ["close 1002"]
