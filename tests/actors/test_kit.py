"""The kit that a test gets: supervised processes, expected crashes, faults, deadlocks, and what a failure shows."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actors import CallExit, GenServer, Ref, Stop, call, cast, send, send_after, start
from actors.testing import Deadlock, Kit, Livelock, settle
from supervision import Restart, Supervisor, child
from tests.support.puppet import Puppet

pytest_plugins = ["pytester"]


async def test_time_is_virtual(kit: Kit) -> None:
    begin = kit.loop.time()
    await asyncio.sleep(3600)
    assert kit.loop.time() == begin + 3600


async def test_a_probe_takes_the_message_that_fits(kit: Kit) -> None:
    probe = await kit.probe()
    for message in (1, "two", 3.0):
        send(probe.ref, message)
    send_after(2, probe.ref, [4])
    assert await probe.assert_receive(float) == 3.0
    assert await probe.assert_receive(lambda message: message == "two") == "two"
    assert await probe.assert_receive([4], within=3) == [4]
    await probe.refute_receive(str)
    with pytest.raises(AssertionError, match=r"only \[1\]"):
        await probe.assert_receive("five", within=1)
    with pytest.raises(AssertionError, match="unexpected: 1"):
        await probe.refute_receive(int)


async def test_a_probe_awaits_the_end_of_a_process(kit: Kit) -> None:
    probe = await kit.probe()
    ref = await start(Puppet)
    cast(ref, lambda _: Stop("enough"))
    assert await probe.assert_down(ref, "enough") == "enough"
    kit.expect_crash("Puppet")


def test_supervised_processes_end_in_reverse_order() -> None:
    ends: list[str] = []

    async def scenario(kit: Kit) -> None:
        for name in ("first", "second", "third"):
            await kit.start_supervised(Puppet, end=lambda _, name=name: ends.append(name), trap_exit=True)

    kit = Kit(1)
    kit.run(scenario(kit))
    assert ends == ["third", "second", "first"]
    assert kit.leaks() == []


async def test_a_specification_can_be_started(kit: Kit) -> None:
    spec = child(Supervisor, [child(Puppet, name="inner")], id="top")
    assert (await kit.start_supervised(spec)).label == "top"
    assert await call("inner", lambda _: 5) == 5
    with pytest.raises(ValueError, match="no"):
        await kit.start_supervised(child(fails, restart=Restart.TEMPORARY))


async def fails() -> Ref:
    raise ValueError("no")


def test_a_crash_that_is_not_expected_fails_the_test_with_its_report() -> None:
    async def scenario(kit: Kit) -> None:
        ref = await kit.start_supervised(Puppet, label="clumsy")
        cast(ref, lambda _: 1 / 0)
        await settle()

    kit = Kit()
    with pytest.raises(AssertionError, match=r"test > clumsy: Puppet <2 clumsy> ended with ZeroDivis") as caught:
        kit.run(scenario(kit))
    assert "ends = []" in str(caught.value)
    assert any("actor.crashed" in line for line in kit.log)


async def test_a_crash_that_is_expected_does_not(kit: Kit) -> None:
    ref = await kit.start_supervised(Puppet, label="clumsy")
    kit.expect_crash("clumsy")
    cast(ref, lambda _: 1 / 0)
    await settle()
    assert not ref.is_alive()


def test_a_process_can_be_crashed_at_its_nth_message() -> None:
    async def scenario(kit: Kit) -> Any:
        kit.crash("victim", at=3)
        ref = await kit.start_supervised(Puppet, label="victim")
        probe = await kit.probe()
        for number in range(5):
            cast(ref, lambda _, number=number: send(probe.ref, number))
        await probe.assert_down(ref, "crash")
        return list(probe.messages)

    kit = Kit(1)
    assert kit.run(scenario(kit)) == [0, 1]
    assert kit.faults == ["0.0000 s: crash <2 victim> with 'crash' at its message 3"]


def test_the_clock_can_jump() -> None:
    async def scenario(kit: Kit) -> None:
        probe = await kit.probe()
        send_after(10, probe.ref, "late")
        kit.jump(10)
        await probe.assert_receive("late", within=0.1)

    kit = Kit(1)
    kit.run(scenario(kit))
    assert kit.faults == ["10.0000 s: the clock jumps by 10 s"]


class Friend(GenServer):
    def init(self, other: str) -> None:
        self.other = other

    async def handle_call(self, request: Any, from_: Any) -> Any:
        return await call(self.other, request)


async def call_in_a_circle(kit: Kit) -> None:
    for name, other in (("ann", "bob"), ("bob", "cid"), ("cid", "ann")):
        await kit.start_supervised(Friend, other, name=name)
    await call("ann", "hello")


def test_a_deadlock_is_named() -> None:
    kit = Kit(1)
    with pytest.raises(Deadlock) as caught:
        kit.run(call_in_a_circle(kit))
    assert "<2 ann> waits for <3 bob> to answer 'hello'" in str(caught.value)
    assert "<4 cid> waits for <2 ann> to answer 'hello'" in str(caught.value)


async def test_calls_that_are_answered_are_no_deadlock(kit: Kit) -> None:
    await kit.start_supervised(Friend, "end", name="ann")
    await kit.start_supervised(Puppet, name="end")
    assert await call("ann", lambda _: 3) == 3
    with pytest.raises(CallExit):
        await call("nobody", 1)


def test_what_never_ends_is_a_livelock() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    kit = Kit(1)
    kit.loop.passes_left = 1000
    with pytest.raises(Livelock):
        kit.run(spin())


class Forgetful(GenServer):
    """Monitors whoever greets it, again and again."""

    def handle_cast(self, request: Ref) -> None:
        self.monitor(request)


def test_what_is_left_is_listed() -> None:
    async def scenario(kit: Kit) -> list[str]:
        friend = await start(Puppet, label="friend")
        forgetful = await start(Forgetful, name="forgetful")
        send_after(60, friend, "wake up")
        cast(forgetful, friend)
        cast(forgetful, friend)
        await settle()
        return kit.leaks()

    kit = Kit(1)
    left = "\n".join(kit.run(scenario(kit)))
    for leak in ("process <1 friend>", "name forgetful", "timer <TimerHandle"):
        assert leak in left
    assert "2 monitors of <1 friend> by <2 forgetful>" in left


def test_the_plugin_runs_coroutines_prints_the_seed_and_replays_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest('pytest_plugins = ["actors.testing.plugin"]')
    pytester.makepyfile(
        """
        import pytest
        from actors.testing import Kit

        @pytest.mark.seeds(6)
        async def test_it(kit):
            assert kit.seed != 3

        def test_plain():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*test_it?seed 3?*", "*seed 3*", "*again: pytest *::test_it' --seed 3*"])
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--seed", "3").assert_outcomes(passed=1, failed=1)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--seed", "4").assert_outcomes(passed=2)


