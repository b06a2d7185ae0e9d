"""State machines: which event comes when. A real OTP 25 has given the same orders (gen_statem)."""

import asyncio
import enum
import gc
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from actors import (
    IGNORE,
    NORMAL,
    Call,
    CallExit,
    Cast,
    Crash,
    Down,
    ExitReason,
    Ignored,
    Ref,
    StartError,
    Stop,
    call,
    cast,
    debug,
    down,
    reply,
    send,
    send_exit,
    shown,
    start,
    stop,
)
from actors.gen_statem import (
    POSTPONE,
    CallbackMode,
    Enter,
    Event,
    EventTimedOut,
    EventTimeout,
    GenStateMachine,
    Info,
    Internal,
    Keep,
    Next,
    NextEvent,
    Repeat,
    ReplyTo,
    StateTimedOut,
    StateTimeout,
    TimedOut,
    Timeout,
)
from actors.testing import kill, quiet
from tests.support.scenarios import simulated

Rule = Callable[["Machine"], Any] | Any


@shown("state")
class Machine(GenStateMachine):
    """Does what its rules say, and notes every event with the state it came in.

    Args (of `init`):
        first: what `init` returns
        rules: the result by (state, event content), or a function of the machine that returns it
        log: gets (state, event content)
    """

    callback_mode = CallbackMode.HANDLE_EVENT

    def init(self, first: Any, rules: dict[Any, Rule], log: list[Any]) -> Any:
        self.rules = rules
        self.log = log
        self.ends: list[ExitReason] = []
        return first

    def handle_event(self, event: Event, state: Any) -> Any:
        what = content(event)
        self.log.append((state, what))
        rule: Any = self.rules.get((state, what))
        return rule(self, event) if callable(rule) else rule

    def terminate(self, reason: ExitReason) -> None:
        self.log.append(("terminate", reason))


class Entering(Machine):
    state_enter = True


def content(event: Event) -> Any:
    """An event as it stands in the rules and in the log."""
    match event:
        case Call(request) | Cast(request):
            return request
        case Info(message):
            return message
        case Internal(value) | EventTimedOut(value) | StateTimedOut(value) | TimedOut(_, value):
            return value
        case Enter(old):
            return f"from {old}"
    raise AssertionError(event)


async def machine(
    rules: Mapping[Any, Rule],
    first: Any = Next("a"),  # noqa: B008  # immutable
    *,
    cls: type[Machine] = Machine,
) -> tuple[Ref, list[Any]]:
    log: list[Any] = []
    return await start(cls, first, rules, log), log


# How it is written.


class Door(GenStateMachine):
    """The example of the documentation."""

    def init(self, code: int) -> Next:
        self.code = code
        return Next("locked")

    def locked(self, event: Event) -> Any:
        match event:
            case Cast(digits) if digits == self.code:
                return Next("open", StateTimeout(10.0))
            case Cast():
                return None
        return self.handle_event(event, self.state)

    def open(self, event: Event) -> Any:
        match event:
            case StateTimedOut():
                return Next("locked")
            case Cast():
                return Keep(POSTPONE)
        return self.handle_event(event, self.state)

    def handle_event(self, event: Event, state: Any) -> Any:
        match event:
            case Call("state"):
                return Keep(ReplyTo(event, state))
        return super().handle_event(event, state)


@simulated
async def test_state_functions_are_called_by_the_name_of_the_state() -> None:
    door = await start(Door, 1234)
    cast(door, 1)
    assert await call(door, "state") == "locked"
    cast(door, 1234)
    assert await call(door, "state") == "open"
    await asyncio.sleep(10.1)
    assert await call(door, "state") == "locked"


@simulated
async def test_an_event_that_no_state_knows_crashes_the_machine() -> None:
    door = await start(Door, 1234)
    ended = down(door)
    send(door, "what_is_this")
    reason = await ended
    assert isinstance(reason.exception, NotImplementedError)
    assert "Info(message=str(12)) in 'locked'" in str(reason.exception)


class Light(enum.Enum):
    RED = "red"
    GREEN = "green"


