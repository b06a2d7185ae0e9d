"""Values as text: short, without secrets, in bounded time, whatever they are."""

import collections
import dataclasses
import enum
import itertools
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import CallFailure, Cast, Crash, GenServer, StartError
from actors.describe import (
    DEEPEST,
    HIDDEN,
    LONGEST,
    MOST_ITEMS,
    describe,
    describe_exception,
    describe_reason,
    describe_state,
    is_secret,
    outline,
    outline_state,
)
from actors.log import fact
from actors.reproduction import write_case
from actors.stacktrace import describe_stacktrace
from tests.support.nasty import NASTY, Failing, Odd, Whole, chained


@dataclass
class Login:
    user: str
    password: str
    noise: str = field(default="", repr=False)


class Header(NamedTuple):
    name: Any
    value: Any


class Setting(enum.Enum):
    PASSWORD = 1


class Vault:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Slotted:
    __slots__ = ("api_key",)

    def __init__(self, api_key: Any) -> None:
        self.api_key = api_key


def state_of(value: Any) -> str:
    """A state, as a crash report shows it."""
    return str(describe_state({"a": value}, size=1_000, seconds=1.0, clock=lambda: 0.0)[0])


def case_of(value: Any) -> str:
    """A case for pytest."""
    return write_case(GenServer, "crash", value, {"a": value})


def stacktrace_of(value: Any) -> str:
    """Where an exception comes from, on one line."""
    exception = value if issubclass(type(value), BaseException) else ValueError(value)
    return describe_stacktrace(exception).replace("\n", " ")


ONE_LINE: list[Callable[[Any], str]] = [
    describe, outline, describe_reason, lambda value: describe_exception(ValueError(value)),
    lambda value: describe_exception(KeyError(value)), lambda value: describe_exception(ValueError("no", value)),
    lambda value: describe_reason(StartError(Crash(CallFailure(value, value)))),
    lambda value: outline_state({"a": value}), lambda value: str(fact(value)),
    lambda value: str(Crash(ValueError(value))), state_of, stacktrace_of,
]  # fmt: skip
"""Every door through which a value becomes a text of one line."""


@pytest.mark.parametrize("nasty", NASTY, ids=lambda nasty: nasty.name)
def test_any_value_has_a_short_text_that_can_be_written_and_none_of_its_code_is_run(nasty: Whole) -> None:
    value = nasty.make()
    for describes in ONE_LINE:
        text = describes(value)
        assert type(text) is str
        assert text.isprintable()
        text.encode()
        assert len(text) < 4 * LONGEST
    compile(case_of(value).encode(), "case", "exec")


@pytest.mark.parametrize("nasty", NASTY, ids=lambda nasty: nasty.name)
def test_text_of_a_large_value_takes_little_memory(nasty: Whole) -> None:
    value = nasty.make()
    for describes in (*ONE_LINE, case_of):
        describes(None)
        tracemalloc.start()
        try:
            describes(value)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "name",
    ["token", "console_token", "_secret", "password", "passwd", "apikey", "api_key", "Authorization", "cookie", "key",
     "private_key", "credentials", "session_id", "pwd", "db_pwd", "jwt", "id_jwt", "dsn", "sentry_dsn", "X-Api-Key",
     "Set-Cookie", "Proxy-Authorization", "apiKey", "secretKey", "sessionId", "encryptionKey", "PASSWORD", "DBPassword",
     "pin", "otp", "sid", "ssn", "cvv", "pass", "user_pass", "auth", "csrf_token", "bearer", "connection_string",
     "database_url", "salt", b"authorization", Setting.PASSWORD, "x" * 10_000 + "_password", "password" + "x" * 10_000],
)  # fmt: skip
def test_secret_name_is_known(name: Any) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["user", "keys", "keyboard", "monkey", "tick", "sessions", "author", "pinned", "passed", "basin", 7, None]
)
def test_harmless_name_is_no_secret(name: Any) -> None:
    assert not is_secret(name)


