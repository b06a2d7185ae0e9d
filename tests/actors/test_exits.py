"""Which ends are orderly, and which reason an exception becomes."""

import weakref
from itertools import permutations

import pytest

from actors import KILL, KILLED, NOPROC, NORMAL, SHUTDOWN, TIMEOUT, CallExit, CallFailure, Crash, ProcessExit, Shutdown
from actors.exits import is_clean
from actors.failures import reason_of, release_frames


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, Shutdown("why"), Shutdown(None)])
def test_orderly_ends_are_clean(reason: object) -> None:
    assert is_clean(reason)


class Odd:
    """Compares with nothing."""

    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("reason", [KILL, KILLED, NOPROC, TIMEOUT, "boom", None, ("shutdown", "x"), 0, Odd()])
def test_all_other_ends_are_not(reason: object) -> None:
    assert not is_clean(reason)


def test_an_exception_becomes_a_crash() -> None:
    error = ValueError("no")
    assert reason_of(error) == Crash(error)
    assert str(Crash(error)) == "ValueError: no"


def test_a_process_exit_is_its_reason() -> None:
    assert reason_of(ProcessExit("done")) == "done"


def test_an_uncaught_call_failure_nests() -> None:
    assert reason_of(CallExit(TIMEOUT, "server")) == CallFailure(TIMEOUT, "server")
    assert str(CallExit(TIMEOUT, "server")) == "call to server failed: timeout"


class Held:
    """Something a frame holds."""


def raised(held: list[weakref.ref[Held]], *behind: BaseException) -> BaseException:
    """An exception whose traceback holds something that nothing else holds."""

    def fail(held: list[weakref.ref[Held]]) -> None:
        thing = Held()
        held.append(weakref.ref(thing))
        raise ExceptionGroup("several", behind) if behind else ValueError("no")  # type: ignore[type-var]

    try:
        fail(held)
    except (ValueError, ExceptionGroup) as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("order", list(permutations(["cause", "context", "group"])), ids=str)
def test_released_exception_holds_nothing_in_any_frame_of_those_behind_it(order: tuple[str, ...]) -> None:
    held: list[weakref.ref[Held]] = []
    error = raised(held)
    for link in order:
        if link == "cause":
            later = raised(held)
            later.__cause__ = error
        elif link == "context":
            later = raised(held)
            later.__context__ = error
        else:
            later = raised(held, raised(held), error, raised(held))
        error = later
    assert len(held) == 6
    assert all(thing() is not None for thing in held)
    release_frames(error)
    assert all(thing() is None for thing in held)


def test_exceptions_that_follow_from_each_other_in_a_circle_are_released() -> None:
    held: list[weakref.ref[Held]] = []
    one, other = raised(held), raised(held)
    one.__context__, other.__context__ = other, one
    release_frames(one)
    assert [thing() for thing in held] == [None, None]
