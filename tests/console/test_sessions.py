"""Roles, sessions, codes, and what failed logins cost: pure functions of the time."""

import itertools
from collections.abc import Callable

from supervision.console.api.principals import (
    CODE_LIFE,
    FREE_FAILURES,
    MAX_ADDRESSES,
    MAX_CODES,
    MAX_SESSIONS,
    OWNER,
    RECOVERY,
    SESSION_LIFE,
    Access,
    Codes,
    Grant,
    Sessions,
    Throttle,
)


def numbers() -> Callable[[], str]:
    count = itertools.count(1)
    return lambda: str(next(count))


def test_each_role_covers_itself_and_those_below_it() -> None:
    roles = [Access.LOOK, Access.MODERATE, Access.ADMINISTER]
    for height, role in enumerate(roles):
        assert [role.covers(needed) for needed in roles] == [level <= height for level in range(3)]


def test_session_ends_after_its_life_and_at_the_logout() -> None:
    sessions = Sessions(numbers())
    ann, bob = Grant(Access.ADMINISTER, "ann"), Grant(Access.LOOK, "bob")
    first, second = sessions.begin(ann, 0.0), sessions.begin(bob, 10.0)
    assert sessions.find(first, SESSION_LIFE - 1) is ann
    assert sessions.find(first, SESSION_LIFE) is None
    assert sessions.find(first, 1.0) is None
    assert sessions.find(second, SESSION_LIFE) is bob
    sessions.end(second)
    assert sessions.find(second, 11.0) is None
    assert sessions.find("", 11.0) is None


def test_session_ends_with_what_it_began_with() -> None:
    sessions, good = Sessions(numbers()), [True]
    id = sessions.begin(Grant(Access.LOOK, "ann", lambda: good[0]), 0.0)
    assert sessions.find(id, 1.0) is not None
    good[0] = False
    assert sessions.find(id, 1.0) is None
    good[0] = True
    assert sessions.find(id, 1.0) is None


def test_sessions_are_bounded() -> None:
    sessions, ann = Sessions(numbers()), Grant(Access.LOOK, "ann")
    ids = [sessions.begin(ann, 0.0) for _ in range(MAX_SESSIONS + 1)]
    assert sessions.find(ids[0], 1.0) is None
    assert sessions.find(ids[1], 1.0) is ann


def test_sessions_of_one_holder_push_out_no_other() -> None:
    sessions, ann, bob = Sessions(numbers()), Grant(Access.LOOK, "ann"), Grant(Access.LOOK, "bob")
    first = sessions.begin(ann, 0.0)
    for _ in range(2 * MAX_SESSIONS):
        sessions.begin(bob, 0.0)
    assert sessions.find(first, 1.0) is ann


def test_code_counts_once_and_for_its_time() -> None:
    codes = Codes(numbers())
    first, second = codes.make(OWNER, 0.0), codes.make(Grant(Access.LOOK, "ann"), 10.0)
    assert codes.take("no code", 1.0) is None
    assert codes.take(first, CODE_LIFE - 1) is OWNER
    assert codes.take(first, CODE_LIFE - 1) is None
    assert codes.take(second, 10.0 + CODE_LIFE) is None
    assert codes.take(second, 11.0) is None


def test_codes_are_bounded() -> None:
    codes = Codes(numbers())
    made = [codes.make(OWNER, 0.0) for _ in range(MAX_CODES + 1)]
    assert [codes.take(code, 1.0) for code in made[:2]] == [None, OWNER]


def test_code_ends_with_what_it_was_made_with() -> None:
    codes, good = Codes(numbers()), [True]
    code = codes.make(Grant(Access.LOOK, "ann", lambda: good[0]), 0.0)
    good[0] = False
    assert codes.take(code, 1.0) is None
    good[0] = True
    assert codes.take(code, 1.0) is None


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