class TrafficLight(GenStateMachine):
    def init(self) -> Next:
        return Next(Light.RED)

    def red(self, event: Event) -> Any:
        return Next(Light.GREEN)

    async def green(self, event: Event) -> Any:
        await asyncio.sleep(1)
        return Next(Light.RED)


@simulated
async def test_the_members_of_an_enum_may_be_the_states() -> None:
    light = await start(TrafficLight)
    send(light, "go")
    await quiet()
    assert debug.get_state(light)["state"] is Light.GREEN
    send(light, "go")
    await quiet()
    assert debug.get_state(light)["state"] is Light.RED


@simulated
async def test_a_state_without_a_function_crashes_the_machine() -> None:
    class Lost(GenStateMachine):
        def init(self) -> Next:
            return Next("nowhere")

    ref = await start(Lost)
    ended = down(ref)
    send(ref, 1)
    assert isinstance((await ended).exception, AttributeError)


@simulated
async def test_init_may_decline_fail_or_forget_the_state() -> None:
    with pytest.raises(Ignored):
        await machine({}, IGNORE)
    with pytest.raises(StartError) as caught:
        await machine({}, Stop("no"))
    assert caught.value.reason == "no"
    with pytest.raises(StartError) as caught:
        await machine({}, None)
    assert "starts with Next(state, ...)" in str(caught.value.reason)


@simulated
@pytest.mark.parametrize(
    "result",
    [
        "a",
        5,
        Keep("nonsense"),  # type: ignore[arg-type]
        Keep(NextEvent("no event")),  # type: ignore[arg-type]
        Keep(NextEvent(Enter("a"))),
        Keep(StateTimeout(-1)),
    ],
)
async def test_a_result_that_means_nothing_is_a_crash(result: Any) -> None:
    ref, _ = await machine({("a", 1): result})
    ended = down(ref)
    send(ref, 1)
    assert isinstance(await ended, Crash)


@simulated
async def test_casts_calls_and_messages_are_told_apart() -> None:
    events: list[Event] = []
    note: Rule = lambda self, event: events.append(event)  # noqa: E731
    ref, _ = await machine({("a", 1): note, ("a", 2): note, ("a", 3): note})
    cast(ref, 1)
    send(ref, 2)
    with pytest.raises(CallExit, match="timeout"):
        await call(ref, 3, timeout=1)
    assert [type(event) for event in events] == [Cast, Info, Call]


@simulated
async def test_exits_downs_and_orders_to_stop_are_as_for_any_server() -> None:
    ref, log = await machine({})
    insides = ref._process
    assert isinstance(insides, Machine)
    insides.trap_exit = True
    other, _ = await machine({})
    monitor = insides.monitor(other)
    send_exit(ref, "boom")
    await kill(other)
    await quiet()
    assert [type(message).__name__ for _, message in log] == ["Exit", "Down"]
    assert log[1] == ("a", Down(monitor, other, "killed"))
    await stop(ref)
    assert log[-1] == ("terminate", NORMAL)


@simulated
async def test_a_pykka_proxy_reaches_the_machine() -> None:
    ref, log = await machine({})
    assert await ref.proxy().state == "a"
    assert log == []


# Postponed and next events.


@simulated
async def test_postponed_events_come_again_in_their_order_before_newer_ones_when_the_state_changes() -> None:
    later = Keep(POSTPONE)
    ref, log = await machine({("a", 1): later, ("a", 2): later, ("a", "go"): Next("b")})
    for message in (1, 2, 3, "go", 4):
        send(ref, message)
    await quiet()
    assert log == [("a", 1), ("a", 2), ("a", 3), ("a", "go"), ("b", 1), ("b", 2), ("b", 4)]


@simulated
async def test_an_event_may_be_postponed_again_and_a_change_to_the_same_state_is_none() -> None:
    later = Keep(POSTPONE)
    rules = {("a", 1): later, ("b", 1): later, ("a", "same"): Next("a"), ("a", "go"): Next("b"), ("b", "go"): Next("c")}
    ref, log = await machine(rules)
    for message in (1, "same", "go", "go"):
        send(ref, message)
    await quiet()
    assert log == [("a", 1), ("a", "same"), ("a", "go"), ("b", 1), ("b", "go"), ("c", 1)]


