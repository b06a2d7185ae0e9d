"""No client and no child can end a supervisor, or harm a sibling, whatever they hand over or raise."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from pykka import messages as pykka_messages
from structlog.testing import capture_logs

from actors import (
    KILL,
    KILLED,
    SHUTDOWN,
    AlreadyStarted,
    Call,
    Continue,
    Exit,
    ExitReason,
    GenServer,
    Ref,
    StartError,
    call,
    cast,
    down,
    self_ref,
    send,
    send_exit,
    start,
    start_link,
    stop,
    whereis,
)
from actors.debug import actor_of
from actors.testing import kill, quiet
from supervision import (
    BAD_ID,
    BRUTAL_KILL,
    DYNAMIC,
    GAVE_UP,
    NOT_FOUND,
    RESTARTING,
    AutoShutdown,
    Backoff,
    ChildError,
    ChildSpec,
    DynamicSupervisor,
    FailedToStart,
    Limit,
    Restart,
    SpecError,
    Strategy,
    Supervisor,
    async_link,
    async_nolink,
    child,
    delete_child,
    get_childspec,
    restart_child,
    start_child,
    start_child_task,
    start_dynamic_child,
    task_supervisor,
    terminate_child,
    which_children,
)
from supervision import requests as supervisor_requests
from tests.support.puppet import Puppet
from tests.support.scenarios import simulated

BASES = (ValueError, SystemExit, GeneratorExit, asyncio.CancelledError)


class Keywords(GenServer):
    """Takes any keywords, and tells which it got."""

    def init(this, /, *args: Any, **kwargs: Any) -> None:  # noqa: N805  # `self` is a keyword like others
        this.got = (args, kwargs)

    def handle_call(self, request: Any, from_: Call) -> Any:
        return self.got


async def one_of_each() -> list[tuple[Ref, Ref]]:
    """A static and a dynamic supervisor of puppets, each with a child."""
    static = await start(Supervisor, [child(Puppet, id="sibling", name="sibling")], intensity=0)
    dynamic = await start(DynamicSupervisor, child(Puppet), intensity=0)
    siblings = whereis("sibling"), await start_dynamic_child(dynamic)
    return [(supervisor, sibling) for supervisor, sibling in zip((static, dynamic), siblings, strict=True) if sibling]


# Keywords.

CLASHING = ["name", "label", "cls", "predecessor", "supervisor", "args", "kwargs", "start", "id", "child", "function"]


@simulated
@pytest.mark.parametrize("keyword", CLASHING)
async def test_a_keyword_of_a_child_may_have_any_name(keyword: str) -> None:
    dynamic = await start(DynamicSupervisor, child(Keywords))
    ref = await start_dynamic_child(dynamic, 1, **{keyword: 2})
    assert ref is not None
    assert await call(ref, None) == ((1,), {keyword: 2})
    static = await start(Supervisor, [child(Keywords, 1, id="a", name="a", kwargs={keyword: 2})])
    assert await call("a", None) == ((1,), {keyword: 2})
    await start_child(static, child(Keywords, id="b", name="b", kwargs={keyword: 3}))
    assert await call("b", None) == ((), {keyword: 3})


@simulated
@pytest.mark.parametrize("keyword", ["supervisor", "function", "owner", "name"])
async def test_a_keyword_of_a_task_may_have_any_name(keyword: str) -> None:
    await start(Supervisor, [task_supervisor("tasks")])
    got: list[Any] = []

    def note(**kwargs: Any) -> Any:
        got.append(kwargs)
        return kwargs

    await start_child_task("tasks", note, **{keyword: 1})
    assert await (await async_nolink("tasks", note, **{keyword: 1})).result() == {keyword: 1}

    async def link(_: Puppet) -> None:
        assert await (await async_link("tasks", note, **{keyword: 1})).result() == {keyword: 1}

    await call(await start(Puppet), link)
    assert got == [{keyword: 1}] * 3


@simulated
async def test_a_keyword_that_no_method_can_take_is_a_failed_start() -> None:
    (static, sibling), (dynamic, other) = await one_of_each()
    with pytest.raises(ChildError):
        await start_child(static, child(Keywords, kwargs={"self": 1}))
    with pytest.raises(ChildError):
        await start_dynamic_child(dynamic, self=1)
    assert sibling.is_alive()
    assert other.is_alive()


# Starts that fail.


class ForgetsSuper(GenServer):
    def __init__(self, *args: Any) -> None:
        self.args = args


class IsSomethingElse(GenServer):
    def __new__(cls, *args: Any) -> Any:
        return "no process"


class HasALabelOfItsOwn(GenServer):
    label = property(lambda self: "fixed")


def constructor_raises(kind: type[BaseException]) -> type[GenServer]:
    class Raises(GenServer):
        def __init__(self, *args: Any) -> None:
            raise kind

    return Raises


def init_raises(kind: type[BaseException]) -> type[GenServer]:
    class Raises(GenServer):
        def init(self, *args: Any) -> None:
            raise kind

    return Raises


def function_raises(kind: type[BaseException]) -> Callable[..., Any]:
    async def begin(*args: Any) -> Ref:
        raise kind

    return begin


async def returns_nothing(*args: Any) -> Any:
    await start_link(Puppet)


async def returns_text(*args: Any) -> Any:
    return "<7 puppet>"


async def awaits_what_was_cancelled(*args: Any) -> Any:
    task = asyncio.ensure_future(asyncio.sleep(1))
    task.cancel()
    await task


async def returns_its_supervisor(*args: Any) -> Ref | None:
    return self_ref()


async def returns_a_sibling(*args: Any) -> Ref:
    sibling = whereis("sibling")
    assert sibling is not None
    return sibling


async def starts(*args: Any) -> Ref:
    return await start_link(Puppet)


FAILING = {
    "forgets super": ForgetsSuper,
    "is something else": IsSomethingElse,
    "label cannot be set": HasALabelOfItsOwn,
    "returns nothing": returns_nothing,
    "returns text": returns_text,
    "awaits what was cancelled": awaits_what_was_cancelled,
    "returns its supervisor": returns_its_supervisor,
    **{f"constructor raises {kind.__name__}": constructor_raises(kind) for kind in BASES},
    **{f"init raises {kind.__name__}": init_raises(kind) for kind in BASES},
    **{f"function raises {kind.__name__}": function_raises(kind) for kind in BASES},
}
each_failing = pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING.keys())


@simulated
@each_failing
async def test_a_start_that_fails_in_any_way_is_refused_and_harms_nobody(failing: Any) -> None:
    supervisor = await start(Supervisor, [child(Puppet, id="sibling", name="sibling")], intensity=0)
    before = await which_children(supervisor)
    with pytest.raises(ChildError):
        await start_child(supervisor, child(failing, id="a"))
    assert await which_children(supervisor) == before
    dynamic = await start(DynamicSupervisor, child(failing), intensity=0)
    with pytest.raises(ChildError):
        await start_dynamic_child(dynamic)
    assert await which_children(dynamic) == []


@simulated
@each_failing
async def test_a_start_that_fails_in_any_way_fails_the_supervisors_own_and_names_the_child(failing: Any) -> None:
    with pytest.raises(StartError) as caught:
        await start(Supervisor, [child(Puppet, name="first"), child(failing, id="a")])
    assert isinstance(caught.value.reason.detail, FailedToStart)
    assert caught.value.reason.detail.id == "a"
    assert whereis("first") is None


@simulated
@each_failing
@pytest.mark.parametrize("is_dynamic", [False, True])
async def test_a_restart_that_fails_in_any_way_counts_for_the_limit(failing: Any, is_dynamic: bool) -> None:
    number = 0

    async def begin(*args: Any) -> Any:
        nonlocal number
        number += 1
        if number == 1:
            return await start_link(Puppet)
        return await (start_link(failing, label="a") if isinstance(failing, type) else failing())

    kind, given = (DynamicSupervisor, child(begin)) if is_dynamic else (Supervisor, [child(begin)])
    supervisor = await start(kind, given, intensity=3)
    ref = await start_dynamic_child(supervisor) if is_dynamic else (await which_children(supervisor))[0].ref
    assert isinstance(ref, Ref)
    ended = down(supervisor)
    await kill(ref)
    assert await ended == GAVE_UP
    assert number == 1 + 3


@simulated
async def test_one_process_is_one_child() -> None:
    supervisor = await start(Supervisor, [child(Puppet, id="sibling", name="sibling")])
    with pytest.raises(ChildError) as caught:
        await start_child(supervisor, child(returns_a_sibling))
    assert caught.value.reason == AlreadyStarted(whereis("sibling"))  # type: ignore[arg-type]
    assert [info.id for info in await which_children(supervisor)] == ["sibling"]


def test_an_interrupt_from_the_keyboard_in_a_start_reaches_the_program() -> None:
    lives: list[bool] = []

    async def main(failing: Any) -> None:
        supervisor = await start(Supervisor)
        try:
            await start_child(supervisor, child(failing))
        finally:
            lives.append(supervisor.is_alive())

    for failing in (constructor_raises, init_raises, function_raises):
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main(failing(KeyboardInterrupt)))
    assert lives == [True] * 3


@simulated
async def test_a_supervisor_killed_while_a_start_function_waits_does_nothing_more() -> None:
    ends: list[str] = []

    async def begin() -> Ref:
        try:
            await asyncio.sleep(1_000)
        finally:
            ends.append("unwound")
        return await start_link(Puppet)

    supervisor = await start(Supervisor)
    starting = asyncio.ensure_future(start_child(supervisor, child(begin)))
    await asyncio.sleep(1)
    with capture_logs() as logs:
        assert await kill(supervisor) == KILLED
        await asyncio.gather(starting, return_exceptions=True)
        await quiet()
    assert ends == ["unwound"]
    assert logs == []


# Messages that no supervisor expects.


class Shy:
    """Raises whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        raise ValueError(name)

    def __eq__(self, other: object) -> bool:
        raise SystemExit("==")

    def __hash__(self) -> int:
        raise SystemExit("hash")

    def __repr__(self) -> str:
        raise ValueError("repr")

    def __bool__(self) -> bool:
        raise SystemExit("bool")


