"""The test that a crash report comes with: it can be run, and crashes the actor the same way."""

import enum
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from actors import CallExit, Cast, Crash, GenServer, Ref, Scheduler, cast, down, start
from actors.debug import crash_reports
from actors.describe import examine, examine_state
from actors.gen_statem import GenStateMachine, Info, Next
from actors.kernel.call import Call
from actors.reproduction import LONGEST, subject_of, write_case
from actors.testing import Kit


class Color(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Divide:
    by: int
    color: Color = Color.RED
    tags: tuple[str, ...] = ()
    place: Path = field(default=Path("a"))


class Divider(GenServer):
    """Divides what it has."""

    def init(self, amount: int, log: Any) -> None:
        self.amount = amount
        self.log = log
        self.history = deque([1, 2])

    def handle_cast(self, request: Any) -> None:
        self.amount //= request.by

    def handle_call(self, request: Any, from_: Any) -> Any:
        return self.amount // request.by


class Machine(GenStateMachine):
    """Falls over when it is pushed while it stands on one leg."""

    def init(self) -> Any:
        self.pushes = 0
        return Next("one_leg")

    def one_leg(self, event: Any) -> Any:
        assert event != Info("push"), "it fell over"


def case_for(kind: type, message: Any, state: dict[str, Any], *, reason: str = "crash") -> str:
    """The case of a crash, with all contents."""
    seen, _ = examine_state(kind, state, size=LONGEST, shows_values=True)
    return write_case(subject_of(kind, message), reason, examine(message, shows_values=True), seen)


async def crash_of(ref: Ref, send: Any) -> str:
    """The case of a crash."""
    ended = down(ref)
    send()
    await ended
    return crash_reports()[-1].case


@pytest.mark.parametrize("how", ["cast", "call"])
def test_case_crashes_the_actor_the_same_way(how: str) -> None:
    async def scenario() -> str:
        Scheduler.current().shows_values = True
        ref = await start(Divider, 7, object())
        if how == "cast":
            return await crash_of(ref, lambda: cast(ref, Divide(0, tags=("x",))))
        return await crash_of(ref, lambda: ref.ask(Divide(0), block=False))

    first = Kit()
    first.expect_crash("Divider")
    case = first.run(scenario())
    namespace: dict[str, Any] = {}
    exec(compile(case, "case", "exec"), namespace)
    test = namespace["test_divider_survives_divide"]
    kit = Kit()
    kit.expect_crash(lambda report: report.kind == "Subject")
    with pytest.raises(CallExit) as caught:
        kit.run(test(kit))
    assert isinstance(caught.value.reason, Crash)
    assert isinstance(caught.value.reason.exception, ZeroDivisionError)
    assert "log=Mock()," in case
    assert "history=deque([1, 2])," in case


def test_case_of_a_machine_begins_in_its_state() -> None:
    case = case_for(Machine, "push", {"state": "one_leg", "pushes": 3}, reason="AssertionError: it fell over")
    assert "return Next('one_leg')" in case
    assert "pushes=3," in case
    assert "subject.tell('push')" in case
    compile(case, "case", "exec")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (Cast(Divide(1)), "cast(subject, Divide(by=1, color=Color.RED, tags=(), place=PosixPath('a')))"),
        (Cast({"a": [1, (2,)], "b": {3}}), "cast(subject, {'a': [1, (2,)], 'b': {3}})"),
        (float("inf"), "subject.tell(float('inf'))"),
        (object(), "subject.tell(Mock())"),
        (set(), "subject.tell(set())"),
        (frozenset({1}), "subject.tell(frozenset({1}))"),
        (Divide, "subject.tell(Divide)"),
        ("x" * 2 * LONGEST, "subject.tell(Mock())"),
        ([0] * 2 * LONGEST, "subject.tell(Mock())"),
    ],
)
def test_message_is_written_as_python(message: Any, line: str) -> None:
    case = case_for(Divider, message, {})
    compile(case, "case", "exec")
    assert line in case


def test_call_is_called() -> None:
    async def scenario() -> str:
        ref = await start(Divider, 1, None)
        return case_for(Divider, Call(Divide(0), down(ref), ref, None), {})  # type: ignore[arg-type]

    assert "await call(subject, Divide(by=0" in Kit().run(scenario())


def test_case_is_bounded_whatever_the_state_is() -> None:
    state = {f"n{number}": "x" * 1_000 for number in range(1_000)}
    assert len(case_for(Divider, None, state)) < 3 * LONGEST


def test_reason_cannot_break_out_of_the_text() -> None:
    case = case_for(Divider, None, {}, reason='x"""\nimport os\n\\')
    compile(case, "case", "exec")
    assert "\nimport os" not in case


def test_class_that_cannot_be_imported_is_named() -> None:
    class Local(GenServer):
        """Only here."""

    assert "Local cannot be imported" in case_for(Local, None, {})
