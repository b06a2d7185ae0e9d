"""Values as text: short, without secrets, in bounded time."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from actors.describe import HIDDEN, describe, describe_state, is_secret


@dataclass
class Login:
    user: str
    password: str
    noise: str = field(default="", repr=False)


class Broken:
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    "name",
    ["token", "console_token", "_secret", "password", "passwd", "apikey", "api_key", "Authorization", "cookie", "key",
     "private_key", "credentials", "session_id"],
)  # fmt: skip
def test_secret_name_is_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["user", "keys", "keyboard", "monkey", "tick", "sessions", "author"])
def test_harmless_name_is_no_secret(name: str) -> None:
    assert not is_secret(name)


def test_secret_field_and_entry_are_hidden_wherever_they_are() -> None:
    value = [{"login": Login("ann", "hunter2", "noise")}, {"token": "hunter2", 1: "one"}]
    assert describe(value) == (
        f"[{{'login': Login(user='ann', password={HIDDEN})}}, {{'token': {HIDDEN}, 1: 'one'}}]"
    )


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, b"x" * 10**6, bytearray(10**6), memoryview(bytes(10**6)), [0] * 10**6, list(range(10**5)),
     {n: n for n in range(10**5)}, (("x" * 1000,) * 1000,) * 1000, {n: {n: {n: {n: n}}} for n in range(100)}],
)  # fmt: skip
def test_long_value_has_a_short_text(value: Any) -> None:
    assert len(describe(value)) < 4_000


def test_short_value_is_shown_whole() -> None:
    for value in (1, "text", b"bytes", [1, {2}], (None, True), {"a": 1.5}):
        assert describe(value) == repr(value)


def test_value_whose_repr_fails_is_named() -> None:
    assert "Broken" in describe(Broken())


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
