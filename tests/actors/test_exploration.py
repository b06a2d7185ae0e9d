"""Exploration: finds what needs an unlucky order or fault, shows it small, and says how to see it again."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import pytest

from actors import Call, GenServer, call, cast, start
from actors.testing import Chance, Fault, Found, Kit, exploration, explore, quiet, settle
from actors.testing.exploration import run_once, shrink


class Account(GenServer):
    """Holds a balance."""

    def init(self) -> None:
        self.balance = 0

    def handle_call(self, request: int | None, from_: Call) -> int:
        if request is not None:
            self.balance = request
        return self.balance


class Clerk(GenServer):
    """Reads the balance and writes another one: somebody else may have written in between."""

    async def handle_cast(self, request: int) -> None:
        balance = await call("account", None)
        await call("account", balance + request)


async def pay_in(kit: Kit) -> None:
    """Two clerks pay in."""
    await kit.start_supervised(Account, name="account")
    clerks = [await kit.start_supervised(Clerk) for _ in range(2)]
    for clerk in clerks:
        cast(clerk, 1)
        if kit.chance.stream("politeness").choose(4) == 0:
            await quiet()  # only an impolite seed sends the second one while the first is at work
    await quiet()
    assert await call("account", None) == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_race_is_found_and_made_small(jobs: int) -> None:
    with pytest.raises(Found) as caught:
        explore(pay_in, seeds=100, jobs=jobs)
    found = caught.value
    assert isinstance(found.failure, AssertionError)
    assert [name for name, _ in found.plan] == ["politeness"]
    text = str(found)
    assert f"test_a_race_is_found_and_made_small[{jobs}]' --canopy-seed {found.seed}" in text
    assert "1 of" in text
    assert any("<3 Clerk>  Cast(1)" in line for line in found.trace)


def test_a_test_without_a_race_passes_under_every_seed() -> None:
    async def peaceful(kit: Kit) -> None:
        await asyncio.sleep(1)

    assert explore(peaceful, seeds=20, jobs=2) == 20


def test_a_seed_decides_and_a_plan_overrules_it() -> None:
    first, again, other = (Chance(seed).stream("dice") for seed in (1, 1, 2))
    throws = [first.choose(6) for _ in range(20)]
    assert throws == [again.choose(6) for _ in range(20)]
    assert throws != [other.choose(6) for _ in range(20)]
    planned = Chance(1, {("dice", 3): 5}).stream("dice")
    assert [planned.choose(6) for _ in range(5)] == [0, 0, 0, 5, 0]
    assert planned.taken == {3: 5}


def test_without_a_seed_nothing_unusual_happens() -> None:
    stream = Chance(None).stream("dice")
    assert [stream.choose(6) for _ in range(5)] == [0] * 5
    assert not stream.happens(1.0)
    assert stream.between(2.0, 3.0) == 2.0


async def three_of_many(kit: Kit) -> None:
    """Fails when three certain faults of fifty happen."""
    happened = [kit.happens(f"fault {number}", 0.5) for number in range(50)]
    assert not (happened[3] and happened[20] and happened[41])


def test_only_the_faults_that_are_needed_are_left() -> None:
    with pytest.raises(Found) as caught:
        explore(three_of_many, seeds=100, jobs=1)
    assert sorted(name for name, _ in caught.value.plan) == ["fault 20", "fault 3", "fault 41"]
    for number in (3, 20, 41):
        assert f"s: fault {number}\n" in str(caught.value)


def test_shrinking_keeps_the_kind_of_failure() -> None:
    async def two_bugs(kit: Kit) -> None:
        if kit.happens("a", 1.0):
            if kit.happens("b", 1.0):
                raise KeyError("b")
            raise ValueError("a")

    kit, failure = run_once(two_bugs, 1)
    assert isinstance(failure, KeyError)
    assert len(shrink(two_bugs, 1, kit.chance.plan(), failure, runs=100)) == 2


def test_what_is_not_drawn_from_the_seed_is_noticed() -> None:
    tries = [True, False]

    async def moody(kit: Kit) -> None:
        assert not tries.pop(0)

    with pytest.raises(AssertionError, match="seed 0 failed only once"):
        explore(moody, seeds=1)


class Unprintable(Exception):
    """What it is cannot be said."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def end_with_pytest_raises() -> None:
    with pytest.raises(ValueError):
        pass


def end_by_raising(failure: BaseException) -> Callable[[], None]:
    """A function that raises `failure`."""

    def end() -> None:
        raise failure

    return end


