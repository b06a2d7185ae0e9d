"""Looking at processes and interfering with them, without their help."""

import asyncio
from typing import Any

import pytest

from actors import (
    CallExit,
    Exit,
    GenServer,
    Idle,
    Process,
    Scheduler,
    Stop,
    call,
    debug,
    down,
    send,
    send_exit,
    start,
    stop,
)
from actors.testing import kill, quiet
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import simulated


@simulated
async def test_a_process_shows_what_it_is_and_does() -> None:
    other, _ = await puppet(trap_exit=True)
    ref = await start(Puppet, name="n", label="the label")

    def connect(self: Puppet) -> None:
        self.link(other)
        self.monitor(other)

    await call(ref, connect)
    send(ref, lambda _: asyncio.sleep(10))
    send(ref, "next")
    await asyncio.sleep(1)
    info = debug.info(ref)
    assert info is not None
    assert (info.ref, info.label, info.name, info.kind, info.state) == (ref, "the label", "n", "Puppet", "waiting")
    assert (info.mailbox, info.handled, info.links, info.monitors) == (1, 2, (other,), (other,))
    watched = debug.info(other)
    assert watched is not None
    assert (watched.monitored_by, watched.trap_exit, watched.state) == ((ref,), True, "idle")
    assert [each.ref for each in debug.processes()] == [other, ref]
    assert debug.find(ref.id) is ref


@simulated
async def test_a_view_shows_a_process_at_every_moment_and_how_it_ended() -> None:
    ref, _ = await puppet(label="the label")
    view = debug.view(ref)
    assert view is not None
    assert debug.process_table() == {ref.id: view}
    assert (view.ref, view.parent, view.is_starting(), view.status.value) == (ref, None, False, "idle")
    debug.suspend(ref)
    send(ref, "first")
    send(ref, "second")
    assert (len(view.mailbox), view.status.value) == (2, "suspended")
    assert debug.mailboxes() == (2, view)
    debug.resume(ref)
    await quiet()
    assert (len(view.mailbox), view.mailbox.peak, view.handled) == (0, 2, 2)
    assert debug.mailboxes() == (0, None)
    await kill(ref)
    assert (view.ref, view.parent, len(view.mailbox), view.handled, view.status.value) == (ref, None, 0, 2, "dead")
    assert (debug.view(ref), debug.process_table()) == (None, {})


@simulated
async def test_an_actor_is_found_by_its_kind() -> None:
    ref, insides = await puppet()
    assert debug.actor_of(ref, Puppet) is insides
    assert debug.actor_of(ref, Process) is insides
    assert debug.actor_of(ref, Other) is None
    await kill(ref)
    assert debug.actor_of(ref, Puppet) is None


class Other(GenServer):
    """No puppet."""


@simulated
async def test_what_a_process_holds_is_measured() -> None:
    ref, insides = await puppet()
    before = debug.memory(ref)
    insides.ballast = b"x" * 10_000  # type: ignore[attr-defined]
    assert debug.memory(ref) >= before + 10_000
    await kill(ref)
    assert debug.memory(ref) == 0


@simulated
async def test_run_times_are_those_since_they_are_measured() -> None:
    ref, _ = await puppet()
    send(ref, "before")
    await quiet()
    assert debug.run_times() == {}
    Scheduler.current().profile(iter(range(100)).__next__)
    send(ref, "now")
    await quiet()
    assert debug.run_times() == {debug.view(ref): 1}
    await kill(ref)
    assert debug.run_times() == {}


@simulated
async def test_an_inspection_shows_attributes_and_a_message() -> None:
    ref, _ = await puppet()
    seen = debug.inspect(ref, "a message")
    assert seen is not None
    assert seen.message is not None
    assert (seen.state["got"].text, seen.message.structure) == ("list(0)", "str(9)")
    await kill(ref)
    assert debug.inspect(ref) is None


@simulated
async def test_there_is_nothing_to_see_of_the_dead() -> None:
    ref, _ = await puppet()
    await kill(ref)
    assert debug.info(ref) is None
    assert debug.find(ref.id) is None
    assert debug.processes() == []
    for function in (debug.get_state, debug.suspend, debug.resume):
        with pytest.raises(CallExit, match="noproc"):
            function(ref)


