"""What a dynamic supervisor promises beyond the scenarios of tests/otp."""

import asyncio
from typing import Any

import pytest

from actors import IGNORE, KILLED, SHUTDOWN, ExitReason, Ref, StartError, down, start, start_link, stop, whereis
from actors.testing import kill, quiet
from supervision import (
    BRUTAL_KILL,
    DYNAMIC,
    MAX_CHILDREN,
    NOT_FOUND,
    AutoShutdown,
    BadCombination,
    BadSpecs,
    ChildError,
    DynamicSupervisor,
    Limit,
    Restart,
    SpecError,
    child,
    count_children,
    delete_child,
    get_childspec,
    restart_child,
    start_child,
    start_dynamic_child,
    terminate_child,
    which_children,
)
from tests.support.puppet import Puppet
from tests.support.scenarios import simulated


async def supervisor(**options: Any) -> Ref:
    """A dynamic supervisor of puppets; options of the template and of the supervisor."""
    own = {"intensity", "period", "auto_shutdown", "max_children"}
    template = child(Puppet, **{key: value for key, value in options.items() if key not in own})
    return await start(DynamicSupervisor, template, **{key: value for key, value in options.items() if key in own})


async def begin(parent: Ref, *args: Any, **kwargs: Any) -> Ref:
    """Start a child that does not decline."""
    ref = await start_dynamic_child(parent, *args, **kwargs)
    assert ref is not None
    return ref


@simulated
@pytest.mark.parametrize("max_children", [-1, 1.5, True, "5"])
async def test_a_bad_number_of_children_is_refused(max_children: Any) -> None:
    with pytest.raises(StartError) as caught:
        await supervisor(max_children=max_children)
    error = caught.value.reason.exception
    assert isinstance(error, SpecError)
    assert (error.field, error.value) == ("max_children", max_children)


@simulated
async def test_a_template_that_is_none_is_refused() -> None:
    with pytest.raises(StartError) as caught:
        await start(DynamicSupervisor, "Puppet")
    assert isinstance(caught.value.reason.exception, SpecError)


@simulated
async def test_a_significant_template_needs_auto_shutdown() -> None:
    with pytest.raises(StartError) as caught:
        await supervisor(restart=Restart.TEMPORARY, significant=True)
    refused = BadCombination("auto_shutdown", AutoShutdown.NEVER, "significant", True)
    assert caught.value.reason == BadSpecs(refused)


@simulated
async def test_arguments_come_after_those_of_the_template_and_again_at_a_restart() -> None:
    begun: list[Any] = []

    class Noting(Puppet):
        def init(self, *args: Any, **kwargs: Any) -> None:
            begun.append((args, kwargs))

    template = child(Noting, 1, kwargs={"a": 1, "b": 1})
    parent = await start(DynamicSupervisor, template)
    ref = await begin(parent, 2, b=2)
    await kill(ref)
    await quiet()
    assert begun == [((1, 2), {"a": 1, "b": 2})] * 2
    assert await get_childspec(parent, "any") == template


@simulated
async def test_no_more_than_max_children_live_at_a_time() -> None:
    parent = await supervisor(max_children=2, restart=Restart.TEMPORARY)
    first = await begin(parent)
    await begin(parent)
    with pytest.raises(ChildError) as caught:
        await start_dynamic_child(parent)
    assert caught.value.reason == MAX_CHILDREN
    await stop(first)
    await begin(parent)


@simulated
async def test_children_stop_all_at_once_in_the_time_of_the_slowest() -> None:
    parent = await supervisor(shutdown=100)
    for seconds in range(50):

        async def linger(_: Puppet, seconds: int = seconds) -> None:
            await asyncio.sleep(seconds)

        await begin(parent, end=linger, trap_exit=True)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await stop(parent)
    assert loop.time() == pytest.approx(before + 49)


@simulated
async def test_children_that_take_too_long_are_killed_at_once() -> None:
    async def linger(_: Puppet) -> None:
        await asyncio.sleep(1_000)

    parent = await supervisor(shutdown=2)
    ends = [down(await begin(parent, end=linger, trap_exit=True)) for _ in range(10)]
    quick = down(await begin(parent, trap_exit=True))
    loop = asyncio.get_running_loop()
    before = loop.time()
    await stop(parent)
    assert loop.time() == pytest.approx(before + 2)
    assert [await ended for ended in ends] == [KILLED] * 10
    assert await quick == SHUTDOWN


