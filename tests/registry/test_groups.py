"""Groups of processes, as OTP's pg has them."""

from typing import Any

import pytest

from actors import Ref, call, start
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
    assert here.get_members("g") == here.get_local_members("g") == [two, one]
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
    assert here._watchers == {}


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
