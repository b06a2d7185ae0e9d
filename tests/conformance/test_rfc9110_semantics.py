"""RFC 9110: methods, status codes, and what every response has."""

from email.utils import parsedate_to_datetime

import pytest

from tests.conformance.peer import Answer, ask, exchange, read_answer, read_answers, request

HOST = "Host: example.com"


def get(port: int, target: str, method: str = "GET", *lines: str) -> Answer:
    return ask(port, request(f"{method} {target} HTTP/1.1", HOST, *lines))


@pytest.mark.parametrize("target", ["/", "/healthz", "/nowhere", "/echo"])
def test_6_6_1_every_response_has_a_date(port: int, target: str) -> None:
    date = get(port, target).headers["date"]
    assert date.endswith(" GMT")
    assert parsedate_to_datetime(date).year > 2000


def test_6_6_1_a_refusal_has_a_date_too(port: int) -> None:
    assert "date" in ask(port, b"nonsense\r\n").headers


@pytest.mark.parametrize("target", ["/", "/healthz", "/nowhere", "/api/canvas.png", "/echo"])
def test_9_3_2_head_is_get_without_the_body(port: int, target: str) -> None:
    full, head = get(port, target), get(port, target, "HEAD")
    assert head.status == full.status
    assert head.headers["content-length"] == str(len(full.body))
    assert {**head.headers, "date": ""} == {**full.headers, "date": ""}
    assert head.rest == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_15_5_6_another_method_is_405_with_those_allowed(port: int, method: str) -> None:
    answer = get(port, "/healthz", method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert get(port, "/echo", method).headers["allow"] == "GET"


@pytest.mark.parametrize("method", ["BREW", "get", "GETGET", "TRACE", "CONNECT", "PROPFIND"])
def test_15_6_2_an_unknown_method_is_501(port: int, method: str) -> None:
    assert get(port, "/healthz", method).status == 501


@pytest.mark.parametrize("target", ["/nowhere", "/healthz/", "/HEALTHZ", "//healthz", "/static", "/static/../a"])
def test_15_5_5_what_is_not_there_is_404_or_no_path(port: int, target: str) -> None:
    assert get(port, target).status in (400, 404)


@pytest.mark.parametrize("target", ["/%", "/%4", "/%zz", "/%00", "/a%5cb", "/%ff", "/../a", "/%2e%2e/a", "/a/./b"])
def test_a_path_that_cannot_be_decoded_is_400(port: int, target: str) -> None:
    assert get(port, target).status == 400


def test_10_1_1_an_expectation_is_met_before_the_body(port: int) -> None:
    lines = [HOST, "Content-Length: 2", "Expect: 100-continue"]
    answers = read_answers(exchange(port, request("POST /healthz HTTP/1.1", *lines, body="ab"), half_close=True))
    assert [answer.status for answer in answers] == [100, 405]


def test_10_1_1_a_body_that_is_too_large_is_not_asked_for(port: int) -> None:
    assert get(port, "/healthz", "POST", "Content-Length: 9999999", "Expect: 100-continue").status == 413


def test_10_1_1_no_continue_goes_to_http_1_0(port: int) -> None:
    data = request("GET /healthz HTTP/1.0", "Content-Length: 2", "Expect: 100-continue", body="ab")
    assert ask(port, data).status == 200


def test_10_1_1_another_expectation_is_417(port: int) -> None:
    assert get(port, "/healthz", "GET", "Expect: the unexpected").status == 417


def test_13_1_2_what_the_client_has_is_304_without_a_body(port: int) -> None:
    full = get(port, "/")
    again = get(port, "/", "GET", f"If-None-Match: {full.headers['etag']}")
    assert (again.status, again.body, again.rest) == (304, b"", b"")
    assert "content-length" not in again.headers


def test_15_5_22_a_websocket_that_is_not_asked_for_is_426(port: int) -> None:
    answer = get(port, "/echo")
    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"
    assert "upgrade" in answer.headers["connection"].lower()


def test_7_8_another_upgrade_is_ignored(port: int) -> None:
    lines = ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")
    assert get(port, "/healthz", "GET", *lines).status == 200


def test_every_refusal_says_why(port: int) -> None:
    answer = read_answer(exchange(port, request("GET /healthz HTTP/1.1")))
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.decode().strip()
