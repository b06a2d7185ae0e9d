"""An application's beginning and end: started whole, stopped in order, on a signal, or at once."""

import asyncio
import gc
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from actors import KILLED, NORMAL, SHUTDOWN, Exit, GenServer, StartError
from actors.debug import force_exit, processes
from actors.testing import run
from supervision import GAVE_UP, Application, Restart, Supervisor, child
from tests.support.scenarios import live, live_on_every_loop, simulated


class Part(GenServer):
    """Notes its beginning and its end."""

    def init(self, name: str, diary: list[str], *, refused: asyncio.Event | None = None) -> None:
        if name == "broken":
            raise RuntimeError("cannot start")
        self.trap_exit = True
        self.name = name
        self.diary = diary
        self.refused = refused
        diary.append(f"{name} started")

    async def terminate(self, reason: object) -> None:
        if self.refused is not None:
            self.refused.set()
            await asyncio.get_running_loop().create_future()
        self.diary.append(f"{self.name} ended with {reason}")

    def handle_info(self, message: object) -> None:
        assert isinstance(message, Exit)


def application(diary: list[str], *names: str, refused: asyncio.Event | None = None) -> Application:
    """Two parts or so, one after the other; with `refused`, they never end, and set it when they are asked to."""
    parts = [child(Part, name, diary, id=name, shutdown=3600, kwargs={"refused": refused}) for name in names]
    spec = child(Supervisor, parts, id="top", label="top")
    return Application(spec, prepare_stop=lambda: diary.append("prepared"))


@simulated
async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    diary: list[str] = []
    app = application(diary, "first", "second")
    top = await app.start()
    assert top.label == "top"
    await app.stop()
    assert diary == [
        "first started", "second started", "prepared", "second ended with shutdown", "first ended with shutdown"
    ]  # fmt: skip
    assert await app.wait() == SHUTDOWN
    assert processes() == []


@simulated
async def test_part_that_cannot_start_makes_the_start_fail_and_stops_the_others() -> None:
    diary: list[str] = []
    with pytest.raises(StartError):
        await application(diary, "first", "broken").start()
    assert diary == ["first started", "first ended with shutdown"]
    assert processes() == []


@simulated
async def test_stop_before_the_start_and_after_the_end_is_fine() -> None:
    diary: list[str] = []
    app = application(diary, "first")
    await app.stop()
    assert diary == []
    await app.start()
    await app.stop()
    await app.stop()
    assert diary.count("prepared") == 1


@simulated
async def test_wait_tells_why_a_tree_gave_up() -> None:
    app = application([], "first")
    top = await app.start()
    force_exit(top, "the end")
    assert await app.wait() == "the end"
    assert await app.wait() == "the end"


@simulated
async def test_a_tree_whose_intensity_is_exceeded_gives_up() -> None:
    spec = child(Supervisor, [child(Part, "only", [], id="only", restart=Restart.PERMANENT)], id="top")
    app = Application(spec)
    await app.start()
    ended = asyncio.ensure_future(app.wait())
    while not ended.done():
        for process in processes():
            if process.kind == "Part":
                force_exit(process.ref, "crash")
        await asyncio.sleep(0)
    assert ended.result() == GAVE_UP


@simulated
async def test_kill_ends_the_application_though_a_part_refuses() -> None:
    refused = asyncio.Event()
    app = application([], "first", "second", refused=refused)
    await app.start()
    stopping = asyncio.ensure_future(app.stop())
    await refused.wait()
    await app.kill()
    await stopping
    assert await app.wait() == KILLED
    await app.kill()  # once more harms nobody


def test_application_that_was_not_started_cannot_be_waited_for() -> None:
    with pytest.raises(AssertionError, match="has not been started"):
        run(application([], "first").wait())


# Signals.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_the_application_in_order(number: signal.Signals) -> None:
    @live
    async def scenario() -> None:
        diary: list[str] = []
        app = application(diary, "first", "second")
        await app.start()
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        assert await app.run_until_signal() == SHUTDOWN
        assert diary[-3:] == ["prepared", "second ended with shutdown", "first ended with shutdown"]

    scenario()


@live_on_every_loop
async def test_second_signal_ends_the_application_at_once() -> None:
    refused = asyncio.Event()
    app = application([], "first", "second", refused=refused)
    await app.start()
    loop = asyncio.get_running_loop()
    failures: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))

    async def signal_twice() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await refused.wait()
        os.kill(os.getpid(), signal.SIGINT)

    signals = asyncio.ensure_future(signal_twice())  # once we wait
    assert await app.run_until_signal() == KILLED
    await signals
    gc.collect()  # a task that failed unheard says so when it is collected
    assert failures == []


@live
async def test_signals_are_left_alone_after_the_end() -> None:
    before = signal.getsignal(signal.SIGTERM)
    app = application([], "first")
    await app.start()
    ended = asyncio.ensure_future(app.run_until_signal())
    await asyncio.sleep(0)
    await app.stop()
    assert await ended in (SHUTDOWN, NORMAL)
    assert signal.getsignal(signal.SIGTERM) == before


@live_on_every_loop
async def test_handlers_of_the_program_are_back_after_the_end_and_are_called_meanwhile() -> None:
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[str] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGTERM, told.put_nowait, "the program")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    app = application([], "first")
    await app.start()
    loop.call_soon(os.kill, os.getpid(), signal.SIGTERM)
    assert await app.run_until_signal() == SHUTDOWN
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert await told.get() == "the program"
    os.kill(os.getpid(), signal.SIGTERM)
    assert await told.get() == "the program"
    loop.remove_signal_handler(signal.SIGTERM)


@pytest.mark.parametrize("first", [0, 1])
@live_on_every_loop
async def test_a_signal_stops_every_application_of_the_program(first: int) -> None:
    before = signal.getsignal(signal.SIGTERM)
    apps = [application([], "first"), application([], "first")]
    for app in apps:
        await app.start()
    waits = [asyncio.ensure_future(app.run_until_signal()) for app in apps]
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.gather(*waits) == [SHUTDOWN, SHUTDOWN]
    assert signal.getsignal(signal.SIGTERM) == before
    for app in apps:
        await app.start()
    waits = [asyncio.ensure_future(app.run_until_signal()) for app in apps]
    await asyncio.sleep(0)
    await apps[first].stop()
    await waits[first]
    os.kill(os.getpid(), signal.SIGTERM)
    assert await waits[1 - first] == SHUTDOWN
    assert signal.getsignal(signal.SIGTERM) == before


def test_off_the_main_thread_signals_are_refused_with_what_to_use() -> None:
    app = application([], "first")

    async def serve() -> None:
        await app.start()
        with pytest.raises(RuntimeError, match="use `wait` and `stop`"):
            await app.run_until_signal()
        await app.stop()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, serve()).result()
