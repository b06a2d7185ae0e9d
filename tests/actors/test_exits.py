"""Which ends are orderly, and which reason an exception becomes."""

import pytest

from actors import KILL, KILLED, NOPROC, NORMAL, SHUTDOWN, TIMEOUT, CallExit, CallFailure, Crash, ProcessExit, Shutdown
from actors.exits import is_clean, reason_of


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
