"""Exit signals go along links, monitors tell of ends, and neither outlives its process."""

import asyncio
from functools import partial
from typing import Any

import pytest

from actors import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    CallExit,
    Crash,
    Down,
    Exit,
    ExitReason,
    ProcessExit,
    Ref,
    call,
    down,
    send,
    send_exit,
    watch,
)
from actors.debug import resume, suspend
from actors.testing import kill, quiet, settle
from tests.support.puppet import Puppet, nothing, puppet
from tests.support.scenarios import simulated


@simulated
async def test_an_exit_signal_ends_a_process_without_terminate() -> None:
    ref, insides = await puppet()
    assert await kill(ref, "boom") == "boom"
    assert insides.ends == []


@simulated
async def test_a_normal_signal_from_another_does_nothing() -> None:
    ref, insides = await puppet()
    send_exit(ref, NORMAL)
    await quiet()
    assert ref.is_alive()
    assert insides.got == []


@simulated
async def test_a_normal_signal_to_oneself_ends_the_process() -> None:
    ref, _ = await puppet()
    ended = down(ref)
    send(ref, lambda self: send_exit(self.ref, NORMAL))
    assert await ended == NORMAL


@simulated
async def test_a_trapped_signal_is_a_message_from_its_sender() -> None:
    sender, _ = await puppet()
    ref, insides = await puppet(trap_exit=True)
    await call(sender, lambda self: send_exit(ref, "boom"))
    await quiet()
    assert insides.got == [Exit(sender, "boom")]


@simulated
async def test_kill_cannot_be_trapped_and_becomes_killed() -> None:
    ref, insides = await puppet(trap_exit=True)
    assert await kill(ref) == KILLED
    assert insides.ends == []


@simulated
async def test_kill_as_ones_own_reason_can_be_trapped_by_peers() -> None:
    peer, insides = await puppet(trap_exit=True)
    ref, _ = await puppet()
    await call(ref, lambda self: self.link(peer))

    def end(_: Puppet) -> None:
        raise ProcessExit(KILL)

    send(ref, end)
    await quiet()
    assert insides.got == [Exit(ref, KILL)]


@simulated
async def test_of_several_signals_to_oneself_the_first_decides() -> None:
    ref, _ = await puppet()
    ended = down(ref)

    def end(self: Puppet) -> None:
        send_exit(self.ref, "first")
        send_exit(self.ref, "second")

    send(ref, end)
    assert await ended == "first"


@simulated
async def test_a_reason_travels_along_a_chain_of_any_length() -> None:
    first, _ = await puppet()
    last = first
    for _ in range(2_000):
        ref, _ = await puppet()
        await call(ref, lambda self, last=last: self.link(last))
        last = ref
    ended = down(last)
    send_exit(first, "boom")
    assert await ended == "boom"


@simulated
async def test_linked_peers_hear_of_an_end_in_the_order_they_were_linked() -> None:
    told: list[int] = []
    ref, _ = await puppet()

    def tell(number: int, _: object) -> None:
        told.append(number)

    for number in range(20):
        peer, _ = await puppet()
        down(peer).add_done_callback(partial(tell, number))
        await call(peer, lambda self: self.link(ref))
    await kill(ref, "boom")
    await quiet()
    assert told == list(range(20))


@simulated
async def test_a_link_to_the_dead_is_a_message_to_a_trapping_process() -> None:
    dead, _ = await puppet()
    await kill(dead)
    ref, insides = await puppet(trap_exit=True)
    await call(ref, lambda self: self.link(dead))
    await quiet()
    assert insides.got == [Exit(dead, NOPROC)]


@simulated
async def test_a_link_to_the_dead_raises_in_others() -> None:
    dead, _ = await puppet()
    await kill(dead)
    ref, _ = await puppet()
    ended = down(ref)
    send(ref, lambda self: self.link(dead))
    assert await ended == NOPROC


@simulated
async def test_one_unlink_undoes_many_links() -> None:
    other, _ = await puppet()
    ref, _ = await puppet()

    def link_and_unlink(self: Puppet) -> None:
        self.link(other)
        self.link(other)
        self.unlink(other)

    await call(ref, link_and_unlink)
    await kill(other, "boom")
    assert ref.is_alive()


@simulated
async def test_a_link_to_oneself_means_nothing() -> None:
    ref, insides = await puppet(trap_exit=True)
    await call(ref, lambda self: self.link(self.ref))
    await kill(ref)
    assert insides.got == []


@simulated
async def test_every_monitor_gives_one_down() -> None:
    watched, _ = await puppet()
    ref, insides = await puppet()
    monitors = [await call(ref, lambda self: self.monitor(watched)) for _ in range(2)]
    await kill(watched, "boom")
    await quiet()
    assert insides.got == [Down(monitor, watched, "boom") for monitor in monitors]


