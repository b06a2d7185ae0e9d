"""One connection from its first byte to its last (RFC 9112, RFC 6455 §4 to §7)."""

import tracemalloc
import zlib

import pytest

from protocol import (
    Binary,
    CloseCause,
    Closed,
    Compression,
    Headers,
    HttpError,
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
    validate,
)
from protocol.assembly import RSV1
from protocol.frames import Frame
from protocol.session import TRANSITIONS, Trigger
from tests.protocol.wire import (
    KEY,
    Cut,
    client_frame,
    close_frame,
    every_cut,
    frames_in,
    handshake,
    open_session,
    raw_frame,
    receive,
    request_in,
    text,
)

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n"
OK = Response(200, (), b"ok")


def request(method: str, target: str) -> Request:
    return Request(method, target, (1, 1), Headers([("Host", "a")]))


# -- HTTP: one request after the other -------------------------------------------------------------------------------


@every_cut
def test_a_request_waits_for_its_answer_before_the_next_is_read(cut: Cut) -> None:
    session = Session()
    assert receive(session, cut(GET + HEAD + GET)) == [request("GET", "/a")]
    assert session.awaits_answer
    assert session.respond(OK) == [request("HEAD", "/b")]
    assert session.respond(OK) == [request("GET", "/a")]
    assert session.respond(OK) == []
    assert not session.awaits_answer
    assert session.output() == b"".join(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body for body in (b"ok", b"", b"ok")
    )
    assert session.state is State.HTTP


@every_cut
def test_a_client_that_wants_to_close_gets_its_answer_and_no_more(cut: Cut) -> None:
    session = Session()
    data = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert len(receive(session, cut(data + GET))) == 1
    assert session.respond(OK) == []
    assert b"\r\nConnection: close\r\n" in session.output()
    assert session.should_close
    assert session.receive(GET) == []