SHAPES: list[Callable[[Any], Any]] = [
    lambda secret: {"password": secret},
    lambda secret: {"a": {"b": {"token": secret}}},
    lambda secret: {b"authorization": secret},
    lambda secret: {Setting.PASSWORD: secret},
    lambda secret: {"X-Api-Key": secret},
    lambda secret: {"name": "cookie", "value": secret},
    lambda secret: collections.OrderedDict(dsn=secret),
    lambda secret: collections.defaultdict(str, jwt=secret),
    lambda secret: [{"pwd": secret}],
    lambda secret: ({"pwd": secret},),
    lambda secret: collections.deque([{"pwd": secret}]),
    lambda secret: ("authorization", secret),
    lambda secret: [("Cookie", secret)],
    lambda secret: [(b"cookie", secret)],
    lambda secret: ["curl", "--password", secret],
    lambda secret: Login("ann", secret),
    lambda secret: [Login("ann", secret)],
    lambda secret: {"login": Login("ann", secret)},
    lambda secret: Header("authorization", secret),
    lambda secret: Header("login", Login("ann", secret)),
    lambda secret: Vault(token=secret),
    lambda secret: Vault(inner=Vault(private_key=secret)),
    lambda secret: Slotted(secret),
    lambda secret: SimpleNamespace(api_key=secret),
    lambda secret: dataclasses.make_dataclass("Config", ["db_dsn"])(secret),
    lambda secret: collections.namedtuple("Config", ["jwt"])(secret),
    lambda secret: Cast(Login("ann", secret)),
    lambda secret: Crash(ValueError({"password": secret})),
    lambda secret: ValueError("login", Login("ann", secret)),
    lambda secret: ValueError("password", secret),
    lambda secret: KeyError({"password": secret}),
    lambda secret: CallFailure({"token": secret}, "db"),
    lambda secret: StartError(Crash(ValueError({"token": secret}))),
    lambda secret: f"postgresql://ann:{secret}@db/canvas",
    lambda secret: f"Authorization: Bearer {secret}",
    lambda secret: f"password={secret}&user=ann",
    lambda secret: f'{{"token": "{secret}"}}',
    lambda secret: f"GET / HTTP/1.1\r\nCookie: {secret}\r\n".encode(),
    lambda secret: ValueError(f"cannot connect to redis://:{secret}@cache"),
    lambda secret: Crash(RuntimeError(f"api_key: {secret}")),
]
"""How a secret may lie in a value, under a name that tells of it."""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("secret", ["S3CRET-123", "swordfish"])
def test_secret_is_hidden_wherever_it_is(shape: Callable[[Any], Any], secret: str) -> None:
    value = shape(secret)
    for describes in (*ONE_LINE, case_of):
        assert secret not in describes(value)


@given(
    st.sampled_from(SHAPES),
    st.lists(
        st.sampled_from([lambda value: [value], lambda value: {"a": value}, lambda value: ("ok", value),
                         lambda value: Login(value, ""), lambda value: Vault(a=value), ValueError]),
        max_size=2 * DEEPEST,
    ),
)  # fmt: skip
def test_secret_is_hidden_however_deep_it_is(shape: Callable[[Any], Any], around: list[Callable[[Any], Any]]) -> None:
    value = shape("S3CRET-123")
    for wrap in around:
        value = wrap(value)
    for describes in (*ONE_LINE, case_of):
        assert "S3CRET-123" not in describes(value)


@given(
    st.recursive(
        st.just("S3CRET 1") | st.just(b"S3CRET 1") | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.just("S3CRET 1") | st.text(), inner) | st.tuples(inner, inner)
            | st.builds(Login, inner, inner) | st.builds(Header, inner, inner) | st.builds(Cast, inner)
        ),
        max_leaves=20,
    )
)  # fmt: skip
def test_outline_shows_no_text_that_a_user_may_have_written(value: Any) -> None:
    assert "S3CRET" not in outline(value)
    assert "S3CRET" not in outline_state({"a": value, "b": [value]})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"), (True, "True"), (7, "7"), (1.5, "1.5"), ("paint", "'paint'"), ("Ann", "str(3)"),
        ("x" * 33, "str(33)"), (b"GET", "bytes(3)"), ([1, 2], "list(2)"), ({"a": 1}, "dict(1)"), ({1}, "set(1)"),
        (("paint", 7, "#FF0000"), "('paint', 7, str(7))"), (Login("ann", "x"), f"Login(user='ann', password={HIDDEN})"),
        (Header("Ann", [1]), "Header(name=str(3), value=list(1))"), (Setting.PASSWORD, "Setting.PASSWORD"),
        (Login, "<class Login>"), (Vault(a=1), "<Vault>"), (Cast(("a", "B")), "Cast(('a', str(1)))"),
        (ValueError("Ann", 1), "ValueError(str(3), 1)"), (describe, "<function describe>"),
    ],
)  # fmt: skip
def test_outline_shows_types_fields_and_sizes(value: Any, text: str) -> None:
    assert outline(value) == text


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("normal", "normal"), ("not an atom", "not an atom"), (Crash(ValueError("jammed")), "ValueError: jammed"),
        (ValueError(), "ValueError"), (KeyError("name"), "KeyError: 'name'"), (OSError(2, "no", "f"),
         "FileNotFoundError: [Errno 2] no: 'f'"), (ValueError("a\nb"), "ValueError: a\\nb"),
        (ValueError("bad", {"a": 1}), "ValueError: ('bad', dict(1))"), (ValueError(("a", 1)), "ValueError: ('a', 1)"),
        (CallFailure(Crash(ValueError("no")), "db"), "call to db failed: ValueError: no"),
        (StartError(Crash(ValueError("no"))), "StartError: ValueError: no"), (Odd(), "Odd"),
        (Failing("no"), "Failing: ('no')"),
        (("error", 5), "('error', 5)"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
         "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: bad"),
        (ExceptionGroup("many", [ValueError("a")]), "ExceptionGroup: many (1 sub-exception)"),
    ],
)  # fmt: skip
def test_reason_is_one_line(reason: Any, text: str) -> None:
    assert describe_reason(reason) == text


