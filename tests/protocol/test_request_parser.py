"""Requests read from bytes (RFC 9112)."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Headers, HttpError, Limits, Request
from protocol.request_parser import METHODS, Interim, RequestParser
from tests.protocol.wire import Cut, cut_at, every_cut, head

HOST = "Host: a\r\n"
FIELD = "A: b\r\n"
LIMITS = Limits(request_line=100, header_bytes=200, header_count=5, body=10)


def parse(pieces: Iterable[bytes], limits: Limits = LIMITS) -> list[Request | Interim]:
    """Parse every request in the stream."""
    parser = RequestParser(limits)
    items: list[Request | Interim] = []
    for piece in pieces:
        parser.feed(piece)
        while (item := parser.next()) is not None:
            items.append(item)
    return items


def parse_one(data: bytes | str, limits: Limits = LIMITS) -> Request:
    raw = data.encode("latin-1") if isinstance(data, str) else data
    (request,) = parse([raw], limits)
    assert isinstance(request, Request)
    return request


# -- requests that are right -----------------------------------------------------------------------------------------


@every_cut
def test_a_request_reads_the_same_however_it_is_cut(cut: Cut) -> None:
    data = b"GET /a?b=c&d HTTP/1.1\r\nHost: example.com:8000\r\nX-Empty:\r\nX-Two: \t1 2\t \r\n\r\n"
    (request,) = parse(cut(data))
    fields = [("Host", "example.com:8000"), ("X-Empty", ""), ("X-Two", "1 2")]
    assert request == Request("GET", "/a?b=c&d", (1, 1), Headers(fields))


@every_cut
def test_two_requests_in_a_chunk_are_two_requests(cut: Cut) -> None:
    data = f"GET /1 HTTP/1.1\r\n{HOST}\r\nHEAD /2 HTTP/1.1\r\n{HOST}\r\n".encode()
    assert [item.target for item in parse(cut(data)) if isinstance(item, Request)] == ["/1", "/2"]


@every_cut
def test_a_body_is_as_long_as_its_content_length(cut: Cut) -> None:
    data = f"POST /1 HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n{HOST}\r\n".encode()
    first, second = parse(cut(data))
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.body, second.target, second.body) == (b"hello", "/2", b"")


@every_cut
def test_one_empty_line_before_a_request_is_ignored(cut: Cut) -> None:
    assert len(parse(cut(f"\r\nGET / HTTP/1.1\r\n{HOST}\r\n\r\nGET / HTTP/1.1\r\n{HOST}\r\n".encode()))) == 2


@every_cut
def test_a_second_empty_line_is_refused(cut: Cut) -> None:
    with pytest.raises(HttpError, match="400 A request line"):
        parse(cut(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"))


def test_a_client_that_expects_100_continue_gets_it_before_its_body() -> None:
    parser = RequestParser(LIMITS)
    parser.feed(f"POST / HTTP/1.1\r\n{HOST}Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n".encode())
    assert parser.next() is Interim.CONTINUE
    assert parser.next() is None
    parser.feed(b"ok")
    request = parser.next()
    assert isinstance(request, Request)
    assert request.body == b"ok"


@pytest.mark.parametrize("start", ["GET / HTTP/1.1", "GET / HTTP/1.0"])
def test_no_continue_is_sent_without_a_body_or_to_http_1_0(start: str) -> None:
    length = 0 if start.endswith("1.1") else 2
    request = parse_one(f"{start}\r\n{HOST}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n" + "x" * length)
    assert request.method == "GET"


def test_http_1_0_needs_no_host() -> None:
    assert parse_one("GET / HTTP/1.0\r\n\r\n").host == ""


def test_a_higher_minor_version_is_understood() -> None:
    assert parse_one(f"GET / HTTP/1.2\r\n{HOST}\r\n").version == (1, 2)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_known_method_is_read(method: str) -> None:
    assert parse_one(f"{method} / HTTP/1.1\r\n{HOST}\r\n").method == method


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        ("/", "/", "", "a"),
        ("/a/b?c=d?e", "/a/b", "c=d?e", "a"),
        ("//x", "//x", "", "a"),
        ("/%2e%2e/x", "/%2e%2e/x", "", "a"),
        ("http://b:80/p?q", "/p", "q", "b:80"),
        ("HTTPS://b", "/", "", "b"),
        ("http://b?q", "/", "q", "b"),
    ],
)
def test_a_target_has_a_path_a_query_and_a_host(target: str, path: str, query: str, host: str) -> None:
    request = parse_one(f"GET {target} HTTP/1.1\r\n{HOST}\r\n")
    assert (request.target, request.path, request.query, request.host) == (target, path, query, host)


def test_the_asterisk_is_a_target_of_options() -> None:
    assert parse_one(f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n").path == "*"


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: close\r\n", False),
        ("1.1", "Connection: foo, CLOSE\r\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive\r\n", True),
        ("1.0", "Connection: keep-alive, close\r\n", False),
    ],
)
def test_keep_alive_follows_version_and_connection(version: str, connection: str, expected: bool) -> None:
    assert parse_one(f"GET / HTTP/{version}\r\n{HOST}{connection}\r\n").keep_alive is expected


@pytest.mark.parametrize(
    "host", ["a", "b.c:8000", "127.0.0.1:", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "a_b-c.d", "a%2Db"]
)
def test_a_host_may_be_a_name_or_an_address_with_a_port(host: str) -> None:
    assert parse_one(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").host == host


def test_bytes_beyond_ascii_in_a_value_are_latin_1() -> None:
    assert parse_one(f"GET / HTTP/1.1\r\n{HOST}X: \xe9\r\n\r\n").headers.get("x") == "\xe9"


# -- requests that are wrong -----------------------------------------------------------------------------------------

CHUNKED = f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "bare LF after the request line": (400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    "bare LF after a field": (400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    "bare LF at the end": (400, f"GET / HTTP/1.1\r\n{HOST}\n"),
    "bare CR in a value": (400, f"GET / HTTP/1.1\r\n{HOST}A: b\rc\r\n\r\n"),
    "bare CR in the request line": (400, f"GET /\r HTTP/1.1\r\n{HOST}\r\n"),
    "CR CR LF": (400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    "folded field": (400, f"GET / HTTP/1.1\r\n{HOST} folded\r\n\r\n"),
    "folded with a tab": (400, f"GET / HTTP/1.1\r\n{HOST}\tfolded\r\n\r\n"),
    "indented first field": (400, f"GET / HTTP/1.1\r\n {HOST}\r\n"),
    "space before the colon": (400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    "tab before the colon": (400, "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"),
    "no colon": (400, f"GET / HTTP/1.1\r\n{HOST}nonsense\r\n\r\n"),
    "empty name": (400, f"GET / HTTP/1.1\r\n{HOST}: x\r\n\r\n"),
    "name with a space": (400, f"GET / HTTP/1.1\r\n{HOST}A b: x\r\n\r\n"),
    "name beyond ASCII": (400, f"GET / HTTP/1.1\r\n{HOST}\xe9: x\r\n\r\n"),
    "NUL in a value": (400, f"GET / HTTP/1.1\r\n{HOST}A: \0\r\n\r\n"),
    "DEL in a value": (400, f"GET / HTTP/1.1\r\n{HOST}A: \x7f\r\n\r\n"),
    "no version": (400, f"GET /\r\n{HOST}\r\n"),
    "two spaces": (400, f"GET  / HTTP/1.1\r\n{HOST}\r\n"),
    "trailing space": (400, f"GET / HTTP/1.1 \r\n{HOST}\r\n"),
    "leading space": (400, f" GET / HTTP/1.1\r\n{HOST}\r\n"),
    "tab as separator": (400, f"GET\t/ HTTP/1.1\r\n{HOST}\r\n"),
    "space in the target": (400, f"GET /a b HTTP/1.1\r\n{HOST}\r\n"),
    "target beyond ASCII": (400, f"GET /\xe9 HTTP/1.1\r\n{HOST}\r\n"),
    "fragment in the target": (400, f"GET /#a HTTP/1.1\r\n{HOST}\r\n"),
    "relative target": (400, f"GET a HTTP/1.1\r\n{HOST}\r\n"),
    "asterisk for GET": (400, f"GET * HTTP/1.1\r\n{HOST}\r\n"),
    "ftp target": (400, f"GET ftp://a/ HTTP/1.1\r\n{HOST}\r\n"),
    "authority with user": (400, f"GET http://u@a/ HTTP/1.1\r\n{HOST}\r\n"),
    "lower case http": (400, f"GET / http/1.1\r\n{HOST}\r\n"),
    "two-digit version": (400, f"GET / HTTP/1.10\r\n{HOST}\r\n"),
    "TLS hello without any line": (400, "\x16\x03\x01"),
    "NUL in a line without an end": (400, "GET /\0"),
    "NUL in a field without an end": (400, f"GET / HTTP/1.1\r\n{HOST}A: \0"),
    "no host": (400, "GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n"),
    "two hosts in 1.0": (400, f"GET / HTTP/1.0\r\n{HOST}{HOST}\r\n"),
    "empty host": (400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    "list of hosts": (400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "host with a path": (400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "host with a bad port": (400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    "host with a port out of range": (400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
    "host with a user": (400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    "host with a broken escape": (400, "GET / HTTP/1.1\r\nHost: a%4\r\n\r\n"),
    "host of a port alone": (400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
    "IPv6 host without brackets": (400, "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"),
    "IPv6 host that is none": (400, "GET / HTTP/1.1\r\nHost: [:::]\r\n\r\n"),
    "IPv6 host with a zone": (400, "GET / HTTP/1.1\r\nHost: [fe80::1%eth0]\r\n\r\n"),
    "length and encoding": (
        400,
        f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    "two lengths": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
    "list of lengths": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1, 1\r\n\r\n"),
    "signed length": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: +1\r\n\r\n"),
    "negative length": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: -1\r\n\r\n"),
    "hexadecimal length": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: 0x1\r\n\r\n"),
    "superscript length": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: \xb2\r\n\r\n"),
    "empty length": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length:\r\n\r\n"),
    "chunked twice": (400, f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, chunked\r\n\r\n"),
    "empty encoding": (400, f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding:\r\n\r\n"),
    "encoding in 1.0": (400, f"POST / HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"),
    "chunk without a size": (400, f"{CHUNKED}\r\n"),
    "chunk with a sign": (400, f"{CHUNKED}+1\r\na\r\n"),
    "chunk with 0x": (400, f"{CHUNKED}0x1\r\na\r\n"),
    "chunk with an underscore": (400, f"{CHUNKED}0_1\r\na\r\n"),
    "chunk with a space": (400, f"{CHUNKED}1 \r\na\r\n"),
    "chunk with a bare LF": (400, f"{CHUNKED}1\na\r\n"),
    "chunk with a CR in its extension": (400, f"{CHUNKED}1;a\rb\r\na\r\n"),
    "chunk with a LF in its extension": (400, f"{CHUNKED}1;a\nb\r\na\r\n"),
    "chunk longer than it says": (400, f"{CHUNKED}1\r\nab\r\n"),
    "chunk that ends in LF": (400, f"{CHUNKED}1\r\na\n"),
    "chunk that ends in CR": (400, f"{CHUNKED}1\r\na\r0\r\n"),
    "chunk too large": (413, f"{CHUNKED}b\r\n"),
    "chunk of 2^64 bytes": (413, f"{CHUNKED}10000000000000000\r\n"),
    "chunk with 150 digits": (400, f"{CHUNKED}{'9' * 150}\r\n"),
    "chunks too large together": (413, f"{CHUNKED}6\r\nabcdef\r\n5\r\n"),
    "extension without an end": (431, f"{CHUNKED}1;{'a' * 300}"),
    "extensions too long together": (431, CHUNKED + f"1;{'a' * 60}\r\na\r\n" * 4),
    "trailer without a colon": (400, f"{CHUNKED}0\r\na\r\n\r\n"),
    "trailer that is folded": (400, f"{CHUNKED}0\r\na: b\r\n c\r\n\r\n"),
    "trailers too long": (431, f"{CHUNKED}0\r\n" + f"a: {'b' * 90}\r\n" * 3),
    "unknown encoding": (501, f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: gzip, chunked\r\n\r\n"),
    "identity encoding": (501, f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: identity\r\n\r\n"),
    "unknown method": (501, f"BREW / HTTP/1.1\r\n{HOST}\r\n"),
    "method in lower case": (501, f"get / HTTP/1.1\r\n{HOST}\r\n"),
    "connect": (501, f"CONNECT a:80 HTTP/1.1\r\n{HOST}\r\n"),
    "HTTP/2": (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9": (505, "GET / HTTP/0.9\r\n\r\n"),
    "body too large": (413, f"POST / HTTP/1.1\r\n{HOST}Content-Length: 11\r\n\r\n"),
    "length of 150 digits": (413, f"POST / HTTP/1.1\r\n{HOST}Content-Length: {'9' * 150}\r\n\r\n"),
    "unknown expectation": (417, f"POST / HTTP/1.1\r\n{HOST}Expect: more\r\n\r\n"),
    "request line too long": (414, f"GET /{'a' * 100} HTTP/1.1\r\n{HOST}\r\n"),
    "request line without an end": (414, "a" * 102),
    "field too long": (431, f"GET / HTTP/1.1\r\n{HOST}A: {'a' * 200}\r\n\r\n"),
    "field without an end": (431, f"GET / HTTP/1.1\r\n{HOST}{'a' * 300}"),
    "too many bytes of fields": (431, f"GET / HTTP/1.1\r\n{HOST}A: {'a' * 99}\r\nB: {'a' * 99}\r\n\r\n"),
    "too many fields": (431, f"GET / HTTP/1.1\r\n{HOST}{FIELD * 5}\r\n"),
}


@every_cut
@pytest.mark.parametrize(("status", "data"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_is_refused_with_its_status(status: int, data: str, cut: Cut) -> None:
    with pytest.raises(HttpError) as caught:
        parse(cut(data.encode("latin-1")))
    assert caught.value.status == status
    assert caught.value.message


@every_cut
@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        ("0\r\n\r\n", b""),
        ("000\r\n\r\n", b""),
        ("3\r\nabc\r\n0\r\n\r\n", b"abc"),
        ("A\r\n\r\n0\r\n\r\n\r\n1\r\n0\r\n\r\n", b"\r\n0\r\n\r\n\r\n1"),
        ('1;a=b\r\na\r\n01;c="d e";f\r\nb\r\n0;x\r\n\r\n', b"ab"),
        ("2\r\nab\r\n0\r\nA: b\r\nHost: c\r\nContent-Length: 7\r\n\r\n", b"ab"),
    ],
)
def test_chunks_are_one_body_and_what_follows_is_the_next_request(chunks: str, body: bytes, cut: Cut) -> None:
    first, second = parse(cut(f"{CHUNKED}{chunks}GET /next HTTP/1.1\r\n{HOST}\r\n".encode()))
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.method, first.body, second.target, second.body) == ("POST", body, "/next", b"")
    assert len(second.headers) == 1


def test_a_bare_lf_is_refused_before_the_head_is_complete() -> None:
    with pytest.raises(HttpError):
        parse([b"GET / HTTP/1.1\n"])


def test_limits_are_inclusive() -> None:
    line = "GET /" + "a" * (100 - len("GET / HTTP/1.1")) + " HTTP/1.1"
    fields = HOST + "A: " + "a" * (200 - len(HOST) - len("A: \r\n")) + "\r\n"
    assert len(line) == 100
    assert len(fields) == 200
    assert parse_one(f"{line}\r\n{fields}\r\n").headers.get("host") == "a"
    assert len(parse_one(f"GET / HTTP/1.1\r\n{HOST}{FIELD * 4}\r\n").headers) == 5
    assert len(parse_one(f"POST / HTTP/1.1\r\n{HOST}Content-Length: 0010\r\n\r\n0123456789").body) == 10


def test_no_large_body_is_taken_by_default() -> None:
    with pytest.raises(HttpError) as caught:
        parse_one(f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1025\r\n\r\nx", Limits())
    assert caught.value.status == 413


TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=10)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)


@given(
    method=st.sampled_from(sorted(METHODS)),
    path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=30),
    fields=st.lists(st.tuples(TOKENS, VALUES), max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_what_was_written_is_read_back_however_it_is_cut(
    method: str, path: str, fields: list[tuple[str, str]], cuts: list[int]
) -> None:
    fields = [("Host", "a"), *((f"x-{name}", value.strip(" \t")) for name, value in fields)]
    (request,) = parse(cut_at(head(f"{method} /{path} HTTP/1.1", fields), cuts), Limits())
    assert request == Request(method, f"/{path}", (1, 1), Headers(fields))


@given(st.lists(st.sampled_from([b"GET / HTTP/1.1", b"\r\n", b"\n", b"Host: a", b" ", b":", b"A: b", b"\0", b"\xff"])))
def test_mutated_heads_are_read_alike_in_every_cut(parts: list[bytes]) -> None:
    data = b"GET / HTTP/1.1\r\n" + b"".join(parts)

    def outcome(pieces: Iterable[bytes]) -> object:
        try:
            return parse(pieces)
        except HttpError as error:
            return str(error)

    assert outcome([data]) == outcome(data[i : i + 1] for i in range(len(data)))
