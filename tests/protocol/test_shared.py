"""One message for many sessions: who shares which bytes, and that they stay in order."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Binary, Compression, Opcode, Session, SharedMessage, encode_frame
from protocol.frames import encode_binary, encode_text
from tests.protocol.wire import close_frame, frames_in, open_session, raw_frame, text

WANTED = Compression(server_max_window_bits=15, threshold=20)
KEEPING = Compression(server_no_context_takeover=False, threshold=20)
LONG = b"a long message that repeats itself, a long message that repeats itself"


def with_bits(bits: int) -> Session:
    return open_session(offer=f"permessage-deflate; server_max_window_bits={bits}", compression=WANTED)


def plain_sessions() -> list[Session]:
    return [
        open_session(),
        open_session(offer="permessage-deflate"),
        open_session(compression=WANTED),
        open_session(offer="permessage-deflate", compression=KEEPING),
    ]


def inflated(payload: bytes, bits: int) -> bytes:
    return zlib.decompress(payload + b"\x00\x00\xff\xff\x03\x00", wbits=-bits)


@pytest.mark.parametrize("bits", range(9, 16))
def test_sessions_of_one_window_share_one_compression(bits: int) -> None:
    message = SharedMessage.text(LONG)
    first = message.for_session(with_bits(bits))
    assert message.for_session(with_bits(bits)) is first
    (frame,) = frames_in(first)
    assert (frame.opcode, frame.rsv) == (Opcode.TEXT, 4)
    assert len(frame.payload) < len(LONG)
    assert inflated(frame.payload, bits) == LONG


def test_each_window_has_its_own_bytes() -> None:
    far = bytes(range(256)) * 8
    message = SharedMessage.binary(far + bytes(2_000) + far)
    near_sighted, far_sighted = message.for_session(with_bits(9)), message.for_session(with_bits(15))
    assert len(far_sighted) < len(near_sighted)


def test_all_sessions_that_cannot_share_a_compression_share_the_plain_bytes() -> None:
    message = SharedMessage.text(LONG)
    first, *others = [message.for_session(session) for session in plain_sessions()]
    assert first == encode_text(LONG)
    assert all(other is first for other in others)


def test_a_context_that_is_kept_is_not_disturbed() -> None:
    session = open_session(offer="permessage-deflate", compression=KEEPING)
    between = open_session(offer="permessage-deflate", compression=KEEPING)
    first = session.send_text(LONG)
    assert between.send_text(LONG) == first
    SharedMessage.text(LONG).for_session(between)
    assert between.send_text(LONG) == session.send_text(LONG)


def test_short_messages_and_those_that_do_not_get_shorter_stay_plain() -> None:
    incompressible = bytes(range(256))
    message = SharedMessage.binary(b"short", incompressible)
    assert message.for_session(with_bits(12)) == encode_binary(b"short") + encode_binary(incompressible)


def test_several_messages_go_out_in_a_row() -> None:
    message = SharedMessage.text(b"one", LONG, b"two")
    assert [frame.rsv for frame in frames_in(message.for_session(with_bits(12)))] == [0, 4, 0]
    assert message.plain == encode_text(b"one") + encode_text(LONG) + encode_text(b"two")


def test_no_message_is_no_bytes() -> None:
    assert SharedMessage.text().for_session(open_session()) == b""


@pytest.mark.parametrize("offer", [None, "permessage-deflate"])
def test_what_waits_in_the_output_goes_first(offer: str | None) -> None:
    session = open_session(offer=offer, compression=WANTED)
    session.receive(raw_frame(0x89, b"ping"))
    sent = SharedMessage.text(b"shared").for_session(session)
    assert sent == encode_frame(Opcode.PONG, b"ping") + encode_text(b"shared")
    assert session.output() == b""


def test_nothing_is_sent_after_our_close_frame() -> None:
    session = open_session()
    session.close()
    assert SharedMessage.text(b"late").for_session(session) == b""


def test_what_was_said_before_the_peers_close_may_still_be_answered() -> None:
    session = open_session()
    session.receive(text("question") + close_frame())
    assert SharedMessage.text(b"answer").for_session(session) == encode_text(b"answer")
    session.finish()
    assert SharedMessage.text(b"late").for_session(session) == b""


def test_sharing_with_a_session_that_is_no_websocket_yet_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        SharedMessage.text(b"early").for_session(Session())


@given(st.lists(st.binary(max_size=400), max_size=5), st.integers(9, 15))
def test_every_session_hears_the_same(payloads: list[bytes], bits: int) -> None:
    message = SharedMessage.binary(*payloads)
    for session in [*plain_sessions(), with_bits(bits)]:
        frames = frames_in(message.for_session(session))
        heard = [Binary(inflated(frame.payload, bits) if frame.rsv else frame.payload) for frame in frames]
        assert heard == [Binary(payload) for payload in payloads]
