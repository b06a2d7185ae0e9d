"""Everybody gets a turn, other threads get in, and overload is reported."""

import asyncio
import itertools
import threading
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import GenServer, Scheduler, cast, send, start
from actors.kernel.mailbox import HIGH_WATER
from actors.kernel.scheduler import MESSAGES_PER_TURN
from actors.testing import VirtualLoop, kill, quiet, run
from tests.support.puppet import puppet
from tests.support.scenarios import live, simulated


@simulated
async def test_a_busy_process_lets_others_in_after_its_turn() -> None:
    order: list[str] = []
    busy, _ = await puppet()
    other, _ = await puppet()
    for _ in range(3 * MESSAGES_PER_TURN):
        cast(busy, lambda _: order.append("busy"))
    cast(other, lambda _: order.append("other"))
    await quiet()
    assert order.index("other") <= 2 * MESSAGES_PER_TURN + MESSAGES_PER_TURN
    assert len(order) == 3 * MESSAGES_PER_TURN + 1


def test_a_busy_process_uses_its_budget_before_others_when_it_comes_first() -> None:
    async def scenario() -> None:
        order: list[str] = []
        busy, _ = await puppet()
        other, _ = await puppet()
        for _ in range(2 * MESSAGES_PER_TURN):
            cast(busy, lambda _: order.append("busy"))
        cast(other, lambda _: order.append("other"))
        await quiet()
        assert order.index("other") == MESSAGES_PER_TURN

    run(scenario())


@simulated
async def test_processes_that_keep_each_other_busy_leave_time_to_the_loop() -> None:
    class Echo(GenServer):
        def handle_info(self, message: Any) -> None:
            send(message, self.ref)

    one = await start(Echo)
    send(one, await start(Echo))
    ticks = 0
    for _ in range(100):
        await asyncio.sleep(0)
        ticks += 1
    assert ticks == 100


@simulated
async def test_messages_of_one_sender_arrive_in_order() -> None:
    ref, insides = await puppet()
    for number in range(1_000):
        send(ref, number)
    await quiet()
    assert insides.got == list(range(1_000))


@live
async def test_messages_of_another_thread_arrive_in_order() -> None:
    ref, insides = await puppet()

    def tell(base: int) -> None:
        for number in range(1_000):
            ref.tell(base + number)

    threads = [threading.Thread(target=tell, args=(base,)) for base in (0, 10_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await asyncio.to_thread(ref.ask, lambda _: None)
    assert [number for number in insides.got if number < 10_000] == list(range(1_000))
    assert [number for number in insides.got if number >= 10_000] == list(range(10_000, 11_000))


@live
async def test_what_one_thread_posts_badly_does_not_lose_what_others_post() -> None:
    ref, insides = await puppet()
    scheduler = Scheduler.current()
    failures: list[Any] = []
    scheduler.loop.set_exception_handler(lambda loop, context: failures.append(context["exception"]))

    def post() -> None:
        scheduler.post(int, "no number")
        ref.tell("hello")
        ref.ask(lambda _: None)

    await asyncio.to_thread(post)
    assert insides.got == ["hello"]
    assert isinstance(failures[0], ValueError)


@live
async def test_invoke_returns_and_raises_what_the_function_does() -> None:
    scheduler = Scheduler.current()
    here = threading.get_ident()
    assert await asyncio.to_thread(scheduler.invoke, threading.get_ident) == here
    assert scheduler.invoke(int, "1") == 1
    with pytest.raises(ValueError, match="invalid"):
        await asyncio.to_thread(scheduler.invoke, int, "no number")


def test_a_closed_loop_drops_messages_and_refuses_to_be_waited_for() -> None:
    async def main() -> Any:
        return (await puppet())[0], Scheduler.current()

    loop = asyncio.new_event_loop()  # closed without a shutdown, which would kill the process
    ref, scheduler = loop.run_until_complete(main())
    loop.close()
    outcomes: list[Any] = []

    def talk() -> None:
        ref.tell("hello")
        ref.tell("hello")
        for wait in (partial(scheduler.invoke, int), partial(ref.ask, "hello"), ref.stop):
            try:
                wait()
            except RuntimeError as error:
                outcomes.append(str(error))

    thread = threading.Thread(target=talk)
    thread.start()
    thread.join(timeout=10)
    assert outcomes == ["the event loop is closed"] * 3
    assert not scheduler._posts


def test_closed_loops_are_forgotten() -> None:
    for _ in range(3):
        run(asyncio.sleep(0))
    Scheduler(VirtualLoop())
    assert sum(loop.is_closed() for loop in Scheduler._of_loop) == 0


def test_without_a_loop_there_is_no_scheduler() -> None:
    with pytest.raises(RuntimeError, match="on an event loop"):
        Scheduler.current()


@simulated
async def test_a_mailbox_over_the_mark_is_reported_with_its_owner() -> None:
    ref, _ = await puppet()
    with capture_logs() as logs:
        for _ in range(HIGH_WATER + 1):
            send(ref, "hello")
        await quiet()
    assert [(log["event"], log["actor"], log["waiting"]) for log in logs] == [
        ("actor.mailbox_high", repr(ref), HIGH_WATER + 1)
    ]


@simulated
async def test_numbers_are_never_used_again() -> None:
    seen = set()
    for _ in range(10):
        ref, _ = await puppet()
        assert ref.id not in seen
        seen.add(ref.id)
        await ref.stop(block=False)


async def _worked(count: int) -> None:
    """Let a process take so many messages, and end."""
    ref, _ = await puppet()
    for _ in range(count):
        cast(ref, lambda _: None)
    await quiet()
    await kill(ref)


@simulated
async def test_messages_of_the_dead_are_still_counted() -> None:
    scheduler = Scheduler.current()
    before = scheduler.handled()
    await _worked(30)
    assert scheduler.handled() == before + 30


@simulated
async def test_turns_are_timed_while_somebody_wants_to_know() -> None:
    scheduler, seconds = Scheduler.current(), itertools.count()
    ref, _ = await puppet()
    cast(ref, lambda _: None)
    await quiet()
    assert scheduler.used == {}
    scheduler.profile(lambda: float(next(seconds)))
    cast(ref, lambda _: None)
    await quiet()
    assert list(scheduler.used.values()) == [1.0]
    await kill(ref)
    assert scheduler.used == {}
    scheduler.profile(None)


@simulated
@pytest.mark.parametrize("is_timed", [True, False])
async def test_whoever_begins_or_ends_the_timing_those_behind_it_have_their_turns(is_timed: bool) -> None:
    scheduler, seconds, done = Scheduler.current(), itertools.count(), list[int]()
    puppets = [(await puppet())[0] for _ in range(5)]
    await quiet()

    def clock() -> float:
        return float(next(seconds))

    for begins in (is_timed, not is_timed):
        for number, ref in enumerate(puppets):
            change = (lambda _, to=clock if begins else None: scheduler.profile(to)) if number == 2 else done.append
            cast(ref, lambda _, change=change, number=number: change(number))
        await quiet()
        assert sorted(done) == [0, 1, 3, 4]
        done.clear()
        assert begins or scheduler.used == {}
    scheduler.profile(None)
