"""What a supervisor promises beyond the scenarios of tests/otp: bad input, budgets, labels, trouble in between."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    AlreadyStarted,
    CallExit,
    Crash,
    ExitReason,
    Ref,
    StartError,
    Stop,
    call,
    cast,
    down,
    send,
    start,
    start_link,
    stop,
    whereis,
)
from actors.testing import kill, quiet
from supervision import (
    ALREADY_PRESENT,
    BRUTAL_KILL,
    GAVE_UP,
    INFINITY,
    NOT_FOUND,
    RESTARTING,
    UNKNOWN_REQUEST,
    AutoShutdown,
    BadSpecs,
    ChildError,
    ChildSpec,
    DuplicateId,
    FailedToStart,
    Limit,
    Restart,
    SpecError,
    Strategy,
    Supervisor,
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
from supervision import supervisor as supervisor_spec
from tests.support.puppet import Puppet
from tests.support.scenarios import simulated


async def refs(supervisor: Ref) -> dict[Any, Any]:
    """The children of a supervisor by id, in start order."""
    return {info.id: info.ref for info in reversed(await which_children(supervisor))}


def fail(_: Puppet) -> None:
    raise ValueError("no")


def named(name: str, **options: Any) -> ChildSpec:
    """A child whose id is its name."""
    return child(Puppet, id=name, name=name, **options)


async def linger(_: Puppet) -> None:
    await asyncio.sleep(10)


# Bad input.


@simulated
@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("child", {"children": ["Puppet"]}),
        ("strategy", {"strategy": "one_for_one"}),
        ("intensity", {"intensity": -1}),
        ("period", {"period": 0}),
        ("auto_shutdown", {"auto_shutdown": "never"}),
    ],
)
async def test_a_bad_value_is_a_start_that_fails_with_field_and_value(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(StartError) as caught:
        await start(Supervisor, **options)
    error = caught.value.reason.exception
    assert isinstance(error, SpecError)
    assert error.field == field


@simulated
async def test_children_that_do_not_go_together_start_not_at_all() -> None:
    with pytest.raises(StartError) as caught:
        await start(Supervisor, [named("a"), named("a")])
    assert caught.value.reason == BadSpecs(DuplicateId("a"))
    assert whereis("a") is None


@simulated
async def test_start_child_refuses_what_is_no_specification_before_it_is_sent() -> None:
    supervisor = await start(Supervisor)
    with pytest.raises(SpecError, match="child must be a ChildSpec, got 'Puppet'"):
        await start_child(supervisor, "Puppet")  # type: ignore[arg-type]
    assert supervisor.is_alive()


@simulated
async def test_requests_nobody_knows_are_refused_and_harm_nobody() -> None:
    supervisor = await start(Supervisor, [named("a")])
    before = await refs(supervisor)
    with pytest.raises(ChildError) as caught:
        await start_dynamic_child(supervisor)
    assert caught.value.reason == UNKNOWN_REQUEST
    with capture_logs() as logs:
        cast(supervisor, "unknown")
        send(supervisor, "unknown")
        await quiet()
    assert {log["event"] for log in logs} == {"supervisor.unexpected_cast", "supervisor.unexpected_message"}
    assert await refs(supervisor) == before


@simulated
async def test_a_supervisor_may_be_subclassed_and_named() -> None:
    class Tree(Supervisor):
        async def init(self, name: str) -> Stop | None:  # type: ignore[override]
            return await super().init([named(name)], strategy=Strategy.ONE_FOR_ALL)

    await start(Tree, "leaf", name="tree")
    assert await refs(whereis("tree")) == {"leaf": whereis("leaf")}  # type: ignore[arg-type]


# Starting.


@simulated
async def test_a_failed_start_tells_which_child_and_why() -> None:
    with pytest.raises(StartError) as caught:
        await start(Supervisor, [named("a"), child(Puppet, fail, id="b")])
    match caught.value.reason.detail:
        case FailedToStart("b", Crash(ValueError())):
            pass
        case other:
            pytest.fail(f"unexpected: {other!r}")
    assert whereis("a") is None


@simulated
async def test_a_child_is_started_by_a_function_too() -> None:
    async def begin(name: str) -> Ref:
        return await start_link(Puppet, name=name)

    supervisor = await start(Supervisor, [child(begin, "n", id="a")])
    first = whereis("n")
    assert await refs(supervisor) == {"a": first}
    assert first is not None
    await kill(first)
    await quiet()
    assert await refs(supervisor) == {"a": whereis("n")}
    assert whereis("n") not in (None, first)


@simulated
async def test_a_start_function_that_fails_is_a_child_that_fails() -> None:
    async def begin() -> Ref:
        raise ValueError("no")

    supervisor = await start(Supervisor)
    with pytest.raises(ChildError) as caught:
        await start_child(supervisor, child(begin))
    assert isinstance(caught.value.reason, Crash)
    assert await refs(supervisor) == {}


@simulated
async def test_a_child_with_wrong_arguments_is_a_child_that_fails() -> None:
    supervisor = await start(Supervisor)
    with pytest.raises(ChildError) as caught:
        await start_child(supervisor, child(Puppet, kwargs={"unknown": 1}))
    assert isinstance(caught.value.reason, Crash)
    assert supervisor.is_alive()


@simulated
async def test_a_known_id_is_refused_and_the_specification_kept() -> None:
    supervisor = await start(Supervisor, [named("a")])
    with pytest.raises(ChildError) as caught:
        await start_child(supervisor, child(Puppet, id="a"))
    assert caught.value.reason == AlreadyStarted(whereis("a"))  # type: ignore[arg-type]
    await terminate_child(supervisor, "a")
    with pytest.raises(ChildError) as caught:
        await start_child(supervisor, child(Puppet, id="a"))
    assert caught.value.reason == ALREADY_PRESENT
    assert (await get_childspec(supervisor, "a")).name == "a"


@simulated
async def test_children_have_labels_and_know_their_restarts() -> None:
    specs = [child(Puppet, id="a", label="label of a"), named("b"), child(Puppet, id=("c", 1))]
    supervisor = await start(Supervisor, specs, intensity=5)
    assert [ref.label for ref in (await refs(supervisor)).values()] == ["label of a", "b", "Puppet"]
    for _ in range(2):
        await kill((await refs(supervisor))["a"])
        await quiet()
    assert [ref.restarts for ref in (await refs(supervisor)).values()] == [2, 0, 0]


# Stopping.


@simulated
async def test_a_child_that_takes_too_long_is_killed_and_reported() -> None:
    supervisor = await start(Supervisor, [child(Puppet, id="a", kwargs={"end": linger, "trap_exit": True}, shutdown=2)])
    ended = down((await refs(supervisor))["a"])
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with capture_logs() as logs:
        await stop(supervisor)
    assert loop.time() == pytest.approx(begin + 2)
    assert await ended == KILLED
    assert "supervisor.child_killed" in [log["event"] for log in logs]


@simulated
async def test_a_brutally_killed_child_runs_no_terminate() -> None:
    ends: list[ExitReason] = []
    supervisor = await start(
        Supervisor, [child(Puppet, id="a", kwargs={"ends": ends, "trap_exit": True}, shutdown=BRUTAL_KILL)]
    )
    ended = down((await refs(supervisor))["a"])
    await stop(supervisor)
    assert await ended == KILLED
    assert ends == []


@simulated
async def test_infinity_is_all_the_time_a_child_wants() -> None:
    async def take_a_day(_: Puppet) -> None:
        await asyncio.sleep(86_400)

    spec = child(Puppet, id="a", kwargs={"end": take_a_day, "trap_exit": True}, shutdown=INFINITY)
    supervisor = await start(Supervisor, [spec])
    ended = down((await refs(supervisor))["a"])
    await stop(supervisor)
    assert await ended == SHUTDOWN


@simulated
async def test_a_child_that_unlinks_itself_is_stopped_all_the_same() -> None:
    supervisor = await start(Supervisor, [named("a", restart=Restart.TRANSIENT)])
    a = whereis("a")
    assert a is not None
    await call(a, lambda self: self.unlink(supervisor))
    await stop(supervisor)
    assert not a.is_alive()


@simulated
async def test_a_supervisor_in_trouble_can_still_be_stopped() -> None:
    number = 0

    def fail_from_the_second_on(_: Puppet) -> None:
        nonlocal number
        number += 1
        if number > 1:
            raise ValueError("no")

    supervisor = await start(Supervisor, [child(Puppet, fail_from_the_second_on, id="a")], intensity=1_000_000)
    await kill((await refs(supervisor))["a"])
    await terminate_child(supervisor, "a")
    before = number
    assert await refs(supervisor) == {"a": None}
    await quiet()
    assert number == before
    await stop(supervisor)


@simulated
async def test_a_supervisor_killed_while_it_stops_a_child_leaves_nothing() -> None:
    class Tree(Supervisor):
        pass

    spec = child(Puppet, id="a", kwargs={"end": linger, "trap_exit": True}, shutdown=INFINITY)
    supervisor = await start(Tree, [named("b"), spec])
    a = (await refs(supervisor))["a"]
    stopping = asyncio.ensure_future(terminate_child(supervisor, "a"))
    await asyncio.sleep(1)
    await kill(supervisor)
    with pytest.raises(CallExit):
        await stopping
    await quiet()
    assert not a.is_alive()
    assert whereis("b") is None


# Restarting.


@simulated
async def test_a_child_that_waits_for_its_next_try_is_restarting() -> None:
    number = 0
    asked: list[Any] = []

    async def fail_the_second_time(self: Puppet) -> None:
        nonlocal number
        number += 1
        if number == 2:
            requests = (which_children(supervisor), restart_child(supervisor, "a"), delete_child(supervisor, "a"))
            asked.extend(map(asyncio.ensure_future, requests))
            await asyncio.sleep(1)
            raise ValueError("no")

    supervisor = await start(Supervisor, [child(Puppet, fail_the_second_time, id="a")], intensity=5)
    await kill((await refs(supervisor))["a"])
    await quiet()
    outcomes: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    children, *errors = outcomes
    assert [info.ref for info in children] == [RESTARTING]
    assert [error.reason for error in errors] == [RESTARTING, RESTARTING]
    assert number == 3


@simulated
async def test_requests_about_unknown_children_are_refused() -> None:
    supervisor = await start(Supervisor)
    for request in (terminate_child, restart_child, delete_child, get_childspec):
        with pytest.raises(ChildError) as caught:
            await request(supervisor, "nobody")
        assert caught.value.reason == NOT_FOUND


@simulated
async def test_an_end_that_was_asked_for_is_no_restart() -> None:
    supervisor = await start(Supervisor, [named("a")], intensity=0)
    for _ in range(3):
        await terminate_child(supervisor, "a")
        assert isinstance(await restart_child(supervisor, "a"), Ref)
    await terminate_child(supervisor, "a")
    await delete_child(supervisor, "a")
    counts = await count_children(supervisor)
    assert (counts.specs, counts.active) == (0, 0)


@simulated
async def test_over_its_limit_a_supervisor_says_so_and_gives_up() -> None:
    supervisor = await start(Supervisor, [named("a")], intensity=1, period=10)
    ended = down(supervisor)
    with capture_logs() as logs:
        for _ in range(2):
            a = whereis("a")
            assert a is not None
            await kill(a)
            await quiet()
    assert await ended == GAVE_UP
    events = [log["event"] for log in logs]
    assert events.count("supervisor.child_restarted") == 1
    assert events.count("supervisor.limit_reached") == 1


@simulated
async def test_old_restarts_do_not_count() -> None:
    supervisor = await start(Supervisor, [named("a")], intensity=1, period=10)
    for _ in range(5):
        a = whereis("a")
        assert a is not None
        await kill(a)
        await asyncio.sleep(10.1)
    assert supervisor.is_alive()


# A budget of its own.


@simulated
async def test_a_child_over_its_budget_is_given_up_and_its_siblings_never_notice() -> None:
    told: list[Any] = []
    spec = child(
        Puppet,
        fail_later,
        id="a",
        name="a",
        budget=Limit(2, 10),
        given_up=lambda reason, args: told.append((reason, args)),
    )
    supervisor = await start(Supervisor, [named("b"), spec, named("c")], intensity=0)
    siblings = whereis("b"), whereis("c")
    for _ in range(3):
        a = whereis("a")
        assert a is not None
        await kill(a, "boom")
        await quiet()
    assert told == [("boom", (fail_later,))]
    assert (whereis("b"), whereis("c")) == siblings
    assert (await refs(supervisor))["a"] is None


def fail_later(_: Puppet) -> None:
    """An argument to recognise."""


@simulated
async def test_a_budget_is_for_a_time() -> None:
    await start(Supervisor, [named("a", budget=Limit(1, 10))], intensity=0)
    for _ in range(5):
        a = whereis("a")
        assert a is not None
        await kill(a)
        await asyncio.sleep(10.1)
    assert whereis("a") is not None


@simulated
async def test_failed_restarts_use_up_the_budget_and_tell_the_last_reason() -> None:
    told: list[ExitReason] = []
    number = 0

    def fail_from_the_second_on(_: Puppet) -> None:
        nonlocal number
        number += 1
        if number > 1:
            raise ValueError(number)

    supervisor = await start(
        Supervisor,
        [
            child(
                Puppet,
                fail_from_the_second_on,
                id="a",
                budget=Limit(2, 10),
                given_up=lambda reason, args: told.append(reason),
            )
        ],
        intensity=0,
    )
    await kill((await refs(supervisor))["a"])
    await quiet()
    assert number == 3
    assert [str(reason) for reason in told] == ["ValueError: 3"]


@simulated
async def test_a_given_up_callback_that_fails_harms_nobody() -> None:
    def fail_too(reason: ExitReason, args: tuple[Any, ...]) -> None:
        raise ValueError("no")

    supervisor = await start(Supervisor, [named("a", budget=Limit(0, 10), given_up=fail_too), named("b")], intensity=0)
    before = whereis("b")
    with capture_logs() as logs:
        await kill((await refs(supervisor))["a"])
        await quiet()
    assert "supervisor.given_up_failed" in [log["event"] for log in logs]
    assert whereis("b") is before


# Automatic shutdown, and the tree as a whole.


@simulated
async def test_the_last_significant_child_ends_the_supervisor() -> None:
    specs = [named(name, restart=Restart.TRANSIENT, significant=True) for name in ("a", "b")]
    supervisor = await start(Supervisor, [*specs, named("c")], auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)
    ended = down(supervisor)
    for name in ("a", "b"):
        assert not ended.done()
        await stop(name)
        await quiet()
    assert await ended == SHUTDOWN
    assert whereis("c") is None


@simulated
async def test_a_deep_tree_stops_from_its_leaves() -> None:
    order: list[str] = []

    def leaf(name: str) -> ChildSpec:
        return child(Puppet, id=name, kwargs={"end": lambda _: order.append(name), "trap_exit": True})

    def branch(name: str, *specs: ChildSpec) -> ChildSpec:
        return supervisor_spec(name, specs)

    tree = [leaf("1"), branch("2", leaf("2.1"), branch("2.2", leaf("2.2.1"), leaf("2.2.2"))), leaf("3")]
    await stop(await start(Supervisor, tree))
    assert order == ["3", "2.2.2", "2.2.1", "2.1", "1"]


@simulated
async def test_a_normal_end_of_a_permanent_child_is_a_restart() -> None:
    await start(Supervisor, [named("a")])
    first = whereis("a")
    assert first is not None
    send(first, lambda _: Stop(NORMAL))
    await quiet()
    assert whereis("a") not in (None, first)
