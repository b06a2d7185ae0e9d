"""RFC 9112: how a request is delimited. What two readers could understand differently is refused."""

import pytest

from tests.conformance.peer import ask, close, exchange, frame, handshake, read_answer, read_answers, request

GET = "GET /healthz HTTP/1.1"
HOST = "Host: example.com"

ACCEPTED = {
    "2.2 one empty line before the request": b"\r\n" + request(GET, HOST),
    "2.3 a higher minor version": request("GET /healthz HTTP/1.2", HOST),
    "2.3 HTTP/1.0 without a Host": request("GET /healthz HTTP/1.0"),
    "3.2.1 a query": request("GET /healthz?a=b&c=/d?e HTTP/1.1", HOST),
    "3.2.2 the absolute form": request("GET http://example.com/healthz HTTP/1.1", HOST),
    "3.2.2 the absolute form with a port": request("GET http://example.com:80/healthz HTTP/1.1", HOST),
    "3.2.2 the absolute form for another host": request("GET http://other/healthz HTTP/1.1", HOST),
    "5 no space behind the colon": request(GET, "Host:example.com"),
    "5 space around a value": request(GET, "Host: \t example.com \t "),
    "5 names in any case": request(GET, "hOsT: example.com", "CONTENT-length: 0"),
    "5.1 any token for a name": request(GET, HOST, "!#$%&'*+-.^_`|~09azAZ: x"),
    "5.5 an empty value": request(GET, HOST, "X-Empty:"),
    "5.5 bytes beyond ASCII in a value": request(GET, HOST, "X: \xe9\xff"),
    "6.2 a length of 0": request(GET, HOST, "Content-Length: 0"),
    "6.2 a length with zeros before it": request(GET, HOST, "Content-Length: 000"),
    "RFC 9110 7.2 a host with a port": request(GET, "Host: example.com:8000"),
    "RFC 9110 7.2 an IPv4 address": request(GET, "Host: 127.0.0.1:80"),
    "RFC 9110 7.2 an IPv6 address": request(GET, "Host: [::1]:80"),
    "RFC 9110 7.2 a port of no digits": request(GET, "Host: example.com:"),
}


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_valid_request_is_answered(port: int, data: bytes, bytewise: bool) -> None:
    assert ask(port, data, bytewise=bytewise).status == 200


