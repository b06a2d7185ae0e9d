"""A server under a path of a proxy, whether the proxy leaves the path in its requests or cuts it off."""

import pytest

from protocol import Headers, Request, Response
from supervision.server import BasePath, read_base_path


@pytest.mark.parametrize(
    ("text", "path"),
    [("/", ""), ("/canvas", "/canvas"), ("/canvas/", "/canvas"), ("/a/b-c.d_e~f", "/a/b-c.d_e~f"), ("/A1", "/A1")],
)
def test_base_path_is_read_with_or_without_its_last_slash(text: str, path: str) -> None:
    assert read_base_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "canvas",
        "//",
        "/a//b",
        "//a",
        "/a/..",
        "/.",
        "/a/./b",
        "/a b",
        "/ä",
        "/a?b",
        "/a#b",
        "/a%20b",
        "/a;b",
        "/a\n",
        "a/",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path like /canvas"):
        read_base_path(text)


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/fun/canvas/", "/"),
        ("/fun/canvas/api/pixel?x=1&y=/fun/canvas/", "/api/pixel?x=1&y=/fun/canvas/"),
        ("/fun/canvas//ws", "//ws"),
        ("http://fun/fun/canvas/ws?a=b", "http://fun/ws?a=b"),
        ("http://fun/canvas/", "http://fun/canvas/"),
        ("/", "/"),
        ("/ws", "/ws"),
        ("/fun/canvasses", "/fun/canvasses"),
        ("/fun", "/fun"),
        ("/x/fun/canvas/", "/x/fun/canvas/"),
        ("*", "*"),
    ],
)
def test_what_is_below_it_is_seen_as_from_the_root(target: str, seen: str) -> None:
    asked: list[str] = []

    def routes(request: Request) -> Response:
        asked.append(request.target)
        return Response(200)

    BasePath("/fun/canvas", routes)(Request("GET", target, (1, 1), Headers()))
    assert asked == [seen]


@pytest.mark.parametrize(
    ("target", "location"),
    [("/canvas", "/canvas/"), ("/canvas?a=b", "/canvas/?a=b"), ("http://host/canvas", "/canvas/")],
)
def test_path_without_its_slash_is_redirected(target: str, location: str) -> None:
    answer = BasePath("/canvas", lambda request: Response(200))(Request("GET", target, (1, 1), Headers()))
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers) == (308, (("Location", location),))


def test_root_is_no_base_path() -> None:
    request = Request("GET", "/x", (1, 1), Headers())
    assert BasePath("", lambda asked: Response(200, (), asked.target.encode()))(request) == Response(200, (), b"/x")