def test_secret_field_and_entry_are_hidden_and_the_rest_is_shown() -> None:
    value = [{"login": Login("ann", "hunter2", "noise")}, {"token": "hunter2", 1: "one"}]
    assert describe(value) == (f"[{{'login': Login(user='ann', password={HIDDEN})}}, {{'token': {HIDDEN}, 1: 'one'}}]")


def test_short_value_is_shown_whole() -> None:
    for value in (1, "text", b"bytes", [1, {2}], (None, True), {"a": 1.5}, (1,), set(), frozenset({1}), []):
        assert describe(value) == repr(value)


def test_state_hides_what_looks_secret() -> None:
    shown, is_cut = describe_state({"n": 1, "_token": "hunter2"}, size=1_000, seconds=1.0, clock=lambda: 0.0)
    assert shown == {"n": "1", "_token": HIDDEN}
    assert not is_cut


def test_state_is_cut_at_its_size() -> None:
    state = {f"n{number}": "x" * 50 for number in range(100)}
    shown, is_cut = describe_state(state, size=500, seconds=1.0, clock=lambda: 0.0)
    assert is_cut
    assert 0 < sum(map(len, shown.values())) <= 500


def test_state_is_cut_when_its_time_is_over() -> None:
    clock = itertools.count().__next__
    shown, is_cut = describe_state(dict.fromkeys("abcdef", 1), size=500, seconds=2.5, clock=clock)
    assert (list(shown), is_cut) == (["a", "b"], True)


def test_stacktrace_names_places_and_causes_and_no_values() -> None:
    token = "S3CRET-123"
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError(len(token)) from error
    except ValueError as error:
        text = describe_stacktrace(error)
    assert text.count("Traceback (most recent call last):") == 2
    assert 'raise KeyError("first")' in text
    assert "direct cause" in text
    assert text.endswith("\nValueError: 10")
    assert "S3CRET-123" not in text.replace('token = "S3CRET-123"', "")


def test_stacktrace_is_short_however_long_the_way_was() -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise chained(1_000)

    with pytest.raises(ValueError) as caught:
        deep(500)
    assert len(describe_stacktrace(caught.value).splitlines()) < 210


def test_source_that_cannot_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace: dict[str, Any] = {}
    exec(compile("def fail():\n    raise ValueError('no')", "/dev/zero", "exec"), namespace)
    with pytest.raises(ValueError) as caught:
        namespace["fail"]()
    assert '"/dev/zero", line 2, in fail\nValueError' in describe_stacktrace(caught.value)
    monkeypatch.setattr("linecache.getline", lambda *_: 1 / 0)
    assert describe_stacktrace(caught.value).endswith("\nValueError: no")


@pytest.mark.parametrize("show", [list, tuple, lambda items: dict.fromkeys(items, 0), lambda items: ValueError(*items)])
@pytest.mark.parametrize("more", [-1, 0, 1, 5])
def test_so_many_items_are_shown_and_dots_for_the_others(show: Callable[[Any], Any], more: int) -> None:
    items = range(1000, 1000 + MOST_ITEMS + more)
    value = show(items)
    for text in (describe(value), describe_exception(value) if isinstance(value, Exception) else describe(value)):
        assert [item for item in items if str(item) in text] == list(items[:MOST_ITEMS])
        assert ("..." in text) == (more > 0)


class Telling:
    """A value whose `repr` and `str` tell more than they should."""

    def __repr__(self) -> str:
        return "told"


@pytest.mark.parametrize(
    "exception",
    [
        OSError(2, Telling()),
        OSError(2, "no such file", Telling()),
        OSError(2, "no such file", "a", None, Telling()),
        KeyError(Telling()),
        KeyError("a", Telling()),
        StopIteration(Telling()),
        SystemExit(Telling()),
        ImportError(Telling()),
        SyntaxError(Telling()),
        ExceptionGroup("several", [ValueError(Telling())]),
    ],
    ids=lambda exception: type(exception).__name__,
)
def test_exception_of_python_runs_no_code_of_what_it_was_given(exception: BaseException) -> None:
    assert "told" not in describe_exception(exception)


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (FileNotFoundError(2, "no such file", "a.txt"), "FileNotFoundError: [Errno 2] no such file: 'a.txt'"),
        (OSError(5, "I/O error"), "OSError: [Errno 5] I/O error"),
        (UnicodeDecodeError("utf-8", b"a", 0, 1, "bad"), "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x61"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exception_of_python_with_plain_arguments_is_shown_as_python_does(
    exception: BaseException, expected: str
) -> None:
    assert describe_exception(exception).startswith(expected)
