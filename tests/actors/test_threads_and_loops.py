"""Threads and other event loops: nobody waits without end, and nothing happens on the wrong thread."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import pykka
import pytest

from actors import (
    CALLING_SELF,
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    BlockingServer,
    Call,
    CallExit,
    Crash,
    GenServer,
    ProcessExit,
    Ref,
    Scheduler,
    StartError,
    call,
    cast,
    down,
    register,
    send_exit,
    start,
    stop,
    watch,
)
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import PATIENCE, live, simulated


def outcome_of(function: Callable[[], Any]) -> Any:
    """What a function returns or raises, on a thread of its own; a thread that hangs fails the test."""
    outcomes: list[Any] = []

    def work() -> None:
        try:
            outcomes.append(function())
        except BaseException as error:  # noqa: BLE001  # it belongs to the test
            outcomes.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout=PATIENCE)
    assert outcomes, "the thread waits without end"
    return outcomes[0]


async def in_thread(function: Callable[[], Any]) -> Any:
    """As `outcome_of`, while the loop runs."""
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, outcome_of, function)


class Silent(GenServer):
    """Answers no call."""

    async def handle_call(self, request: object, from_: Call) -> None:
        await asyncio.get_running_loop().create_future()


def thread_of(ref: Ref) -> threading.Thread:
    """The thread of a blocking process."""
    process = ref._process
    assert isinstance(process, BlockingServer)
    assert process._kernel_thread is not None
    return process._kernel_thread


class Obedient(BlockingServer):
    """Does on its thread what it is told, and puts what comes of it into a list."""

    def init(self, outcomes: list[Any]) -> None:
        self.outcomes = outcomes

    def handle_cast(self, request: Callable[[Any], Any]) -> None:
        try:
            self.outcomes.append(request(self))
        except BaseException as error:
            self.outcomes.append(error)
            raise

    def handle_call(self, request: Any, from_: Call) -> Any:
        return request(self)


# Callbacks on a thread.


CALLBACKS = ["init", "handle_call", "handle_cast", "handle_info", "handle_continue", "terminate"]
ERRORS = [StopIteration, StopAsyncIteration, SystemExit, asyncio.CancelledError, GeneratorExit]


@live
@pytest.mark.parametrize("callback", CALLBACKS)
async def test_a_blocking_server_with_a_coroutine_callback_does_not_start(callback: str) -> None:
    async def coroutine(self: Any, *_: Any) -> None:
        pass

    kind = type("Mistaken", (BlockingServer,), {callback: coroutine})
    with pytest.raises(StartError, match=rf"Mistaken\.{callback} is a coroutine function"):
        await start(kind)


@simulated
async def test_nor_does_it_start_in_a_simulation() -> None:
    class Mistaken(BlockingServer):
        async def handle_call(self, request: object, from_: Call) -> None:
            pass

    with pytest.raises(StartError, match="is a coroutine function"):
        await start(Mistaken)


@live
@pytest.mark.parametrize("error", ERRORS)
async def test_whatever_a_callback_on_a_thread_raises_is_a_crash(error: type[BaseException]) -> None:
    def fail(_: Any) -> None:
        raise error

    ref = await start(Obedient, [])
    ended = down(ref)
    cast(ref, fail)
    reason = await ended
    assert isinstance(reason, Crash)
    assert isinstance(reason.exception, error) or isinstance(reason.exception.__cause__, error)

    class Unable(BlockingServer):
        def init(self) -> None:
            raise error

    with pytest.raises(StartError):
        await start(Unable)


@live
async def test_a_callback_that_returns_a_coroutine_is_a_crash_that_says_so() -> None:
    ref = await start(Obedient, [])
    with pytest.raises(CallExit, match="must not return a coroutine"):
        await call(ref, lambda _: asyncio.sleep(0))


@live
@pytest.mark.parametrize("deed", ["ask", "stop"])
async def test_a_process_that_asks_itself_on_its_thread_is_told_so(deed: str) -> None:
    outcomes: list[Any] = []
    ref = await start(Obedient, outcomes)
    ended = down(ref)
    cast(ref, lambda self: self.ref.ask("me") if deed == "ask" else self.ref.stop())
    await ended
    assert isinstance(outcomes[0], CallExit)
    assert outcomes[0].reason == CALLING_SELF


DEEDS_OF_THE_FENCED: dict[str, Callable[[Any, Ref], Any]] = {
    "ask": lambda self, other: other.ask("?"),
    "ask with a timeout": lambda self, other: other.ask("?", timeout=PATIENCE),
    "stop": lambda self, other: other.stop(),
    "future": lambda self, other: other.ask("?", block=False).get(),
    "derived future": lambda self, other: other.ask("?", block=False).map(str).get(),
    "link": lambda self, other: self.link(other),
    "monitor": lambda self, other: self.monitor(other),
    "register": lambda self, other: register("fenced", other),
}


@live
@pytest.mark.parametrize("name", DEEDS_OF_THE_FENCED)
@pytest.mark.parametrize("moment", ["before", "while it waits"])
async def test_the_thread_of_a_killed_process_waits_for_nothing(name: str, moment: str) -> None:
    outcomes: list[Any] = []
    silent = await start(Silent)
    entered, killed = threading.Event(), threading.Event()
    ref = await start(Obedient, outcomes)
    thread = thread_of(ref)

    def work(self: Any) -> Any:
        entered.set()
        if moment == "before":
            assert killed.wait(PATIENCE)
        return DEEDS_OF_THE_FENCED[name](self, silent)

    cast(ref, work)
    await asyncio.to_thread(entered.wait, PATIENCE)
    send_exit(ref, KILL)
    killed.set()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert not thread.is_alive()
    if moment == "before":
        assert isinstance(outcomes[0], ProcessExit)
        assert outcomes[0].reason == KILLED
        assert silent.is_alive()


@live
async def test_a_message_that_a_killed_process_posted_does_not_arrive_after_its_end() -> None:
    """Forced: the fence falls between the look at it and the delivery, which happens on the loop's thread."""
    sink, insides = await puppet()
    entered, stands_still, posted = threading.Event(), threading.Event(), threading.Event()
    ref = await start(Obedient, [])

    def post(self: Any) -> None:
        entered.set()
        assert stands_still.wait(PATIENCE)
        sink.tell("from the dead")
        posted.set()

    cast(ref, post)
    await asyncio.to_thread(entered.wait, PATIENCE)
    stands_still.set()
    assert posted.wait(PATIENCE)  # the loop stands still: the message is on its way
    send_exit(ref, KILL)
    await call(sink, lambda _: None)
    assert insides.got == []


