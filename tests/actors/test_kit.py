"""The kit that a test gets: supervised processes, expected crashes, faults, deadlocks, and what a failure shows."""

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from actors import CallExit, GenServer, Ref, Stop, call, cast, send, send_after, start
from actors.testing import Deadlock, Kit, Livelock, Stuck, settle
from supervision import INFINITY, Restart, Supervisor, child
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


@pytest.mark.parametrize("keyword", ["name", "label", "cls", "spec", "predecessor", "args", "kwargs"])
async def test_a_keyword_of_a_specification_may_have_any_name(kit: Kit, keyword: str) -> None:
    ref = await kit.start_supervised(child(Keywords, 1, kwargs={keyword: 2}))
    assert await call(ref, None) == ((1,), {keyword: 2})
    if keyword not in ("name", "label"):  # start's own: a class is started as by `start`
        assert await call(await kit.start_supervised(Keywords, **{keyword: 2}), None) == ((), {keyword: 2})


class Keywords(GenServer):
    """Takes any keywords, and tells which it got."""

    def init(self, *args: Any, **kwargs: Any) -> None:
        self.got = (args, kwargs)

    def handle_call(self, request: Any, from_: Any) -> Any:
        return self.got


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


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_a_jump_that_is_no_jump_is_refused(seconds: float) -> None:
    kit = Kit()
    with pytest.raises(ValueError, match="finite"):
        kit.jump(seconds)
    assert kit.faults == []
    kit.close()


def test_a_process_that_never_ends_when_it_is_stopped_is_named() -> None:
    async def stubborn(_: Any) -> None:
        await asyncio.Event().wait()

    options = {"end": stubborn, "trap_exit": True}
    spec = child(Puppet, id="stubborn", label="stubborn", kwargs=options, shutdown=INFINITY)

    async def leave_it_to_the_kit(kit: Kit) -> None:
        await kit.start_supervised(spec)

    async def stop_it(kit: Kit) -> None:
        await kit.start_supervised(spec)
        await kit.stop_supervised()

    async def leave_its_supervisor(kit: Kit) -> None:
        await kit.start_supervised(child(Supervisor, [spec], shutdown=INFINITY))

    for scenario in (leave_it_to_the_kit, stop_it, leave_its_supervisor):
        for seed in (None, 1, 2):
            kit = Kit(seed)
            with pytest.raises(Stuck, match=r"<1 test> waiting, .*<\d stubborn> waiting"):
                kit.run(scenario(kit))
            assert kit.loop.is_closed()


def test_cleanup_that_never_ends_is_named_too() -> None:
    async def tidy_up() -> None:
        try:
            await asyncio.sleep(math.inf)
        finally:
            while True:
                await asyncio.sleep(1)

    async def scenario(kit: Kit) -> None:
        asyncio.ensure_future(tidy_up())  # noqa: RUF006
        await settle()

    kit = Kit(1)
    with pytest.raises(Livelock, match="tidy_up"):
        kit.run(scenario(kit))


async def test_a_start_that_ends_a_program_harms_no_other_process(kit: Kit) -> None:
    async def leave() -> Ref:
        raise SystemExit(3)

    async def cancelled() -> Ref:
        raise asyncio.CancelledError

    async def forget() -> Any:
        pass

    ref = await kit.start_supervised(Puppet)
    for start_function, error in ((leave, SystemExit), (cancelled, asyncio.CancelledError), (forget, TypeError)):
        with pytest.raises(error):
            await kit.start_supervised(child(start_function, restart=Restart.TEMPORARY))
    assert ref.is_alive()


def test_random_crashes_spare_what_nothing_restarts() -> None:
    async def scenario(kit: Kit) -> None:
        puppets = [child(Puppet, id=name, name=name) for name in "abc"]
        tree = child(Supervisor, puppets, id="top", kwargs={"intensity": 100})
        kept: list[Ref] = [
            await kit.start_supervised(tree),
            await kit.start_supervised(Puppet),
            (await kit.probe()).ref,
        ]
        kit.crash_some(20, within=200)
        for _ in range(20):
            refs: list[Ref | str] = ["a", "b", "c", *kept[1:]]
            for ref in refs:
                send(ref, "hello")
            await settle(1.0)
        assert all(ref.is_alive() for ref in kept)

    victims = set()
    for seed in range(1, 6):
        kit = Kit(seed)
        kit.run(scenario(kit))
        victims |= {fault.split()[4] for fault in kit.faults}
    assert victims == {"a>", "b>", "c>"}


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_a_message_without_a_repr_harms_no_trace() -> None:
    async def scenario(kit: Kit) -> list[Any]:
        probe = await kit.probe()
        for message in (Unprintable(), [10**5000], "hello"):
            send(probe.ref, message)
        await settle()
        return list(probe.messages)

    kit = Kit(1, traces=True)
    assert len(kit.run(scenario(kit))) == 3
    trace = "\n".join(kit.trace())
    assert "<Unprintable>" in trace
    assert "[<int of 16610 bits>]" in trace


