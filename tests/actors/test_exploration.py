"""Exploration: finds what needs an unlucky order or fault, shows it small, and says how to see it again."""

import asyncio
from typing import Any

import pytest

from actors import Call, GenServer, call, cast, start
from actors.testing import Chance, Fault, Found, Kit, exploration, explore, quiet, settle
from actors.testing.exploration import attempt, shrink


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
    assert f"test_a_race_is_found_and_made_small[{jobs}]' --seed {found.seed}" in text
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

    kit, failure = attempt(two_bugs, 1)
    assert isinstance(failure, KeyError)
    assert len(shrink(two_bugs, 1, kit.chance.plan(), failure)) == 2


def test_what_is_not_drawn_from_the_seed_is_noticed() -> None:
    tries = [True, False]

    async def moody(kit: Kit) -> None:
        assert not tries.pop(0)

    with pytest.raises(AssertionError, match="seed 0 failed only once"):
        explore(moody, seeds=1)


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
        kit.crash_some(3, within=50)
        for _ in range(10):
            for ref in refs:
                cast(ref, None)  # an unknown cast crashes it as well
            await settle(1.0)

    def faults_of(seed: int) -> list[str]:
        kit, _ = attempt(scenario, seed)
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
