"""RFC 6455 §5.5.1 and §7: the closing handshake. The server closes TCP, each case reads to its end."""

import pytest

from tests.conformance.peer import CLOSE, close, converse, exchange, frame, handshake, read_answer

CODES_ON_THE_WIRE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
OTHER_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65_535]


@pytest.mark.parametrize("code", CODES_ON_THE_WIRE)
def test_5_5_1_a_close_is_answered_with_its_code(port: int, code: int) -> None:
    assert converse(port, close(code)) == [f"close {code}"]


@pytest.mark.parametrize("code", OTHER_CODES)
def test_7_4_a_code_that_must_not_be_sent_is_1002(port: int, code: int) -> None:
    assert converse(port, close(code)) == ["close 1002"]


def test_5_5_1_a_close_without_a_code_is_answered_without_one(port: int, bytewise: bool) -> None:
    assert converse(port, close(None), bytewise=bytewise) == ["close"]


@pytest.mark.parametrize("reason", [b"bye", "Ä€😀".encode(), b"a" * 123], ids=["short", "beyond ASCII", "123 bytes"])
def test_5_5_1_a_close_may_have_a_reason(port: int, reason: bytes, bytewise: bool) -> None:
    assert converse(port, close(1000, reason), bytewise=bytewise) == ["close 1000"]


def test_5_5_1_half_a_code_is_1002(port: int, bytewise: bool) -> None:
    assert converse(port, frame(CLOSE, b"\x03"), bytewise=bytewise) == ["close 1002"]


@pytest.mark.parametrize("reason", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_5_5_1_a_reason_that_is_not_utf_8_is_1007(port: int, reason: bytes) -> None:
    assert converse(port, close(1000, reason)) == ["close 1007"]


LATE = {
    "a text": frame(1, "late"),
    "a ping": frame(9, "late"),
    "a second close frame": close(1001),
    "a broken frame": frame(3, "late"),
    "bytes without sense": b"\xff" * 1_000,
    "a megabyte": frame(2, bytes(1_000_000)),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE.keys())
def test_5_5_1_nothing_is_heard_behind_a_close_frame(port: int, late: bytes) -> None:
    assert converse(port, frame(1, "in time"), close(), late) == ["text in time", "close 1000"]


def test_7_1_1_what_came_before_the_close_frame_is_answered_first(port: int) -> None:
    sent = [frame(1, str(number)) for number in range(1_000)]
    assert converse(port, *sent, close()) == [f"text {number}" for number in range(1_000)] + ["close 1000"]


def test_7_2_1_the_end_of_tcp_without_a_close_frame_ends_the_connection(port: int) -> None:
    answer = read_answer(exchange(port, handshake() + frame(1, "a", fin=False), half_close=True))
    assert answer.frames == []


def test_7_2_1_the_end_of_tcp_inside_a_frame_ends_the_connection(port: int) -> None:
    answer = read_answer(exchange(port, handshake() + frame(1, "hello")[:-2], half_close=True))
    assert answer.frames == []