class Twin:
    """Has the hash of the id `sibling` and cannot be compared."""

    def __hash__(self) -> int:
        return hash("sibling")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no")


ODD: dict[str, Callable[[Ref], Any]] = {
    "text": lambda sibling: "text",
    "nothing": lambda sibling: None,
    "shy": lambda sibling: Shy(),
    "reason of a stranger": lambda sibling: Exit(None, "boom"),
    "exit with a sender that is none": lambda sibling: Exit([], "boom"),  # type: ignore[arg-type]
    "exit with a shy sender": lambda sibling: Exit(Shy(), Shy()),  # type: ignore[arg-type]
    "exit of a child that lives": lambda sibling: Exit(sibling, "boom"),
    "continue": lambda sibling: Continue("anything"),
    "attribute": lambda sibling: pykka_messages.ProxyGetAttr(attr_path=("missing",)),
    "method": lambda sibling: pykka_messages.ProxyCall(attr_path=("handle_call",), args=(), kwargs={}),
    "assignment": lambda sibling: pykka_messages.ProxySetAttr(attr_path=("limit",), value=None),
}
WAYS: dict[str, Callable[[Ref, Any], Any]] = {
    "send": send,
    "cast": cast,
    "call": lambda supervisor, message: asyncio.ensure_future(call(supervisor, message)),
    "ask": lambda supervisor, message: supervisor.ask(message, block=False),
}


