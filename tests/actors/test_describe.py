"""Values as text: short, in bounded time, and with no contents but those declared safe, whatever they are."""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import PosixPath
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import NO_REPLY, SHUTDOWN, CallFailure, Cast, Crash, GenServer, Shown, StartError, shown
from actors.describe import DEEPEST, describe, examine, examine_state, name_of
from actors.description import LONGEST, MOST_ITEMS
from actors.failures import describe_exception, describe_reason, examine_reason
from actors.log import fact
from actors.oneline import line
from actors.reproduction import subject_of, write_case
from actors.stacktrace import describe_stacktrace, examine_stacktrace
from tests.support.nasty import NASTY, Failing, Odd, Whole, chained
from tests.support.shapes import SECRETS, SHAPES, Header, Login, Setting, Shape, Vault


@shown("seen")
@dataclass
class Half:
    seen: Any
    unseen: Any = None


@shown()
class Seen(NamedTuple):
    left: Any
    right: Any


@shown()
class UserId(str):
    __slots__ = ()


@shown("name")
class Open:
    def __init__(self, name: Any, password: Any) -> None:
        self.name = name
        self.password = password


@shown("more")
class Heir(Open):
    more = "x"


def state_of(value: Any) -> str:
    """A state, as a crash report shows it."""
    return str({name: each.text for name, each in examine_state(Open, {"a": value}, size=1_000)[0].items()})


def case_of(value: Any) -> str:
    """A case for pytest."""
    state, _ = examine_state(GenServer, {"a": value}, size=1_000)
    return write_case(subject_of(GenServer, value), "crash", examine(value), state)


def stacktrace_of(value: Any) -> str:
    """Where an exception comes from, on one line."""
    exception = value if issubclass(type(value), BaseException) else ValueError(value)
    return describe_stacktrace(exception).replace("\n", " ")


def failure(request: Any, reason: Any) -> Any:
    """What is no exception, where one belongs."""
    return CallFailure(request, reason)


ONE_LINE: list[Callable[[Any], str]] = [
    describe, lambda value: describe(value, shows_values=True), lambda value: examine(value).structure,
    describe_reason, lambda value: describe_exception(ValueError(value)),
    lambda value: describe_exception(KeyError(value)), lambda value: describe_exception(ValueError("no", value)),
    lambda value: describe_reason(StartError(Crash(failure(value, value)))),
    lambda value: str(fact([value])), lambda value: str(Crash(ValueError([value]))), state_of, stacktrace_of,
]  # fmt: skip
"""Every door through which a value becomes a text of one line."""

HIDING: list[Callable[[Any], str]] = [
    describe, lambda value: examine(value, shows_values=True).structure, lambda value: describe_reason([value]),
    lambda value: describe_exception(ValueError([value])), lambda value: describe_exception(KeyError([value])),
    lambda value: describe_exception(ValueError("no", value)), lambda value: examine_reason(value).structure,
    lambda value: describe_reason(StartError(Crash(failure([value], [value])))),
    lambda value: str(fact([value])), state_of, lambda value: stacktrace_of([value]), case_of,
    lambda value: examine_stacktrace(ValueError(value)).structure,
]  # fmt: skip
"""The doors behind which contents are hidden. The text of an exception, or of a reason that is one, is shown."""


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


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("secret", SECRETS)
def test_contents_that_are_not_declared_safe_are_hidden_wherever_they_are(shape: Shape, secret: Any) -> None:
    value = shape(secret)
    for describes in HIDING:
        assert str(secret) not in describes(value)


@given(
    st.sampled_from(list(SHAPES.values())),
    st.lists(
        st.sampled_from([lambda value: [value], lambda value: {"a": value}, lambda value: ("ok", value),
                         lambda value: Login(value, ""), lambda value: Vault(a=value), ValueError,
                         lambda value: Half(Half(1, value), 2), lambda value: Shown(Login("ann", value))]),
        max_size=2 * DEEPEST,
    ),
)  # fmt: skip
def test_contents_are_hidden_however_deep_they_are(shape: Shape, around: list[Shape]) -> None:
    value = shape("S3CRET-123")
    for wrap in around:
        value = wrap(value)
    for describes in HIDING:
        assert "S3CRET-123" not in describes(value)