REFUSED = {
    "2.2 a bare LF behind the request line": (400, b"GET /healthz HTTP/1.1\nHost: a\r\n\r\n"),
    "2.2 a bare LF behind a field": (400, b"GET /healthz HTTP/1.1\r\nHost: a\n\r\n"),
    "2.2 a bare LF at the end": (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\n"),
    "2.2 bare LFs only": (400, b"GET /healthz HTTP/1.1\nHost: a\n\n"),
    "2.2 a bare CR in the request line": (400, b"GET /\rhealthz HTTP/1.1\r\nHost: a\r\n\r\n"),
    "2.2 a bare CR in a value": (400, request(GET, HOST, "X: a\rb")),
    "2.2 a bare CR behind a value": (400, b"GET /healthz HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n"),
    "2.2 CR CR LF": (400, b"GET /healthz HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    "2.2 space before the first field": (400, request(GET, " X: a", HOST)),
    "2.2 space before the request": (400, request(f" {GET}", HOST)),
    "2.2 many empty lines before the request": (400, b"\r\n\r\n\r\n" + request(GET, HOST)),
    "2.2 TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "3 no version": (400, request("GET /healthz", HOST)),
    "3 no target": (400, request("GET HTTP/1.1", HOST)),
    "3 nothing but a method": (400, request("GET", HOST)),
    "3 two spaces": (400, request("GET  /healthz HTTP/1.1", HOST)),
    "3 two spaces before the version": (400, request("GET /healthz  HTTP/1.1", HOST)),
    "3 a space at the end": (400, request(f"{GET} ", HOST)),
    "3 tabs": (400, request("GET\t/healthz\tHTTP/1.1", HOST)),
    "3 a space in the target": (400, request("GET /health z HTTP/1.1", HOST)),
    "3 NUL in the target": (400, request("GET /health\0z HTTP/1.1", HOST)),
    "3 a byte beyond ASCII in the target": (400, request("GET /healthz\xe9 HTTP/1.1", HOST)),
    "3.1 a method that is no token": (400, request("G@T /healthz HTTP/1.1", HOST)),
    "3.1 a method in lower case": (501, request("get /healthz HTTP/1.1", HOST)),
    "3.1 an unknown method": (501, request("BREW /healthz HTTP/1.1", HOST)),
    "3.2 a target without a slash": (400, request("GET healthz HTTP/1.1", HOST)),
    "3.2 a fragment": (400, request("GET /healthz#a HTTP/1.1", HOST)),
    "3.2 no Host": (400, request(GET)),
    "3.2 two Hosts": (400, request(GET, HOST, HOST)),
    "3.2 two Hosts in HTTP/1.0": (400, request("GET /healthz HTTP/1.0", HOST, HOST)),
    "3.2 an empty Host": (400, request(GET, "Host:")),
    "3.2 a Host with a user": (400, request(GET, "Host: user@example.com")),
    "3.2 a Host with a path": (400, request(GET, "Host: example.com/a")),
    "3.2 a Host with a scheme": (400, request(GET, "Host: http://example.com")),
    "3.2 a Host with a space": (400, request(GET, "Host: example .com")),
    "3.2 a list of Hosts": (400, request(GET, "Host: a, b")),
    "3.2 a port that is no number": (400, request(GET, "Host: a:http")),
    "3.2 a port out of range": (400, request(GET, "Host: a:65536")),
    "3.2 an IPv6 address without brackets": (400, request(GET, "Host: ::1")),
    "3.2 no IPv6 address in the brackets": (400, request(GET, "Host: [a]")),
    "3.2.2 another scheme": (400, request("GET ftp://example.com/ HTTP/1.1", HOST)),
    "3.2.2 an absolute form without a host": (400, request("GET http:///healthz HTTP/1.1", HOST)),
    "3.2.2 an absolute form with a user": (400, request("GET http://u@a/healthz HTTP/1.1", HOST)),
    "3.2.2 an absolute form without a Host header": (400, request("GET http://a/healthz HTTP/1.1")),
    "3.2.3 the authority form": (400, request("GET example.com:80 HTTP/1.1", HOST)),
    "3.2.4 the asterisk form": (400, request("GET * HTTP/1.1", HOST)),
    "2.3 HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "2.3 HTTP/0.9": (505, request("GET /healthz HTTP/0.9", HOST)),
    "2.3 HTTP/3.0": (505, request("GET /healthz HTTP/3.0", HOST)),
    "2.3 lower case": (400, request("GET /healthz http/1.1", HOST)),
    "2.3 two digits": (400, request("GET /healthz HTTP/1.10", HOST)),
    "2.3 one digit": (400, request("GET /healthz HTTP/1", HOST)),
    "2.3 another protocol": (400, request("GET /healthz ICY/1.1", HOST)),
    "5 no colon": (400, request(GET, HOST, "nonsense")),
    "5 no name": (400, request(GET, HOST, ": x")),
    "5 a space in a name": (400, request(GET, HOST, "X Y: x")),
    "5 a byte beyond ASCII in a name": (400, request(GET, HOST, "X\xe9: x")),
    "5.1 a space before the colon": (400, request(GET, "Host : example.com")),
    "5.1 a tab before the colon": (400, request(GET, "Host\t: example.com")),
    "5.2 a folded line": (400, request(GET, HOST, "X: a", " b")),
    "5.2 a line folded by a tab": (400, request(GET, HOST, "X: a", "\tb")),
    "5.5 NUL in a value": (400, request(GET, HOST, "X: a\0b")),
    "5.5 another control character in a value": (400, request(GET, HOST, "X: a\x0bb")),
    "6.1 Content-Length with Transfer-Encoding": (
        400,
        request("POST / HTTP/1.1", HOST, "Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
    ),
    "6.1 Transfer-Encoding with Content-Length": (
        400,
        request("POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked", "Content-Length: 5", body="0\r\n\r\n"),
    ),
    "6.1 Transfer-Encoding in HTTP/1.0": (400, request("POST / HTTP/1.0", HOST, "Transfer-Encoding: chunked")),
    "6.1 chunked twice": (400, request("POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked, chunked")),
    "6.1 chunked in two lines": (400, request("POST / HTTP/1.1", HOST, *["Transfer-Encoding: chunked"] * 2)),
    "6.1 an unknown coding": (501, request("POST / HTTP/1.1", HOST, "Transfer-Encoding: xchunked")),
    "6.1 chunked is not the last": (501, request("POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked, gzip")),
    "7.1 a chunk without a size": (400, request("POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked", body="\r\n")),
    "7.1 a chunk longer than it says": (
        400,
        request("POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked", body="1\r\nab\r\n0\r\n\r\n"),
    ),
    "7.1 a chunk that ends in LF": (
        400,
        request("POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked", body="1\na\r\n0\r\n\r\n"),
    ),
    "6.3 two lengths": (400, request("POST / HTTP/1.1", HOST, "Content-Length: 1", "Content-Length: 2")),
    "6.3 one length twice": (400, request("POST / HTTP/1.1", HOST, *["Content-Length: 1"] * 2, body="a")),
    "6.3 a list of lengths": (400, request("POST / HTTP/1.1", HOST, "Content-Length: 1, 1", body="a")),
    "6.3 an empty length": (400, request("POST / HTTP/1.1", HOST, "Content-Length:")),
    "6.3 a negative length": (400, request("POST / HTTP/1.1", HOST, "Content-Length: -1")),
    "6.3 a length with a sign": (400, request("POST / HTTP/1.1", HOST, "Content-Length: +1")),
    "6.3 a hexadecimal length": (400, request("POST / HTTP/1.1", HOST, "Content-Length: 0x1")),
    "6.3 a length with a point": (400, request("POST / HTTP/1.1", HOST, "Content-Length: 1.0")),
    "6.3 a length with a space": (400, request("POST / HTTP/1.1", HOST, "Content-Length: 1 1")),
    "6.3 a length with an underscore": (400, request("POST / HTTP/1.1", HOST, "Content-Length: 1_0")),
    "RFC 9110 15.5.14 a body of a terabyte": (413, request("POST / HTTP/1.1", HOST, "Content-Length: " + "9" * 12)),
    "RFC 9110 15.5.14 a length of 400 digits": (
        413,
        request("POST / HTTP/1.1", HOST, "Content-Length: " + "9" * 400),
    ),
    "RFC 9110 15.5.15 a long target": (414, request(f"GET /{'a' * 20_000} HTTP/1.1", HOST)),
    "RFC 9110 15.5.15 a line without an end": (414, b"GET /" + b"a" * 20_000),
    "RFC 6585 5 a long field": (431, request(GET, HOST, f"X: {'a' * 70_000}")),
    "RFC 6585 5 many fields": (431, request(GET, HOST, *["X: a"] * 5_000)),
    "RFC 6585 5 long fields": (431, request(GET, HOST, *[f"X: {'a' * 1_000}"] * 90)),
    "RFC 6585 5 a field without an end": (431, request(GET, HOST, "X: " + "a" * 70_000)[:-4]),
}


@pytest.mark.parametrize(("status", "data"), REFUSED.values(), ids=REFUSED.keys())
def test_a_malformed_request_is_refused_and_the_connection_closed(port: int, status: int, data: bytes) -> None:
    answer = read_answer(exchange(port, data + request(GET, HOST)))
    assert answer.status == status
    assert "close" in answer.headers["connection"]
    assert answer.rest == b"", "what follows a malformed request must not be understood"


@pytest.mark.parametrize("name", [name for name, (_, data) in REFUSED.items() if len(data) < 1_000])
def test_a_malformed_request_is_refused_byte_by_byte(port: int, name: str) -> None:
    status, data = REFUSED[name]
    assert read_answer(exchange(port, data, bytewise=True)).status == status


def test_9_3_2_a_pipeline_is_answered_in_order(port: int, bytewise: bool) -> None:
    targets = ["/healthz", "/nowhere", "/readyz", "/healthz"]
    data = b"".join(request(f"GET {target} HTTP/1.1", HOST) for target in targets)
    answers = read_answers(exchange(port, data, bytewise=bytewise, half_close=True))
    assert [answer.status for answer in answers] == [200, 404, 200, 200]


def test_9_3_2_a_long_pipeline_is_answered(port: int) -> None:
    answers = read_answers(exchange(port, request(GET, HOST) * 500, half_close=True))
    assert [answer.status for answer in answers] == [200] * 500


def test_9_3_2_a_body_does_not_run_into_the_next_request(port: int, bytewise: bool) -> None:
    body = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    first = request("POST /healthz HTTP/1.1", HOST, f"Content-Length: {len(body)}", body=body)
    answers = read_answers(exchange(port, first + request(GET, HOST), bytewise=bytewise, half_close=True))
    assert [answer.status for answer in answers] == [405, 200]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_7_1_a_chunked_body_does_not_run_into_the_next_request(port: int, bytewise: bool, method: str) -> None:
    hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    chunks = f"{len(hidden):x};why=not\r\n{hidden}\r\n0\r\nTrailer: a\r\n\r\n"
    first = request(f"{method} /healthz HTTP/1.1", HOST, "Transfer-Encoding: Chunked", body=chunks)
    answers = read_answers(exchange(port, first + request(GET, HOST), bytewise=bytewise, half_close=True))
    assert [answer.status for answer in answers] == [405 if method == "POST" else 200, 200]


def test_9_3_2_a_websocket_may_follow_requests(port: int, bytewise: bool) -> None:
    data = request(GET, HOST) + handshake() + frame(1, "hello") + close()
    first = read_answer(exchange(port, data, bytewise=bytewise))
    second = read_answer(first.rest)
    assert (first.status, second.status, second.frames) == (200, 101, ["text hello", "close 1000"])


@pytest.mark.parametrize(
    ("version", "connection", "goes_on"),
    [
        ("1.1", "X: y", True),
        ("1.1", "Connection: close", False),
        ("1.1", "Connection: x, CLOSE", False),
        ("1.1", "Connection: keep-alive", True),
        ("1.0", "X: y", False),
        ("1.0", "Connection: Keep-Alive", True),
        ("1.0", "Connection: keep-alive, close", False),
    ],
)
def test_9_3_the_connection_goes_on_or_ends(port: int, version: str, connection: str, goes_on: bool) -> None:
    first = request(f"GET /healthz HTTP/{version}", HOST, connection)
    answers = read_answers(exchange(port, first + request(GET, HOST), half_close=True))
    assert len(answers) == 1 + goes_on
    assert ("close" in answers[0].headers.get("connection", "")) is not goes_on


def test_9_6_a_response_is_not_lost_to_what_the_client_still_sends(port: int) -> None:
    data = request("POST / HTTP/1.1", HOST, "Content-Length: 5000000") + bytes(5_000_000)
    assert read_answer(exchange(port, data)).status == 413


def test_8_a_request_that_is_cut_off_gets_no_answer(port: int) -> None:
    assert exchange(port, request(GET, HOST)[:-2], half_close=True) == b""
    assert exchange(port, b"", half_close=True) == b""