@simulated
async def test_brutally_killed_children_run_no_terminate() -> None:
    ends: list[ExitReason] = []
    parent = await supervisor(shutdown=BRUTAL_KILL)
    ended = down(await begin(parent, ends=ends, trap_exit=True))
    await stop(parent)
    assert await ended == KILLED
    assert ends == []


@simulated
async def test_a_child_that_declines_a_restart_is_forgotten() -> None:
    # OTP 25 keeps an entry without a process here, on which its supervisor later crashes. We do as Elixir does.
    number = 0

    def decline_the_second_time(_: Puppet) -> Any:
        nonlocal number
        number += 1
        return IGNORE if number == 2 else None

    parent = await supervisor()
    await kill(await begin(parent, decline_the_second_time))
    await quiet()
    assert await which_children(parent) == []
    assert (await count_children(parent)).active == 0
    await stop(parent)


@simulated
async def test_a_failed_restart_can_be_given_up_by_the_last_reference() -> None:
    number = 0

    def fail_from_the_second_on(_: Puppet) -> None:
        nonlocal number
        number += 1
        if number > 1:
            raise ValueError("no")

    parent = await supervisor(intensity=1_000_000)
    ref = await begin(parent, fail_from_the_second_on)
    await kill(ref)
    await terminate_child(parent, ref)
    before = number
    await quiet()
    assert number == before
    assert await which_children(parent) == []


@simulated
async def test_a_start_function_may_name_every_child() -> None:
    async def begin_named(name: str) -> Ref:
        return await start_link(Puppet, name=name)

    parent = await start(DynamicSupervisor, child(begin_named))
    first = await begin(parent, "a")
    second = await begin(parent, "b")
    assert (whereis("a"), whereis("b")) == (first, second)
    await kill(first)
    await quiet()
    assert whereis("a") not in (None, first)
    assert whereis("b") is second


@simulated
async def test_each_child_has_a_budget_of_its_own() -> None:
    told: list[Any] = []
    parent = await supervisor(
        budget=Limit(1, 10), intensity=0, given_up=lambda reason, args: told.append((reason, args))
    )

    def mark(_: Puppet) -> None:
        pass

    calm = await begin(parent)
    ref = await begin(parent, mark)
    await kill(ref, "boom")
    await quiet()
    restarted = next(info.ref for info in await which_children(parent) if info.ref is not calm)
    assert isinstance(restarted, Ref)
    assert restarted.restarts == 1
    await kill(restarted, "again")
    await quiet()
    assert told == [("again", (mark,))]
    assert [info.ref for info in await which_children(parent)] == [calm]


@simulated
async def test_what_is_for_static_supervisors_is_refused() -> None:
    parent = await supervisor()
    ref = await begin(parent)
    for request in (restart_child(parent, "a"), delete_child(parent, "a"), terminate_child(parent, "a")):
        with pytest.raises(ChildError) as caught:
            await request
        assert caught.value.reason == DYNAMIC
    with pytest.raises(ChildError) as caught:
        await start_child(parent, child(Puppet))
    assert caught.value.reason == DYNAMIC
    assert ref.is_alive()


@simulated
async def test_a_living_stranger_is_not_terminated() -> None:
    parent = await supervisor()
    stranger = await start(Puppet)
    with pytest.raises(ChildError) as caught:
        await terminate_child(parent, stranger)
    assert caught.value.reason == NOT_FOUND
    await kill(stranger)
    await terminate_child(parent, stranger)


@simulated
async def test_a_child_that_dies_at_once_is_restarted_like_others() -> None:
    number = 0

    def stop_the_first_time(self: Puppet) -> None:
        nonlocal number
        number += 1
        if number == 1:
            self.stop()

    parent = await supervisor()
    await begin(parent, stop_the_first_time)
    await quiet()
    assert number == 2
    assert (await count_children(parent)).active == 1


@simulated
@pytest.mark.parametrize(
    ("field", "value"), [("intensity", -1), ("intensity", True), ("period", 0), ("auto_shutdown", "never")]
)
async def test_a_bad_limit_is_refused_with_field_and_value(field: str, value: Any) -> None:
    with pytest.raises(StartError) as caught:
        await start(DynamicSupervisor, child(Puppet), **{field: value})
    error = caught.value.reason.exception
    assert isinstance(error, SpecError)
    assert (error.field, error.value) == (field, value)
