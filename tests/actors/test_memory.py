"""The dead are freed at once, with all they held, and nothing keeps what nobody waits for."""

import asyncio
import fcntl
import gc
import socket
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import (
    KILL,
    NO_REPLY,
    BlockingServer,
    Call,
    CallExit,
    GenServer,
    GenStateMachine,
    Ref,
    Scheduler,
    StartError,
    call,
    cast,
    debug,
    down,
    send_after,
    send_exit,
    start,
    stop,
    watch,
    whereis,
)
from actors.gen_statem import Next, StateTimeout
from actors.testing import VirtualLoop, quiet
from supervision import Supervisor, child
from tests.support.scenarios import live, simulated


@pytest.fixture(autouse=True)
def _without_the_cycle_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Held:
    """Something large that a process holds."""


class Holder(GenServer):
    """Holds something in an attribute and in the local variables of its callbacks."""

    def init(self, fails: bool = False) -> None:
        self.held = Held()
        HELD.add(self.held)
        held = self.held
        if fails:
            raise ValueError(held is None)

    def handle_cast(self, request: Any) -> Any:
        held = self.held
        if request == "crash":
            raise ValueError(held is None)
        if request == "nested":
            self.nest(held)
        return self.wait(held)

    def nest(self, held: Held) -> None:
        try:
            raise LookupError(held is None)
        except LookupError as error:
            raise ExceptionGroup("both", [ValueError(), error]) from error

    async def wait(self, held: Held) -> None:
        await asyncio.shield(FOREVER[0])
        self.held = held


HELD: weakref.WeakSet[Held] = weakref.WeakSet()
FOREVER: list[asyncio.Future[None]] = []
ENDS: dict[str, Callable[[Ref], object]] = {
    "stop": lambda ref: ref.stop(block=False),
    "kill": lambda ref: send_exit(ref, KILL),
    "crash": lambda ref: cast(ref, "crash"),
    "a crash with a cause and a group": lambda ref: cast(ref, "nested"),
    "a forced exit": lambda ref: debug.force_exit(ref, "forced", is_reported=True),
}


@simulated
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("waits", [False, True], ids=["idle", "waiting"])
async def test_a_dead_process_is_freed_at_once(end: str, waits: bool) -> None:
    FOREVER[:] = [asyncio.get_running_loop().create_future()]
    reasons: list[Any] = []
    ref = await start(Holder)
    watch(ref, lambda _, reason: reasons.append(reason))  # who keeps the reason keeps nothing of the process
    debug.record(ref, 5)
    if waits:
        cast(ref, "wait")
        await asyncio.sleep(1)
        if end not in ("kill", "a forced exit"):
            FOREVER[0].set_result(None)
    ENDS[end](ref)
    await asyncio.sleep(1)
    assert not ref.is_alive()
    assert len(reasons) == 1
    assert len(HELD) == 0
    FOREVER.clear()


@simulated
async def test_a_start_that_fails_keeps_nothing() -> None:
    with pytest.raises(StartError) as caught:
        await start(Holder, True)
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(HELD) == 0


