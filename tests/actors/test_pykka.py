"""What Pykka promises of an actor holds for ours, from any thread; and what we take for granted in Pykka is there."""

import asyncio
import inspect
import threading
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope

from actors import NOPROC, BlockingOnLoopError, CallExit, Crash, Process, Ref, StartError, down, start
from actors.kernel.future import LoopFuture
from actors.kernel.mailbox import Mailbox
from actors.testing import kill, quiet
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import live, simulated


class Counter(Process):
    """An actor as Pykka's documentation writes them."""

    step = 1

    def __init__(self, value: int = 0) -> None:
        super().__init__()
        self.value = value
        self.history: list[str] = []

    def on_start(self) -> None:
        self.history.append("started")

    def on_receive(self, message: Any) -> Any:
        match message:
            case "fail":
                raise ValueError("no")
            case int():
                self.value += message
        return self.value

    def on_stop(self) -> None:
        self.history.append("stopped")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.history.append(f"failed: {exception_value}")

    def add(self, number: int) -> int:
        self.value += number * self.step
        return self.value

    async def add_later(self, number: int) -> int:
        await asyncio.sleep(0.001)
        return self.add(number)


async def elsewhere(function: Callable[[], Any]) -> Any:
    """What `function` returns on another thread."""
    return await asyncio.to_thread(function)


# Actors.


@simulated
async def test_an_actor_lives_through_its_callbacks() -> None:
    ref = Counter.start(1)
    process = ref._process
    assert isinstance(process, Counter)
    ref.tell(2)
    assert await ref.ask(3, block=False) == 6
    assert await ref.stop(block=False) is True
    assert process.history == ["started", "stopped"]


@simulated
async def test_an_actor_that_fails_is_told_and_ends() -> None:
    ref = Counter.start()
    process = ref._process
    assert isinstance(process, Counter)
    ended = down(ref)
    with pytest.raises(CallExit) as caught:
        await ref.ask("fail", block=False)
    assert isinstance(caught.value.reason, Crash)
    assert isinstance(caught.value.__cause__, ValueError)
    assert await ended == caught.value.reason
    assert process.history == ["started", "failed: no"]


@simulated
async def test_a_failure_to_start_is_the_starters() -> None:
    class Broken(Counter):
        def on_start(self) -> None:
            raise ValueError("no")

    with pytest.raises(StartError):
        Broken.start()


@simulated
async def test_start_refuses_an_init_that_waits() -> None:
    class Slow(Process):
        async def on_start(self) -> None:  # type: ignore[override]
            await asyncio.sleep(1)

    with pytest.raises(BlockingOnLoopError, match="await start"):
        Slow.start()
    assert (await start(Slow)).is_alive()


@simulated
async def test_on_receive_may_be_a_coroutine() -> None:
    class Slow(Process):
        async def on_receive(self, message: Any) -> Any:
            await asyncio.sleep(1)
            return message * 2

    assert await Slow.start().ask(2, block=False) == 4


@simulated
async def test_an_actor_may_stop_itself() -> None:
    class Mayfly(Process):
        def on_receive(self, message: Any) -> None:
            self.stop()

    ref = Mayfly.start()
    ended = down(ref)
    ref.tell("day")
    await ended


# References on the loop's thread.


@simulated
async def test_a_blocking_ask_on_the_loop_raises_at_once_and_sends_nothing() -> None:
    ref = Counter.start()
    with pytest.raises(BlockingOnLoopError, match="await call"):
        ref.ask(1)
    with pytest.raises(BlockingOnLoopError):
        ref.stop()
    await quiet()
    assert await ref.ask(0, block=False) == 0


@simulated
async def test_proxies_are_awaited_on_the_loop() -> None:
    proxy = Counter.start(1).proxy()
    assert await proxy.value == 1
    assert await proxy.add(2) == 3
    assert await proxy.add_later(3) == 6
    proxy.add.defer(4)
    assert await proxy.value == 10
    future = proxy.add(0)
    with pytest.raises(BlockingOnLoopError):
        future.get()
    with pytest.raises(BlockingOnLoopError):
        proxy.value = 5


@simulated
async def test_derived_futures_are_awaited_like_their_sources() -> None:
    proxy = Counter.start(1).proxy()
    assert await proxy.value.map(lambda value: value + 1).map(str) == "2"
    assert await proxy.value.join(proxy.step, proxy.add(1)) == [1, 1, 2]
    assert await proxy.value.join(proxy.step).filter(lambda value: value > 1) == [2]
    assert await proxy.value.join(proxy.step).reduce(lambda one, other: one + other) == 3
    assert await proxy.value.join(proxy.step).reduce(lambda one, other: one + other, 10) == 13


@simulated
async def test_a_proxy_of_a_gen_server_calls_its_methods() -> None:
    class Greeter(Puppet):
        def greet(self, who: str) -> str:
            return f"hello {who}"

    proxy = (await start(Greeter)).proxy()
    assert await proxy.greet("you") == "hello you"
    assert await proxy.got == []


@simulated
async def test_asking_the_dead_fails_with_noproc_and_stopping_them_is_false() -> None:
    ref = Counter.start()
    await kill(ref)
    with pytest.raises(CallExit) as caught:
        await ref.ask(1, block=False)
    assert caught.value.reason == NOPROC
    assert await ref.stop(block=False) is False
    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()


@simulated
async def test_a_stop_is_answered_when_the_actor_is_dead() -> None:
    async def linger(_: Puppet) -> None:
        await asyncio.sleep(1)

    for ref in (Counter.start(), (await puppet(end=linger))[0]):
        assert await ref.stop(block=False) is True
        assert not ref.is_alive()


