"""Who somebody is: signed cookies, and a key that nobody else can read."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.users.identity import COOKIE, KEY, MAX_AGE, Identities, read_keys, rotate_keys
from protocol import Headers, Request


def asking(*cookies: str) -> Request:
    return Request("GET", "/", (1, 1), Headers([("Cookie", cookie) for cookie in cookies]))


IDENTITIES = Identities([b"k" * 32])
NAME, VALUE = IDENTITIES.header("ann", is_secure=False)
SIGNED = VALUE.partition(";")[0]


def test_who_was_given_a_cookie_is_known_again() -> None:
    assert NAME == "Set-Cookie"
    assert IDENTITIES.read(asking(SIGNED)) == "ann"
    assert IDENTITIES.read(asking(f"theme=dark; {SIGNED};lang=en")) == "ann"
    assert IDENTITIES.read(asking("theme=dark", SIGNED)) == "ann"


@pytest.mark.parametrize(
    "cookie",
    ["", SIGNED.partition("=")[0], SIGNED.partition(".")[0], f"{COOKIE}=", f"{COOKIE}=ann",
     SIGNED.replace("ann", "bob"), SIGNED[:-1], SIGNED + "A", f"x{SIGNED}",
     SIGNED.replace(".", ""), f"{COOKIE}=.{'A' * 22}", SIGNED.swapcase()],
)  # fmt: skip
def test_cookie_that_was_not_signed_here_says_nothing(cookie: str) -> None:
    assert IDENTITIES.read(asking(cookie)) is None
    assert IDENTITIES.read(asking()) is None


def test_cookie_signed_with_another_key_says_nothing() -> None:
    assert Identities([b"l" * 32]).read(asking(SIGNED)) is None
    assert Identities([b"l" * 32]).read(asking(f"{COOKIE}={SIGNED.partition('=')[2]}")) is None


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=4, unique=True))
def test_canvases_on_one_host_keep_their_cookies_apart(keys: list[bytes]) -> None:
    canvases = [Identities([key]) for key in keys]
    jar: dict[str, str] = {}  # of a browser, which does not know ports
    for number, canvas in enumerate(canvases):
        name, _, value = canvas.header(f"user{number}", is_secure=False)[1].partition(";")[0].partition("=")
        jar[name] = value
    cookies = "; ".join(map("=".join, jar.items()))
    assert [canvas.read(asking(cookies)) for canvas in canvases] == [f"user{number}" for number in range(len(canvases))]


@pytest.mark.parametrize("path", ["/", "/canvas/"])
def test_cookie_that_another_page_may_have_set_comes_after_one_with_a_prefix(path: str) -> None:
    canvas = Identities([b"k" * 32], path)
    ours, tossed = (canvas.header(user, is_secure=user == "ann")[1].partition(";")[0] for user in ("ann", "mallory"))
    assert canvas.read(asking(f"{tossed}; {ours}")) == canvas.read(asking(f"{ours}; {tossed}")) == "ann"
    assert canvas.read(asking(tossed, ours)) == "ann"
    assert canvas.read(asking(tossed)) == "mallory", "as before the canvas was under TLS"


def test_cookie_of_an_earlier_version_is_still_read() -> None:
    earlier = f"{COOKIE}={SIGNED.partition('=')[2]}"
    assert IDENTITIES.read(asking(earlier)) == "ann"
    assert IDENTITIES.read(asking(f"{COOKIE}=forged.{'A' * 22}; {SIGNED}")) == "ann"


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255)))
def test_any_cookie_is_read_or_ignored(text: str) -> None:
    assert IDENTITIES.read(asking(text)) is None


def test_cookie_is_out_of_reach_for_scripts_and_other_sites() -> None:
    attributes = VALUE.split("; ")[1:]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={MAX_AGE}"} <= set(attributes)
    assert "Secure" not in attributes
    assert IDENTITIES.header("ann", is_secure=True)[1].endswith("; Secure")


def test_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    (key,) = read_keys(tmp_path)
    assert read_keys(tmp_path) == [key]
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_half_written_key_of_a_crash_is_replaced(tmp_path: Path) -> None:
    (tmp_path / f"{KEY}.new").write_bytes(b"half")
    assert len(read_keys(tmp_path)[0]) == 32


def test_key_that_is_none_is_refused_with_the_file(tmp_path: Path) -> None:
    (tmp_path / KEY).write_bytes(b"short")
    with pytest.raises(OSError, match="has 5 bytes") as caught:
        read_keys(tmp_path)
    assert caught.value.filename == str(tmp_path / KEY)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=5, unique=True), st.booleans())
def test_newest_key_signs_and_all_that_are_kept_verify(keys: list[bytes], is_secure: bool) -> None:
    cookies = [Identities([key]).header("ann", is_secure=is_secure)[1].partition(";")[0] for key in keys]
    assert Identities(keys).header("ann", is_secure=is_secure)[1].startswith(cookies[-1])
    for first in range(len(keys)):
        kept = Identities(keys[first:])
        assert [kept.read(asking(cookie)) for cookie in cookies] == [None] * first + ["ann"] * (len(keys) - first)


def test_cookie_under_tls_can_be_set_by_this_host_alone() -> None:
    value = IDENTITIES.header("ann", is_secure=True)[1]
    assert value.startswith(f"__Host-{SIGNED}; ")
    assert "Path=/;" in value
    assert "Domain" not in value
    assert IDENTITIES.read(asking(value.partition(";")[0])) == "ann"


def test_keys_are_rotated_in_their_file(tmp_path: Path) -> None:
    (first,) = read_keys(tmp_path)
    assert rotate_keys(tmp_path, keep=1) == 2
    assert read_keys(tmp_path)[0] == first
    second = read_keys(tmp_path)[1]
    assert rotate_keys(tmp_path, keep=1) == 2
    assert read_keys(tmp_path)[0] == second
    assert rotate_keys(tmp_path, keep=0) == 1
    assert len({first, second, *read_keys(tmp_path)}) == 3
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