@simulated
async def test_an_event_that_is_postponed_by_the_change_itself_comes_in_the_new_state() -> None:
    ref, log = await machine({("a", 0): Keep(POSTPONE), ("a", 1): Next("b", POSTPONE)})
    send(ref, 0)
    send(ref, 1)
    await quiet()
    assert log == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


@simulated
async def test_next_events_come_in_their_order_before_postponed_and_waiting_ones() -> None:
    follow = Next("b", NextEvent(Internal("x")), NextEvent(Cast("y")), NextEvent(Info("z")))
    rules = {("a", 1): Keep(POSTPONE), ("a", "go"): follow, ("b", "x"): Keep(NextEvent(Internal("x2")))}
    ref, log = await machine(rules)
    for message in (1, "go", 2):
        send(ref, message)
    await quiet()
    assert log == [("a", 1), ("a", "go"), *(("b", each) for each in ("x", "x2", "y", "z", 1, 2))]


@simulated
async def test_internal_events_may_be_postponed_too() -> None:
    rules = {("a", "x"): Keep(POSTPONE), ("a", "go"): Next("b")}
    ref, log = await machine(rules, Next("a", NextEvent(Internal("x"))))
    send(ref, "go")
    await quiet()
    assert log == [("a", "x"), ("a", "go"), ("b", "x")]


@simulated
async def test_init_has_no_event_to_postpone() -> None:
    ref, _ = await machine({}, Next("a", POSTPONE))
    assert isinstance(await down(ref), Crash)


@simulated
async def test_a_machine_that_never_runs_out_of_events_leaves_others_their_turns() -> None:
    ref, log = await machine({("a", "x"): Keep(NextEvent(Internal("x")))}, Next("a", NextEvent(Internal("x"))))
    other, seen = await machine({})
    for _ in range(5):
        await asyncio.sleep(0)
    send(other, 1)
    for _ in range(10):
        await asyncio.sleep(0)
    assert seen == [("a", 1)]
    assert len(log) > 64
    assert await kill(ref) == "killed"


# Entering.


@simulated
async def test_entering_comes_for_the_first_state_and_after_every_change_before_other_events() -> None:
    rules = {("a", 1): Keep(POSTPONE), ("a", "go"): Next("b", NextEvent(Internal("x"))), ("a", "same"): Next("a")}
    ref, log = await machine(rules, Next("a", NextEvent(Internal("first"))), cls=Entering)
    for message in (1, "same", "go"):
        send(ref, message)
    await quiet()
    assert log == [
        ("a", "from a"), ("a", "first"), ("a", 1), ("a", "same"), ("a", "go"), ("b", "from a"), ("b", "x"), ("b", 1),
    ]  # fmt: skip


@simulated
async def test_repeat_enters_again_and_leaves_postponed_events_and_the_state_timeout_alone() -> None:
    rules = {("a", 1): Keep(POSTPONE), ("a", "again"): Repeat()}
    ref, log = await machine(rules, Next("a", StateTimeout(1, "over")), cls=Entering)
    send(ref, 1)
    send(ref, "again")
    await asyncio.sleep(2)
    assert log == [("a", "from a"), ("a", 1), ("a", "again"), ("a", "from a"), ("a", "over")]


@simulated
async def test_without_state_enter_nothing_is_entered() -> None:
    ref, log = await machine({("a", "again"): Repeat(), ("a", "go"): Next("b")})
    send(ref, "again")
    send(ref, "go")
    await quiet()
    assert log == [("a", "again"), ("a", "go")]


@simulated
async def test_entering_may_set_timeouts_reply_and_stay() -> None:
    waiting: list[Call] = []
    rules = {
        ("a", "call"): lambda self, event: waiting.append(event) or Next("b"),  # type: ignore[func-returns-value]
        ("b", "from a"): lambda self, event: Next("b", ReplyTo(waiting[0], "entered"), StateTimeout(1, "over")),
    }
    ref, log = await machine(rules, cls=Entering)
    assert await call(ref, "call") == "entered"
    await asyncio.sleep(2)
    assert log[-1] == ("b", "over")


