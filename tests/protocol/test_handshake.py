"""The opening handshake (RFC 6455 §4)."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Headers, HttpError, Request, Upgrade, choose_subprotocol, validate
from protocol.handshake import Extension, accept_key, accept_response, is_upgrade, parse_extensions
from protocol.limits import Limits
from protocol.request_parser import RequestParser
from tests.protocol.wire import NONCE, Cut, every_cut, handshake


def request_of(data: bytes) -> Request:
    parser = RequestParser(Limits(body=10))
    parser.feed(data)
    request = parser.next()
    assert isinstance(request, Request)
    return request


def test_the_accept_key_is_that_of_the_rfc() -> None:
    assert accept_key(NONCE) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_minimal_handshake_is_valid() -> None:
    assert validate(request_of(handshake())) == Upgrade(NONCE)


@every_cut
def test_a_full_handshake_tells_what_was_offered(cut: Cut) -> None:
    data = handshake(
        Upgrade="foo, WebSocket",
        Connection=["keep-alive", "UPGRADE"],
        Origin="https://example.com",
        Sec_WebSocket_Protocol=["a, b", "c"],
        Sec_WebSocket_Extensions=["x; p; q=1", 'y ;r = "2" , z'],
    )
    parser = RequestParser(Limits())
    for piece in cut(data):
        parser.feed(piece)
        request = parser.next()
    assert isinstance(request, Request)
    offers = (Extension("x", (("p", None), ("q", "1"))), Extension("y", (("r", "2"),)), Extension("z"))
    assert validate(request) == Upgrade(NONCE, ("a", "b", "c"), offers, "https://example.com")


WRONG = {
    "method": (405, handshake("POST /ws HTTP/1.1")),
    "head instead of get": (405, handshake("HEAD /ws HTTP/1.1")),
    "version of HTTP": (505, handshake("GET /ws HTTP/1.0")),
    "no upgrade": (426, handshake(Upgrade=None)),
    "upgrade to something else": (426, handshake(Upgrade="h2c")),
    "no connection": (400, handshake(Connection=None)),
    "connection without upgrade": (400, handshake(Connection="keep-alive")),
    "no key": (400, handshake(Sec_WebSocket_Key=None)),
    "two keys": (400, handshake(Sec_WebSocket_Key=[NONCE, NONCE])),
    "empty key": (400, handshake(Sec_WebSocket_Key="")),
    "key of 15 bytes": (400, handshake(Sec_WebSocket_Key=b64encode(bytes(15)).decode())),
    "key of 17 bytes": (400, handshake(Sec_WebSocket_Key=b64encode(bytes(17)).decode())),
    "key that is not base64": (400, handshake(Sec_WebSocket_Key="?" * 22 + "==")),
    "key with a space": (400, handshake(Sec_WebSocket_Key="dGhlIHNhbXBs ZSBub25jZQ==")),
    "key without padding": (400, handshake(Sec_WebSocket_Key=NONCE.rstrip("="))),
    "key beyond ASCII": (400, handshake(Sec_WebSocket_Key="é" * 22 + "==")),
    "no version": (426, handshake(Sec_WebSocket_Version=None)),
    "old version": (426, handshake(Sec_WebSocket_Version="8")),
    "version that is no number": (426, handshake(Sec_WebSocket_Version="013")),
    "list of versions": (426, handshake(Sec_WebSocket_Version="13, 8")),
    "two versions": (400, handshake(Sec_WebSocket_Version=["13", "13"])),
    "subprotocol that is no token": (400, handshake(Sec_WebSocket_Protocol="a b")),
    "subprotocol named twice": (400, handshake(Sec_WebSocket_Protocol=["a, b", "a"])),
    "empty subprotocols": (400, handshake(Sec_WebSocket_Protocol=" , ")),
    "empty extensions": (400, handshake(Sec_WebSocket_Extensions=" , ")),
    "malformed extension": (400, handshake(Sec_WebSocket_Extensions="a; =1")),
    "two origins": (400, handshake(Origin=["a", "b"])),
    "body": (400, handshake(Content_Length="2") + b"hi"),
}


@pytest.mark.parametrize(("status", "data"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_handshake_is_refused_with_its_status(status: int, data: bytes) -> None:
    with pytest.raises(HttpError) as caught:
        validate(request_of(data))
    assert caught.value.status == status


def test_a_handshake_without_a_host_is_refused() -> None:
    fields = [(name, value) for name, value in request_of(handshake()).headers if name != "Host"]
    with pytest.raises(HttpError, match="400 Host is missing"):
        validate(Request("GET", "/ws", (1, 1), Headers(fields)))


def test_each_mistake_has_its_own_message() -> None:
    messages = set()
    for name in ("method", "version of HTTP", "no upgrade", "no connection", "no key", "empty key", "no version"):
        with pytest.raises(HttpError) as caught:
            validate(request_of(WRONG[name][1]))
        messages.add(caught.value.message)
    assert len(messages) == 7


def test_a_refusal_says_what_would_be_right() -> None:
    expected = {
        "method": [("Allow", "GET")],
        "no upgrade": [("Upgrade", "websocket"), ("Connection", "Upgrade")],
        "old version": [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")],
    }
    for name, headers in expected.items():
        with pytest.raises(HttpError) as caught:
            validate(request_of(WRONG[name][1]))
        assert list(caught.value.headers) == headers


def test_an_upgrade_is_recognised_even_when_it_is_wrong() -> None:
    assert is_upgrade(request_of(handshake(Sec_WebSocket_Key=None)))
    assert not is_upgrade(request_of(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))


def test_the_clients_order_of_subprotocols_counts() -> None:
    assert choose_subprotocol(("c", "a", "b"), ["a", "b"]) == "a"
    assert choose_subprotocol(("c",), ["a"]) is None
    assert choose_subprotocol((), ["a"]) is None


def test_subprotocols_are_compared_with_their_case() -> None:
    assert choose_subprotocol(("A",), ["a"]) is None


def test_the_101_names_what_was_agreed() -> None:
    upgrade = Upgrade(NONCE, ("a",), (Extension("x"),))
    extension = Extension("x", (("p", None), ("q", "1")))
    assert accept_response(upgrade, "a", [extension], [("Server", "canopy")]) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Protocol: a\r\n"
        b"Sec-WebSocket-Extensions: x; p; q=1\r\n"
        b"Server: canopy\r\n"
        b"\r\n"
    )


def test_nothing_is_agreed_unasked() -> None:
    response = accept_response(Upgrade(NONCE, ("a",), (Extension("x"),)))
    assert b"Protocol:" not in response
    assert b"Extensions:" not in response


def test_what_was_not_offered_cannot_be_agreed() -> None:
    with pytest.raises(ValueError, match="subprotocol 'b'"):
        accept_response(Upgrade(NONCE, ("a",)), "b")
    with pytest.raises(ValueError, match="extensions"):
        accept_response(Upgrade(NONCE), extensions=[Extension("x")])


# -- Sec-WebSocket-Extensions (RFC 6455 §9.1) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", (Extension("a"),)),
        (" a ,, b,", (Extension("a"), Extension("b"))),
        ("a;b", (Extension("a", (("b", None),)),)),
        ('a; b="c"', (Extension("a", (("b", "c"),)),)),
        (r'a; b="\c"', (Extension("a", (("b", "c"),)),)),
        ("a; b=1; b=2", (Extension("a", (("b", "1"), ("b", "2"))),)),
        ("a, a; b", (Extension("a"), Extension("a", (("b", None),)))),
    ],
)
def test_extensions_are_parsed(value: str, expected: tuple[Extension, ...]) -> None:
    assert parse_extensions(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("a b", "a;", "a;;b", "a; b=", "a=1", "a;b c", "é", "@", '"a"', "a; b==c", "; a", "a; b@"),
        *('a; b="', 'a; b=""', 'a; b="c d"', 'a; b="c,d"', 'a; b="c"d'),
    ],
)
def test_malformed_extensions_are_refused(value: str) -> None:
    with pytest.raises(HttpError) as caught:
        parse_extensions(value)
    assert caught.value.status == 400


TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
EXTENSIONS = st.builds(
    Extension, TOKENS, st.lists(st.tuples(TOKENS, st.none() | TOKENS), max_size=4).map(lambda params: tuple(params))
)


@given(st.lists(EXTENSIONS, max_size=4))
def test_extensions_written_are_read_back(extensions: list[Extension]) -> None:
    assert parse_extensions(", ".join(map(str, extensions))) == tuple(extensions)


@given(st.text('ab;,="\\ \t@é', max_size=30))
def test_any_extensions_line_is_parsed_or_refused(value: str) -> None:
    try:
        offers = parse_extensions(value)
    except HttpError:
        return
    assert parse_extensions(", ".join(map(str, offers))) == offers


@given(st.binary(min_size=16, max_size=16))
def test_any_16_bytes_make_a_key(nonce: bytes) -> None:
    key = b64encode(nonce).decode()
    assert validate(request_of(handshake(Sec_WebSocket_Key=key))).key == key


@given(
    st.dictionaries(
        st.sampled_from(["Upgrade", "Connection", "Sec_WebSocket_Key", "Sec_WebSocket_Version", "Origin"]),
        st.none() | st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"))),
    )
)
def test_any_handshake_is_valid_or_gets_an_http_error(changes: dict[str, list[str] | None]) -> None:
    try:
        validate(request_of(handshake(**changes)))
    except HttpError as error:
        status = error.status
    else:
        status = 101
    assert status in (101, 400, 426)