def test_http_1_0_is_kept_alive_only_on_request() -> None:
    session = Session()
    request_in(session, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    session.respond(OK)
    assert b"\r\nConnection: keep-alive\r\n" in session.output()
    request_in(session, b"GET / HTTP/1.0\r\n\r\n")
    session.respond(OK)
    assert b"\r\nConnection: close\r\n" in session.output()
    assert session.should_close


def test_the_server_may_close_after_an_answer() -> None:
    session = Session()
    request_in(session, GET)
    session.respond(OK, close=True)
    assert b"\r\nConnection: close\r\n" in session.output()
    assert session.should_close


@every_cut
def test_a_malformed_request_is_answered_and_the_connection_closed(cut: Cut) -> None:
    session = Session()
    (failure,) = receive(session, cut(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n" + GET))
    assert isinstance(failure, HttpFailure)
    assert failure.error.status == 400
    head, _, body = session.output().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert head.endswith(b"\r\nConnection: close")
    assert body == f"{failure.error.message}\n".encode()
    assert session.should_close


def test_a_malformed_request_behind_a_good_one_is_judged_after_its_answer() -> None:
    session = Session()
    request_in(session, GET + b"nonsense\r\n")
    (failure,) = session.respond(OK)
    assert isinstance(failure, HttpFailure)
    assert session.output().startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_error_in_answer_to_head_has_no_body() -> None:
    session = Session()
    session.receive(b"HEAD / HTTP/1.1\r\nA b\r\n")
    assert session.output().endswith(b"\r\n\r\n")


@every_cut
def test_a_body_that_waits_for_100_continue_gets_it(cut: Cut) -> None:
    session = Session(Limits(body=2))
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    assert receive(session, cut(head)) == []
    assert session.output() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert request_in(session, b"ok").body == b"ok"


def test_responses_carry_the_date_they_are_given() -> None:
    session = Session(date=lambda: "Sun, 06 Nov 1994 08:49:37 GMT")
    request_in(session, GET)
    session.respond(OK)
    session.receive(b"nonsense\r\n")
    assert session.output().count(b"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n") == 2


@pytest.mark.parametrize("data", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_eof_before_a_request_is_complete_closes_in_silence(data: bytes) -> None:
    session = Session()
    session.receive(data)
    assert session.receive_eof() == []
    assert session.output() == b""
    assert session.should_close


def test_a_client_that_half_closes_gets_the_answers_it_asked_for() -> None:
    session = Session()
    request_in(session, GET + HEAD)
    assert session.receive_eof() == []
    assert not session.should_close
    assert session.respond(OK) == [request("HEAD", "/b")]
    assert not session.should_close
    assert session.respond(OK) == []
    assert session.should_close
    assert session.output().count(b"HTTP/1.1 200 OK") == 2


def test_answering_nothing_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="no request"):
        Session().respond(OK)
    with pytest.raises(RuntimeError, match="no request"):
        open_session().accept(request("GET", "/"))


def test_an_interim_status_is_not_an_answer() -> None:
    session = Session()
    request_in(session, GET)
    with pytest.raises(ValueError, match="101"):
        session.respond(Response(101))
    assert session.awaits_answer


# -- becoming a WebSocket (RFC 6455 §4.2) ----------------------------------------------------------------------------


@every_cut
def test_frames_in_the_segment_of_the_handshake_are_not_lost(cut: Cut) -> None:
    session = Session()
    (asked,) = receive(session, cut(handshake() + text("a") + client_frame(Opcode.PING, b"b") + text("c")[:3]))
    assert isinstance(asked, Request)
    assert session.accept(asked) == [Text("a"), Ping(b"b")]
    assert receive(session, cut(text("c")[3:])) == [Text("c")]
    head, _, frames = session.output().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert frames_in(frames) == [Frame(True, Opcode.PONG, b"b")]


def test_the_subprotocol_and_headers_given_stand_in_the_101() -> None:
    session = Session()
    asked = request_in(session, handshake(Sec_WebSocket_Protocol="a, b"))
    session.accept(validate(asked), subprotocol="b", headers=[("Set-Cookie", "c=d")])
    output = session.output()
    assert b"\r\nSec-WebSocket-Protocol: b\r\n" in output
    assert b"\r\nSet-Cookie: c=d\r\n" in output


def test_a_wrong_handshake_still_waits_for_its_answer() -> None:
    session = Session()
    asked = request_in(session, handshake(Sec_WebSocket_Version="8"))
    with pytest.raises(HttpError) as caught:
        session.accept(asked)
    assert session.awaits_answer
    session.respond(caught.value.response)
    output = session.output()
    assert output.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in output


def test_a_websocket_may_follow_other_requests() -> None:
    session = Session()
    request_in(session, GET + handshake())
    (asked,) = session.respond(OK)
    assert isinstance(asked, Request)
    session.accept(asked)
    assert session.state is State.OPEN


def test_what_half_closed_before_it_was_accepted_is_told_and_over() -> None:
    session = Session()
    asked = request_in(session, handshake() + text("a"))
    assert session.receive_eof() == []
    assert session.accept(asked) == [Text("a"), Closed(1006, "", CloseCause.LOST)]
    session.output()
    assert session.send_text("b") == b"\x81\x01b"
    assert session.finish() == b""
    assert session.should_close


def test_sending_before_the_upgrade_is_a_bug() -> None:
    session = Session()
    with pytest.raises(RuntimeError, match="not a WebSocket"):
        session.send_text("a")
    with pytest.raises(RuntimeError, match="not a WebSocket"):
        session.send_binary(b"a")
    with pytest.raises(RuntimeError, match="not a WebSocket"):
        session.ping()
    with pytest.raises(RuntimeError, match="not a WebSocket"):
        session.close()


# -- messages (RFC 6455 §5.4 to §5.6, §6) ----------------------------------------------------------------------------


@every_cut
@pytest.mark.parametrize("length", [0, 1, 125, 126, 511, 512, 4096, 65535, 65536, 70000])
def test_a_message_of_any_length_arrives_whole(length: int, cut: Cut) -> None:
    data = bytes(range(256)) * (length // 256 + 1)
    ascii_text = ("canopy " * (length // 7 + 1))[:length]
    stream = client_frame(Opcode.BINARY, data[:length]) + text(ascii_text)
    assert receive(open_session(), cut(stream)) == [Binary(data[:length]), Text(ascii_text)]


@every_cut
def test_control_frames_may_stand_between_fragments(cut: Cut) -> None:
    session = open_session()
    stream = (
        text("a", fin=False)
        + client_frame(Opcode.PING, b"1")
        + client_frame(Opcode.CONTINUATION, b"b", fin=False)
        + client_frame(Opcode.PONG, b"2")
        + client_frame(Opcode.CONTINUATION, b"c")
        + text("d")
    )
    assert receive(session, cut(stream)) == [Ping(b"1"), Pong(b"2"), Text("abc"), Text("d")]
    assert frames_in(session.output()) == [Frame(True, Opcode.PONG, b"1")]


@every_cut
def test_every_ping_gets_a_pong_with_its_data(cut: Cut) -> None:
    session = open_session()
    data = [b"", b"a", bytes(125)]
    events = receive(session, cut(b"".join(client_frame(Opcode.PING, each) for each in data)))
    assert events == [Ping(each) for each in data]
    assert frames_in(session.output()) == [Frame(True, Opcode.PONG, each) for each in data]
    assert session.output() == b""


def test_what_is_sent_stands_in_one_unmasked_frame() -> None:
    session = open_session()
    sent = session.send_text("é") + session.send_text(b"{}") + session.send_binary(b"\xff") + session.ping(b"p")
    assert frames_in(sent) == [
        Frame(True, Opcode.TEXT, "é".encode()),
        Frame(True, Opcode.TEXT, b"{}"),
        Frame(True, Opcode.BINARY, b"\xff"),
        Frame(True, Opcode.PING, b"p"),
    ]


def test_pending_output_goes_before_what_is_sent() -> None:
    session = Session()
    session.accept(request_in(session, handshake()))
    assert session.send_text("a").startswith(b"HTTP/1.1 101 ")
    session.receive(client_frame(Opcode.PING))
    assert [frame.opcode for frame in frames_in(session.send_binary(b""))] == [Opcode.PONG, Opcode.BINARY]
    session.receive(client_frame(Opcode.PING))
    assert [frame.opcode for frame in frames_in(session.close())] == [Opcode.PONG, Opcode.CLOSE]


def test_a_reserved_bit_is_accepted_only_for_the_extension_agreed_on() -> None:
    session = Session()
    session.accept(request_in(session, handshake(Sec_WebSocket_Extensions="x, permessage-deflate")), compression=PLAIN)
    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" in session.output()
    compressed = client_frame(Opcode.TEXT, zlib.compress(b"cba", wbits=-15), rsv1=True)
    assert session.receive(compressed + text("abc")) == [Text("cba"), Text("abc")]
    session.receive(text("a", fin=False))
    (closed,) = session.receive(client_frame(Opcode.CONTINUATION, rsv1=True))
    assert isinstance(closed, Closed)
    assert closed.code == 1002


# -- permessage-deflate (RFC 7692) -----------------------------------------------------------------------------------

PLAIN = Compression(server_no_context_takeover=False, client_no_context_takeover=False, server_max_window_bits=15)


def test_a_large_message_is_compressed_and_a_small_one_is_not() -> None:
    session = Session()
    session.accept(
        request_in(session, handshake(Sec_WebSocket_Extensions="permessage-deflate")), compression=Compression()
    )
    session.output()
    small, large = frames_in(session.send_text("a" * 255) + session.send_binary(b"a" * 256))
    assert (small.rsv, small.payload) == (0, b"a" * 255)
    assert large.rsv == RSV1
    assert zlib.decompress(large.payload + b"\x00\x00\xff\xff\x03\x00", wbits=-12) == b"a" * 256


def test_without_an_offer_nothing_is_compressed() -> None:
    session = Session()
    session.accept(request_in(session, handshake()), compression=Compression())
    assert b"Extensions" not in session.output()
    assert frames_in(session.send_binary(bytes(1000))) == [Frame(True, Opcode.BINARY, bytes(1000))]


def test_a_bomb_is_cut_at_the_limit_of_a_message() -> None:
    session = Session(Limits(message=10_000))
    session.accept(
        request_in(session, handshake(Sec_WebSocket_Extensions="permessage-deflate")), compression=Compression()
    )
    bomb = zlib.compress(bytes(50_000_000), wbits=-15)[:9_000]
    (closed,) = session.receive(client_frame(Opcode.BINARY, bomb, rsv1=True))
    assert isinstance(closed, Closed)
    assert closed.code == 1009


# -- violations (RFC 6455 §7.1.7) ------------------------------------------------------------------------------------

FRAGMENT = text("a", fin=False)
VIOLATIONS = {
    "RSV1": (1002, "5.2", raw_frame(0xC1)),
    "RSV2": (1002, "5.2", raw_frame(0xA1)),
    "RSV3": (1002, "5.2", raw_frame(0x91)),
    "RSV1 on a ping": (1002, "5.2", raw_frame(0xC9)),
    "reserved data opcode": (1002, "5.2", raw_frame(0x83)),
    "reserved control opcode": (1002, "5.2", raw_frame(0x8B)),
    "unmasked": (1002, "5.1", b"\x81\x01a"),
    "unmasked ping": (1002, "5.1", b"\x89\x00"),
    "long way to say 1": (1002, "5.2", b"\x81\xfe\x00\x01" + KEY + b"a"),
    "fragmented ping": (1002, "5.5", raw_frame(0x09)),
    "ping of 126 bytes": (1002, "5.5", b"\x89\xfe\x00\x7e" + KEY + bytes(126)),
    "continuation of nothing": (1002, "5.4", raw_frame(0x80)),
    "text in a message": (1002, "5.4", FRAGMENT + text("b")),
    "binary in a message": (1002, "5.4", FRAGMENT + raw_frame(0x82)),
    "too long": (1009, "10.4", b"\x82\xfe\x03\xe9" + KEY),
    "far too long": (1009, "10.4", b"\x82\xff" + (1 << 62).to_bytes(8) + KEY),
    "too long in sum": (1009, "10.4", client_frame(2, bytes(600), fin=False) + client_frame(0, bytes(401))),
    "too many fragments": (1009, "10.4", FRAGMENT + raw_frame(0x00) * 10),
    "not UTF-8": (1007, "8.1", raw_frame(0x81, b"\xff")),
    "half a character": (1007, "8.1", raw_frame(0x81, b"\xc3")),
    "not UTF-8 in a fragment": (1007, "8.1", FRAGMENT + raw_frame(0x00, b"\xed\xa0")),
    "close payload of one byte": (1002, "5.5.1", close_frame(b"\x03")),
    "close with 1005": (1002, "7.4", close_frame((1005).to_bytes(2))),
    "close reason not UTF-8": (1007, "5.5.1", close_frame((1000).to_bytes(2) + b"\xff")),
}


@every_cut
@pytest.mark.parametrize(("code", "section", "stream"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_violation_closes_with_its_code_and_the_rule_after_what_was_right(
    code: int, section: str, stream: bytes, cut: Cut
) -> None:
    session = open_session(Limits(message=1000, fragments=10))
    first, closed = receive(session, cut(text("fine") + stream + text("ignored")))
    assert first == Text("fine")
    assert isinstance(closed, Closed)
    assert (closed.code, closed.cause, closed.clean) == (code, CloseCause.VIOLATION, False)
    assert closed.reason.endswith(f"(RFC 6455 §{section})")
    assert frames_in(session.finish()) == [Frame(True, Opcode.CLOSE, code.to_bytes(2) + closed.reason.encode())]
    assert session.should_close


def test_a_message_that_has_ended_cannot_be_continued() -> None:
    message, closed = open_session().receive(FRAGMENT + raw_frame(0x80) + raw_frame(0x80))
    assert message == Text("a")
    assert isinstance(closed, Closed)
    assert closed.code == 1002


def test_a_size_is_judged_from_the_header_before_the_payload() -> None:
    session = open_session(Limits(message=10))
    (closed,) = session.receive(client_frame(Opcode.BINARY, bytes(11))[:6])
    assert isinstance(closed, Closed)
    assert closed.code == 1009


def test_an_announced_payload_takes_no_memory_before_it_arrives() -> None:
    session = open_session(Limits(message=1 << 30))
    tracemalloc.start()
    try:
        assert session.receive(b"\x82\xff" + (1 << 30).to_bytes(8) + KEY) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000


def test_invalid_utf8_fails_before_its_frame_is_complete() -> None:
    stream = client_frame(Opcode.TEXT, b"caf\xf4\x90" + b"a" * 1000)
    session = open_session()
    assert session.receive(stream[:12]) == []
    (closed,) = session.receive(stream[12:13])
    assert isinstance(closed, Closed)
    assert closed.code == 1007


def test_a_violation_while_closing_sends_no_second_close_frame() -> None:
    session = open_session()
    session.close()
    (closed,) = session.receive(raw_frame(0x83))
    assert isinstance(closed, Closed)
    assert (closed.code, closed.cause) == (1002, CloseCause.VIOLATION)
    assert session.output() == b""
    assert session.should_close


# -- closing (RFC 6455 §5.5.1, §7) -----------------------------------------------------------------------------------


@every_cut
@pytest.mark.parametrize(
    ("payload", "code", "reason", "answer"),
    [
        (b"", 1005, "", b""),
        (b"\x03\xe8", 1000, "", b"\x03\xe8"),
        (b"\x03\xe9" + "tschüß".encode(), 1001, "tschüß", b"\x03\xe9"),
        (b"\x0f\xa0" + b"r" * 123, 4000, "r" * 123, b"\x0f\xa0"),
    ],
)
def test_a_close_is_answered_with_its_code_and_ends_the_connection(
    payload: bytes, code: int, reason: str, answer: bytes, cut: Cut
) -> None:
    session = open_session()
    events = receive(session, cut(text("a") + close_frame(payload) + text("ignored") + close_frame()))
    assert events == [Text("a"), Closed(code, reason, CloseCause.PEER)]
    assert frames_in(session.finish()) == [Frame(True, Opcode.CLOSE, answer)]
    assert session.should_close


@pytest.mark.parametrize("last", [close_frame(), raw_frame(0x83)], ids=["close", "violation"])
def test_what_came_before_the_last_event_is_answered_before_it(last: bytes) -> None:
    session = open_session()
    message, closed = session.receive(text("a") + last)
    assert message == Text("a")
    assert isinstance(closed, Closed)
    assert session.output() == b""
    assert not session.should_close
    answers = session.send_text("first") + session.send_binary(b"second") + session.finish()
    assert [frame.opcode for frame in frames_in(answers)] == [Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE]
    assert session.send_text("late") == session.finish() == b""


def test_our_close_after_the_peers_is_the_answer_to_it() -> None:
    session = open_session()
    session.receive(close_frame(b"\x03\xe8"))
    assert frames_in(session.close(1001, "restart")) == [Frame(True, Opcode.CLOSE, b"\x03\xe8")]
    assert session.should_close


def test_a_close_inside_a_fragmented_message_ends_the_connection() -> None:
    assert open_session().receive(FRAGMENT + close_frame()) == [Closed(1005, "", CloseCause.PEER)]


@every_cut
def test_our_close_ends_the_connection_when_the_peer_answers(cut: Cut) -> None:
    session = open_session()
    assert frames_in(session.close(1001, "restart")) == [Frame(True, Opcode.CLOSE, b"\x03\xe9restart")]
    assert session.state is State.CLOSING
    assert not session.should_close
    events = receive(session, cut(text("in flight") + close_frame(b"\x03\xe9") + text("ignored")))
    assert events == [Text("in flight"), Closed(1001, "", CloseCause.LOCAL)]
    assert session.output() == b""
    assert session.should_close


def test_nothing_goes_out_after_our_close_frame() -> None:
    session = open_session()
    session.close()
    assert session.receive(client_frame(Opcode.PING)) == [Ping(b"")]
    assert session.send_text("a") == session.send_binary(b"a") == session.ping() == session.close(1011) == b""
    assert session.output() == b""


def test_a_close_frame_may_be_without_a_code() -> None:
    assert frames_in(open_session().close(None)) == [Frame(True, Opcode.CLOSE, b"")]


def test_a_code_that_must_not_be_sent_leaves_the_connection_open() -> None:
    session = open_session()
    with pytest.raises(ValueError, match="1006"):
        session.close(1006)
    assert session.state is State.OPEN


@pytest.mark.parametrize(
    ("last", "may_receive_more"), [(close_frame(), True), (raw_frame(0x83), True), (None, False)], ids=str
)
def test_a_peer_may_be_heard_until_its_stream_ends(last: bytes | None, may_receive_more: bool) -> None:
    session = open_session()
    assert session.may_receive_more
    if last is None:
        session.receive_eof()
    else:
        session.receive(last)
    assert session.may_receive_more is may_receive_more


@pytest.mark.parametrize("closing", [False, True])
def test_eof_without_a_close_frame_is_1006(closing: bool) -> None:
    session = open_session()
    if closing:
        session.close()
    session.receive(text("half")[:4])
    assert session.receive_eof() == [Closed(1006, "", CloseCause.LOST)]
    assert session.finish() == b""
    assert session.should_close
    assert session.receive_eof() == []


def test_eof_after_the_closing_handshake_says_nothing_new() -> None:
    session = open_session()
    session.receive(close_frame())
    assert session.receive_eof() == []


def test_clean_means_that_both_sent_a_close_frame() -> None:
    assert [cause for cause in CloseCause if Closed(1000, "", cause).clean] == [CloseCause.PEER, CloseCause.LOCAL]


# -- the table -------------------------------------------------------------------------------------------------------


def in_state(state: State) -> Session:
    session = Session()
    if state is State.HTTP:
        request_in(session, handshake())
        return session
    session = open_session()
    if state is State.CLOSING:
        session.close()
    if state is State.FINISHING:
        session.receive(close_frame())
    return session


def pull(session: Session, trigger: Trigger) -> None:
    match trigger:
        case Trigger.ACCEPT:
            session.accept(request_in(Session(), handshake()))
        case Trigger.LAST_RESPONSE:
            session.respond(OK, close=True)
        case Trigger.BAD_REQUEST:
            session.respond(OK)
            session.receive(b"nonsense\r\n")
        case Trigger.LOCAL_CLOSE:
            session.close()
        case Trigger.PEER_CLOSE:
            session.receive(close_frame())
        case Trigger.VIOLATION:
            session.receive(raw_frame(0x83))
        case Trigger.FINISH:
            session.finish()
        case Trigger.EOF:
            if session.state is State.HTTP:
                session.respond(OK)
            session.receive_eof()


@pytest.mark.parametrize(("state", "trigger"), TRANSITIONS, ids=lambda value: value.value)
def test_each_transition_of_the_table_happens(state: State, trigger: Trigger) -> None:
    session = in_state(state)
    pull(session, trigger)
    assert session.state is TRANSITIONS[state, trigger]


def test_closed_is_final_and_nothing_is_remembered() -> None:
    assert not [trigger for state, trigger in TRANSITIONS if state is State.CLOSED]
    session = open_session()
    session.receive(close_frame())
    session.finish()
    assert receive(session, [text("a"), GET, raw_frame(0x83)]) == []
    assert session.receive_eof() == []
    assert session.output() == b""