@simulated
async def test_a_timeout_set_on_entering_replaces_the_one_of_the_transition() -> None:
    rules = {
        ("a", "go"): Next("b", StateTimeout(0, "transition"), Timeout("t", 0, "kept")),
        ("b", "from a"): Keep(StateTimeout(1, "entering")),
    }
    ref, log = await machine(rules, cls=Entering)
    send(ref, "go")
    await asyncio.sleep(2)
    assert log == [("a", "from a"), ("a", "go"), ("b", "from a"), ("b", "kept"), ("b", "entering")]


@simulated
async def test_entering_may_be_repeated_from_within() -> None:
    class Twice(Entering):
        entered = 0

        def handle_event(self, event: Event, state: Any) -> Any:
            super().handle_event(event, state)
            self.entered += isinstance(event, Enter)
            return Repeat() if self.entered < 3 else None

    _, log = await machine({}, cls=Twice)
    await quiet()
    assert log == [("a", "from a")] * 3


@simulated
@pytest.mark.parametrize("result", [Next("c"), Keep(POSTPONE), Keep(NextEvent(Internal(1))), 5])
async def test_entering_may_not_change_the_state_postpone_or_add_events(result: Any) -> None:
    ref, _ = await machine({("a", "from a"): result}, cls=Entering)
    reason = await down(ref)
    assert isinstance(reason.exception, TypeError)


@simulated
async def test_a_machine_may_stop_on_entering_and_handles_nothing_more() -> None:
    rules = {("a", "go"): Next("b", NextEvent(Internal("x")), Timeout("t", 0)), ("b", "from a"): Stop("enough")}
    ref, log = await machine(rules, cls=Entering)
    ended = down(ref)
    send(ref, "go")
    assert await ended == "enough"
    assert log == [("a", "from a"), ("a", "go"), ("b", "from a"), ("terminate", "enough")]


# Timeouts.


@simulated
async def test_an_event_timeout_comes_if_no_event_does() -> None:
    ref, log = await machine({("a", 1): Keep(EventTimeout(1, "idle"))})
    send(ref, 1)
    await asyncio.sleep(0.9)
    assert log == [("a", 1)]
    await asyncio.sleep(0.2)
    assert log == [("a", 1), ("a", "idle")]
    await asyncio.sleep(5)
    assert len(log) == 2


@simulated
@pytest.mark.parametrize("kind", ["message", "internal", "timeout"])
async def test_any_event_cancels_an_event_timeout(kind: str) -> None:
    follow = NextEvent(Internal("x")) if kind == "internal" else Timeout("t", 0.5)
    ref, log = await machine({("a", 1): Keep(EventTimeout(1, "idle"), follow)})
    send(ref, 1)
    await asyncio.sleep(0.7)
    if kind == "message":
        send(ref, 2)
    await asyncio.sleep(5)
    assert ("a", "idle") not in log


@simulated
async def test_an_event_timeout_of_no_time_comes_only_if_no_event_waits() -> None:
    rules = {("a", 1): Keep(EventTimeout(0, "idle")), ("a", 2): Keep(EventTimeout(0, "idle"), NextEvent(Internal("x")))}
    ref, log = await machine(rules)
    send(ref, 2)
    send(ref, 1)
    send(ref, 3)
    await quiet()
    assert log == [("a", 2), ("a", "x"), ("a", 1), ("a", "idle"), ("a", 3)]


@simulated
async def test_a_state_timeout_is_cancelled_by_a_change_alone() -> None:
    rules = {("a", 1): Keep(StateTimeout(1, "over")), ("a", "go"): Next("b"), ("a", "same"): Next("a")}
    ref, log = await machine(rules)
    send(ref, 1)
    send(ref, "same")
    await asyncio.sleep(1.1)
    assert log[-1] == ("a", "over")
    send(ref, 1)
    send(ref, "go")
    await asyncio.sleep(2)
    assert log[-1] == ("a", "go")


@simulated
async def test_a_state_timeout_set_by_the_change_belongs_to_the_new_state() -> None:
    ref, log = await machine({("a", "go"): Next("b", StateTimeout(1, "over"))}, Next("a", StateTimeout(1, "old")))
    await asyncio.sleep(0.5)
    send(ref, "go")
    await asyncio.sleep(5)
    assert log == [("a", "go"), ("b", "over")]