@simulated
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_message_that_no_supervisor_expects_harms_nobody(way: Any, odd: Any) -> None:
    for supervisor, sibling in await one_of_each():
        before = await which_children(supervisor)
        with contextlib.suppress(ValueError):  # the client's own trouble
            way(supervisor, odd(sibling))
        await quiet()
        assert await which_children(supervisor) == before
        assert sibling.is_alive()


@simulated
async def test_an_exit_signal_of_a_child_that_lives_is_no_end() -> None:
    for supervisor, sibling in await one_of_each():
        await call(sibling, lambda _, supervisor=supervisor: send_exit(supervisor, "boom"))
        await quiet()
        assert [info.ref for info in await which_children(supervisor)] == [sibling]


@simulated
@pytest.mark.parametrize(
    "make", [list, dict, lambda: ("a", []), Shy, Twin], ids=["list", "dict", "tuple", "shy", "twin"]
)
async def test_an_id_that_cannot_be_looked_up_is_no_childs(make: Callable[[], Any]) -> None:
    id = make()
    static, dynamic = [supervisor for supervisor, _ in await one_of_each()]
    for request in (terminate_child, restart_child, delete_child, get_childspec):
        with pytest.raises(ChildError) as caught:
            await request(static, id)
        assert caught.value.reason == NOT_FOUND
    with pytest.raises(ChildError) as caught:
        await terminate_child(dynamic, id)
    assert caught.value.reason == DYNAMIC
    for supervisor in (static, dynamic):
        assert len(await which_children(supervisor)) == 1