@given(
    st.recursive(
        st.just("S3CRET 1") | st.just(b"S3CRET 1") | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.just("S3CRET 1") | st.text(), inner) | st.tuples(inner, inner)
            | st.builds(Login, inner, inner) | st.builds(Header, inner, inner) | st.builds(Cast, inner)
            | st.builds(Half, inner, inner) | st.builds(Shown, inner)
        ),
        max_leaves=20,
    )
)  # fmt: skip
def test_structure_shows_nothing_that_a_user_may_have_written_not_even_if_it_is_declared_safe(value: Any) -> None:
    assert "S3CRET" not in examine(value).structure
    assert "S3CRET" not in examine_reason(Crash(ValueError(value))).structure
    assert "S3CRET" not in examine(value, shows_values=True).structure


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"), (True, "True"), (7, "int"), (1.5, "float"), ("paint", "str(5)"), ("Ann", "str(3)"),
        (SHUTDOWN, "'shutdown'"), (b"GET", "bytes(3)"), ([1, 2], "list(2)"), ({"a": 1}, "dict(1)"), ({1}, "set(1)"),
        (("paint", 7, None), "(str(5), int, None)"), (Login("ann", "x"), "Login(user=str(3), password=str(1))"),
        (Header("Ann", [1]), "Header(name=str(3), value=list(1))"), (Setting.PASSWORD, "Setting.PASSWORD"),
        (Login, "<class Login>"), (Vault(a=1), "<Vault>"), (Cast(("a", "B")), "Cast((str(1), str(1)))"),
        (ValueError("Ann", 1), "ValueError(str(3), int)"), (describe, "<function describe>"),
        (PosixPath("a"), "PosixPath"), (date(2020, 1, 1), "date"), (NO_REPLY, "NO_REPLY"), (UserId("ann"), "'ann'"),
        (Half("a", 2), "Half(seen='a', unseen=int)"), (Half([1, ("a",)], 2), "Half(seen=[1, ('a',)], unseen=int)"),
        (Half(Login("a", "b"), 2), "Half(seen=Login(user=str(1), password=str(1)), unseen=int)"),
        (Half({"k": Half(1, 2)}, 3), "Half(seen={'k': Half(seen=1, unseen=int)}, unseen=int)"),
        (Seen(1, "x"), "Seen(left=1, right='x')"), (Open("ann", "x"), "<Open name='ann'>"), (Shown("x"), "'x'"),
        (Heir("ann", "x"), "<Heir more='x', name='ann'>"),
        (Shown(Login("a", "b")), "Login(user=str(1), password=str(1))"),
    ],
)  # fmt: skip
def test_structure_is_shown_and_what_is_declared_safe(value: Any, text: str) -> None:
    assert describe(value) == text


def test_structure_of_what_is_declared_safe_shows_none_of_it() -> None:
    found = examine(Half(["a", {"b": 1}], 2))
    assert (found.text, found.structure) == ("Half(seen=['a', {'b': 1}], unseen=int)", "Half(seen=list(2), unseen=int)")


@pytest.mark.parametrize("kind", [Login, Header])
def test_declaring_a_field_that_is_not_there_is_refused(kind: type) -> None:
    with pytest.raises(TypeError, match="has no field 'pasword'"):
        shown("user", "pasword")(kind)


def test_declaring_all_of_a_class_without_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="name the attributes"):
        shown()(Vault)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("normal", "normal"), ("not an atom", "not an atom"), (Crash(ValueError("jammed")), "ValueError: jammed"),
        (ValueError(), "ValueError"), (KeyError("name"), "KeyError: 'name'"), (OSError(2, "no", "f"),
         "FileNotFoundError: [Errno 2] no: 'f'"), (ValueError("a\nb"), "ValueError: a\\nb"),
        (ValueError("bad", {"a": 1}), "ValueError: ('bad', dict(1))"),
        (ValueError(("a", 1)), "ValueError: (str(1), int)"),
        (CallFailure(Crash(ValueError("no")), "db"), "call to db failed: ValueError: no"),
        (StartError(Crash(ValueError("no"))), "StartError: ValueError: no"), (Odd(), "Odd"),
        (Failing("no"), "Failing: ('no')"),
        (("error", 5), "(str(5), int)"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
         "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: bad"),
        (ExceptionGroup("many", [ValueError("a")]), "ExceptionGroup: many (1 sub-exception)"),
    ],
)  # fmt: skip
def test_reason_is_one_line(reason: Any, text: str) -> None:
    assert describe_reason(reason) == text


@given(st.text(st.characters(codec=None)))
def test_text_of_others_is_one_line_without_controls(text: str) -> None:
    texts = line(text), describe_reason(text), describe_exception(ValueError(text)), name_of(text), str(fact(text))
    for each in texts:
        assert each.isprintable()
        assert each.splitlines() in ([each], [])


def test_structure_of_a_reason_names_classes_and_no_texts() -> None:
    reason = CallFailure(StartError(Crash(KeyError("S3CRET-123"))), "db")
    assert examine_reason(reason).structure == "call to db failed: StartError"
    assert examine_reason("worn out").structure == "str(8)"
    assert examine_reason("shutdown").structure == "shutdown"


def test_all_contents_are_shown_to_a_developer() -> None:
    value = [{"login": Login("ann", "hunter2", "noise")}, {"token": "hunter2", 1: "one"}, Vault(a=1)]
    expected = "[{'login': Login(user='ann', password='hunter2')}, {'token': 'hunter2', 1: 'one'}, <Vault a=1>]"
    assert describe(value, shows_values=True) == expected


def test_short_value_is_shown_whole() -> None:
    value: Any
    for value in (1, "text", b"bytes", [1, {2}], (None, True), {"a": 1.5}, (1,), set(), frozenset({1}), []):
        assert describe(Shown(value)) == repr(value)


def test_state_shows_what_its_class_declares() -> None:
    shown, is_cut = examine_state(Open, {"name": "ann", "_token": "hunter2"}, size=1_000)
    assert {name: value.text for name, value in shown.items()} == {"name": "'ann'", "_token": "str(7)"}
    assert not is_cut


def test_state_is_cut_at_its_size() -> None:
    state = {f"n{number}": "x" * 50 for number in range(100)}
    shown, is_cut = examine_state(Open, state, size=500, shows_values=True)
    assert is_cut
    assert 0 < sum(len(value.text) for value in shown.values()) <= 600


def test_stacktrace_without_texts_names_places_and_classes() -> None:
    with pytest.raises(ValueError) as caught:
        raise ValueError("S3CRET" + "-123")
    text = examine_stacktrace(caught.value).structure
    assert "S3CRET-123" not in text
    assert text.endswith("\nValueError")


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
    text = describe(show(items), shows_values=True)
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
