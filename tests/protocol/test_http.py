"""Responses to bytes, and paths made safe (RFC 9110)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import HttpError, Response, decode_path, encode_response, format_date


def test_a_response_states_its_length() -> None:
    encoded = encode_response(Response(200, (("Content-Type", "text/plain"),), b"hello"))
    assert encoded == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


def test_the_answer_to_head_has_the_length_but_no_body() -> None:
    assert encode_response(Response(200, (), b"hello"), head_only=True).endswith(b"Content-Length: 5\r\n\r\n")


@pytest.mark.parametrize("status", [101, 204, 304])
def test_a_status_without_a_body_has_no_length(status: int) -> None:
    assert b"Content-Length" not in encode_response(Response(status))
    with pytest.raises(ValueError, match="no body"):
        encode_response(Response(status, (), b"x"))


def test_connection_and_date_are_written_as_told() -> None:
    encoded = encode_response(Response(200), connection="close", date="Sun, 06 Nov 1994 08:49:37 GMT")
    assert b"Connection: close\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n" in encoded


def test_a_status_of_ones_own_has_an_empty_phrase() -> None:
    assert encode_response(Response(299)).startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize(
    "field",
    [("A", "b\r\nC: d"), ("A\r\nB", "c"), ("A", "\n"), ("A b", "c"), ("", "c"), ("A", "\0"), ("A", "\u20ac")],
)
def test_a_header_cannot_break_out_of_its_line(field: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="not a header field"):
        encode_response(Response(200, (field,)))


@pytest.mark.parametrize("name", ["Content-Length", "content-length", "Transfer-Encoding", "Date"])
def test_a_header_of_the_encoder_cannot_be_given_too(name: str) -> None:
    with pytest.raises(ValueError, match="the encoder adds"):
        encode_response(Response(200, ((name, "1"),)))


def test_a_date_is_in_english_and_gmt() -> None:
    assert format_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert format_date(0.9) == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_an_error_becomes_a_plain_text_response() -> None:
    response = HttpError(405, "No", (("Allow", "GET"),)).response
    assert response == Response(405, (("Allow", "GET"), ("Content-Type", "text/plain; charset=utf-8")), b"No\n")
    assert str(HttpError(405, "No")) == "405 No"


# -- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "decoded"),
    [("/", "/"), ("/a%20b", "/a b"), ("/%C3%A9", "/é"), ("/a..b/...", "/a..b/..."), ("/%252e", "/%2e")],
)
def test_a_path_is_decoded_once(path: str, decoded: str) -> None:
    assert decode_path(path) == decoded


@pytest.mark.parametrize(
    "path",
    [
        *("/..", "/../etc", "/a/../b", "/%2e%2e/etc", "/.%2E", "/./a", "/%2e%2e%2fetc", "/a%5c..", "/a\\b"),
        *("/%00", "/%0a", "/%", "/%4", "/%zz", "/%ff", "/%c0%ae"),
    ],
)
def test_a_path_that_could_lead_outside_is_refused(path: str) -> None:
    with pytest.raises(HttpError) as caught:
        decode_path(path)
    assert caught.value.status == 400


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_a_decoded_path_never_has_a_dot_segment(path: str) -> None:
    try:
        decoded = decode_path(path)
    except HttpError:
        return
    assert not {".", ".."} & set(decoded.split("/"))
    assert "\\" not in decoded


@pytest.mark.parametrize(
    "response",
    [
        Response(None),  # type: ignore[arg-type]
        Response("200"),  # type: ignore[arg-type]
        Response(True),
        Response(200, {"TE": "x"}),  # type: ignore[arg-type]
        Response(200, ("AB",)),  # type: ignore[arg-type]
        Response(200, ((b"A", b"x"),)),  # type: ignore[arg-type]
        Response(200, (), "text"),  # type: ignore[arg-type]
        Response(200, (), None),  # type: ignore[arg-type]
        Response(204, (), None),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("head_only", [False, True])
def test_a_response_of_wrong_types_is_refused(response: Response, head_only: bool) -> None:
    with pytest.raises(TypeError):
        encode_response(response, head_only=head_only)


@pytest.mark.parametrize("status", [100, 599])
def test_first_and_last_status_of_http_can_be_sent(status: int) -> None:
    assert encode_response(Response(status)).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 1000])
def test_a_status_is_one_of_http(status: int) -> None:
    with pytest.raises(ValueError, match=f"not an HTTP status: {status}"):
        encode_response(Response(status))