@simulated
async def test_a_child_whose_id_cannot_be_compared_is_refused() -> None:
    supervisor = await start(Supervisor, [child(Puppet, id="sibling")])
    with pytest.raises(ChildError) as caught:
        await start_child(supervisor, child(Puppet, id=Twin()))
    assert caught.value.reason == BAD_ID
    assert [info.id for info in await which_children(supervisor)] == ["sibling"]


@simulated
@pytest.mark.parametrize(
    "make",
    [
        lambda request: request.StartChild("Puppet"),
        lambda request: request.StartDynamicChild([1], {}),
        lambda request: request.StartDynamicChild((), {1: 2}),
        lambda request: request.StartDynamicChild((), None),
    ],
)
async def test_a_request_with_a_field_of_the_wrong_type_cannot_be_made(make: Any) -> None:
    with pytest.raises(SpecError):
        make(supervisor_requests)


@simulated
async def test_a_log_that_fails_ends_no_supervisor() -> None:
    def fail(*_: Any) -> Any:
        raise SystemExit("the log is full")

    config = structlog.get_config()
    for supervisor, sibling in await one_of_each():
        structlog.configure(processors=[fail])
        try:
            send(supervisor, "odd")
            cast(supervisor, "odd")
            await call(supervisor, "odd")
            send_exit(sibling, SHUTDOWN)
            await down(supervisor)  # its limit is 0
        finally:
            structlog.configure(**config)


# Children that are given up.


class Sickly(GenServer):
    """Does not start while `script` has something to raise."""

    def init(self, script: list[type[BaseException]]) -> None:
        if script:
            raise script.pop(0)


def sickly(script: list[type[BaseException]], **options: Any) -> ChildSpec:
    return child(Sickly, script, **{"id": "x", "name": "x", "budget": Limit(2, 60), **options})


def named(name: str, **options: Any) -> ChildSpec:
    return child(Puppet, id=name, name=name, **options)


def holder(name: str) -> Ref:
    ref = whereis(name)
    assert ref is not None
    return ref


@simulated
@pytest.mark.parametrize("backoff", [None, Backoff(1, 1, 1, 0)], ids=["at once", "with back-off"])
@pytest.mark.parametrize("strategy", Strategy)
async def test_siblings_of_a_child_given_up_in_failing_restarts_are_started_without_it(
    strategy: Strategy, backoff: Backoff | None
) -> None:
    script: list[type[BaseException]] = []
    specs = [named("before"), sickly(script, backoff=backoff), named("after"), named("last")]
    supervisor = await start(Supervisor, specs, strategy=strategy, intensity=0)
    script.extend([ValueError] * 9)
    await kill(holder("x"))
    await asyncio.sleep(10)
    rows = {info.id: info.ref for info in await which_children(supervisor)}
    assert rows == {"before": holder("before"), "x": None, "after": holder("after"), "last": holder("last")}