class Port(GenServer):
    def init(self, port: int, folder: Path) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()
        self.lock = (folder / "lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def handle_cast(self, request: object) -> None:
        raise ValueError(request)


@live
@pytest.mark.parametrize("end", ["crash", "kill"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_port_and_a_lock_of_the_dead_are_free_for_the_successor(end: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        await start(Supervisor, [child(Port, port, Path(folder), name="port")], intensity=1)
        first = whereis("port")
        assert first is not None
        ended = down(first)
        cast(first, "crash") if end == "crash" else send_exit(first, KILL)
        await ended
        for _ in range(5):
            await asyncio.sleep(0)
        successor = whereis("port")
        assert successor is not None
        assert successor is not first
        await stop(successor)


@simulated
async def test_crash_reports_keep_text_alone() -> None:
    for _ in range(20):
        ref = await start(Holder)
        cast(ref, "crash")
        await asyncio.sleep(0.1)
    assert len(debug.crash_reports()) == 20
    assert len(HELD) == 0


class Lazy(GenServer):
    """Answers what it is told to answer."""

    def handle_call(self, request: Any, from_: Call) -> Any:
        return NO_REPLY if request == "never" else True


@simulated
async def test_an_answered_call_keeps_no_request_while_an_older_one_is_open() -> None:
    server = await start(Lazy)
    open_call = asyncio.ensure_future(call(server, "never", timeout=3_000))
    await asyncio.sleep(0)
    for _ in range(10):
        held = Held()
        HELD.add(held)
        await call(server, held, timeout=4_000)
        del held
    assert len(HELD) == 0
    open_call.cancel()


@simulated
async def test_timers_to_a_dead_process_are_cancelled() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    ref = await start(Lazy)
    held = Held()
    HELD.add(held)
    timer = send_after(3_600, ref, held)
    del held
    other = send_after(3_600, "a name", "stays")
    assert timer.remaining() == 3_600
    send_exit(ref, KILL)
    assert timer.remaining() is None
    assert timer.cancel() is None
    assert other.remaining() == 3_600
    assert len(HELD) == 0
    assert send_after(1, ref, "to the dead").remaining() is None
    other.cancel()
    assert loop.timers() == []


@simulated
@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), "1"])
async def test_a_delay_that_is_no_time_is_refused(delay: Any) -> None:
    ref = await start(Lazy)
    with pytest.raises((ValueError, TypeError)):
        send_after(delay, ref, "never")


@simulated
async def test_those_who_gave_up_watching_leave_nothing() -> None:
    ref = await start(Lazy)
    cast(ref, "keeps busy")
    cell = ref._cell
    assert cell is not None
    for _ in range(10):
        down(ref).cancel()
        watch(ref, lambda *_: None)()
    busy = await start(Slow)
    cast(busy, "wait")
    for _ in range(10):
        with pytest.raises(CallExit, match="timeout"):
            await stop(busy, timeout=0.01)
    await asyncio.sleep(0.01)
    assert not cell.watchers
    assert not busy._cell.watchers  # type: ignore[union-attr]


class Slow(GenServer):
    async def handle_cast(self, request: object) -> None:
        await asyncio.sleep(1_000)


@simulated
async def test_the_timers_of_a_dead_machine_are_cancelled() -> None:
    class Machine(GenStateMachine):
        def init(self) -> Next:
            return Next("waiting", StateTimeout(3_600))

        def waiting(self, event: object) -> None:
            pass

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    ref = await start(Machine)
    await quiet()
    assert loop.timers()
    send_exit(ref, KILL)
    assert loop.timers() == []


@live
async def test_the_idle_thread_of_a_process_keeps_neither_request_nor_answer() -> None:
    class Worker(BlockingServer):
        def handle_call(self, request: Any, from_: Call) -> Any:
            answer = Held()
            HELD.add(answer)
            return answer

    ref = await start(Worker)
    for _ in range(2):
        request = Held()
        HELD.add(request)
        await call(ref, request)
        del request
        await call(ref, None)  # the thread has left the first callback, and the answers of both are gone
    assert len(HELD) <= 1


@simulated
async def test_a_reference_keeps_a_checkpoint_only_for_a_parent() -> None:
    class Careful(GenServer):
        def checkpoint(self) -> Held:
            held = Held()
            HELD.add(held)
            return held

    alone = await start(Careful)
    send_exit(alone, KILL)
    assert len(HELD) == 0

    await start(Supervisor, [child(Careful, name="careful")])
    first = whereis("careful")
    assert first is not None
    send_exit(first, KILL)
    assert len(HELD) == 1
    await quiet()
    assert whereis("careful") is not first
    assert len(HELD) == 0


@live
async def test_a_callback_that_shuts_its_loop_down_ends_every_process() -> None:
    class Last(GenServer):
        async def handle_cast(self, request: object) -> None:
            await asyncio.get_running_loop().shutdown_asyncgens()

    refs = [await start(Last), await start(Holder)]
    ended = down(refs[0])
    cast(refs[0], "go")
    await ended
    assert not any(ref.is_alive() for ref in refs)


@simulated
async def test_an_ended_scheduler_holds_no_process() -> None:
    refs: list[Ref] = [await start(Holder) for _ in range(3)]
    Scheduler.current().kill_all()
    assert not any(ref.is_alive() for ref in refs)
    assert len(HELD) == 0
