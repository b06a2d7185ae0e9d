"""A process with its own thread has the life of any process; once dead, its thread reaches nobody."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors import (
    KILLED,
    NORMAL,
    Call,
    CallExit,
    Crash,
    Exit,
    ProcessExit,
    Ref,
    StartError,
    Stop,
    call,
    cast,
    down,
    register,
    send,
    send_after,
    send_exit,
    start,
    stop,
    whereis,
)
from actors.blocking import BlockingServer
from actors.testing import kill, quiet
from supervision import Supervisor, child, which_children
from tests.support.puppet import puppet
from tests.support.scenarios import live, simulated

Deed = Callable[["Worker"], Any]


class Worker(BlockingServer):
    """Runs the functions it is sent, on its thread."""

    def init(self, begin: Deed | None = None, *, trap_exit: bool = False) -> Any:
        self.trap_exit = trap_exit
        self.threads = [threading.get_ident()]
        self.ends: list[Any] = []
        return None if begin is None else begin(self)

    def handle_call(self, request: Deed, from_: Call) -> Any:
        return request(self)

    def handle_cast(self, request: Deed) -> Any:
        return request(self)

    def handle_info(self, message: Any) -> Any:
        return message(self) if callable(message) else None

    def terminate(self, reason: Any) -> None:
        self.threads.append(threading.get_ident())
        self.ends.append(reason)


def fail(_: Worker) -> None:
    raise ValueError("no")


@live
async def test_callbacks_run_on_one_thread_of_their_own() -> None:
    ref = await start(Worker)
    insides: list[Worker] = []

    def look(self: Worker) -> int:
        insides.append(self)
        return threading.get_ident()

    seen = await call(ref, look)
    await stop(ref)
    assert insides[0].threads == [seen, seen]
    assert seen != threading.get_ident()
    assert insides[0].ends == [NORMAL]


@live
async def test_an_init_that_fails_is_a_start_that_fails() -> None:
    with pytest.raises(StartError) as caught:
        await start(Worker, fail)
    assert isinstance(caught.value.reason, Crash)


@live
async def test_the_loop_goes_on_while_the_thread_blocks() -> None:
    ref = await start(Worker)
    other, _ = await puppet()
    release = threading.Event()

    def block(_: Worker) -> None:
        release.wait(10)

    send(ref, block)
    assert await call(other, lambda _: "well") == "well"
    release.set()
    await stop(ref)


@live
async def test_the_thread_may_do_what_callbacks_do() -> None:
    other, insides = await puppet(trap_exit=True)
    ref = await start(Worker)

    def act(self: Worker) -> Any:
        send(other, "plain")
        other.tell("told")
        self.link(other)
        monitor = self.monitor(other)
        self.demonitor(monitor, flush=True)
        register("worker", self.ref)
        timer = send_after(3_600, other, "never")
        timer.cancel()
        return whereis("worker") is self.ref, other.ask(lambda _: "asked")

    assert await call(ref, act) == (True, "asked")
    send(ref, lambda _: Stop("done"))
    await down(ref)
    await call(other, lambda _: None)
    assert insides.got == ["plain", "told", Exit(ref, "done")]


@live
async def test_a_crash_on_the_thread_ends_the_process_with_its_reason() -> None:
    ref = await start(Worker)
    with pytest.raises(CallExit) as caught:
        await call(ref, fail)
    assert isinstance(caught.value.__cause__, ValueError)
    assert not ref.is_alive()


@live
async def test_a_killed_process_is_dead_at_once_and_its_thread_is_fenced() -> None:
    other, insides = await puppet()
    ref = await start(Worker)
    blocked, release = threading.Event(), threading.Event()
    outcome: list[Any] = []

    def block(self: Worker) -> None:
        blocked.set()
        release.wait(10)
        other.tell("from the dead")
        send(other, "from the dead")
        try:
            self.link(other)
        except ProcessExit as error:
            outcome.append(error.reason)
        finished.set()

    finished = threading.Event()
    asked = ref.ask(block, block=False)
    other.tell(lambda _: None)
    while not blocked.is_set():
        await call(other, lambda _: None)
    assert await kill(ref) == KILLED
    with pytest.raises(CallExit):
        await asked
    release.set()
    while not finished.is_set():
        await call(other, lambda _: None)
    await call(other, lambda _: None)
    assert outcome == [KILLED]
    assert insides.got == []


@live
async def test_a_dead_process_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    refs = [await start(Worker) for _ in range(5)]
    threads = set(threading.enumerate()) - before
    assert len(threads) == 5
    for ref in refs[:3]:
        await kill(ref)
    for ref in refs[3:]:
        await stop(ref)
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()


@simulated
async def test_in_a_simulation_the_callbacks_run_on_the_loop() -> None:
    ref = await start(Worker)
    assert await call(ref, lambda _: threading.get_ident()) == threading.get_ident()
    with pytest.raises(CallExit):
        await call(ref, fail)


async def _supervised() -> None:
    supervisor = await start(Supervisor, [child(Worker, id="a", kwargs={"trap_exit": True})])

    async def only() -> Ref:
        (info,) = await which_children(supervisor)
        assert isinstance(info.ref, Ref)
        return info.ref

    first = await only()
    ended = down(first)
    cast(first, fail)
    assert isinstance(await ended, Crash)
    second = await only()
    assert second is not first
    ended = down(second)
    await stop(supervisor)
    assert await ended == "shutdown"


test_a_supervisor_does_not_care_which_kind_it_holds = live(_supervised)
test_nor_does_it_in_a_simulation = simulated(_supervised)


@simulated
async def test_a_stop_waits_for_its_turn() -> None:
    ref = await start(Worker, trap_exit=True)
    send_exit(ref, "boom")
    await quiet()
    assert ref.is_alive()
    await stop(ref)
