"""A process starts in full or not at all, crashes alone, and leaves nothing behind."""

import asyncio
import contextlib
import gc
import weakref
from collections import Counter
from typing import Any

import pytest

from actors import (
    IGNORE,
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    AlreadyStarted,
    Crash,
    Exit,
    GenServer,
    Ignored,
    Process,
    ProcessExit,
    Ref,
    Scheduler,
    StartError,
    Stop,
    call,
    cast,
    down,
    register,
    send,
    send_exit,
    start,
    start_link,
    stop,
    unregister,
    watch,
    whereis,
)
from actors.testing import kill, quiet
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import simulated


def fail(_: Puppet) -> None:
    raise ValueError("no")


async def wait_for_ever(_: Puppet) -> None:
    await asyncio.Event().wait()


async def fail_later(_: Puppet) -> None:
    await asyncio.sleep(1)
    raise ValueError("no")


# Starting.


@simulated
@pytest.mark.parametrize("begin", [fail, fail_later])
async def test_an_init_that_raises_is_a_start_that_fails(begin: Any) -> None:
    with pytest.raises(StartError) as caught:
        await start(Puppet, begin)
    assert isinstance(caught.value.reason, Crash)
    assert isinstance(caught.value.__cause__, ValueError)
    assert not Scheduler.current().processes


@simulated
async def test_an_init_that_stops_is_a_start_that_fails() -> None:
    with pytest.raises(StartError) as caught:
        await start(Puppet, lambda _: Stop("no"))
    assert caught.value.reason == "no"


@simulated
async def test_an_init_that_ignores_is_no_error() -> None:
    with pytest.raises(Ignored):
        await start(Puppet, lambda _: IGNORE)
    assert not Scheduler.current().processes


@simulated
async def test_a_constructor_that_raises_is_a_start_that_fails() -> None:
    class Picky(Process):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.half = number / 2

    with pytest.raises(StartError) as caught:
        await start(Picky, "two")
    assert isinstance(caught.value.reason, Crash)


@simulated
async def test_a_process_killed_in_its_init_has_not_started() -> None:
    for begin in (lambda self: send_exit(self.ref, KILL), wait_for_ever):
        starting = asyncio.ensure_future(start(Puppet, begin))
        await asyncio.sleep(1)
        for process in list(Scheduler.current().processes.values()):
            send_exit(process.ref, KILL)
        with pytest.raises(StartError) as caught:
            await starting
        assert caught.value.reason == KILLED


@simulated
async def test_a_start_that_is_given_up_leaves_no_process() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(start(Puppet, wait_for_ever), timeout=1)
    await quiet()
    assert not Scheduler.current().processes


@simulated
async def test_a_start_given_up_at_the_last_moment_disturbs_nobody() -> None:
    async def take_a_second(_: Puppet) -> None:
        await asyncio.sleep(1)

    other, _ = await puppet()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(start(Puppet, take_a_second), timeout=1)
    await quiet()
    assert await call(other, lambda _: "well") == "well"


@simulated
async def test_messages_sent_during_init_are_handled_after_it() -> None:
    async def begin(self: Puppet) -> None:
        send(self.ref, "early")
        await asyncio.sleep(1)
        assert self.got == []

    _, insides = await puppet(begin)
    await quiet()
    assert insides.got == ["early"]


@simulated
async def test_a_starter_hears_of_a_failed_start_only_once() -> None:
    async def be_killed(_: Puppet) -> None:
        await asyncio.sleep(1)
        raise ProcessExit("boom")

    ref, insides = await puppet(trap_exit=True)
    for begin in (fail, be_killed):

        async def begin_one(_: Puppet, begin: Any = begin) -> bool:
            with pytest.raises(StartError):
                await start_link(Puppet, begin)
            return True

        assert await call(ref, begin_one)
    await quiet()
    assert insides.got == []


@simulated
async def test_a_starter_that_does_not_trap_survives_a_child_killed_in_its_init() -> None:
    ref, _ = await puppet()
    child: list[Ref] = []

    async def begin(self: Puppet) -> None:
        child.append(self.ref)
        await asyncio.Event().wait()

    async def begin_one(_: Puppet) -> Any:
        with pytest.raises(StartError) as caught:
            await start_link(Puppet, begin)
        return caught.value.reason

    asyncio.get_running_loop().call_later(1, lambda: send_exit(child[0], KILL))
    assert await call(ref, begin_one) == KILLED


