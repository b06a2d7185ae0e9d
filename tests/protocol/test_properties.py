"""Whatever the bytes and however they are cut: the same events, only the protocol's own errors, bounded memory."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import protocol.session
from protocol import (
    Binary,
    CloseCause,
    Closed,
    Event,
    HttpFailure,
    Limits,
    Opcode,
    Ping,
    Pong,
    Request,
    Response,
    Session,
    State,
    Text,
)
from protocol.reader import read_small_messages
from tests.protocol.wire import (
    client_frame,
    close_frame,
    cut_at,
    frames_in,
    handshake,
    open_session,
    raw_frame,
    receive,
    text,
)

LIMITS = Limits(message=600, fragments=5)
CUTS = st.lists(st.integers(0, 2000), max_size=12)
Conversation = tuple[bytes, list[Event], list[bytes]]

PAYLOADS = st.binary(max_size=20) | st.integers(100, 600).map(bytes)
TEXTS = st.text(max_size=20) | st.integers(100, 600).map(lambda size: "x" * size)


def whole(message: Text | Binary) -> Conversation:
    opcode, payload = as_frame(message)
    return client_frame(opcode, payload), [message], []


def as_frame(message: Text | Binary) -> tuple[Opcode, bytes]:
    match message:
        case Text(data):
            return Opcode.TEXT, data.encode()
        case Binary(payload):
            return Opcode.BINARY, payload


def fragmented(message: Text | Binary, cuts: list[int], between: bytes) -> Conversation:
    """Build a fragmented message with a ping in its middle."""
    opcode, payload = as_frame(message)
    parts = cut_at(payload, cuts)
    last = len(parts) - 1
    frames = [
        client_frame(opcode if i == 0 else Opcode.CONTINUATION, part, fin=i == last) for i, part in enumerate(parts)
    ]
    frames.insert(1, client_frame(Opcode.PING, between))
    events: list[Event] = [Ping(between), message] if last else [message, Ping(between)]
    return b"".join(frames), events, [between]


def ping(data: bytes) -> Conversation:
    return client_frame(Opcode.PING, data), [Ping(data)], [data]


def pong(data: bytes) -> Conversation:
    return client_frame(Opcode.PONG, data), [Pong(data)], []


MESSAGES = st.builds(Text, TEXTS) | st.builds(Binary, PAYLOADS)
SHORT = st.binary(max_size=125)
CONVERSATIONS = st.lists(
    st.builds(whole, MESSAGES)
    | st.builds(fragmented, MESSAGES, st.lists(st.integers(0, 30), max_size=4), SHORT)
    | st.builds(ping, SHORT)
    | st.builds(pong, SHORT),
    max_size=12,
)


@given(CONVERSATIONS, CUTS)
def test_what_a_client_says_arrives_in_order_however_it_is_cut(
    conversation: list[Conversation], cuts: list[int]
) -> None:
    session = open_session(LIMITS)
    events = receive(session, cut_at(b"".join(stream for stream, _, _ in conversation), cuts))
    assert events == [event for _, expected, _ in conversation for event in expected]
    pongs = [data for _, _, pings in conversation for data in pings]
    assert [frame.payload for frame in frames_in(session.output())] == pongs


# Frames that are right, nearly right and wrong, so that random streams get past their first header.
FRAMES = (
    st.builds(client_frame, st.sampled_from([0, 1, 2]), PAYLOADS, fin=st.booleans())
    | st.builds(client_frame, st.sampled_from([9, 10]), st.binary(max_size=20))
    | st.builds(raw_frame, st.integers(0, 255), st.binary(max_size=20))
    | st.builds(text, st.text(max_size=20))
    | st.builds(close_frame, st.binary(max_size=20))
    | st.binary(max_size=10)
)
STREAMS = st.lists(FRAMES, max_size=12).map(b"".join)


def outcome(pieces: list[bytes]) -> tuple[list[Event], bytes, State]:
    session = open_session(LIMITS)
    events = receive(session, pieces) + session.receive_eof()
    return events, session.output() + session.finish(), session.state


@given(STREAMS, CUTS)
def test_any_stream_reads_the_same_in_any_cut(stream: bytes, cuts: list[int]) -> None:
    expected = outcome([stream])
    assert outcome(cut_at(stream, cuts)) == expected
    assert outcome([stream[i : i + 1] for i in range(len(stream))]) == expected


@given(STREAMS)
def test_any_stream_ends_in_exactly_one_closed(stream: bytes) -> None:
    events, output, state = outcome([stream])
    assert [type(event) for event in events].count(Closed) == 1
    assert isinstance(events[-1], Closed)
    assert state is State.CLOSED
    closes = [frame for frame in frames_in(output) if frame.opcode is Opcode.CLOSE]
    assert len(closes) == (events[-1].cause is not CloseCause.LOST)
    assert frames_in(output)[-1:] == closes or not closes


@given(STREAMS, CUTS)
def test_the_fast_path_and_the_general_path_give_the_same_events(stream: bytes, cuts: list[int]) -> None:
    def never(_data: bytes, position: int, _limit: int, _events: list[Event]) -> int:
        return position

    def through(path: Callable[[bytes, int, int, list[Event]], int]) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(protocol.session, "read_small_messages", path)
            return outcome(cut_at(stream, cuts))

    assert through(read_small_messages) == through(never)


@pytest.mark.parametrize("length", [0, 125, 126, 511, 512, 600])
def test_the_fast_path_takes_every_simple_frame_of_a_chunk(length: int) -> None:
    events: list[Event] = []
    chunk = text("a" * length) * 3 + client_frame(Opcode.BINARY, bytes(length))
    assert read_small_messages(chunk, 0, 600, events) == len(chunk)
    assert events == [Text("a" * length)] * 3 + [Binary(bytes(length))]


@pytest.mark.parametrize(
    "frame",
    [
        *(text("a", fin=False), text("a" * 601), text("a")[:-1], text("a")[:5], text("a" * 126)[:7]),
        *(raw_frame(0x89), raw_frame(0xC1), raw_frame(0x81, b"\xff")),
        *(b"\x81\x01a    ", b"\x81\xfe\x00\x01\0\0\0\0a", b"\x81\xff" + bytes(20)),
    ],
)
def test_the_fast_path_stops_before_any_other_frame(frame: bytes) -> None:
    events: list[Event] = []
    assert read_small_messages(text("a") + frame, 0, 600, events) == len(text("a"))
    assert events == [Text("a")]


# -- HTTP ------------------------------------------------------------------------------------------------------------

HEAD_PARTS = st.lists(
    st.sampled_from(
        [b"GET / HTTP/1.1\r\n", b"HEAD /b HTTP/1.0\r\n", b"Host: a\r\n", b"Connection: close\r\n", b"\r\n", b"\r\n\r\n"]
        + [b"Content-Length: 3\r\n", b"Content-Length: 9\r\n", b"Expect: 100-continue\r\n", b"\n", b"abc", b"A: b\r\n"]
        + [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] * 3
    )
    | st.binary(max_size=10),
    max_size=15,
).map(b"".join)


def serve(pieces: list[bytes]) -> tuple[list[str], bytes, State]:
    """Answer every request at once; tell events as text, because an exception equals only itself."""
    session = Session(Limits(request_line=50, header_bytes=100, header_count=4, body=5))
    seen: list[Event] = []
    for step in [*(lambda piece=piece: session.receive(piece) for piece in pieces), session.receive_eof]:
        events = step()
        while events:
            seen += events
            events = session.respond(Response(200, (), b"ok")) if isinstance(events[-1], Request) else []
    told = [str(event.error) if isinstance(event, HttpFailure) else repr(event) for event in seen]
    return told, session.output(), session.state


@given(HEAD_PARTS, CUTS)
def test_any_http_stream_is_served_the_same_in_any_cut(stream: bytes, cuts: list[int]) -> None:
    expected = serve([stream])
    assert serve(cut_at(stream, cuts)) == expected
    assert serve([stream[i : i + 1] for i in range(len(stream))]) == expected


@given(HEAD_PARTS)
def test_any_http_stream_ends_closed_with_an_answer_for_each_event(stream: bytes) -> None:
    events, output, state = serve([stream])
    assert state is State.CLOSED
    assert output.count(b"HTTP/1.1 ") - output.count(b"HTTP/1.1 100 ") == len(events)


@given(CONVERSATIONS, CUTS)
def test_nothing_is_lost_between_handshake_and_first_frames(conversation: list[Conversation], cuts: list[int]) -> None:
    session = Session(LIMITS)
    stream = handshake() + b"".join(stream for stream, _, _ in conversation)
    events: list[Event] = []
    for piece in cut_at(stream, cuts):
        for event in session.receive(piece):
            events += session.accept(event) if isinstance(event, Request) else [event]
    assert events == [event for _, expected, _ in conversation for event in expected]
