"""h11 reads the same bytes: what it takes for malformed we refuse, and what we both accept we both read alike.

h11 is the more lenient of the two (it takes bare LFs, folded lines and lists of lengths), so it is no judge of what we
refuse beyond that. The one thing that we take and it does not is an empty line before a request (RFC 9112 §2.2), which
is therefore kept from it.
"""

from dataclasses import dataclass

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import HttpError, Limits, Request
from protocol.request_parser import RequestParser

LIMITS = Limits(body=100)


@dataclass(frozen=True)
class Reading:
    """What somebody has understood."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    keep_alive: bool
    rest: bytes


Outcome = Reading | None | int
"""A request, not enough bytes yet, or the status of a refusal."""


def ours(data: bytes) -> Outcome:
    parser = RequestParser(LIMITS)
    parser.feed(data)
    try:
        item = parser.next()
        request = item if isinstance(item, Request) else parser.next()
    except HttpError as error:
        return error.status
    if not isinstance(request, Request):
        return None
    headers = tuple((name.lower(), value) for name, value in request.headers)
    version = f"{request.version[0]}.{request.version[1]}"
    rest = parser.take_rest()
    # h11 ends every connection of HTTP/1.0; we go on if asked (RFC 9112 §9.3).
    keep_alive = request.keep_alive and request.version >= (1, 1)
    return Reading(request.method, request.target, version, headers, request.body, keep_alive, rest)


def theirs(data: bytes) -> Outcome:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMITS.header_bytes)
    data = data.removeprefix(b"\r\n")
    if not data:
        return None  # it would mean the end of the stream
    connection.receive_data(data)
    try:
        request = connection.next_event()
        if request is h11.NEED_DATA:
            return None
        assert isinstance(request, h11.Request)
        body = b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                return None
            assert isinstance(event, h11.Data)
            body += bytes(event.data)
    except h11.RemoteProtocolError as error:
        return error.error_status_hint
    return Reading(
        request.method.decode(),
        request.target.decode(),
        request.http_version.decode(),
        tuple((bytes(name).decode(), bytes(value).decode("latin-1")) for name, value in request.headers),
        body,
        goes_on(connection),
        bytes(connection.trailing_data[0]),
    )


def goes_on(connection: h11.Connection) -> bool:
    """Answer, and see what becomes of the connection."""
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    return connection.our_state is h11.DONE


def compare(data: bytes) -> Outcome:
    """Read with both, check that they do not contradict each other, and return what we understood."""
    we, they = ours(data), theirs(data)
    if isinstance(they, int):
        assert not isinstance(we, Reading), f"h11 refuses what we accept: {data!r}"
    if isinstance(we, Reading):
        assert we == they
    return we


# -- requests that are right, and one byte or one line away from it --------------------------------------------------

TOKENS = st.text("abzABZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=15)
FIELDS = st.tuples(TOKENS.map("x-{}".format), VALUES)
KNOWN_FIELDS = st.sampled_from(
    [
        *(("Connection", value) for value in ("close", "keep-alive", "Keep-Alive, x", "x, CLOSE", "upgrade")),
        *(("Content-Length", value) for value in ("0", "3", "003")),
        *(("Expect", "100-continue"), ("Accept", "*/*"), ("cookie", "a=b; c=d"), ("Upgrade", "h2c")),
    ]
)
TARGETS = st.sampled_from(["/", "/a?b=c", "/%41/*", "http://a/b", "http://a:80", "//", "/" + "a" * 300])
STARTS = st.tuples(st.sampled_from(["GET", "HEAD", "POST", "OPTIONS"]), TARGETS, st.sampled_from(["1.1", "1.0", "1.2"]))


def build(start: tuple[str, str, str], fields: list[tuple[str, str]], body: bytes) -> bytes:
    method, target, version = start
    lines = [f"{method} {target} HTTP/{version}", "Host: a", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


BODIES = st.sampled_from([b"", b"abc", b"abcGET"])
LISTS = st.lists(FIELDS | KNOWN_FIELDS, max_size=6, unique_by=lambda field: field[0])
REQUESTS = st.builds(build, STARTS, LISTS, BODIES)

ODD_BYTES = st.sampled_from([b"", b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b",", b"\0", b"\x7f", b"\xff", b"a"])
ODD_LINES = st.sampled_from(
    [b"Host: b", b"Host : a", b" folded", b"\tfolded", b"nocolon", b": noname", b"Transfer-Encoding: chunked"]
    + [b"Content-Length: " + value for value in (b"3", b"3, 3", b"+3", b"-1", b"0x3", b"3 3", b"", b"9" * 30, b"1_0")]
    + [b"Transfer-Encoding: " + value for value in (b"gzip", b"identity", b"chunked, chunked", b"x, chunked", b"")]
    + [b"Connection: close", b"Expect: more", b"\xe9: a", b"a b: c", b"X: a\rb", b"", b"0"]
)


@st.composite
def one_byte_off(draw: st.DrawFn) -> bytes:
    data, odd = draw(REQUESTS), draw(ODD_BYTES)
    at = draw(st.integers(0, len(data)))
    return data[:at] + odd + data[at + draw(st.integers(0, 2)) :]


@st.composite
def with_odd_lines(draw: st.DrawFn) -> bytes:
    lines = draw(REQUESTS).split(b"\r\n")
    for odd in draw(st.lists(ODD_LINES, min_size=1, max_size=3)):
        lines.insert(draw(st.integers(0, len(lines))), odd)
    return b"\r\n".join(lines)


CHUNKS = st.lists(
    st.tuples(
        st.sampled_from([b"", b"0", b"000"]), st.binary(min_size=1, max_size=20), st.sampled_from([b"", b";a", b";b=c"])
    ),
    max_size=4,
)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    lines = [b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: chunked", b""]
    for zeros, data, extension in draw(CHUNKS):
        lines += [zeros + b"%x" % len(data) + extension, data]
    trailers = draw(st.lists(st.sampled_from([b"A: b", b"x-c:d"]), max_size=2))
    return b"\r\n".join([*lines, b"0", *trailers, b"", draw(st.sampled_from([b"", b"GET"]))])


@st.composite
def chunked_and_one_byte_off(draw: st.DrawFn) -> bytes:
    data = draw(chunked())
    at = draw(st.integers(data.index(b"\r\n\r\n") + 4, len(data)))
    return data[:at] + draw(ODD_BYTES) + data[at + draw(st.integers(0, 2)) :]


@given(chunked())
def test_both_read_chunks_alike(data: bytes) -> None:
    assert compare(data) == theirs(data)


@given(chunked_and_one_byte_off())
def test_chunks_that_h11_takes_for_malformed_are_refused_and_the_rest_read_alike(data: bytes) -> None:
    compare(data)


@given(REQUESTS)
@example(build(("POST", "/", "1.0"), [("Connection", "keep-alive"), ("Content-Length", "3")], b"abcGET"))
def test_both_read_a_valid_request_alike(data: bytes) -> None:
    assert compare(data) == theirs(data)


@given(one_byte_off() | with_odd_lines())
@example(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")
@example(b"GET / HTTP/1.1\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0\r\n\r\n")
def test_what_h11_takes_for_malformed_is_refused_and_the_rest_read_alike(data: bytes) -> None:
    compare(data)


PARTS = ODD_BYTES | ODD_LINES | st.just(b"GET / HTTP/1.1\r\n")


@given(st.binary(max_size=60) | st.lists(PARTS, max_size=10).map(b"".join))
def test_any_bytes_are_refused_where_h11_refuses_them(data: bytes) -> None:
    compare(data)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    ],
    ids=["bare LF", "folded line", "list of lengths", "control character", "empty host"],
)
def test_we_are_the_stricter_reader(data: bytes) -> None:
    assert isinstance(theirs(data), Reading)
    assert compare(data) == 400