@simulated
async def test_a_child_in_its_init_dies_with_its_starter() -> None:
    async def begin_one(_: Puppet) -> None:
        await start_link(Puppet, wait_for_ever)

    ref, _ = await puppet()
    send(ref, begin_one)
    await asyncio.sleep(1)
    assert len(Scheduler.current().processes) == 2
    await kill(ref)
    assert not Scheduler.current().processes


@simulated
async def test_a_child_that_traps_ends_after_its_init_if_its_starter_died_meanwhile() -> None:
    reasons: list[Any] = []

    async def begin(_: Puppet) -> None:
        await asyncio.sleep(2)

    async def begin_one(_: Puppet) -> None:
        await start_link(Puppet, begin, trap_exit=True, ends=reasons)

    ref, _ = await puppet()
    send(ref, begin_one)
    await asyncio.sleep(1)
    await kill(ref, "boom")
    await quiet()
    assert reasons == ["boom"]


@simulated
async def test_a_process_may_kill_its_starter_in_its_init() -> None:
    async def begin_one(self: Puppet) -> None:
        await start_link(Puppet, lambda _: send_exit(self.ref, KILL))
        await asyncio.sleep(0)
        raise AssertionError("dead by now")

    ref, _ = await puppet()
    send(ref, begin_one)
    await quiet()
    assert not Scheduler.current().processes


@simulated
async def test_start_link_is_for_processes() -> None:
    with pytest.raises(RuntimeError, match="callbacks of a process"):
        await start_link(Puppet)


# Names.


@simulated
async def test_a_taken_name_fails_the_start_before_init() -> None:
    holder = await start(Puppet, name="n")
    with pytest.raises(StartError) as caught:
        await start(Puppet, fail, name="n")
    assert caught.value.reason == AlreadyStarted(holder)


@simulated
async def test_a_name_is_free_when_its_holder_is_dead() -> None:
    holder = await start(Puppet, name="n")
    free: list[Ref | None] = []
    watch(holder, lambda ref, reason: free.append(whereis("n")))
    await kill(holder)
    assert free == [None]


@simulated
async def test_a_name_is_free_after_a_failed_start() -> None:
    with pytest.raises(StartError):
        await start(Puppet, fail_later, name="n")
    assert whereis("n") is None


@simulated
async def test_a_name_given_away_is_not_freed_by_its_first_holder() -> None:
    first, _ = await puppet()
    second, _ = await puppet()
    register("n", first)
    unregister("n")
    register("n", second)
    await kill(first)
    assert whereis("n") is second


@simulated
async def test_register_refuses_a_taken_name_the_dead_and_a_second_name() -> None:
    dead, _ = await puppet()
    await kill(dead)
    ref, _ = await puppet()
    other, _ = await puppet()
    register("n", ref)
    for name, target in (("n", other), ("m", dead), ("m", ref)):
        with pytest.raises(ValueError, match=name):
            register(name, target)
    with pytest.raises(ValueError, match="no process"):
        unregister("m")


# Ending.


@simulated
@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), asyncio.CancelledError(), GeneratorExit()])
async def test_any_exception_ends_one_process_alone(error: BaseException) -> None:
    async def crash(_: Puppet) -> None:
        await asyncio.sleep(0)
        raise error

    def crash_now(_: Puppet) -> None:
        raise error

    other, _ = await puppet()
    for deed in (crash, crash_now):
        ref, insides = await puppet()
        ended = down(ref)
        send(ref, deed)
        assert await ended == Crash(error)
        assert insides.ends == [Crash(error)]
    assert await call(other, lambda _: "well") == "well"


def test_an_interrupt_from_the_keyboard_reaches_the_program() -> None:
    ends: list[Any] = []

    async def main() -> None:
        ref, _ = await puppet(ends=ends)

        def interrupted(_: Puppet) -> None:
            raise KeyboardInterrupt

        send(ref, interrupted)
        await down(ref)
        await asyncio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert len(ends) == 1


@simulated
async def test_terminate_that_raises_replaces_the_reason() -> None:
    ref, _ = await puppet(end=fail)
    ended = down(ref)
    send(ref, lambda _: Stop(NORMAL))
    assert isinstance(await ended, Crash)


