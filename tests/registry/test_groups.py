"""Groups of processes, as OTP's pg has them."""

import random
from typing import Any

import pytest

from actors import Ref, call, start
from actors.debug import info
from actors.testing import kill, quiet
from registry import Groups, Registered, Registry, Unregistered
from tests.support.puppet import puppet
from tests.support.scenarios import simulated


async def groups(**options: Any) -> Groups:
    made = Groups(**options)
    await start(Registry, made)
    return made


async def members(number: int) -> list[Ref]:
    return [(await puppet())[0] for _ in range(number)]


@simulated
async def test_members_are_listed_in_the_order_they_joined() -> None:
    here = await groups()
    one, two = await members(2)
    here.join("g", two)
    here.join("g", one)
    assert here.get_members("g") == [two, one]
    assert here.get_members("nobody") == []


@simulated
async def test_a_process_that_joined_twice_has_to_leave_twice() -> None:
    here = await groups()
    [one] = await members(1)
    here.join("g", one, one)
    assert here.get_members("g") == [one, one]
    assert here.leave("g", one)
    assert here.get_members("g") == [one]
    assert here.leave("g", one)
    assert here.get_members("g") == []
    assert not here.leave("g", one)


@simulated
async def test_which_groups_have_members() -> None:
    here = await groups()
    one, two = await members(2)
    here.join("a", one)
    here.join("b", one, two)
    assert here.which_groups() == ["a", "b"]
    await kill(one)
    assert here.which_groups() == ["b"]
    assert here.get_members("b") == [two]


@simulated
async def test_the_dead_leave_all_their_groups_however_often_they_joined() -> None:
    here = await groups()
    [one] = await members(1)
    here.join("a", one, one)
    here.join("b", one)
    await kill(one)
    await quiet()
    assert len(here) == 0
    with pytest.raises(ValueError, match="is dead"):
        here.join("a", one)


@simulated
async def test_a_monitor_sees_who_is_there_and_then_every_change() -> None:
    here = await groups()
    [one] = await members(1)
    all_watcher, of_all = await puppet()
    g_watcher, of_g = await puppet()
    here.join("g", one)
    assert here.monitor(g_watcher, "g") == {"g": [one]}
    assert here.monitor(all_watcher) == {"g": [one]}
    here.join("other", one)
    here.leave("g", one)
    await quiet()
    left = Unregistered("groups", "g", one, 1)
    assert of_g.got == [left]
    assert of_all.got == [Registered("groups", "other", one, 1), left]
    here.demonitor(all_watcher)
    await kill(one)
    await quiet()
    assert len(of_all.got) == 2


@simulated
async def test_a_monitor_ends_with_its_watcher() -> None:
    here = await groups()
    watcher, one = await members(2)
    here.monitor(watcher)
    await kill(watcher)
    assert here.monitor(watcher) == {}
    here.join("g", one)
    assert list(here._watchers) == []


@simulated
async def test_a_monitor_that_ended_leaves_nothing_behind() -> None:
    here = await groups()
    [watcher] = await members(1)
    for number in range(20):
        here.monitor(watcher, number)
        here.demonitor(watcher)
        here.monitor(watcher)
        here.demonitor(watcher)
    shown = info(watcher)
    assert shown is not None
    assert shown.watchers == 0
    assert list(here._watchers) == []
    here.demonitor(watcher)


@simulated
async def test_a_second_monitor_keeps_the_first() -> None:
    here = await groups()
    [one] = await members(1)
    pairs = [await puppet() for _ in range(3)]
    (first, of_first), (second, of_second), (third, of_third) = pairs
    here.monitor(first, "a")
    here.monitor(first, "b")
    here.monitor(second)
    here.monitor(second, "a")
    here.monitor(third, "a")
    here.monitor(third)
    for group in ("a", "b", "c"):
        here.join(group, one)
    await quiet()
    told = [Registered("groups", group, one, 1) for group in ("a", "b", "c")]
    assert (of_first.got, of_second.got, of_third.got) == (told[:2], told, told)
    for watcher, _ in pairs:
        await kill(watcher)
    assert list(here._watchers) == []
    assert here._unwatch == {}