@simulated
async def test_a_monitor_of_the_dead_gives_noproc_at_once() -> None:
    dead, _ = await puppet()
    await kill(dead)
    ref, insides = await puppet()
    by_ref = await call(ref, lambda self: self.monitor(dead))
    by_name = await call(ref, lambda self: self.monitor("nobody"))
    await quiet()
    assert insides.got == [Down(by_ref, dead, NOPROC), Down(by_name, "nobody", NOPROC)]


@simulated
async def test_no_down_comes_after_demonitor() -> None:
    watched, _ = await puppet()
    ref, insides = await puppet()
    await call(ref, lambda self: self.demonitor(self.monitor(watched)))
    await kill(watched)
    await quiet()
    assert insides.got == []


@simulated
@pytest.mark.parametrize("flush", [True, False])
async def test_flush_removes_only_a_down_of_that_monitor(flush: bool) -> None:
    dead, _ = await puppet()
    await kill(dead)
    ref, insides = await puppet()
    others: list[Any] = []

    def late(self: Puppet) -> None:
        monitor = self.monitor(dead)
        others.append(self.monitor(dead))
        self.demonitor(monitor, flush=flush)

    await call(ref, late)
    await quiet()
    assert len(insides.got) == (1 if flush else 2)
    assert insides.got[-1] == Down(others[0], dead, NOPROC)


@simulated
async def test_the_end_of_a_watcher_means_nothing_to_the_watched() -> None:
    watched, _ = await puppet()
    ref, _ = await puppet()
    await call(ref, lambda self: self.monitor(watched))
    await kill(ref, "boom")
    assert watched.is_alive()


@simulated
async def test_a_thousand_watchers_that_die_leave_nothing_with_the_watched() -> None:
    watched, _ = await puppet(trap_exit=True)

    def ties(self: Puppet) -> None:
        self.link(watched)
        self.monitor(watched)
        self.demonitor(self.monitor(watched))
        self.monitor(watched)

    watchers = [(await puppet(ties))[0] for _ in range(1_000)]
    cell = watched._cell
    assert cell is not None
    assert (len(cell.links or ()), len(cell.monitored_by or ())) == (1_000, 2_000)
    for watcher in watchers:
        send_exit(watcher, KILL)
    await quiet()
    assert not any((cell.links, cell.monitored_by, cell.monitors, cell.watchers, cell.callers))


@simulated
async def test_the_watched_that_die_leave_nothing_with_their_watcher() -> None:
    ref, insides = await puppet(trap_exit=True)
    targets = [(await puppet())[0] for _ in range(100)]

    def tie(self: Puppet) -> None:
        for target in targets:
            self.link(target)
            self.monitor(target)

    await call(ref, tie)
    for target in targets:
        send_exit(target, KILL)
    await quiet()
    cell = ref._cell
    assert cell is not None
    assert not any((cell.links, cell.monitors))
    assert len(insides.got) == 200


@simulated
async def test_callers_that_give_up_leave_nothing_with_whom_they_called() -> None:
    called, _ = await puppet()
    suspend(called)
    cell = called._cell
    assert cell is not None
    waiting = [asyncio.ensure_future(call(called, nothing, timeout=None)) for _ in range(50)]
    timed = [asyncio.ensure_future(call(called, nothing, timeout=1.0)) for _ in range(50)]
    await quiet()
    assert len(cell.callers or ()) == 100
    for each in waiting:
        each.cancel()
    await settle(1.0)
    assert not cell.callers
    resume(called)
    for ended in await asyncio.gather(*waiting, *timed, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError | CallExit)


@simulated
async def test_a_crash_reaches_links_monitors_and_those_who_wait_with_one_reason() -> None:
    error = ValueError("no")
    watched, _ = await puppet()
    ref, insides = await puppet(trap_exit=True)
    monitor = await call(ref, lambda self: self.monitor(watched))
    await call(ref, lambda self: self.link(watched))
    ended = down(watched)

    def crash(_: Puppet) -> None:
        raise error

    send(watched, crash)
    assert await ended == Crash(error)
    await quiet()
    assert sorted(insides.got, key=repr) == [Down(monitor, watched, Crash(error)), Exit(watched, Crash(error))]


@simulated
async def test_a_supervisors_shutdown_of_a_link_ends_those_that_do_not_trap() -> None:
    one, _ = await puppet()
    other, _ = await puppet()
    await call(one, lambda self: self.link(other))
    ended = down(other)
    await kill(one, SHUTDOWN)
    assert await ended == SHUTDOWN


@simulated
async def test_watcher_that_ends_its_watch_when_it_is_told_hides_nothing_from_the_others() -> None:
    watched, _ = await puppet()
    told: list[str] = []

    def first(_ref: Ref, _reason: ExitReason) -> None:
        told.append("first")
        unwatch()

    unwatch = watch(watched, first)
    watch(watched, lambda _ref, _reason: told.append("second"))
    await kill(watched, "boom")
    assert told == ["first", "second"]