@simulated
async def test_named_timeouts_outlive_changes_and_each_runs_alone() -> None:
    both = Keep(Timeout("x", 1, "x over"), Timeout("y", 2, "y over"))
    ref, log = await machine({("a", 1): both, ("a", "go"): Next("b")})
    send(ref, 1)
    send(ref, "go")
    await asyncio.sleep(5)
    assert log[2:] == [("b", "x over"), ("b", "y over")]


@simulated
async def test_a_timeout_set_again_begins_anew() -> None:
    ref, log = await machine({("a", 1): Keep(Timeout("t", 1, "first")), ("a", 2): Keep(Timeout("t", 1, "second"))})
    send(ref, 1)
    await asyncio.sleep(0.5)
    send(ref, 2)
    await asyncio.sleep(0.9)
    assert log == [("a", 1), ("a", 2)]
    await asyncio.sleep(0.2)
    assert log[2:] == [("a", "second")]


@simulated
@pytest.mark.parametrize("seconds", [None, float("inf")])
@pytest.mark.parametrize("first", [0, 1])
async def test_a_timeout_can_be_cancelled(seconds: float | None, first: float) -> None:
    cancel = Keep(Timeout("t", seconds), StateTimeout(seconds))
    rules = {("a", 1): Keep(Timeout("t", first), StateTimeout(first), NextEvent(Internal("x"))), ("a", "x"): cancel}
    ref, log = await machine(rules)
    send(ref, 1)
    await asyncio.sleep(5)
    assert log == [("a", 1), ("a", "x")]


@simulated
async def test_a_timeout_that_is_in_the_mailbox_already_can_still_be_cancelled() -> None:
    ref, log = await machine({("a", 1): Keep(Timeout("t", 1, "over")), ("a", 2): Keep(Timeout("t", None))})
    send(ref, 1)
    await quiet()
    debug.suspend(ref)
    send(ref, 2)
    await asyncio.sleep(2)
    debug.resume(ref)
    await quiet()
    assert log == [("a", 1), ("a", 2)]


@simulated
async def test_timeouts_of_no_time_come_in_their_order_before_any_message_and_after_events_that_wait() -> None:
    go = Next("b", Timeout("t", 0, "t"), StateTimeout(0, "s"), NextEvent(Internal("x")))
    ref, log = await machine({("a", 1): Keep(POSTPONE), ("a", "go"): go, ("b", "x"): Keep(NextEvent(Internal("y")))})
    for message in (1, "go", 2):
        send(ref, message)
    await quiet()
    assert log == [("a", 1), ("a", "go"), ("b", "x"), ("b", "y"), ("b", 1), ("b", "t"), ("b", "s"), ("b", 2)]


@simulated
async def test_a_state_timeout_of_no_time_is_cancelled_by_a_change_before_it() -> None:
    rules = {("a", 1): Keep(StateTimeout(0, "over"), NextEvent(Internal("x"))), ("a", "x"): Next("b")}
    ref, log = await machine(rules)
    send(ref, 1)
    await quiet()
    assert log == [("a", 1), ("a", "x")]


@simulated
async def test_of_several_timeouts_of_a_kind_the_last_counts() -> None:
    several = Keep(StateTimeout(0, "no"), Timeout("t", 0, "no"), StateTimeout(1, "s"), Timeout("t", 2, "t"))
    ref, log = await machine({("a", 1): several})
    send(ref, 1)
    await asyncio.sleep(5)
    assert log == [("a", 1), ("a", "s"), ("a", "t")]


@simulated
async def test_a_timeout_of_no_time_set_again_comes_after_the_others() -> None:
    ref, log = await machine({("a", 1): Keep(Timeout("x", 0, "no"), Timeout("y", 0, "y"), Timeout("x", 0, "x"))})
    send(ref, 1)
    await quiet()
    assert log == [("a", 1), ("a", "y"), ("a", "x")]


@simulated
async def test_the_timers_of_a_machine_do_not_outlive_it() -> None:
    ref, _ = await machine({}, Next("a", StateTimeout(3_600), Timeout("t", 3_600), EventTimeout(3_600)))
    await quiet()
    insides = weakref.ref(ref._process)
    await kill(ref)
    gc.collect()
    assert insides() is None


