"""A server's callbacks, and what their results mean."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import (
    NO_REPLY,
    NORMAL,
    TIMEOUT,
    Call,
    CallExit,
    Continue,
    Crash,
    Down,
    Exit,
    GenServer,
    Idle,
    Reply,
    Stop,
    call,
    cast,
    down,
    send,
    send_exit,
    start,
    start_link,
    stop,
)
from actors.kernel.intake import Inactivity
from actors.testing import kill, quiet
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import simulated


class Recorder(GenServer):
    """Notes every callback with its argument; requests are functions that give the result."""

    def init(self, result: Any = None) -> Any:
        self.notes: list[tuple[str, Any]] = []
        return result

    def handle_call(self, request: Callable[[], Any], from_: Call) -> Any:
        self.notes.append(("call", None))
        return request()

    def handle_cast(self, request: Callable[[], Any]) -> Any:
        self.notes.append(("cast", None))
        return request()

    def handle_info(self, message: Any) -> Any:
        self.notes.append(("info", message))
        return message() if callable(message) else None

    def handle_continue(self, argument: Any) -> Any:
        self.notes.append(("continue", argument))
        return argument() if callable(argument) else None

    def terminate(self, reason: Any) -> None:
        self.notes.append(("terminate", reason))


async def recorder(result: Any = None) -> tuple[Any, Recorder]:
    ref = await start(Recorder, result)
    insides = ref._process
    assert isinstance(insides, Recorder)
    return ref, insides


# Continue.


@simulated
async def test_continue_runs_before_any_other_message() -> None:
    ref, insides = await recorder(Continue("from init"))
    send(ref, "later")
    await quiet()
    assert insides.notes == [("continue", "from init"), ("info", "later")]
    cast(ref, lambda: Continue("from cast"))
    send(ref, "later")
    await quiet()
    assert insides.notes[2:] == [("cast", None), ("continue", "from cast"), ("info", "later")]


@simulated
async def test_a_waiting_init_may_continue_before_what_came_meanwhile() -> None:
    async def begin(self: Puppet) -> Continue:
        send(self.ref, "early")
        await asyncio.sleep(1)
        return Continue("first")

    class Continuing(Puppet):
        def handle_continue(self, argument: Any) -> None:
            self.got.append(argument)

    ref = await start(Continuing, begin)
    await quiet()
    insides = ref._process
    assert isinstance(insides, Continuing)
    assert insides.got == ["first", "early"]


@simulated
async def test_a_server_may_continue_for_ever_and_others_still_run() -> None:
    ref, insides = await recorder()

    def go_on() -> Any:
        return Continue(go_on) if len(insides.notes) < 5_000 else None

    cast(ref, go_on)
    other, _ = await puppet()
    assert await call(other, lambda _: "well") == "well"
    await quiet()
    assert len(insides.notes) == 5_000


@simulated
async def test_a_reply_goes_out_before_its_continuation() -> None:
    ref, insides = await recorder()
    assert await call(ref, lambda: Reply(1, then=Continue("after"))) == 1
    await quiet()
    assert insides.notes[-1] == ("continue", "after")


@simulated
async def test_a_call_may_be_continued_without_a_reply() -> None:
    ref, insides = await recorder()
    with pytest.raises(CallExit, match="timeout"):
        await call(ref, lambda: Continue("no reply"), timeout=1)
    assert insides.notes[-1] == ("continue", "no reply")


# Idle.


@simulated
async def test_an_idle_server_gets_a_timeout() -> None:
    ref, insides = await recorder(Idle(5))
    await asyncio.sleep(4)
    assert insides.notes == []
    await asyncio.sleep(2)
    assert insides.notes == [("info", TIMEOUT)]
    await asyncio.sleep(10)
    assert insides.notes == [("info", TIMEOUT)]
    assert ref.is_alive()


@simulated
@pytest.mark.parametrize("result", [lambda: None, lambda: Idle(5)])
async def test_any_message_ends_the_wait(result: Any) -> None:
    ref, insides = await recorder(Idle(5))
    await asyncio.sleep(4)
    cast(ref, result)
    await asyncio.sleep(4)
    assert insides.notes == [("cast", None)]
    await asyncio.sleep(4)
    assert insides.notes[1:] == ([("info", TIMEOUT)] if result() else [])


@simulated
async def test_of_two_messages_in_one_turn_the_last_decides_on_the_wait() -> None:
    ref, insides = await recorder()
    cast(ref, lambda: Idle(1))
    cast(ref, lambda: None)
    await asyncio.sleep(2)
    assert insides.notes == [("cast", None)] * 2
    cast(ref, lambda: Idle(1))
    cast(ref, lambda: Idle(2))
    await asyncio.sleep(3)
    assert insides.notes[2:] == [("cast", None), ("cast", None), ("info", TIMEOUT)]


@simulated
async def test_a_message_that_came_in_time_prevents_the_timeout() -> None:
    ref, insides = await recorder(Idle(5))
    loop = asyncio.get_running_loop()
    loop.call_at(loop.time() + 5 - 5e-10, send, ref, "just in time")  # the loop runs both in one pass
    await asyncio.sleep(10)
    assert insides.notes == [("info", "just in time")]


@simulated
async def test_a_reply_may_wait_for_the_next_message() -> None:
    ref, insides = await recorder()
    assert await call(ref, lambda: Reply(1, then=Idle(1))) == 1
    await asyncio.sleep(2)
    assert insides.notes[-1] == ("info", TIMEOUT)


@simulated
async def test_the_timer_of_an_idle_server_does_not_outlive_it() -> None:
    ref, insides = await recorder(Idle(3_600))
    idle = insides._kernel.intake and insides._kernel.intake.inactivity
    await kill(ref)
    assert idle is not None
    assert isinstance(idle, Inactivity)
    assert idle.timer is not None
    assert idle.timer.cancelled()


# Stop.


@simulated
async def test_every_callback_may_stop_the_server() -> None:
    stops: list[Callable[[Any], Any]] = [
        lambda ref: cast(ref, lambda: Stop("done")),
        lambda ref: send(ref, lambda: Stop("done")),
        lambda ref: cast(ref, lambda: Continue(lambda: Stop("done"))),
    ]
    for send_stop in stops:
        ref, insides = await recorder()
        ended = down(ref)
        send_stop(ref)
        assert await ended == "done"
        assert insides.notes[-1] == ("terminate", "done")


@simulated
async def test_a_call_may_stop_with_and_without_a_reply() -> None:
    ref, insides = await recorder()
    assert await call(ref, lambda: Stop("done", reply=1)) == 1
    await quiet()
    assert insides.notes[-1] == ("terminate", "done")
    ref, _ = await recorder()
    assert await call(ref, lambda: Reply(2, then=Stop("done"))) == 2
    ref, _ = await recorder()
    with pytest.raises(CallExit) as caught:
        await call(ref, lambda: Stop("done"))
    assert caught.value.reason == "done"


@simulated
async def test_the_exit_of_the_parent_stops_a_server_that_traps() -> None:
    parent, _ = await puppet()
    reasons: list[Any] = []
    ref = await call(parent, lambda _: start_link(Puppet, trap_exit=True, ends=reasons))
    ended = down(ref)
    await kill(parent, "boom")
    assert await ended == "boom"
    assert reasons == ["boom"]


@simulated
async def test_the_exit_of_anybody_else_is_a_message() -> None:
    ref, insides = await recorder()
    insides.trap_exit = True
    send_exit(ref, "boom")
    await quiet()
    assert insides.notes == [("info", Exit(None, "boom"))]


@simulated
async def test_stop_is_served_after_what_came_before() -> None:
    ref, insides = await recorder()
    send(ref, "first")
    await stop(ref)
    assert insides.notes == [("info", "first"), ("terminate", NORMAL)]


# Results and requests nobody knows.


@simulated
async def test_any_other_result_of_a_call_is_the_reply() -> None:
    ref, _ = await recorder()
    values: list[Any] = [None, 0, "", [], IndexError]
    for value in values:
        assert await call(ref, lambda value=value: value) is value


@simulated
async def test_no_reply_means_that_somebody_replies_later() -> None:
    ref, _ = await recorder()
    with pytest.raises(CallExit, match="timeout"):
        await call(ref, lambda: NO_REPLY, timeout=1)
    assert ref.is_alive()


@simulated
async def test_a_result_that_means_nothing_is_a_crash() -> None:
    for send_one in (cast, send):
        ref, _ = await recorder()
        ended = down(ref)
        send_one(ref, lambda: "something")
        reason = await ended
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, TypeError)


@simulated
async def test_a_server_refuses_what_it_does_not_know() -> None:
    ref = await start(GenServer)
    with pytest.raises(CallExit) as caught:
        await call(ref, "unknown")
    assert "does not handle the call str(7)" in str(caught.value)
    ref = await start(GenServer)
    ended = down(ref)
    cast(ref, "unknown")
    assert "does not handle the cast str(7)" in str(await ended)


@simulated
async def test_an_unknown_message_is_logged_with_the_servers_label() -> None:
    ref = await start(GenServer, label="the server")
    with capture_logs() as logs:
        send(ref, "unknown")
        await quiet()
    assert [(log["event"], log["actor"]) for log in logs] == [("actor.unexpected_message", f"<{ref.id} the server>")]
    assert ref.is_alive()


@simulated
async def test_downs_and_exits_come_as_messages() -> None:
    other, _ = await puppet()
    ref, insides = await puppet(trap_exit=True)

    def watch(self: Puppet) -> Any:
        self.link(other)
        return self.monitor(other)

    monitor = await call(ref, watch)
    await kill(other, "boom")
    await quiet()
    assert {type(message) for message in insides.got} == {Down, Exit}
    assert Down(monitor, other, "boom") in insides.got


@simulated
async def test_a_crash_is_logged_with_the_last_message() -> None:
    ref, _ = await puppet()
    with capture_logs() as logs:
        send(ref, lambda _: 1 / 0)
        await down(ref)
    crash = next(log for log in logs if log["event"] == "actor.crashed")
    assert "ZeroDivisionError" in crash["reason"]
    assert "lambda" in crash["message"]
    assert crash["exception"].endswith("\nZeroDivisionError: division by zero")
