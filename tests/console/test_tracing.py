"""Traces end by themselves, whatever happens. In virtual time."""

import asyncio
from typing import Any

from actors import GenServer, Ref, Stop, call, down, start
from actors.debug import info
from actors.testing import Kit
from supervision.console.inspection.model.traces import TraceLine
from supervision.console.inspection.tracing import KEPT, MAX_RATE, Trace, Traces


class Clerk(GenServer):
    def handle_call(self, request: Any, from_: Any) -> Any:
        return Stop("fed up") if request == "end" else request

    def handle_cast(self, request: Any) -> None:
        pass

    def handle_info(self, message: Any) -> None:
        pass


class ActionResult:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ends: list[str | None] = []

    def __call__(self, trace: Trace, line: TraceLine | None) -> None:
        if line is None:
            self.ends.append(trace.ended)
        else:
            self.lines.append(line.text)


async def test_trace_ends_when_its_time_is_over(kit: Kit) -> None:
    clerk, told = await kit.start_supervised(Clerk), ActionResult()
    trace = Traces(told).begin(clerk, 100, 10.0, "ann")
    await asyncio.sleep(9.9)
    assert await call(clerk, 1) == 1
    assert trace.ended is None
    await asyncio.sleep(0.2)
    assert await call(clerk, 2) == 2
    ended: str | None = trace.ended
    assert (ended, told.ends) == ("the time limit was reached", ["the time limit was reached"])
    assert told.lines == ["1", "1"]


async def test_trace_of_too_many_messages_ends_at_once(kit: Kit) -> None:
    clerk, told = await kit.start_supervised(Clerk), ActionResult()
    trace = Traces(told).begin(clerk, 1_000, 60.0, "ann")
    for number in range(MAX_RATE + 50):
        clerk.tell(number)
    await call(clerk, "all of them")
    assert trace.ended == f"more than {MAX_RATE} messages in a second"
    assert len(told.lines) == MAX_RATE


async def test_trace_below_the_rate_goes_on(kit: Kit) -> None:
    clerk, told = await kit.start_supervised(Clerk), ActionResult()
    trace = Traces(told).begin(clerk, 1_000, 60.0, "ann")
    for _ in range(3):
        for number in range(MAX_RATE - 1):
            clerk.tell(number)
        await asyncio.sleep(1.0)
    assert trace.ended is None
    assert len(told.lines) == 3 * (MAX_RATE - 1)


async def test_trace_ends_with_its_actor(kit: Kit) -> None:
    kit.expect_crash("Clerk")
    clerk: Ref = await start(Clerk)
    told = ActionResult()
    trace = Traces(told).begin(clerk, 100, 10.0, "ann")
    ended = down(clerk)
    clerk.stop(block=False, reason="fed up")
    await ended
    assert trace.ended == "the actor ended: fed up"
    assert len(told.ends) == 1


async def test_second_trace_replaces_the_first(kit: Kit) -> None:
    clerk, told = await kit.start_supervised(Clerk), ActionResult()
    traces = Traces(told)
    first = traces.begin(clerk, 100, 10.0, "ann")
    second = traces.begin(clerk, 100, 10.0, "ann")
    assert (first.ended, second.ended) == ("it was stopped", None)
    assert traces.find(clerk.id) is second
    await call(clerk, 1)
    await asyncio.sleep(0)  # the caller hears of the reply first
    assert told.lines == ["1", "1"]
    traces.stop_all()
    assert second.ended == "the console is stopping"


async def test_traces_are_bounded(kit: Kit) -> None:
    clerks = [await kit.start_supervised(Clerk) for _ in range(KEPT + 1)]
    traces = Traces(ActionResult())
    begun = [traces.begin(clerk, 100, 10.0, "ann") for clerk in clerks]
    assert [trace.ended for trace in begun[:2]] == ["too many traces", None]
    assert info(clerks[0]) is not None
    traces.stop_all()