# The end of a loop.


def test_threads_that_ask_when_the_loop_ends_are_answered() -> None:
    begun = threading.Event()
    outcomes: list[Any] = []
    threads: list[threading.Thread] = []

    def work(wait: Callable[[], Any]) -> None:
        begun.set()
        try:
            outcomes.append(wait())
        except (CallExit, RuntimeError) as error:
            outcomes.append(error)

    async def main() -> Ref:
        ref = await start(Silent)
        cast(ref, "busy")
        for wait in (partial(ref.ask, "?"), ref.stop):
            threads.append(threading.Thread(target=work, args=(wait,), daemon=True))
            threads[-1].start()
        await asyncio.to_thread(begun.wait, PATIENCE)
        return ref

    ref = asyncio.run(main())
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not ref.is_alive()
    late = outcome_of(partial(ref.ask, "late"))
    assert isinstance(late, CallExit)
    assert late.reason == NOPROC
    assert outcome_of(ref.stop) is False


def test_the_threads_of_processes_end_with_the_loop() -> None:
    async def main() -> threading.Thread:
        ref = await start(Obedient, [])
        return thread_of(ref)

    threads = [asyncio.run(main()) for _ in range(5)]
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_loop_that_is_closed_without_a_shutdown_answers_no_thread() -> None:
    loop = asyncio.new_event_loop()
    ref = loop.run_until_complete(start(Silent))
    begun = threading.Event()

    def ask() -> Any:
        begun.set()
        return ref.ask("?")

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(outcome_of, ask)
        assert begun.wait(PATIENCE)
        loop.close()
        assert "the event loop is closed" in str(answer.result(PATIENCE))


def test_a_child_of_a_fork_is_told_that_the_loop_is_not_there() -> None:
    async def main() -> str:
        ref = await start(Silent)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                ref.tell("lost")
                os.write(writing, str(outcome_of(partial(ref.ask, "?"))).encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            return pipe.read()

    assert "forked" in asyncio.run(main())


# Other loops.


class OtherLoop:
    """A loop on a thread of its own, with one process."""

    def __init__(self, kind: type[GenServer] = Puppet) -> None:
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._main(kind)), daemon=True)
        self.thread.start()
        assert self.ready.wait(PATIENCE)

    async def _main(self, kind: type[GenServer]) -> None:
        self.loop = asyncio.get_running_loop()
        self.over = asyncio.Event()
        self.ref = await start(kind)
        self.ready.set()
        await self.over.wait()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def other() -> Any:
    loop = OtherLoop()
    yield loop
    loop.close()


@live
async def test_a_process_of_another_loop_can_be_called_watched_and_ended(other: OtherLoop) -> None:
    def thread(_: Puppet) -> int:
        return threading.get_ident()

    assert await call(other.ref, thread) == other.thread.ident
    threads: list[int | None] = []
    unwatch = watch(other.ref, lambda *_: threads.append(-1))
    watch(other.ref, lambda *_: threads.append(threading.get_ident()))
    unwatch()
    ended = down(other.ref)
    send_exit(other.ref, KILL)
    assert await ended == KILLED
    assert threads == [other.thread.ident]
    assert await down(other.ref) == NOPROC


