"""The `websockets` package as the client, in memory: two codecs that do not share their mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode
from websockets.http11 import Response as TheirResponse
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from protocol import Binary, CloseCause, Closed, Opcode, Ping, Pong, Session, Text, choose_subprotocol, validate
from protocol.assembly import fragment
from tests.protocol.wire import frames_in, request_in


def connect(subprotocols: list[str] | None = None) -> tuple[Session, ClientProtocol]:
    offered = [Subprotocol(name) for name in subprotocols] if subprotocols else None
    client = ClientProtocol(parse_uri("ws://example.com/ws"), subprotocols=offered)
    client.send_request(client.connect())
    session = Session()
    upgrade = validate(request_in(session, b"".join(client.data_to_send())))
    session.accept(upgrade, subprotocol=choose_subprotocol(upgrade.subprotocols, ["canopy.v1.bin"]))
    client.receive_data(session.output())
    (response,) = client.events_received()
    assert isinstance(response, TheirResponse)
    assert client.handshake_exc is None
    return session, client


def said(client: ClientProtocol) -> bytes:
    return b"".join(client.data_to_send())


def heard(client: ClientProtocol, data: bytes) -> list[tuple[TheirOpcode, bytes, bool]]:
    client.receive_data(data)
    frames = [event for event in client.events_received() if isinstance(event, TheirFrame)]
    return [(frame.opcode, bytes(frame.data), frame.fin) for frame in frames]


def close_of(client: ClientProtocol) -> tuple[int, str]:
    assert client.close_rcvd is not None
    return client.close_rcvd.code, client.close_rcvd.reason


def test_the_handshake_is_accepted_with_its_subprotocol() -> None:
    _, client = connect(["other", "canopy.v1.bin"])
    assert client.subprotocol == "canopy.v1.bin"


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_messages_pass_in_both_directions(length: int) -> None:
    session, client = connect()
    client.send_text(b"a" * length)
    client.send_binary(bytes(length))
    assert session.receive(said(client)) == [Text("a" * length), Binary(bytes(length))]
    assert heard(client, session.send_text("a" * length)) == [(TheirOpcode.TEXT, b"a" * length, True)]
    assert heard(client, session.send_binary(bytes(length))) == [(TheirOpcode.BINARY, bytes(length), True)]


@given(st.lists(st.text(max_size=10), min_size=1, max_size=5))
def test_their_fragments_are_one_message(parts: list[str]) -> None:
    session, client = connect()
    client.send_text(parts[0].encode(), fin=len(parts) == 1)
    for i, part in enumerate(parts[1:], 2):
        client.send_continuation(part.encode(), fin=i == len(parts))
    assert session.receive(said(client)) == [Text("".join(parts))]


def test_our_fragments_are_read() -> None:
    _, client = connect()
    frames = heard(client, b"".join(fragment(Opcode.TEXT, b"abc", 2)))
    assert frames == [(TheirOpcode.TEXT, b"ab", False), (TheirOpcode.CONT, b"c", True)]


def test_pings_are_answered_in_both_directions() -> None:
    session, client = connect()
    client.send_ping(b"1")
    assert session.receive(said(client)) == [Ping(b"1")]
    assert heard(client, session.output()) == [(TheirOpcode.PONG, b"1", True)]
    heard(client, session.ping(b"2"))
    assert session.receive(said(client)) == [Pong(b"2")]


def test_their_close_is_answered() -> None:
    session, client = connect()
    client.send_close(1001, "bye")
    assert session.receive(said(client)) == [Closed(1001, "bye", CloseCause.PEER)]
    heard(client, session.finish())
    assert close_of(client) == (1001, "")


def test_our_close_is_answered() -> None:
    session, client = connect()
    heard(client, session.close(1001, "restart"))
    assert close_of(client) == (1001, "restart")
    assert session.receive(said(client)) == [Closed(1001, "restart", CloseCause.LOCAL)]


def test_a_violation_tells_the_client_its_rule() -> None:
    session, client = connect()
    session.receive(b"\x83\x80\0\0\0\0")
    (close,) = frames_in(output := session.finish())
    assert close.opcode is Opcode.CLOSE
    client.receive_data(output)
    assert close_of(client) == (1002, "opcode 0x3 is reserved (RFC 6455 §5.2)")
