"""A call is answered once, fails with the reason, and leaves nothing behind."""

import asyncio
import gc
from functools import partial
from typing import Any

import pytest

from actors import (
    CALLING_SELF,
    KILLED,
    NO_REPLY,
    NOPROC,
    NORMAL,
    TIMEOUT,
    Call,
    CallExit,
    CallFailure,
    Crash,
    GenServer,
    Stop,
    call,
    cast,
    debug,
    down,
    register,
    reply,
    send,
    send_exit,
    start,
)
from actors.testing import kill, quiet, settle
from tests.support.puppet import Puppet, nothing, puppet
from tests.support.scenarios import live, simulated


class Keeper(GenServer):
    """Keeps its callers and answers them when told."""

    def init(self) -> None:
        self.callers: list[Call] = []

    def handle_call(self, request: Any, from_: Call) -> Any:
        self.callers.append(from_)
        return NO_REPLY

    def handle_cast(self, answer: Any) -> None:
        for caller in self.callers:
            reply(caller, answer)


async def forever(_: Puppet) -> None:
    await asyncio.Event().wait()


@simulated
async def test_a_call_returns_the_reply() -> None:
    ref, _ = await puppet()
    assert await call(ref, lambda _: 42) == 42
    register("n", ref)
    assert await call("n", lambda _: None) is None


@simulated
async def test_a_call_to_nobody_fails_with_noproc() -> None:
    ref, _ = await puppet()
    await kill(ref)
    for target in (ref, "nobody"):
        with pytest.raises(CallExit) as caught:
            await call(target, "x")
        assert (caught.value.reason, caught.value.target) == (NOPROC, target)


@simulated
async def test_a_call_fails_with_the_reason_of_the_servers_end() -> None:
    error = ValueError("no")

    def crash(_: Puppet) -> None:
        raise error

    for deed, reason in ((crash, Crash(error)), (lambda _: Stop(NORMAL), NORMAL)):
        ref, _ = await puppet()
        with pytest.raises(CallExit) as caught:
            await call(ref, deed)
        assert caught.value.reason == reason


@simulated
async def test_calls_still_in_the_mailbox_fail_when_the_server_is_killed() -> None:
    ref, _ = await puppet()
    asked = [asyncio.ensure_future(call(ref, forever)) for _ in range(3)]
    await asyncio.sleep(1)
    await kill(ref)
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, CallExit)] == [KILLED] * 3


@simulated
async def test_a_call_that_takes_too_long_fails_and_its_late_reply_is_dropped() -> None:
    server = await start(Keeper)
    ref, insides = await puppet()

    async def ask(self: Puppet) -> Any:
        with pytest.raises(CallExit) as caught:
            await call(server, "x", timeout=1)
        return caught.value.reason

    assert await call(ref, ask) == TIMEOUT
    cast(server, "late")
    await quiet()
    assert insides.got == []
    assert server._cell is not None
    assert not server._cell.callers


@simulated
async def test_a_reply_may_come_later_and_only_once() -> None:
    server = await start(Keeper)
    asked = asyncio.ensure_future(call(server, "x"))
    await asyncio.sleep(1)
    cast(server, "first")
    cast(server, "second")
    assert await asked == "first"


@live
async def test_a_reply_may_come_from_another_thread() -> None:
    server = await start(Keeper)
    asked = asyncio.ensure_future(call(server, "x"))
    await asyncio.sleep(0)
    insides = server._process
    assert isinstance(insides, Keeper)
    while not insides.callers:
        await asyncio.sleep(0)
    await asyncio.to_thread(reply, insides.callers[0], "answer")
    assert await asked == "answer"


@simulated
async def test_calling_oneself_fails_at_once() -> None:
    ref, _ = await puppet()
    with pytest.raises(CallExit) as caught:
        await call(ref, lambda self: call(self.ref, "x"))
    assert caught.value.reason == CallFailure(CALLING_SELF, ref)


@simulated
async def test_an_uncaught_failure_of_a_call_nests() -> None:
    dead, _ = await puppet()
    await kill(dead)
    ref, _ = await puppet()
    with pytest.raises(CallExit) as caught:
        await call(ref, lambda _: call(dead, "x"))
    assert caught.value.reason == CallFailure(NOPROC, dead)


@simulated
async def test_a_server_does_not_mind_that_its_caller_died() -> None:
    server, insides = await puppet()
    ref, _ = await puppet()

    async def take_long(self: Puppet) -> str:
        await asyncio.sleep(2)
        self.got.append("done")
        return "late"

    send(ref, lambda _: call(server, take_long))
    await asyncio.sleep(1)
    await kill(ref)
    await quiet()
    assert insides.got == ["done"]
    assert await call(server, lambda _: "well") == "well"


@simulated
async def test_a_caller_that_gives_up_leaves_no_call_behind_once_it_is_answered() -> None:
    server = await start(Keeper)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call(server, "x", timeout=None), timeout=1)
    cast(server, "late")
    await quiet()
    assert server._cell is not None
    assert not server._cell.callers


@simulated
async def test_callers_hear_of_an_end_in_the_order_they_called() -> None:
    ref, _ = await puppet()
    told: list[int] = []

    def tell(number: int, asked: asyncio.Future[Any]) -> None:
        told.append(number)
        asked.exception()

    for number in range(20):
        asked = asyncio.ensure_future(call(ref, forever))
        asked.add_done_callback(partial(tell, number))
        await asyncio.sleep(0)
    await kill(ref)
    await quiet()
    assert told == list(range(20))


@simulated
async def test_a_name_is_looked_up_when_it_is_called() -> None:
    class Later:
        def whereis(self) -> Any:
            return holder

    holder = None
    with pytest.raises(CallExit):
        await call(Later(), "x")
    holder, _ = await puppet()
    assert await call(Later(), lambda _: 1) == 1
    ended = down(holder)
    await kill(holder)
    assert await ended == KILLED


@simulated
async def test_call_of_a_caller_that_was_killed_is_forgotten() -> None:
    server, _ = await puppet(trap_exit=True)
    caller, _ = await puppet()
    debug.suspend(server)
    cast(caller, lambda _: call(server, nothing, timeout=None))
    await settle()
    cell = server._cell
    assert cell is not None
    assert len(cell.callers or ()) == 1
    await kill(caller)
    assert not cell.callers


@simulated
async def test_failure_that_a_killed_caller_does_not_see_is_no_complaint_of_asyncio() -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    server, _ = await puppet()
    caller, _ = await puppet()
    debug.suspend(server)
    cast(caller, lambda _: call(server, nothing, timeout=None))
    await settle()
    for victim in (server, caller):
        send_exit(victim, "kill")
    await settle()
    gc.collect()
    assert complaints == []
