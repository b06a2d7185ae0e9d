"""RFC 6455 §5.4: messages in several frames."""

import pytest

from tests.conformance.peer import close, converse, frame

HEARD = {
    "two": ([frame(1, "a", fin=False), frame(0, "b")], ["text ab"]),
    "three, one of them empty": ([frame(2, b"a", fin=False), frame(0, fin=False), frame(0, b"b")], ["binary 6162"]),
    "all of them empty": ([frame(1, fin=False), frame(0, fin=False), frame(0)], ["text"]),
    "a ping between": ([frame(1, "a", fin=False), frame(9, "p"), frame(0, "b")], ["pong 70", "text ab"]),
    "a pong between": ([frame(1, "a", fin=False), frame(10, "p"), frame(0, "b")], ["text ab"]),
    "pings between": (
        [frame(1, "a", fin=False), frame(9, "1"), frame(0, "b", fin=False), frame(9, "2"), frame(0, "c")],
        ["pong 31", "pong 32", "text abc"],
    ),
    "two messages": (
        [frame(1, "a", fin=False), frame(0, "b"), frame(2, b"c", fin=False), frame(0, b"d")],
        ["text ab", "binary 6364"],
    ),
    "a character in two frames": ([frame(1, b"\xe2\x82", fin=False), frame(0, b"\xac")], ["text €"]),
    "a character in four frames": (
        [frame(1, b"\xf0", fin=False), frame(0, b"\x9f", fin=False), frame(0, b"\x98", fin=False), frame(0, b"\x80")],
        ["text 😀"],
    ),
}


@pytest.mark.parametrize(("sent", "heard"), HEARD.values(), ids=HEARD.keys())
def test_fragments_make_a_message(port: int, sent: list[bytes], heard: list[str], bytewise: bool) -> None:
    assert converse(port, *sent, close(), bytewise=bytewise) == [*heard, "close 1000"]


BROKEN = {
    "a continuation of nothing": [frame(0, "a")],
    "a first fragment that is a continuation": [frame(0, "a", fin=False)],
    "a continuation after the end": [frame(1, "a", fin=False), frame(0, "b"), frame(0, "c")],
    "a text inside a text": [frame(1, "a", fin=False), frame(1, "b")],
    "a binary inside a text": [frame(1, "a", fin=False), frame(2, b"b")],
    "a fragmented text inside a text": [frame(1, "a", fin=False), frame(1, "b", fin=False)],
    "a reserved bit on a continuation": [frame(1, "a", fin=False), frame(0, "b", rsv=4)],
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
def test_frames_out_of_order_are_1002(port: int, sent: list[bytes], bytewise: bool) -> None:
    assert converse(port, *sent, bytewise=bytewise)[-1] == "close 1002"


@pytest.mark.parametrize("opcode", [8, 9, 10])
def test_a_control_frame_may_not_be_fragmented(port: int, opcode: int) -> None:
    assert converse(port, frame(opcode, fin=False), frame(0)) == ["close 1002"]


def test_a_close_frame_inside_a_message_closes(port: int) -> None:
    assert converse(port, frame(1, "a", fin=False), close(), frame(0, "b")) == ["close 1000"]


def test_a_message_may_have_65_536_fragments(port: int) -> None:
    sent = [frame(2, b"a", fin=False), *[frame(0, b"a", fin=False)] * 65_534, frame(0, b"a")]
    assert converse(port, *sent, close()) == ["binary " + "61" * 65_536, "close 1000"]