@live
async def test_a_process_of_another_loop_can_be_stopped(other: OtherLoop) -> None:
    await stop(other.ref, NORMAL)
    assert not other.ref.is_alive()


@live
async def test_a_call_to_another_loop_times_out_and_is_forgotten_there() -> None:
    other = OtherLoop(Silent)
    cell = other.ref._cell
    assert cell is not None
    with pytest.raises(CallExit, match="timeout"):
        await call(other.ref, "?", timeout=0.01)
    done = threading.Event()
    cell.scheduler.post(done.set)
    assert await asyncio.to_thread(done.wait, PATIENCE)
    assert not cell.callers
    other.close()


@live
async def test_what_would_tie_two_loops_together_is_refused(other: OtherLoop) -> None:
    ref, _ = await puppet()
    for deed in (lambda self: self.link(other.ref), lambda self: self.monitor(other.ref)):
        mine, _ = await puppet()
        with pytest.raises(CallExit, match="lives on another event loop"):
            await call(mine, deed)
    with pytest.raises(ValueError, match="lives on another event loop"):
        register("other", other.ref)
    assert ref.is_alive()
    assert other.ref.is_alive()


def test_a_call_to_a_loop_that_does_not_run_is_refused_at_once() -> None:
    loop = asyncio.new_event_loop()
    ref = loop.run_until_complete(start(Puppet))

    async def main() -> None:
        with pytest.raises(RuntimeError, match="lives on another event loop, which is not running"):
            await call(ref, lambda _: 1)

    asyncio.run(main())
    loop.close()


def test_a_scheduler_made_on_another_thread_serves_the_thread_that_runs_the_loop() -> None:
    loop = asyncio.new_event_loop()
    Scheduler.of(loop)

    async def main() -> bool:
        ref, _ = await puppet()
        await call(ref, lambda self: register("name", self.ref))
        send_exit("name", KILL)
        return ref.is_alive()

    assert outcome_of(lambda: loop.run_until_complete(main())) is False
    loop.close()


@live
async def test_a_client_whose_loop_is_closed_does_not_harm_the_server() -> None:
    ref, _ = await puppet()
    answers: list[Call] = []

    class Late(GenServer):
        def handle_call(self, request: object, from_: Call) -> Any:
            answers.append(from_)
            return asyncio.sleep(0)

    async def client() -> None:
        async def ask() -> Any:
            return await ref.ask(lambda _: time.sleep(0.2), block=False)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.01)

    await asyncio.to_thread(asyncio.run, client())
    assert await call(ref, lambda _: "alive") == "alive"


# Timeouts.


@live
async def test_asks_that_timed_out_are_forgotten_by_the_server() -> None:
    ref = await start(Silent)

    def ask() -> None:
        for _ in range(10):
            with pytest.raises(pykka.Timeout):
                ref.ask("?", timeout=0.001)

    await in_thread(ask)
    cell = ref._cell
    assert cell is not None
    await asyncio.sleep(0)
    assert not cell.callers


@live
async def test_a_future_forgets_those_who_gave_up_waiting() -> None:
    ref = await start(Silent)
    future = ref.ask("?", block=False)
    for _ in range(10):
        waiting = asyncio.ensure_future(_awaited(future))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
    assert not future._waiters


async def _awaited(future: Any) -> Any:
    return await future


@simulated
@pytest.mark.parametrize("timeout", [float("nan"), -1, "5", -0.001])
async def test_a_timeout_that_is_none_is_refused_before_anything_is_sent(timeout: Any) -> None:
    ref, insides = await puppet()
    for wait in (partial(call, ref, "?"), partial(stop, ref)):
        with pytest.raises((ValueError, TypeError)):
            await wait(timeout=timeout)
    await asyncio.sleep(1)
    assert ref.is_alive()
    assert insides.got == []
    assert not ref._cell.callers  # type: ignore[union-attr]


@simulated
async def test_a_timeout_that_no_clock_takes_is_refused_before_anything_is_sent() -> None:
    ref, insides = await puppet()
    with pytest.raises(TypeError):
        await call(ref, lambda self: self.got.append("called"), timeout=Decimal(1))  # type: ignore[arg-type]
    await asyncio.sleep(1)
    assert insides.got == []
    assert not ref._cell.callers  # type: ignore[union-attr]


@simulated
@pytest.mark.parametrize("timeout", [float("inf"), 10**400, None])
async def test_an_infinite_timeout_is_none(timeout: Any) -> None:
    ref = await start(Silent)
    waiting = asyncio.ensure_future(call(ref, "?", timeout=timeout))
    await asyncio.sleep(1e6)
    assert not waiting.done()
    waiting.cancel()