@simulated
async def test_a_process_may_be_killed_in_its_terminate() -> None:
    def be_killed(self: Puppet) -> None:
        send_exit(self.ref, KILL)

    def be_killed_and_fail(self: Puppet) -> None:
        send_exit(self.ref, KILL)
        raise ValueError("no")

    for end in (wait_for_ever, be_killed, be_killed_and_fail):
        ref, _ = await puppet(end=end)
        ended = down(ref)
        send(ref, lambda _: Stop(NORMAL))
        await asyncio.sleep(1)
        send_exit(ref, KILL)
        assert await ended == KILLED


@simulated
async def test_stop_waits_for_the_end_and_tells_another_reason() -> None:
    ref, insides = await puppet()
    await stop(ref, "done")
    assert insides.ends == ["done"]
    with pytest.raises(ProcessExit) as caught:
        await stop(ref)
    assert caught.value.reason == NOPROC
    ref, _ = await puppet(end=fail)
    with pytest.raises(ProcessExit) as caught:
        await stop(ref)
    assert isinstance(caught.value.reason, Crash)


@simulated
async def test_stop_that_takes_too_long_fails_and_leaves_no_watcher() -> None:
    async def linger(_: Puppet) -> None:
        await asyncio.sleep(10)

    ref, insides = await puppet(end=linger)
    for _ in range(3):
        with pytest.raises(ProcessExit, match="timeout"):
            await stop(ref, timeout=1)
    await quiet()
    assert insides.ends == [NORMAL]


@simulated
async def test_messages_after_a_stop_are_not_handled() -> None:
    ref, insides = await puppet()
    send(ref, lambda _: Stop(NORMAL))
    send(ref, "late")
    await down(ref)
    await quiet()
    assert insides.got == []


@simulated
async def test_sending_to_the_dead_is_silent() -> None:
    ref, _ = await puppet()
    await kill(ref)
    send(ref, "hello")
    cast(ref, "hello")
    ref.tell("hello")
    send("nobody", "hello")
    cast("nobody", "hello")
    send_exit(ref, KILL)
    send_exit("nobody", KILL)


@simulated
async def test_a_watcher_that_raises_harms_nobody() -> None:
    def fail_to_watch(ref: Ref, reason: Any) -> None:
        raise ValueError("no")

    told: list[Any] = []
    ref, _ = await puppet()
    peer, insides = await puppet(trap_exit=True)
    await call(peer, lambda self: self.link(ref))
    watch(ref, fail_to_watch)
    watch(ref, lambda ref, reason: told.append(reason))
    await call(peer, lambda _: send_exit(ref, "boom"))
    await quiet()
    assert told == ["boom"]
    assert insides.got == [Exit(ref, "boom")]


@simulated
async def test_a_watch_can_be_ended() -> None:
    told: list[Any] = []
    ref, _ = await puppet()
    unwatch = watch(ref, lambda ref, reason: told.append(reason))
    unwatch()
    await kill(ref)
    assert told == []
    unwatch()


@simulated
async def test_the_end_of_the_dead_is_noproc() -> None:
    ref, _ = await puppet()
    await kill(ref)
    assert await down(ref) == NOPROC


@simulated
async def test_the_dead_are_forgotten_while_their_references_are_kept() -> None:
    kept: list[Any] = []

    async def live_and_die() -> weakref.ref[Process]:
        ref, insides = await puppet()
        watcher, its_insides = await puppet()
        monitor = await call(watcher, lambda self: self.monitor(ref))
        asked = asyncio.ensure_future(call(ref, wait_for_ever, timeout=None))
        await asyncio.sleep(1)
        await kill(ref)
        with pytest.raises(ProcessExit):
            await asked
        await quiet()
        kept.extend([ref, monitor, its_insides.got])
        return weakref.ref(insides)

    dead = await live_and_die()
    await asyncio.sleep(1)
    gc.collect()
    assert dead() is None


@simulated
async def test_an_idle_process_keeps_no_message() -> None:
    class Message:
        pass

    ref = await start(GenServer)
    message = Message()
    kept = weakref.ref(message)
    send(ref, message)
    del message
    await quiet()
    assert kept() is None


@simulated
async def test_a_message_of_a_finalizer_arrives_wherever_the_collector_strikes() -> None:
    class Garbage:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            send(ref, "finalizer")

    ref, insides = await puppet()
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1)
    try:
        for _ in range(100):
            Garbage()
            send(ref, "message")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    await quiet()
    assert Counter(insides.got) == {"message": 100, "finalizer": 100}