@simulated
async def test_state_is_shown_and_replaced() -> None:
    ref, _ = await puppet(lambda self: setattr(self, "number", 1))
    assert debug.get_state(ref)["number"] == 1
    debug.replace_state(ref, lambda state: {**state, "number": 2})
    assert await call(ref, lambda self: self.number) == 2


@simulated
async def test_a_suspended_process_handles_nothing_until_it_is_resumed() -> None:
    ref, insides = await puppet()
    debug.suspend(ref)
    send(ref, 1)
    send(ref, 2)
    await asyncio.sleep(1)
    assert insides.got == []
    debug.resume(ref)
    send(ref, 3)
    await quiet()
    assert insides.got == [1, 2, 3]


@simulated
async def test_a_process_suspended_in_a_callback_stays_in_it() -> None:
    ref, insides = await puppet()

    async def wait(self: Puppet) -> None:
        await asyncio.sleep(1)
        self.got.append("woken")

    send(ref, wait)
    await asyncio.sleep(0.5)
    debug.suspend(ref)
    await asyncio.sleep(5)
    assert insides.got == []
    debug.resume(ref)
    await quiet()
    assert insides.got == ["woken"]


@simulated
async def test_a_suspended_process_can_be_stopped_and_killed() -> None:
    ref, insides = await puppet()
    debug.suspend(ref)
    await stop(ref, "done")
    assert insides.ends == ["done"]
    ref, _ = await puppet()
    debug.suspend(ref)
    send_exit(ref, "boom")
    assert not ref.is_alive()


@simulated
async def test_a_process_that_is_suspended_while_it_terminates_ends() -> None:
    ref, _ = await puppet(end=lambda _: asyncio.sleep(1))
    ended = down(ref)
    send(ref, lambda _: Stop("over"))
    await asyncio.sleep(0.5)
    debug.suspend(ref)
    async with asyncio.timeout(1):
        assert await ended == "over"


@simulated
async def test_a_process_that_is_resumed_twice_waits_once_for_a_message() -> None:
    ref, insides = await puppet(lambda _: Idle(10))
    await asyncio.sleep(5)
    debug.resume(ref)
    debug.resume(ref)
    send(ref, "message")
    await asyncio.sleep(20)
    assert insides.got == ["message"]


@simulated
async def test_an_order_to_stop_overtakes_what_a_suspended_process_has_not_handled() -> None:
    ref, insides = await puppet()
    send(ref, "waiting")
    debug.suspend(ref)
    await stop(ref, "done")
    assert insides.got == []
    assert insides.ends == ["done"]


@simulated
async def test_a_tracer_sees_every_message_before_it_is_handled() -> None:
    ref, insides = await puppet(trap_exit=True)
    seen: list[Any] = []
    debug.trace(ref, lambda message: seen.append((message, list(insides.got))))
    send(ref, 1)
    send_exit(ref, "boom")
    await quiet()
    debug.trace(ref, None)
    send(ref, 2)
    await quiet()
    assert seen == [(1, []), (Exit(None, "boom"), [1])]


@simulated
async def test_a_tracer_that_fails_does_not_harm_the_process() -> None:
    ref, insides = await puppet()

    def fail(message: Any) -> None:
        raise ValueError("no")

    debug.trace(ref, fail)
    send(ref, 1)
    await quiet()
    assert insides.got == [1]
    assert ref.is_alive()


@simulated
async def test_a_forced_exit_cannot_be_trapped_and_has_its_own_reason() -> None:
    ref, insides = await puppet(trap_exit=True)
    ended = down(ref)
    debug.force_exit(ref, "struck")
    assert await ended == "struck"
    assert insides.ends == []
    debug.force_exit(ref, "again")


@simulated
async def test_a_forced_exit_is_among_the_crashes_if_it_shall_be() -> None:
    silent, _ = await puppet()
    debug.force_exit(silent, "struck")
    assert list(Scheduler.current().crashes) == []
    ref, _ = await puppet()
    ended = down(ref)
    debug.force_exit(ref, "struck", is_reported=True)
    debug.force_exit(ref, "again", is_reported=True)
    assert await ended == "struck"
    assert [(report.ref, report.reason) for report in Scheduler.current().crashes] == [(ref, "struck")]