@simulated
async def test_a_child_that_was_given_up_is_left_out_of_restarts_until_it_is_asked_for() -> None:
    specs = [named("a"), named("x", budget=Limit(0, 1)), named("b")]
    supervisor = await start(Supervisor, specs, strategy=Strategy.ONE_FOR_ALL, intensity=9)
    await kill(holder("x"))
    await asyncio.sleep(10)
    for name in ("a", "b"):
        first = holder("a"), holder("b")
        await kill(holder(name))
        await quiet()
        assert holder("a") not in first
        assert holder("b") not in first
        assert whereis("x") is None
    assert await restart_child(supervisor, "x") is holder("x")
    first_x = holder("x")
    await kill(holder("a"))
    await quiet()
    assert holder("x") is not first_x


@simulated
async def test_a_sibling_that_was_terminated_while_it_waited_stays_down_when_the_child_is_given_up() -> None:
    requests: list[asyncio.Future[None]] = []

    async def fail_after_a_request(self: Puppet) -> None:
        if is_broken:
            requests.append(asyncio.ensure_future(terminate_child(supervisor, "after")))
            await asyncio.sleep(1)
            raise ValueError("no")

    is_broken = False
    specs = [child(Puppet, fail_after_a_request, id="x", name="x", budget=Limit(1, 60)), named("after"), named("last")]
    supervisor = await start(Supervisor, specs, strategy=Strategy.REST_FOR_ONE)
    is_broken = True
    await kill(holder("x"))
    await quiet()
    assert len(requests) == 1
    rows = {info.id: info.ref for info in await which_children(supervisor)}
    assert rows == {"x": None, "after": None, "last": holder("last")}


@simulated
async def test_a_sibling_that_was_deleted_while_it_waited_is_gone_when_the_child_is_given_up() -> None:
    requests: list[asyncio.Future[None]] = []
    started: list[Ref] = []

    async def fail_after_a_request(_: Puppet) -> None:
        if is_broken:
            requests.append(asyncio.ensure_future(delete_child(supervisor, "after")))
            await asyncio.sleep(1)
            raise ValueError("no")

    is_broken = False
    specs = [
        child(Puppet, fail_after_a_request, id="x", name="x", budget=Limit(1, 60)),
        child(Puppet, lambda self: started.append(self.ref), id="after"),
        named("last"),
    ]
    supervisor = await start(Supervisor, specs, strategy=Strategy.REST_FOR_ONE)
    is_broken = True
    await kill(holder("x"))
    await quiet()
    await requests[0]
    rows = {info.id: info.ref for info in await which_children(supervisor)}
    assert rows == {"x": None, "last": holder("last")}
    assert [ref.is_alive() for ref in started] == [False]


@simulated
async def test_siblings_that_fail_when_they_are_started_without_a_child_are_tried_again() -> None:
    script: list[type[BaseException]] = []
    other: list[type[BaseException]] = []
    specs = [sickly(script), sickly(other, id="y", name="y", budget=None), named("last")]
    supervisor = await start(Supervisor, specs, strategy=Strategy.REST_FOR_ONE, intensity=2)
    script.extend([ValueError] * 3)
    other.extend([ValueError] * 2)
    await kill(holder("x"))
    await quiet()
    rows = {info.id: info.ref for info in await which_children(supervisor)}
    assert rows == {"x": None, "y": holder("y"), "last": holder("last")}


@simulated
@pytest.mark.parametrize("kind", BASES)
async def test_a_given_up_callback_may_raise_anything(kind: type[BaseException]) -> None:
    def fail(reason: ExitReason, args: tuple[Any, ...]) -> None:
        raise kind

    supervisor = await start(Supervisor, [named("x", budget=Limit(0, 10), given_up=fail), named("b")], intensity=0)
    before = whereis("b")
    with capture_logs() as logs:
        await kill(holder("x"))
        await quiet()
    assert "supervisor.given_up_failed" in [entry["event"] for entry in logs]
    assert whereis("b") is before
    assert supervisor.is_alive()