FAILURES: dict[str, tuple[Callable[[], Any], type[BaseException]]] = {
    "pytest.fail": (lambda: pytest.fail("no"), pytest.fail.Exception),
    "pytest.raises": (end_with_pytest_raises, pytest.fail.Exception),
    "SystemExit": (end_by_raising(SystemExit(0)), SystemExit),
    "CancelledError": (end_by_raising(asyncio.CancelledError()), asyncio.CancelledError),
    "GeneratorExit": (end_by_raising(GeneratorExit()), GeneratorExit),
    "BaseException": (end_by_raising(BaseException("no")), BaseException),
    "group of one": (end_by_raising(ExceptionGroup("all", [KeyError("no")])), KeyError),
    "base group of one": (
        end_by_raising(BaseExceptionGroup("all", [BaseExceptionGroup("all", [SystemExit(3)])])),
        SystemExit,
    ),
    "group": (end_by_raising(ExceptionGroup("all", [KeyError("no"), ValueError("no")])), ExceptionGroup),
    "unprintable": (end_by_raising(Unprintable()), Unprintable),
    "a skip and a failure": (
        end_by_raising(BaseExceptionGroup("all", [pytest.skip.Exception("no"), ValueError("no")])),
        BaseExceptionGroup,
    ),
}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("way", FAILURES)
def test_whatever_fails_a_run_is_found_with_its_seed_and_made_small(way: str, jobs: int) -> None:
    end, kind = FAILURES[way]

    async def fail(kit: Kit) -> None:
        kit.note("it begins")
        happened = [kit.happens(f"fault {number}", 0.5) for number in range(8)]
        if happened[2]:
            end()

    with pytest.raises(Found) as caught:
        explore(fail, seeds=50, jobs=jobs)
    found = caught.value
    assert type(found.failure) is kind
    assert found.plan == {("fault 2", 0): 1}
    assert f"found with seed {found.seed}; again: pytest" in str(found)
    assert f"--canopy-seed {found.seed}" in str(found)
    assert any("it begins" in line for line in found.trace)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    "skip",
    [
        pytest.skip.Exception("not here"),
        pytest.xfail.Exception("not here"),
        SkipTest("not here"),
        BaseExceptionGroup("all", [pytest.skip.Exception("not here")]),
    ],
    ids=lambda skip: type(skip).__name__,
)
def test_an_exploration_is_skipped_if_all_of_its_runs_are(skip: BaseException, jobs: int) -> None:
    async def skip_some(kit: Kit) -> None:
        if kit.seed != 3:
            raise skip

    kind = type(skip.exceptions[0] if isinstance(skip, BaseExceptionGroup) else skip)
    with pytest.raises(kind, match="not here"):
        explore(skip_some, seeds=3, jobs=jobs)
    assert explore(skip_some, seeds=5, jobs=jobs) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_fails_counts_more_than_those_that_are_skipped(jobs: int) -> None:
    async def fail_once(kit: Kit) -> None:
        assert kit.seed != 4
        pytest.skip("not here")

    with pytest.raises(Found) as caught:
        explore(fail_once, seeds=6, jobs=jobs)
    assert caught.value.seed == 4


def test_what_is_skipped_with_fewer_faults_is_not_taken_for_the_failure() -> None:
    async def fail(kit: Kit) -> None:
        happened = [kit.happens(f"fault {number}", 0.9) for number in range(3)]
        if not happened[1]:
            pytest.skip("not here")
        assert not happened[2]

    with pytest.raises(Found) as caught:
        explore(fail, seeds=[1, 2, 3], jobs=1)
    assert isinstance(caught.value.failure, AssertionError)
    assert sorted(name for name, _ in caught.value.plan) == ["fault 1", "fault 2"]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), pytest.exit.Exception("enough")], ids=["ctrl-c", "exit"])
def test_an_interrupt_ends_the_exploration(interrupt: BaseException, jobs: int) -> None:
    async def stop(kit: Kit) -> None:
        if kit.seed == 3:
            raise interrupt

    with pytest.raises(type(interrupt)):
        explore(stop, seeds=8, jobs=jobs)


def test_an_interrupt_of_another_process_alone_ends_the_exploration() -> None:
    this = os.getpid()

    async def stop(kit: Kit) -> None:
        if kit.seed == 3 and os.getpid() != this:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        explore(stop, seeds=8, jobs=2)


@pytest.mark.parametrize(
    ("die", "how"),
    [
        (lambda: os._exit(7), "exited with code 7"),
        (lambda: os._exit(0), "exited with code 0"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "died of signal 9"),
    ],
    ids=["exit 7", "exit 0", "SIGKILL"],
)
def test_a_process_that_dies_is_an_error_that_names_its_seeds(die: Callable[[], None], how: str) -> None:
    async def die_once(kit: Kit) -> None:
        if kit.seed == 5:
            die()

    with pytest.raises(ChildProcessError) as caught:
        explore(die_once, seeds=8, jobs=2)
    text = str(caught.value)
    assert how in text
    assert "in the run with seed 5; again: pytest" in text
    assert text.endswith("the last seeds it ran: 1, 3, 5")


class Slow(GenServer):
    def handle_cast(self, request: Any) -> None:
        raise Fault("on purpose")


def test_a_crash_by_a_fault_is_no_mistake() -> None:
    async def scenario(kit: Kit) -> None:
        cast(await start(Slow), 1)
        await settle()

    kit = Kit(1)
    kit.run(scenario(kit))


def test_random_crashes_are_drawn_from_the_seed_and_listed() -> None:
    async def scenario(kit: Kit) -> None:
        refs = [await start(Account) for _ in range(10)]
        kit.crash_some(3, within=50, may_crash=lambda _: True)
        for _ in range(10):
            for ref in refs:
                cast(ref, None)  # an unknown cast crashes it as well
            await settle(1.0)

    def faults_of(seed: int) -> list[str]:
        kit, _ = run_once(scenario, seed)
        return kit.faults

    assert len(faults_of(1)) in (1, 2, 3)
    assert faults_of(1) == faults_of(1)


def test_a_replayed_seed_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int | None] = []

    async def note_seed(kit: Kit) -> None:
        seeds.append(kit.seed)

    monkeypatch.setattr(exploration, "replayed_seed", 7)
    assert explore(note_seed, seeds=20) == 1
    assert seeds == [7]


def test_priorities_starve_nobody() -> None:
    async def spin(kit: Kit) -> None:
        accounts = [await start(Account) for _ in range(5)]
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def again() -> None:
            for account in accounts[1:]:
                for _ in range(20):
                    account.tell("spin")
            if not done.done():
                loop.call_soon(again)

        again()
        await call(accounts[0], None, timeout=None)
        done.set_result(None)

    assert explore(spin, seeds=[1, 3, 5, 7, 9], jobs=1) == 5
