"""Whatever code of users raises while a process ends, everybody is told once, and its supervisor acts."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from actors import (
    KILL,
    KILLED,
    NO_REPLY,
    Call,
    CallExit,
    CallFailure,
    Crash,
    Down,
    Exit,
    GenServer,
    Inspection,
    Ref,
    Scheduler,
    Shutdown,
    StartError,
    Stop,
    call,
    cast,
    debug,
    down,
    send_exit,
    start,
    stop,
    watch,
    whereis,
)
from actors.kernel.future import LoopFuture
from actors.testing import run
from supervision import Supervisor, child
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import simulated

FAILURES = [ValueError, SystemExit, asyncio.CancelledError, GeneratorExit, MemoryError, RecursionError, StopIteration]
PLACES = [
    "str of the exception",
    "repr of the message",
    "repr of the state",
    "class of the message",
    "checkpoint",
    "format_status",
    "terminate",
    "watcher",
    "tracer",
    "log",
    "cleanup",
    "future",
    "equality of the reason",
]


class Minefield:
    """The places that raise, and what."""

    def __init__(self, armed: set[str] | frozenset[str], failure: type[BaseException]) -> None:
        self.armed = armed
        self.failure = failure

    def at(self, place: str) -> None:
        if place in self.armed:
            raise self.failure(f"at {place}")


class Victim(GenServer):
    """Ends as it is told, in the minefield."""

    def init(self, mines: Minefield) -> None:
        self.mines = mines
        self.odd = Odd(mines, "repr of the state")

    def handle_call(self, request: Any, from_: Call) -> Any:
        return request

    def handle_cast(self, request: Any) -> Any:
        match request:
            case End("raise"):
                raise OddError(self.mines)
            case End("stop"):
                return Stop(Odd(self.mines, "equality of the reason"))
            case End("exit"):
                send_exit(self.ref, Odd(self.mines, "equality of the reason"))
            case End("wait"):
                return self.wait()
        return None

    async def wait(self) -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            self.mines.at("cleanup")

    def terminate(self, reason: Any) -> None:
        self.mines.at("terminate")

    def checkpoint(self) -> int:
        self.mines.at("checkpoint")
        return 1

    def format_status(self, status: Inspection) -> Inspection:
        self.mines.at("format_status")
        return status


class Odd:
    """A value whose methods may raise."""

    def __init__(self, mines: Minefield, place: str) -> None:
        self.mines = mines
        self.place = place

    def __repr__(self) -> str:
        self.mines.at(self.place)
        return "Odd()"

    def __eq__(self, other: object) -> bool:
        self.mines.at("equality of the reason")
        return self is other

    __hash__ = object.__hash__


class OddError(Exception):
    def __init__(self, mines: Minefield) -> None:
        self.mines = mines

    def __str__(self) -> str:
        self.mines.at("str of the exception")
        return "odd"


class End:
    """Asks a victim to end in a way."""

    __match_args__ = ("how",)

    def __init__(self, mines: Minefield, how: str) -> None:
        self.mines = mines
        self.how = how

    def __repr__(self) -> str:
        self.mines.at("repr of the message")
        return "End()"

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        self.mines.at("class of the message")
        return End


class Peer(GenServer):
    """Linked to the victim and monitors it; keeps what it hears."""

    def init(self, victim: Ref) -> None:
        self.trap_exit = True
        self.link(victim)
        self.monitor(victim)
        self.heard: list[Any] = []

    def handle_info(self, message: Any) -> None:
        self.heard.append(message)

    def handle_call(self, request: Any, from_: Call) -> Any:
        return self.heard


ENDS: dict[str, Callable[[Ref, Minefield], object]] = {
    "raises": lambda ref, mines: cast(ref, End(mines, "raise")),
    "stops with an odd reason": lambda ref, mines: cast(ref, End(mines, "stop")),
    "sends itself an odd reason": lambda ref, mines: cast(ref, End(mines, "exit")),
    "is killed": lambda ref, mines: send_exit(ref, KILL),
    "is sent an odd reason": lambda ref, mines: send_exit(ref, Odd(mines, "equality of the reason")),
    "is forced and reported": lambda ref, mines: debug.force_exit(ref, Odd(mines, "repr"), is_reported=True),
    "is killed while it waits": lambda ref, mines: kill_while_it_waits(ref, mines),
}


def kill_while_it_waits(ref: Ref, mines: Minefield) -> None:
    cast(ref, End(mines, "wait"))
    asyncio.get_running_loop().call_later(0.5, send_exit, ref, KILL)


async def end_in_minefield(end: str, mines: Minefield) -> None:
    """End a supervised process, and check that everybody heard of it exactly once."""
    errors: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))

    def process(logger: Any, method: str, event: Any) -> Any:
        if event["event"] != "application":
            mines.at("log")
        raise structlog.DropEvent

    structlog.configure(processors=[process])
    armed, mines.armed = mines.armed, frozenset()
    specs = [child(Victim, mines, id="victim", name="victim"), child(Puppet, id="sibling", name="sibling")]
    supervisor = await start(Supervisor, specs)
    victim, sibling = whereis("victim"), whereis("sibling")
    assert victim is not None
    peers = [await start(Peer, victim) for _ in range(3)]
    plain, _ = await puppet(lambda self: self.link(victim))
    watched: list[Any] = []
    watch(victim, lambda *_: mines.at("watcher"))
    watch(victim, lambda ref, reason: watched.append(reason))
    debug.trace(victim, lambda _: mines.at("tracer"))
    ended = down(victim)
    waiting = [asyncio.ensure_future(outcome(call(victim, "late", timeout=None))) for _ in range(2)]
    future = victim.ask("early", block=False)
    assert isinstance(future, LoopFuture)
    future.when_set(lambda _: mines.at("future"))
    mines.armed = armed
    ENDS[end](victim, mines)
    await asyncio.sleep(1)
    mines.armed = frozenset()

    assert not victim.is_alive()
    reason = await ended
    assert watched == [reason] or type(reason) is not str
    assert len(watched) == 1
    for peer in peers:
        heard = Counter(type(message) for message in await call(peer, "heard"))
        assert heard == {Exit: 1, Down: 1}
    assert not plain.is_alive()
    for answer in waiting:
        assert isinstance(await answer, CallExit | str)
    assert supervisor.is_alive()
    assert whereis("sibling") is sibling
    successor = whereis("victim")
    assert successor is not victim
    assert await call("victim", "hello") == "hello"
    assert errors == []
    await stop(supervisor, Shutdown("over"))


async def outcome(awaitable: Any) -> Any:
    try:
        return await awaitable
    except CallExit as exit:
        return exit


@pytest.fixture(autouse=True)
def _configuration() -> Any:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ENDS)
def test_everybody_is_told_once_whatever_raises_where(
    end: str, place: str, failure: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    run(end_in_minefield(end, Minefield({place}, failure)))


@given(st.sampled_from(sorted(ENDS)), st.frozensets(st.sampled_from(PLACES)), st.sampled_from(FAILURES), st.integers(0))
def test_everybody_is_told_once_whatever_raises_together(
    end: str, places: frozenset[str], failure: type[BaseException], seed: int
) -> None:
    before = structlog.get_config()
    try:
        run(end_in_minefield(end, Minefield(places, failure)), seed=seed)
    finally:
        structlog.configure(**before)


@pytest.mark.parametrize("place", ["checkpoint", "format_status", "terminate", "watcher", "tracer", "cleanup"])
def test_an_interrupt_reaches_the_program_and_everybody_is_told(place: str) -> None:
    told: list[Any] = []

    async def scenario() -> None:
        mines = Minefield({place}, KeyboardInterrupt)
        await start(Supervisor, [child(Victim, mines, name="victim")])
        victim = whereis("victim")
        assert victim is not None
        watch(victim, lambda *_: mines.at("watcher"))
        watch(victim, lambda ref, reason: told.append(reason))
        debug.trace(victim, lambda _: mines.at("tracer"))
        how = "is killed while it waits" if place == "cleanup" else "raises"
        ENDS[how](victim, mines)
        await asyncio.sleep(2)

    with pytest.raises(KeyboardInterrupt):
        run(scenario())
    assert len(told) == 1


@simulated
async def test_a_report_comes_after_everybody_was_told() -> None:
    order: list[str] = []

    def note(logger: Any, method: str, event: Any) -> Any:
        order.append(event["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[note])
    ref, _ = await puppet()
    watch(ref, lambda *_: order.append("told"))
    cast(ref, lambda _: 1 / 0)
    await asyncio.sleep(1)
    assert order == ["told", "actor.crashed"]


@simulated
async def test_a_signal_that_fails_is_reported_and_those_behind_it_are_served() -> None:
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    ref, _ = await puppet()
    scheduler = Scheduler.current()

    def fail() -> None:
        scheduler.signal(ref._cell.exit_signal, None, KILL, False)  # type: ignore[union-attr]
        raise ValueError("a mistake of the kernel's")

    scheduler.signal(fail)
    assert not ref.is_alive()
    assert [str(error) for error in errors] == ["a mistake of the kernel's"]


@simulated
async def test_a_message_to_the_dead_is_dropped_whatever_attributes_it_has() -> None:
    class Ball:
        bounce = 3

    ref, _ = await puppet()
    cell = ref._cell
    assert cell is not None
    send_exit(ref, KILL)
    cell.receive(Ball())
    assert not ref.is_alive()


@simulated
async def test_a_crash_in_terminate_is_reported_besides_the_one_before() -> None:
    def fail(_: Puppet) -> None:
        raise LookupError("in terminate")

    ref, _ = await puppet(end=fail)
    ended = down(ref)
    cast(ref, lambda _: 1 / 0)
    reason = await ended
    assert isinstance(reason, Crash)
    assert isinstance(reason.exception, LookupError)
    assert [report.error for report in debug.crash_reports()] == [ZeroDivisionError, LookupError]


@simulated
async def test_a_reply_of_a_stop_comes_after_terminate_even_if_that_fails() -> None:
    order: list[str] = []

    async def wait_and_fail(_: Puppet) -> None:
        await asyncio.sleep(1)
        order.append("terminated")
        raise ValueError

    ref, _ = await puppet(end=wait_and_fail)
    order.append(await call(ref, lambda _: Stop(reply="bye")))
    assert order == ["terminated", "bye"]
    assert not ref.is_alive()


@simulated
async def test_a_process_that_is_killed_in_its_terminate_does_not_reply() -> None:
    ref, _ = await puppet(end=lambda _: asyncio.sleep(100))
    answer = asyncio.ensure_future(outcome(call(ref, lambda _: Stop(reply="bye"), timeout=None)))
    await asyncio.sleep(1)
    send_exit(ref, KILL)
    failure = await answer
    assert isinstance(failure, CallExit)
    assert failure.reason == KILLED


def test_the_tables_name_every_place() -> None:
    """A place that no end passes would be a check that cannot fail."""
    passed: set[str] = set()

    class Spy(Minefield):
        def at(self, place: str) -> None:
            if self.armed:
                passed.add(place)

    before = structlog.get_config()
    for end in ENDS:
        run(end_in_minefield(end, Spy({"armed"}, ValueError)))
    structlog.configure(**before)
    # No `repr`, property or comparison of a message, a state or a reason is called at all.
    assert passed >= set(PLACES) - {
        "repr of the message", "repr of the state", "class of the message", "equality of the reason",
    }  # fmt: skip


@simulated
@pytest.mark.parametrize("reason", [Crash("text"), Crash([]), Crash(ValueError), Shutdown(Crash(1)), CallFailure(1, 2)])  # type: ignore[arg-type]
async def test_any_value_may_be_a_reason(reason: Any) -> None:
    ends: list[Callable[[Ref], None]] = [
        lambda ref: send_exit(ref, reason), lambda ref: cast(ref, lambda _: Stop(reason)),
    ]  # fmt: skip
    for end in ends:
        victim, _ = await puppet()
        peer = await start(Peer, victim)
        ended = down(victim)
        waiting = asyncio.ensure_future(outcome(call(victim, lambda _: NO_REPLY)))
        await asyncio.sleep(1)
        end(victim)
        assert await ended is reason
        assert (await waiting).reason is reason
        assert [message.reason for message in await call(peer, "heard")] == [reason, reason]


@simulated
async def test_a_task_in_the_context_of_a_process_may_call_what_ends_that_process() -> None:
    victim, _ = await puppet()
    ended = down(victim)

    async def end() -> None:
        def kill_the_victim(_: Puppet) -> Stop:
            send_exit(victim, KILL)
            return Stop("over")

        with pytest.raises(StartError, match="over"):
            Puppet.start(kill_the_victim)

    async def wait(_: Puppet) -> None:
        task: Any = asyncio.current_task()
        assert task is not None
        await asyncio.gather(asyncio.create_task(end(), context=task.get_context()), asyncio.sleep(1_000))

    cast(victim, wait)
    async with asyncio.timeout(1):
        assert await ended == KILLED