@simulated
async def test_a_reference_tells_what_pykka_wants_to_know() -> None:
    ref = Counter.start()
    process = ref._process
    assert process is not None
    assert ref.actor_class is Counter
    assert ref.actor_urn == process.actor_urn == f"urn:canopy:{ref.id}"
    assert process.actor_ref is ref
    assert not ref.actor_stopped.is_set()
    assert ref.actor_inbox.empty()
    assert str(ref) == f"<{ref.id}>"
    await kill(ref)
    assert ref.actor_stopped.is_set()
    assert ref.actor_inbox is None


@simulated
async def test_the_inbox_takes_pykkas_envelopes() -> None:
    ref = Counter.start()
    future = LoopFuture()
    ref.actor_inbox.put(Envelope(1))
    ref.actor_inbox.put(Envelope(1, reply_to=future))
    assert not ref.actor_inbox.empty()
    assert await future == 2
    assert ref.actor_inbox.empty()
    with pytest.raises(IndexError):
        ref.actor_inbox.get()
    unanswered = LoopFuture()
    ref.actor_inbox.put(Envelope(1, reply_to=unanswered))
    await kill(ref)
    with pytest.raises(CallExit):
        await unanswered


@simulated
async def test_our_actors_are_not_in_pykkas_list() -> None:
    Counter.start()
    assert pykka.ActorRegistry.get_all() == []


# References on other threads.


@live
async def test_ask_and_tell_work_from_any_thread() -> None:
    ref = Counter.start()

    def talk() -> Any:
        ref.tell(1)
        return ref.ask(2)

    assert await elsewhere(talk) == 3


@live
async def test_proxies_work_from_any_thread() -> None:
    proxy = Counter.start().proxy()

    def talk() -> Any:
        proxy.value = 5
        return [proxy.add(1).get(), proxy.add_later(1).get(), proxy.value.get(), proxy.value.map(str).get()]

    assert await elsewhere(talk) == [6, 7, 7, "7"]


@live
async def test_stop_blocks_another_thread_until_the_actor_is_dead() -> None:
    ref = Counter.start()
    assert await elsewhere(lambda: (ref.stop(), ref.is_alive())) == (True, False)
    assert await elsewhere(ref.stop) is False


@live
async def test_failures_and_timeouts_reach_another_thread() -> None:
    async def wait(_: Puppet) -> None:
        await asyncio.Event().wait()

    ref = Counter.start()
    with pytest.raises(CallExit):
        await elsewhere(lambda: ref.ask("fail"))
    with pytest.raises(CallExit):
        await elsewhere(lambda: ref.ask(1))
    waiting, _ = await puppet()
    with pytest.raises(pykka.Timeout):
        await elsewhere(lambda: waiting.ask(wait, timeout=0.01))


@live
async def test_a_future_of_another_threads_actor_can_be_awaited() -> None:
    class Threaded(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> Any:
            return future.get()

    future = LoopFuture()
    ref = Threaded.start()
    asked = ref.ask("now", block=False)
    threading.Timer(0.01, future.set, ["value"]).start()
    assert await future == "value"
    assert await elsewhere(asked.get) == "value"
    await elsewhere(ref.stop)


# The contract: what we fill in and rely on in Pykka.


def test_pykka_is_of_the_line_this_is_written_for() -> None:
    assert version("pykka").startswith("4.")
    assert tuple(map(int, version("pykka").split(".")[:2])) >= (4, 5)


@pytest.mark.parametrize("hook", ["_create_actor_inbox", "_create_future", "_start_actor_loop"])
def test_pykka_leaves_these_hooks_to_new_kinds_of_actors(hook: str) -> None:
    assert hook in pykka.Actor.__abstractmethods__
    assert getattr(Process, hook) is not getattr(pykka.Actor, hook)
    assert pykka.Actor.__abstractmethods__ == {"_create_actor_inbox", "_create_future", "_start_actor_loop"}


@simulated
async def test_the_hooks_give_our_own_parts() -> None:
    assert isinstance(Process._create_actor_inbox(), Mailbox)
    assert isinstance(Process._create_future(), LoopFuture)


@pytest.mark.parametrize("name", ["on_start", "on_stop", "on_receive", "on_failure"])
def test_pykka_has_the_callbacks_we_call(name: str) -> None:
    ours = inspect.signature(getattr(Process, name))
    assert list(ours.parameters) == list(inspect.signature(getattr(pykka.Actor, name)).parameters)


@pytest.mark.parametrize("name", ["tell", "ask", "stop", "proxy", "is_alive"])
def test_a_reference_takes_the_arguments_of_pykkas(name: str) -> None:
    ours = inspect.signature(getattr(Ref, name)).parameters
    pykkas = inspect.signature(getattr(pykka.ActorRef, name)).parameters
    assert list(ours)[: len(pykkas)] == list(pykkas)


def test_proxy_messages_have_the_shape_we_read() -> None:
    assert pykka.messages.ProxyCall(("a", "b"), (1,), {"c": 2}).attr_path == ("a", "b")
    assert pykka.messages.ProxyGetAttr(("a",)).attr_path == ("a",)
    assert pykka.messages.ProxySetAttr(("a",), 1).value == 1


def test_a_future_has_the_insides_we_read() -> None:
    future = pykka.ThreadingFuture[int]()
    assert future._result is None
    assert future._get_hook is None
    with future._condition:
        pass
    future.set(1)
    assert future._result is not None