# What restarts leave behind.


class Heir(GenServer):
    def init(self, script: list[type[BaseException]]) -> None:
        self.number = 0
        if script:
            raise script.pop(0)

    def checkpoint(self) -> int:
        return 6

    def restore(self, checkpoint: int) -> None:
        self.number = checkpoint

    def handle_call(self, request: Any, from_: Call) -> int:
        return self.number


@simulated
async def test_a_child_stopped_while_its_restarts_fail_begins_anew() -> None:
    script: list[type[BaseException]] = []
    supervisor = await start(
        Supervisor, [child(Heir, script, id="h", name="h", backoff=Backoff(1, 1, 1, 0))], intensity=9
    )
    script.append(ValueError)
    await kill(holder("h"))
    assert [info.ref for info in await which_children(supervisor)] == [RESTARTING]
    await terminate_child(supervisor, "h")
    script.clear()
    await restart_child(supervisor, "h")
    assert await call("h", None) == 0


@simulated
async def test_a_child_that_was_killed_on_request_begins_anew() -> None:
    supervisor = await start(Supervisor, [child(Heir, [], id="h", name="h", shutdown=BRUTAL_KILL)])
    await terminate_child(supervisor, "h")
    await restart_child(supervisor, "h")
    assert await call("h", None) == 0


# What an event costs: looks at children are counted, not seconds.


class Watched(dict[Any, Any]):
    """The children of a supervisor; counts those that are looked at in passing."""

    looks = 0

    def values(self) -> Any:
        for value in super().values():
            self.looks += 1
            yield value

    items = keys = __iter__ = None  # type: ignore[assignment]


def watched(supervisor: Ref) -> Watched:
    process = actor_of(supervisor, Supervisor)
    assert process is not None
    children = Watched(process._children)
    process._children = children
    return children


@simulated
async def test_the_end_of_a_child_costs_no_look_at_its_siblings() -> None:
    count = 200
    temporary = [named(f"t{number}", restart=Restart.TEMPORARY) for number in range(count)]
    permanent = [named(f"p{number}") for number in range(count)]
    given_up = [named(f"g{number}", budget=Limit(0, 10)) for number in range(count)]
    supervisor = await start(Supervisor, [*temporary, *permanent, *given_up], intensity=1_000_000)
    children = watched(supervisor)
    for number in range(count):
        for kind in "tpg":
            send_exit(holder(f"{kind}{number}"), KILL)
    await quiet()
    assert [whereis(f"{kind}7") is not None for kind in "tpg"] == [False, True, False]
    assert children.looks == 0


@simulated
async def test_the_end_of_a_significant_child_costs_no_look_at_its_siblings() -> None:
    options = {"restart": Restart.TEMPORARY, "significant": True}
    specs = [named(f"t{number}", **options) for number in range(200)]
    supervisor = await start(Supervisor, specs, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)
    children = watched(supervisor)
    ended = down(supervisor)
    for number in range(199):
        send_exit(holder(f"t{number}"), SHUTDOWN)
    await quiet()
    assert children.looks == 0
    assert not ended.done()
    send_exit(holder("t199"), SHUTDOWN)
    assert await ended == SHUTDOWN


@simulated
async def test_a_group_that_ends_at_once_is_looked_at_once_for_each_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 100
    specs = [named(f"c{number}") for number in range(count)]
    supervisor = await start(Supervisor, specs, strategy=Strategy.ONE_FOR_ALL, intensity=1)
    children = watched(supervisor)
    process = actor_of(supervisor, Supervisor)
    assert process is not None

    def scan(unwanted: Callable[[Any], bool]) -> None:
        raise AssertionError("the mailbox is looked through for each child that is stopped")

    monkeypatch.setattr(process, "discard", scan, raising=False)
    for number in range(count):
        send_exit(holder(f"c{number}"), KILL)
    await quiet()
    assert holder("c99").restarts == 0
    assert children.looks == count  # the exits of the others, which wait meanwhile, mean nothing any more
    assert supervisor.is_alive()
    await stop(supervisor)