@pytest.mark.parametrize("ends", [True, False], ids=["dies", "leaves"])
@simulated
async def test_group_that_everybody_has_left_is_gone(ends: bool) -> None:
    here = await groups()
    refs = await members(3)
    for number, ref in enumerate(refs):
        here.join("g", ref, ref)
        here.join(number, ref)
    for number, ref in enumerate(refs):
        if ends:
            await kill(ref)
        else:
            here.leave("g", ref, ref)
            here.leave(number, ref)
        assert here.which_groups() == ([] if number == 2 else ["g", *range(number + 1, 3)])
    await quiet()
    assert (here._entries, here._keys_of, here.which_groups()) == ({}, {}, [])


class CountedGroup:
    """A group that counts how often one is looked up."""

    lookups = 0

    def __hash__(self) -> int:
        CountedGroup.lookups += 1
        return id(self)


@simulated
async def test_a_change_costs_the_same_however_many_monitor_other_groups() -> None:
    here = await groups()
    watchers = await members(60)
    for watcher in watchers:
        here.monitor(watcher, CountedGroup())
    costs = []
    for watcher in watchers[:2]:
        group = CountedGroup()
        CountedGroup.lookups = 0
        here.join(group, watcher)
        here.leave(group, watcher)
        costs.append(CountedGroup.lookups)
        for _ in range(10):
            here.monitor(watcher, CountedGroup())
    assert costs[0] == costs[1] <= 10


@simulated
async def test_monitors_hear_of_exactly_what_they_monitor_whatever_happens() -> None:
    rng = random.Random(7)
    here = await groups()
    pairs = [await puppet() for _ in range(6)]
    refs = [ref for ref, _ in pairs]
    names = ["a", "b", "c"]
    monitored: dict[Ref, set[str]] = {}
    joins = {(name, ref): 0 for name in names for ref in refs}
    expected: dict[Ref, list[Any]] = {ref: [] for ref in refs}

    def changed(name: str, message: Any) -> None:
        for watcher, its in monitored.items():
            if name in its:
                expected[watcher].append(message)

    for _ in range(400):
        ref, name = rng.choice(refs), rng.choice(names)
        was = joins[name, ref]
        match rng.randrange(5):
            case 0 | 1:
                here.join(name, ref)
                joins[name, ref] = was + 1
                changed(name, Registered("groups", name, ref, was + 1))
            case 2:
                assert here.leave(name, ref) == (was > 0)
                joins[name, ref] = max(0, was - 1)
                if was > 1:
                    changed(name, Registered("groups", name, ref, was - 1))
                elif was == 1:
                    changed(name, Unregistered("groups", name, ref, 1))
            case 3:
                its = set() if rng.random() < 0.3 else {name}
                here.monitor(ref, *its)
                monitored[ref] = monitored.get(ref, set()) | (its or set(names))
            case 4:
                here.demonitor(ref)
                monitored.pop(ref, None)
    await quiet()
    assert {ref: insides.got for ref, insides in pairs} == expected
    for name in names:
        assert sorted(map(str, here.get_members(name))) == sorted(
            str(ref) for ref in refs for _ in range(joins[name, ref])
        )


@pytest.mark.parametrize("times", [1, 2, 3])
@simulated
async def test_a_dead_member_leaves_as_a_living_one_does(times: int) -> None:
    here = Groups()  # without a registry that removes the dead
    one, two = await members(2)
    here.join("g", two, *[one] * times)
    await kill(one)
    for _ in range(times):
        assert here.leave("g", one)
    assert not here.leave("g", one)
    assert list(here) == [("g", two, 1)]


@simulated
async def test_all_join_or_none() -> None:
    here = await groups()
    one, dead = await members(2)
    await kill(dead)
    with pytest.raises(ValueError, match="is dead"):
        here.join("g", one, dead)
    assert list(here) == []


@simulated
async def test_members_are_reached_and_called_as_in_any_table() -> None:
    here = await groups()
    one, insides = await puppet()
    here.join("g", one, one)
    assert here.publish("g", "hello") == 1
    assert await call(here.via("g"), lambda self: self.ref) is one
    assert insides.got == ["hello"]


@simulated
async def test_a_listener_hears_of_all_groups() -> None:
    listener, insides = await puppet()
    here = await groups(name="mine", listeners=[listener])
    [one] = await members(1)
    here.join("a", one)
    here.leave("a", one)
    await quiet()
    assert insides.got == [Registered("mine", "a", one, 1), Unregistered("mine", "a", one, 1)]