def test_the_kit_is_refused_outside_of_its_simulation() -> None:
    kit = Kit(1)
    for use in (lambda: kit.start_supervised(Puppet), kit.stop_supervised, kit.probe):
        with pytest.raises(RuntimeError, match="not in an asynchronous fixture"):
            asyncio.run(use())
    kit.close()


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
    """Monitors each process that greets it, again and again."""

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
            if kit.seed == 3:
                pytest.fail("no", pytrace=False)

        def test_plain():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*test_it?seed 3?*", "*seed 3*", "*again: pytest *::test_it' --canopy-seed 3*"])
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--canopy-seed", "3").assert_outcomes(passed=1, failed=1)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--canopy-seed", "4").assert_outcomes(passed=2)


GREEDY = """
import asyncio, functools, inspect
import pytest

class Item(pytest.Function):
    def runtest(self):
        self.obj = in_real_time(self.obj)
        super().runtest()

def in_real_time(test):
    return lambda **arguments: asyncio.run(test(**arguments))

@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector, name, obj):
    items = yield
    if "subclass" not in name:
        return items
    return [
        Item.from_parent(
            item.parent, name=item.name, callspec=getattr(item, "callspec", None), callobj=item.obj,
            fixtureinfo=item._fixtureinfo, keywords=item.keywords, originalname=item.originalname,
        )
        for item in items
    ]

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item):
    if "replaced" in item.name:
        item.obj = in_real_time(item.obj)
    return (yield)

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if "called" in pyfuncitem.name and inspect.iscoroutinefunction(pyfuncitem.obj):
        in_real_time(pyfuncitem.obj)(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames})
        return True
"""
"""A plugin that runs coroutines on a loop of its own, in the three ways of the plugins of asyncio, anyio and trio."""


@pytest.mark.parametrize("plugins", [("actors.testing.plugin", "greedy"), ("greedy", "actors.testing.plugin")])
def test_no_other_plugin_takes_a_test_over(
    plugins: tuple[str, str], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{pytester.path}")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        greedy=GREEDY,
        test_it="""
        import asyncio

        class TestAll:
            async def test_subclass(self, kit):
                assert asyncio.get_running_loop() is kit.loop
                await asyncio.sleep(3600)

            test_replaced = test_called = test_subclass

        async def test_of_another_called(): pass
        async def test_of_another_replaced(): pass
        async def test_of_another_subclass(): pass
        """,
    )
    options = [option for plugin in plugins for option in ("-p", plugin)]
    pytester.runpytest_subprocess("-p", "no:cacheprovider", *options).assert_outcomes(passed=3 * 4 + 3)


def test_the_plugin_leaves_names_to_others(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest(
        """
        pytest_plugins = ["actors.testing.plugin"]

        def pytest_addoption(parser):
            parser.addoption("--seed", type=int, default=5)
        """
    )
    pytester.makepyfile(
        test_own="""
        import pytest

        @pytest.fixture
        def kit():
            return "a tent"

        def test_fixture(kit, request):
            assert kit == "a tent" and request.config.getoption("seed") == 5
        """,
        test_parameters="""
        import pytest

        @pytest.mark.parametrize("kit, price", [("tent", 1), ("boat", 2)])
        def test_parameter(kit, price):
            assert kit in ("tent", "boat")
        """,
        test_wrapped="""
        import pytest

        @pytest.fixture
        def kit(kit):
            kit.fault("a fault from the start")
            return kit

        async def test_fixture_around_ours(kit):
            assert len(kit.faults) == 1
        """,
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1 + 2 + 4)


def test_a_coroutine_that_hypothesis_would_run_is_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest('pytest_plugins = ["actors.testing.plugin"]')
    pytester.makepyfile(
        """
        from hypothesis import given, strategies

        @given(number=strategies.integers())
        async def test_it(kit, number):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*`@given` cannot run a coroutine in the simulation of `kit`*"])
