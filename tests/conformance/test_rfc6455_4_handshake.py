"""RFC 6455 §4: the opening handshake."""

import pytest

from tests.conformance.peer import ask, close, converse, exchange, frame, handshake, read_answer

ACCEPTED = {
    "4.2.1 names and tokens in any case": {"Upgrade": "WebSocket", "Connection": "UPGRADE"},
    "4.2.1 Connection lists other options": {"Connection": "keep-alive, Upgrade"},
    "4.2.1 Upgrade lists other protocols": {"Upgrade": "h2c, websocket"},
    "4.2.1 a body of no bytes": {"Content-Length": "0"},
    "4.1 a subprotocol that nobody speaks": {"Sec-WebSocket-Protocol": "chat, superchat"},
    "9.1 an extension that nobody knows": {"Sec-WebSocket-Extensions": 'foo; a=1; b="2", bar'},
    "4.1 space around a key": {"Sec-WebSocket-Key": "  dGhlIHNhbXBsZSBub25jZQ== \t"},
    "4.1 headers of no interest": {"Cookie": "a=b", "Sec-Fetch-Mode": "websocket", "X": ""},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_valid_handshake_is_accepted(port: int, changes: dict[str, str], bytewise: bool) -> None:
    answer = read_answer(exchange(port, handshake(**changes) + close(), bytewise=bytewise))
    assert answer.status == 101
    assert answer.headers["upgrade"].lower() == "websocket"
    assert answer.headers["connection"].lower() == "upgrade"
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "sec-websocket-protocol" not in answer.headers
    assert "sec-websocket-extensions" not in answer.headers
    assert answer.frames == ["close 1000"]


REFUSED: dict[str, tuple[set[int], str, dict[str, str | None]]] = {
    "4.2.1 not a GET": ({405}, "POST /echo HTTP/1.1", {}),
    "4.2.1 HEAD": ({405}, "HEAD /echo HTTP/1.1", {}),
    "4.2.1 HTTP/1.0": ({505}, "GET /echo HTTP/1.0", {}),
    "4.2.1 no Host": ({400}, "GET /echo HTTP/1.1", {"Host": None}),
    "4.2.1 no Upgrade": ({426}, "GET /echo HTTP/1.1", {"Upgrade": None}),
    "4.2.1 another Upgrade": ({426}, "GET /echo HTTP/1.1", {"Upgrade": "h2c"}),
    "4.2.1 a name like websocket": ({426}, "GET /echo HTTP/1.1", {"Upgrade": "websocket2"}),
    "4.2.1 no Connection": ({400}, "GET /echo HTTP/1.1", {"Connection": None}),
    "4.2.1 Connection without upgrade": ({400}, "GET /echo HTTP/1.1", {"Connection": "keep-alive"}),
    "4.2.1 no key": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Key": None}),
    "4.2.1 empty key": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Key": ""}),
    "4.2.1 key of 15 bytes": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA"}),
    "4.2.1 key of 17 bytes": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAAA="}),
    "4.2.1 key not in base64": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!=="}),
    "4.2.1 key without padding": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"}),
    "4.2.1 no version": ({400, 426}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Version": None}),
    "4.4 version 8": ({426}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Version": "8"}),
    "4.4 version 14": ({426}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Version": "14"}),
    "4.4 version 013": ({426}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Version": "013"}),
    "4.4 a list of versions": ({426}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Version": "13, 8"}),
    "4.4 no number": ({426}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Version": "thirteen"}),
    "4.1 empty subprotocols": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Protocol": ""}),
    "4.1 a subprotocol that is no token": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Protocol": "a b"}),
    "4.1 a subprotocol twice": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Protocol": "a, a"}),
    "9.1 empty extensions": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Extensions": ""}),
    "9.1 an extension that is no token": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Extensions": "a b"}),
    "9.1 a parameter without a name": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Extensions": "a; =1"}),
    "9.1 a quoted value that is no token": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Extensions": 'a; b="1 2"'}),
    "9.1 a quote without an end": ({400}, "GET /echo HTTP/1.1", {"Sec-WebSocket-Extensions": 'a; b="1'}),
}


@pytest.mark.parametrize(("statuses", "start", "changes"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_handshake_is_refused(
    port: int, statuses: set[int], start: str, changes: dict[str, str | None], bytewise: bool
) -> None:
    answer = ask(port, handshake(start, **changes), bytewise=bytewise)
    assert answer.status in statuses
    assert "sec-websocket-accept" not in answer.headers


@pytest.mark.parametrize("name", ["Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"])
def test_a_header_that_must_stand_once_is_refused_twice(port: int, name: str) -> None:
    # §11.3.1, §11.3.5: MUST NOT appear more than once; RFC 9112 §3.2 for Host
    data = handshake()
    line = next(line for line in data.split(b"\r\n") if line.startswith(name.encode()))
    assert ask(port, data[:-2] + line + b"\r\n\r\n").status == 400


def test_4_4_a_refused_version_is_told_the_right_one(port: int) -> None:
    answer = ask(port, handshake(Sec_WebSocket_Version="8"))
    assert answer.headers["sec-websocket-version"] == "13"
    assert answer.headers["upgrade"] == "websocket"  # RFC 9110 §15.5.22


def test_4_1_the_target_may_be_absolute(port: int) -> None:
    data = handshake("GET http://example.com/echo HTTP/1.1") + close()
    assert read_answer(exchange(port, data)).status == 101


def test_4_1_the_target_may_have_a_query(port: int) -> None:
    assert read_answer(exchange(port, handshake("GET /echo?a=/b HTTP/1.1") + close())).status == 101


def test_4_2_2_frames_in_the_segment_of_the_handshake_are_heard(port: int, bytewise: bool) -> None:
    heard = converse(port, frame(1, "one"), frame(2, b"two"), close(), bytewise=bytewise)
    assert heard == ["text one", "binary 74776f", "close 1000"]


def test_4_2_2_there_is_no_websocket_where_nobody_serves_one(port: int) -> None:
    assert ask(port, handshake("GET /nowhere HTTP/1.1")).status == 404


def test_a_client_that_goes_on_after_a_refusal_is_not_heard(port: int) -> None:
    answer = read_answer(exchange(port, handshake(Sec_WebSocket_Version="8") + frame(1, "hello")))
    assert answer.status == 426
    assert read_answer(answer.rest).status == 400
