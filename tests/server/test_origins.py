"""Origins: which pages may open a WebSocket (RFC 6455 §10.2)."""

import pytest

from supervision.server import ANY_ORIGIN, SAME_HOST, Origins


@pytest.mark.parametrize(
    ("origin", "host", "may"),
    [
        (None, "canopy.example", True),
        ("http://canopy.example", "canopy.example", True),
        ("https://canopy.example", "canopy.example", True),  # a proxy may speak TLS for us
        ("HTTPS://Canopy.Example", "canopy.EXAMPLE", True),
        ("http://canopy.example", "canopy.example:80", True),
        ("http://canopy.example:80", "canopy.example", True),
        ("https://canopy.example", "canopy.example:443", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://canopy.example:8000", "canopy.example", False),
        ("https://canopy.example", "canopy.example:80", False),
        ("http://evil.example", "canopy.example", False),
        ("http://canopy.example.evil.example", "canopy.example", False),
        ("http://evil.example/canopy.example", "canopy.example", False),
        ("http://canopy.example@evil.example", "canopy.example", False),
        ("canopy.example", "canopy.example", False),
        ("null", "canopy.example", False),
        ("", "canopy.example", False),
    ],
)
def test_by_default_only_pages_of_the_same_host_may(origin: str | None, host: str, may: bool) -> None:
    assert SAME_HOST.permit(origin, host) is may


def test_listed_origins_may_and_no_others() -> None:
    origins = Origins.parse(["https://one.example", "HTTP://Two.example:8080", "https://three.example:443"])
    assert origins.permit("https://one.example", "canopy.example")
    assert origins.permit("https://one.example:443", "canopy.example")
    assert origins.permit("http://two.example:8080", "canopy.example")
    assert origins.permit("https://three.example", "canopy.example")
    assert not origins.permit("http://one.example", "canopy.example")
    assert not origins.permit("https://canopy.example", "canopy.example")
    assert origins.permit(None, "canopy.example")


def test_listed_origins_may_beside_the_same_host() -> None:
    origins = Origins.parse(["https://one.example", "same"])
    assert origins.permit("https://canopy.example", "canopy.example")
    assert origins.permit("https://one.example", "canopy.example")
    assert not origins.permit("https://two.example", "canopy.example")


def test_star_lets_every_page_in() -> None:
    assert Origins.parse(["*"]) == ANY_ORIGIN
    assert ANY_ORIGIN.permit("null", "canopy.example")


@pytest.mark.parametrize("text", ["canopy.example", "https://", "https://a/b", "https://user@a", "null", "a b://c"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Origins.parse([text])
