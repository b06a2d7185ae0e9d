"""RFC 6455 §8.1: text is UTF-8 (RFC 3629), and fails as soon as it cannot become so."""

import pytest

from tests.conformance.peer import close, converse, frame, length

VALID = ["κόσμε", "\0", "\x7f\x80", "\u07ff\u0800", "\ud7ff\ue000\uffff", "\U00010000\U0010ffff", "\ufffe", "é" * 700]

INVALID = {
    "a continuation byte": b"\x80",
    "255": b"\xff",
    "254": b"\xfe",
    "5 bytes": b"\xf8\x88\x80\x80\x80",
    "6 bytes": b"\xfc\x84\x80\x80\x80\x80",
    "an overlong slash": b"\xc0\xaf",
    "an overlong slash in 3 bytes": b"\xe0\x80\xaf",
    "an overlong slash in 4 bytes": b"\xf0\x80\x80\xaf",
    "an overlong NUL": b"\xc0\x80",
    "a high surrogate": b"\xed\xa0\x80",
    "a low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "far beyond Unicode": b"\xf5\x80\x80\x80",
    "a character that is cut off": b"\xe2\x82",
    "a character without its end": b"\xe2\x82a",
    "an error in the middle": "κόσμε".encode() + b"\xed\xa0\x80" + b"edited",
}


@pytest.mark.parametrize("text", VALID)
def test_valid_text_is_echoed(port: int, text: str, bytewise: bool) -> None:
    assert converse(port, frame(1, text), close(), bytewise=bytewise) == [f"text {text}".rstrip(), "close 1000"]


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID.keys())
def test_invalid_text_is_1007(port: int, data: bytes, bytewise: bool) -> None:
    assert converse(port, frame(1, data), bytewise=bytewise) == ["close 1007"]


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID.keys())
def test_invalid_text_in_fragments_of_one_byte_is_1007(port: int, data: bytes) -> None:
    first, *others = [data[i : i + 1] for i in range(len(data))]
    sent = [frame(1, first, fin=False), *(frame(0, byte, fin=False) for byte in others), frame(0)]
    assert converse(port, *sent) == ["close 1007"]


@pytest.mark.parametrize("data", [b"\xff", b"\xc0", b"\xe0\x80", b"\xed\xa0", b"\xf4\x90", b"\xf5"])
def test_text_fails_before_its_frame_is_complete(port: int, data: bytes) -> None:
    beginning = frame(1, data)[2:]
    assert converse(port, b"\x81" + length(1_000) + beginning) == ["close 1007"]


def test_binary_need_not_be_utf_8(port: int) -> None:
    assert converse(port, frame(2, b"\xff\xc0"), close()) == ["binary ffc0", "close 1000"]


def test_the_data_of_a_ping_need_not_be_utf_8(port: int) -> None:
    assert converse(port, frame(9, b"\xff\xc0"), close()) == ["pong ffc0", "close 1000"]
