"""Tokens, sessions, and what failed logins cost: pure functions of the time."""

import itertools
from collections.abc import Callable

import pytest

from supervision.console.sessions import (
    FREE_FAILURES,
    MAX_ADDRESSES,
    MAX_SESSIONS,
    RECOVERY,
    SESSION_LIFE,
    Access,
    Sessions,
    Throttle,
    Tokens,
)


def numbers() -> Callable[[], str]:
    count = itertools.count(1)
    return lambda: str(next(count))


def test_each_token_opens_what_it_is_for() -> None:
    tokens = Tokens("a" * 43, "r" * 43)
    assert tokens.access("a" * 43) is Access.ADMINISTER
    assert tokens.access("r" * 43) is Access.LOOK
    for wrong in ("", "a", "a" * 42, "a" * 44, "A" * 43, "ä" * 43, "\udc80"):
        assert tokens.access(wrong) is None


def test_each_role_covers_itself_and_those_below_it() -> None:
    roles = [Access.LOOK, Access.MODERATE, Access.ADMINISTER]
    for height, role in enumerate(roles):
        assert [role.covers(needed) for needed in roles] == [level <= height for level in range(3)]


def test_tokens_do_not_show_themselves() -> None:
    assert "aaa" not in repr(Tokens("aaa", "aaa"))


def test_token_is_compared_in_constant_time_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(given: bytes, known: bytes) -> bool:
        compared.append(known)
        return given == known

    monkeypatch.setattr("supervision.console.sessions.hmac.compare_digest", compare)
    for given in ("a" * 43, "r" * 43, "wrong"):
        compared.clear()
        Tokens("a" * 43, "r" * 43).access(given)
        assert compared == [b"a" * 43, b"r" * 43]


def test_session_ends_after_its_life_and_at_the_logout() -> None:
    sessions = Sessions(numbers())
    first, second = sessions.begin(Access.ADMINISTER, 0.0), sessions.begin(Access.LOOK, 10.0)
    assert sessions.access(first, SESSION_LIFE - 1) is Access.ADMINISTER
    assert sessions.access(first, SESSION_LIFE) is None
    assert sessions.access(first, 1.0) is None
    assert sessions.access(second, SESSION_LIFE) is Access.LOOK
    sessions.end(second)
    assert sessions.access(second, 11.0) is None
    assert sessions.access("", 11.0) is None


def test_sessions_are_bounded() -> None:
    sessions = Sessions(numbers())
    ids = [sessions.begin(Access.LOOK, 0.0) for _ in range(MAX_SESSIONS + 1)]
    assert sessions.access(ids[0], 1.0) is None
    assert sessions.access(ids[1], 1.0) is Access.LOOK


def test_sessions_of_readers_push_out_no_other() -> None:
    sessions = Sessions(numbers())
    admin = sessions.begin(Access.ADMINISTER, 0.0)
    for _ in range(2 * MAX_SESSIONS):
        sessions.begin(Access.LOOK, 0.0)
    assert sessions.access(admin, 1.0) is Access.ADMINISTER


def test_some_failures_are_free_and_then_they_cost_time() -> None:
    throttle = Throttle()
    for _ in range(FREE_FAILURES):
        assert throttle.wait("mallory", 0.0) == 0
        throttle.fail("mallory", 0.0)
    assert throttle.wait("mallory", 0.0) == RECOVERY
    assert throttle.wait("ann", 0.0) == 0
    assert throttle.wait("mallory", RECOVERY) == 0
    throttle.fail("mallory", RECOVERY)
    assert throttle.wait("mallory", RECOVERY) == RECOVERY


def test_failures_are_forgotten_in_time() -> None:
    throttle = Throttle()
    for _ in range(FREE_FAILURES):
        throttle.fail("ann", 0.0)
    assert throttle.wait("ann", FREE_FAILURES * RECOVERY) == 0
    for _ in range(FREE_FAILURES - 1):
        throttle.fail("ann", FREE_FAILURES * RECOVERY)
    assert throttle.wait("ann", FREE_FAILURES * RECOVERY) == 0


def test_many_addresses_take_bounded_memory() -> None:
    throttle = Throttle()
    for number in range(MAX_ADDRESSES + 10):
        throttle.fail(str(number), 0.0)
    assert len(throttle._failures) == MAX_ADDRESSES