# Replies and ends.


@simulated
async def test_a_call_may_be_answered_by_a_later_event() -> None:
    class Late(Machine):
        def handle_event(self, event: Event, state: Any) -> Any:
            match event:
                case Call():
                    self.waiting = event
                case Info("now"):
                    return Keep(ReplyTo(self.waiting, "late"))
                case Info("by function"):
                    reply(self.waiting, "late too")
            return None

    ref, _ = await machine({}, cls=Late)
    for how, answer in (("now", "late"), ("by function", "late too")):
        asked = asyncio.ensure_future(call(ref, "question"))
        await quiet()
        send(ref, how)
        assert await asked == answer


@simulated
async def test_a_postponed_call_is_answered_when_its_time_comes() -> None:
    rules = {("a", "q"): Keep(POSTPONE), ("b", "q"): lambda self, event: Keep(ReplyTo(event, "in b"))}
    ref, _ = await machine({**rules, ("a", "go"): Next("b")})
    asked = asyncio.ensure_future(call(ref, "q"))
    await quiet()
    send(ref, "go")
    assert await asked == "in b"


@simulated
async def test_callers_of_a_machine_that_ends_fail_with_its_reason_postponed_or_not() -> None:
    ref, log = await machine({("a", "q"): Keep(POSTPONE), ("a", "end"): Stop("over", reply="good bye")})
    asked = asyncio.ensure_future(call(ref, "q"))
    await quiet()
    assert await call(ref, "end") == "good bye"
    with pytest.raises(CallExit) as caught:
        await asked
    assert caught.value.reason == "over"
    assert log[-1] == ("terminate", "over")


@simulated
async def test_a_machine_that_stops_handles_no_event_that_waits() -> None:
    ref, log = await machine({("a", 1): Keep(NextEvent(Internal("x")), NextEvent(Internal("y"))), ("a", "x"): Stop()})
    ended = down(ref)
    send(ref, 1)
    send(ref, 2)
    assert await ended == NORMAL
    assert log == [("a", 1), ("a", "x"), ("terminate", NORMAL)]


# Coroutines.


class Slow(Entering):
    """As its rules say, a second later."""

    async def handle_event(self, event: Event, state: Any) -> Any:
        await asyncio.sleep(1)
        return super().handle_event(event, state)


@simulated
async def test_coroutine_callbacks_keep_the_same_order() -> None:
    rules = {
        ("a", 1): Keep(POSTPONE),
        ("a", "go"): Next("b", NextEvent(Internal("x")), Timeout("t", 0, "t"), StateTimeout(1.5, "s")),
    }
    ref, log = await machine(rules, cls=Slow)
    for message in (1, "go", 2):
        send(ref, message)
    await asyncio.sleep(20)
    assert log[:6] == [("a", "from a"), ("a", 1), ("a", "go"), ("b", "from a"), ("b", "x"), ("b", 1)]
    assert log[6:] == [("b", "t"), ("b", 2), ("b", "s")]


@simulated
async def test_a_machine_that_waits_can_be_killed_and_crash() -> None:
    ref, _ = await machine({}, cls=Slow)
    await asyncio.sleep(0.5)
    assert await kill(ref) == "killed"

    async def fail(self: Machine, event: Event) -> None:
        await asyncio.sleep(1)
        raise ValueError("no")

    ref, _ = await machine({("a", 1): fail})
    ended = down(ref)
    send(ref, 1)
    assert isinstance((await ended).exception, ValueError)


# What others see.


@simulated
async def test_its_state_is_shown_replaced_and_in_its_crash_report() -> None:
    ref, log = await machine({("c", 1): Next("d"), ("d", 2): "nonsense"})
    assert debug.get_state(ref)["state"] == "a"
    debug.replace_state(ref, lambda state: {**state, "state": "c"})
    debug.record(ref, 5)
    send(ref, 1)
    ended = down(ref)
    send(ref, 2)
    await ended
    assert log[:2] == [("c", 1), ("d", 2)]
    report = debug.crash_reports()[-1]
    assert report.state["state"] == "'d'"
    assert report.state_before is not None
    assert report.state_before["state"] == "'d'"
