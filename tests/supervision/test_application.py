"""An application: start phases, settings, what goes with its stop, and what ends it wherever it hangs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pykka.messages import ProxyGetAttr
from structlog.testing import capture_logs

from actors import (
    IGNORE,
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Cast,
    Continue,
    Crash,
    Exit,
    ExitReason,
    Ignored,
    Shutdown,
    StartError,
    call,
    debug,
    send,
    send_exit,
    start,
    stop,
    whereis,
)
from actors.debug import force_exit, processes
from actors.testing import quiet
from supervision import (
    GAVE_UP,
    INFINITY,
    Application,
    ApplicationFailed,
    ChildSpec,
    Supervisor,
    child,
    supervisor,
)
from supervision.application_master import StartTree
from supervision.requests import Refused
from tests.support.puppet import Puppet
from tests.support.scenarios import simulated

TREE = child(Supervisor, [child(Puppet, name="leaf")], id="app", name="app")


def fail() -> None:
    raise ValueError("no")


@simulated
async def test_start_phases_run_in_order_when_the_tree_is_there() -> None:
    log: list[tuple[str, bool]] = []

    async def second() -> None:
        await asyncio.sleep(1)
        log.append(("second", whereis("leaf") is not None))

    phases = {"first": lambda: log.append(("first", whereis("leaf") is not None)), "second": second}
    application = Application(TREE, start_phases=phases)
    assert await application.start() is whereis("app")
    assert log == [("first", True), ("second", True)]
    await application.stop()


@simulated
async def test_a_start_phase_that_fails_stops_the_tree_and_fails_the_start() -> None:
    application = Application(TREE, start_phases={"only": fail})
    with pytest.raises(StartError) as caught:
        await application.start()
    assert isinstance(caught.value.reason, Crash)
    assert whereis("leaf") is None


@simulated
async def test_a_stop_is_prepared_before_and_followed_up_after_the_end_of_the_tree() -> None:
    log: list[tuple[str, bool]] = []

    async def prepare() -> None:
        log.append(("prepare", whereis("leaf") is not None))

    application = Application(
        TREE, prepare_stop=prepare, stopped=lambda: log.append(("stopped", whereis("leaf") is not None))
    )
    await application.start()
    await application.stop()
    await application.stop()
    assert log == [("prepare", True), ("stopped", False)]
    assert await application.wait() == "shutdown"


@simulated
async def test_what_goes_with_the_stop_may_fail_and_the_tree_stops_all_the_same() -> None:
    application = Application(TREE, prepare_stop=fail, stopped=fail)
    await application.start()
    with capture_logs() as logs:
        await application.stop()
    assert whereis("leaf") is None
    failed = [entry["callback"] for entry in logs if entry["event"] == "application.callback_failed"]
    assert failed == ["prepare_stop", "stopped"]


def test_settings_have_defaults() -> None:
    application = Application(TREE, env={"port": 80})
    assert application.get_env("port") == 80
    assert application.get_env("host") is None
    assert application.get_env("host", "localhost") == "localhost"
    application.env["host"] = "example.org"
    assert application.get_env("host") == "example.org"


# Wherever it hangs, it can be ended.


async def hang(*_: object) -> Any:
    await asyncio.get_running_loop().create_future()


async def stubborn() -> None:
    """Ignore the first cancellation."""
    try:
        await hang()
    except asyncio.CancelledError:
        await hang()


def top(*children: ChildSpec, id: str = "top") -> ChildSpec:
    return supervisor(id, children)


def hanging_start(where: str, ended: list[ExitReason]) -> Application:
    """An application whose start hangs, after two processes that note how they end."""
    options = {"trap_exit": True, "ends": ended}
    parts = [child(Puppet, id=id, kwargs=options) for id in ("first", "second")]
    match where:
        case "init":
            return Application(top(*parts, child(Puppet, hang)))
        case "init of a grandchild":
            return Application(top(parts[0], top(parts[1], child(Puppet, hang), id="branch")))
        case "init that ignores a cancellation":
            return Application(top(*parts, child(Puppet, lambda _: stubborn())))
        case "start function":
            return Application(top(*parts, child(hang)))
        case "init of the root":
            return Application(child(Puppet, hang, id="top"))
        case _:
            return Application(top(*parts), start_phases={"only": hang})


IN_A_START = ["init", "init of a grandchild", "init that ignores a cancellation", "start function", "start phase"]


@pytest.mark.parametrize("where", [*IN_A_START, "init of the root"])
@simulated
async def test_a_start_that_is_cancelled_leaves_nothing(where: str) -> None:
    ended: list[ExitReason] = []
    application = hanging_start(where, ended)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await application.start()
    assert processes() == []
    assert len(ended) == (0 if where == "init of the root" else 2)  # `terminate` of those that had started has run
    assert await application.wait() == SHUTDOWN


@pytest.mark.parametrize("where", [*IN_A_START, "init of the root"])
@pytest.mark.parametrize("delay", [0, 1])
@simulated
async def test_a_stop_during_the_start_stops(where: str, delay: float) -> None:
    application = hanging_start(where, [])
    starting = asyncio.ensure_future(application.start())
    await asyncio.sleep(delay)
    await application.stop()
    assert processes() == []
    with pytest.raises(StartError, match="shutdown"):
        await starting
    assert await application.wait() == SHUTDOWN


@pytest.mark.parametrize("where", [*IN_A_START, "init of the root"])
@simulated
async def test_a_kill_during_the_start_kills(where: str) -> None:
    application = hanging_start(where, [])
    starting = asyncio.ensure_future(application.start())
    await asyncio.sleep(1)
    await application.kill()
    assert processes() == []
    with pytest.raises(StartError, match="killed"):
        await starting
    assert await application.wait() == KILLED


@pytest.mark.parametrize("where", ["init", "init of a grandchild", "start phase"])
@simulated
async def test_a_given_up_start_stops_in_order_what_has_started(where: str) -> None:
    ended: list[ExitReason] = []
    application = hanging_start(where, ended)
    starting = asyncio.ensure_future(application.start())
    await asyncio.sleep(1)
    starting.cancel()
    await asyncio.wait((starting,))
    assert ended == [SHUTDOWN, SHUTDOWN]


@simulated
async def test_a_start_that_is_cancelled_twice_kills() -> None:
    application = Application(top(child(Puppet, trap_exit_and(), hang, shutdown=INFINITY)), start_phases={"p": hang})
    starting = asyncio.ensure_future(application.start())
    await asyncio.sleep(1)
    starting.cancel()
    await asyncio.sleep(60)
    assert not starting.done()  # `terminate` hangs
    starting.cancel()
    await asyncio.wait((starting,))
    assert starting.cancelled()
    assert processes() == []
    assert await application.wait() == KILLED


def trap_exit_and(deed: Callable[[Puppet], Any] = lambda _: None) -> Callable[[Puppet], Any]:
    def begin(puppet: Puppet) -> Any:
        puppet.trap_exit = True
        return deed(puppet)

    return begin


def hanging_stop(where: str, log: list[str]) -> Application:
    """An application whose stop hangs."""
    functions: dict[str, Any] = {
        "prepare_stop": lambda: log.append("prepare_stop"),
        "stopped": lambda: log.append("stopped"),
    }
    end: Callable[[Puppet], Any] = lambda _: None  # noqa: E731
    match where.split():
        case [("prepare_stop" | "stopped") as function]:
            functions[function] = hang
        case [("prepare_stop" | "stopped") as function, "stubborn"]:
            functions[function] = stubborn
        case _:
            end = hang
    return Application(top(child(Puppet, trap_exit_and(), end, shutdown=INFINITY)), **functions)


IN_A_STOP = ["prepare_stop", "prepare_stop stubborn", "terminate", "stopped", "stopped stubborn"]


@pytest.mark.parametrize("where", IN_A_STOP)
@simulated
async def test_a_kill_ends_a_stop_at_once_wherever_it_hangs(where: str) -> None:
    log: list[str] = []
    application = hanging_stop(where, log)
    await application.start()
    stops = [asyncio.ensure_future(application.stop()) for _ in range(2)]
    await asyncio.sleep(1)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await application.kill()
    await asyncio.gather(*stops)
    assert loop.time() == before
    assert processes() == []
    assert await application.wait() == KILLED
    assert "stopped" not in log


@simulated
async def test_a_kill_leaves_no_process_that_refuses_to_end() -> None:
    application = hanging_stop("terminate", [])
    await application.start()
    await application.kill()
    assert processes() == []


@pytest.mark.parametrize("where", IN_A_STOP)
@simulated
async def test_a_loop_that_shuts_down_during_a_stop_leaves_nothing(where: str) -> None:
    application = hanging_stop(where, [])
    await application.start()
    stop = asyncio.ensure_future(application.stop())
    await asyncio.sleep(1)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:  # as `asyncio.run` does
        task.cancel()
    await asyncio.wait({stop})
    assert processes() == []
    assert await application.wait() == KILLED


# One life at a time.


@simulated
async def test_a_start_before_the_end_is_refused_and_starts_nothing() -> None:
    application = Application(TREE, start_phases={"wait": lambda: asyncio.sleep(1)})
    starting = asyncio.ensure_future(application.start())
    for state in ("starting", "running"):
        await asyncio.sleep(0)
        count = len(processes())
        with pytest.raises(RuntimeError, match=f"the application 'app' is {state} and cannot be started"):
            await application.start()
        assert len(processes()) == count
        await starting
    await application.stop()
    assert processes() == []


@simulated
async def test_an_application_may_start_again_after_its_end() -> None:
    application = Application(TREE)
    for _ in range(2):
        await application.start()
        await application.stop()
        assert await application.wait() == SHUTDOWN
        root = await application.start()
        force_exit(root, "crash")
        assert await application.wait() == "crash"


@simulated
async def test_stops_at_the_same_time_are_one() -> None:
    log: list[str] = []

    async def prepare() -> None:
        log.append("prepare_stop")
        await asyncio.sleep(1)

    application = Application(TREE, prepare_stop=prepare, stopped=lambda: log.append("stopped"))
    await application.start()
    await asyncio.gather(*(application.stop() for _ in range(3)))
    assert log == ["prepare_stop", "stopped"]


@simulated
async def test_a_stop_whose_caller_gives_up_goes_on() -> None:
    application = Application(TREE, prepare_stop=lambda: asyncio.sleep(10))
    await application.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await application.stop()
    assert await application.wait() == SHUTDOWN
    assert processes() == []


@simulated
async def test_a_root_that_declines_is_reported_as_such() -> None:
    application = Application(child(Puppet, lambda _: IGNORE, id="top"))
    with pytest.raises(Ignored):
        await application.start()
    assert processes() == []
    assert await application.wait() == NORMAL


async def await_the_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


def leave() -> None:
    raise SystemExit(3)


async def leave_later() -> None:
    await asyncio.sleep(1)
    raise SystemExit(3)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raise_unprintable() -> None:
    raise Unprintable


RAISING = [fail, leave, leave_later, await_the_cancelled, raise_unprintable]


@pytest.mark.parametrize("function", RAISING)
@simulated
async def test_whatever_a_start_phase_raises_fails_the_start(function: Callable[[], object]) -> None:
    application = Application(TREE, start_phases={"only": function})
    with pytest.raises(StartError) as caught:
        await application.start()
    assert isinstance(caught.value.reason, Crash)
    assert str(caught.value)
    assert processes() == []


@pytest.mark.parametrize("function", RAISING)
@simulated
async def test_whatever_goes_with_a_stop_raises_the_application_stops(function: Callable[[], object]) -> None:
    application = Application(TREE, prepare_stop=function, stopped=function)
    await application.start()
    await application.stop()
    assert await application.wait() == SHUTDOWN
    assert processes() == []


@simulated
async def test_a_root_that_dies_during_a_start_phase_fails_the_start() -> None:
    application = Application(TREE, start_phases={"only": hang})
    starting = asyncio.ensure_future(application.start())
    await asyncio.sleep(1)
    root = whereis("app")
    assert root is not None
    force_exit(root, "crash")
    with pytest.raises(StartError, match="crash"):
        await starting
    assert processes() == []


@simulated
async def test_what_a_dead_root_leaves_has_five_seconds_to_end() -> None:
    application = hanging_stop("terminate", [])
    root = await application.start()
    loop = asyncio.get_running_loop()
    before = loop.time()
    send_exit(root, KILL)
    assert await application.wait() == KILLED
    assert loop.time() == before + 5
    assert processes() == []


@simulated
async def test_a_stop_between_two_start_phases_begins_no_other() -> None:
    stops: list[asyncio.Future[None]] = []
    log: list[str] = []
    phases = {
        "first": lambda: stops.append(asyncio.ensure_future(application.stop())),
        "second": lambda: log.append("second"),
    }
    application: Application = Application(TREE, start_phases=phases)
    with pytest.raises(StartError, match="shutdown"):
        await application.start()
    await asyncio.gather(*stops)
    assert log == []
    assert processes() == []


# An end that was not asked for.


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, Shutdown("done")], ids=str)
@simulated
async def test_an_orderly_end_by_itself_is_no_failure(reason: ExitReason) -> None:
    application = Application(child(Puppet, id="app"))
    root = await application.start()
    ended = asyncio.ensure_future(application.run_until_signal())
    await stop(root, reason)
    assert await ended == reason


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (GAVE_UP, "the application app gave up: its processes failed too often"),
        (Crash(ValueError("no")), "the application app ended by itself: ValueError: no"),
        (KILL, "the application app ended by itself: kill"),
        (Unprintable(), "the application app ended by itself: Unprintable"),
    ],
    ids=["gave up", "crash", "kill", "unprintable"],
)  # fmt: skip
@simulated
async def test_any_other_end_by_itself_is_a_failure(reason: ExitReason, text: str) -> None:
    application = Application(TREE)
    root = await application.start()
    force_exit(root, reason)
    assert await application.wait() is reason
    with pytest.raises(ApplicationFailed) as caught:
        await application.run_until_signal()
    assert caught.value.reason is reason
    assert str(caught.value) == text


@simulated
async def test_a_failure_that_a_kill_hastens_is_one_still() -> None:
    application = hanging_stop("terminate", [])
    root = await application.start()
    force_exit(root, GAVE_UP)
    await asyncio.sleep(1)
    await application.kill()
    assert processes() == []
    assert await application.wait() == GAVE_UP
    with pytest.raises(ApplicationFailed, match="gave up"):
        await application.run_until_signal()


@simulated
async def test_an_end_that_was_asked_for_is_no_failure() -> None:
    application = Application(TREE)
    await application.start()
    await application.kill()
    assert await application.run_until_signal() == KILLED


# The text of a start that failed.


@simulated
async def test_a_failed_start_says_where_in_the_tree_and_why() -> None:
    holder = await start(Puppet, name="web")
    tree = top(top(child(Puppet, name="web", id="leaf"), id="branch"))
    with pytest.raises(StartError) as caught:
        await Application(tree).start()
    assert str(caught.value) == f"branch > leaf: the name 'web' is held by {holder!r}"
    await stop(holder)
    assert str(caught.value) == f"branch > leaf: its name was held by {holder!r}"


@simulated
async def test_a_failed_restart_is_logged_with_where_in_the_tree_and_why() -> None:
    outcomes = iter([None, ValueError("no")])

    def begin(_: Puppet) -> None:
        outcome = next(outcomes, None)
        if outcome is not None:
            raise outcome

    await start(Supervisor, [top(child(Puppet, begin, id="leaf"), id="branch")])
    with capture_logs() as logs:
        send_exit(next(each.ref for each in processes() if each.label == "branch"), KILL)
        await asyncio.sleep(1)
    (failed,) = (log for log in logs if log["event"] == "supervisor.start_failed")
    assert (failed["child"], failed["reason"]) == ("branch", "leaf: ValueError: no")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("taken", "taken"),
        (Crash(ValueError("no")), "ValueError: no"),
        (Shutdown("done"), "Shutdown(detail=str(4))"),
        (Unprintable(), "Unprintable"),
    ],
    ids=["string", "crash", "shutdown", "unprintable"],
)  # fmt: skip
def test_a_failed_start_without_a_tree_says_its_reason(reason: ExitReason, text: str) -> None:
    assert str(StartError(reason)) == text


# Resources.


class Door:
    """Notes what it is asked for, and which processes there were then; raises whatever it likes."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bool]] = []

    def prepare_stop(self) -> None:
        self.log.append(("prepare_stop", whereis("leaf") is not None))
        raise SystemExit(3)

    def close(self) -> None:
        self.log.append(("close", any(process.kind != "ApplicationMaster" for process in processes())))
        raise SystemExit(3)


ORDERLY = [("prepare_stop", True), ("close", False)]
CLOSED = [("close", False)]


async def stopped_in_order(door: Door) -> Application:
    application = Application(top(child(Puppet, name="leaf", resources=(door,))))
    await application.start()
    await asyncio.gather(application.stop(), application.stop())
    return application


async def killed(door: Door) -> Application:
    application = Application(top(child(Puppet, name="leaf", resources=(door,))))
    await application.start()
    await application.kill()
    return application


async def killed_in_a_stop(door: Door) -> Application:
    application = Application(top(child(Puppet, name="leaf", resources=(door,))), prepare_stop=hang)
    await application.start()
    stopping = asyncio.ensure_future(application.stop())
    await asyncio.sleep(1)
    await application.kill()
    await stopping
    return application


async def ended_by_itself(door: Door) -> Application:
    application = Application(top(child(Puppet, name="leaf", resources=(door,))))
    force_exit(await application.start(), "crash")
    await application.wait()
    return application


async def not_started_whole(door: Door) -> Application:
    broken = child(Puppet, lambda _: fail(), id="broken")
    application = Application(top(child(Puppet, name="leaf", resources=(door,)), broken))
    with pytest.raises(StartError):
        await application.start()
    return application


async def failed_in_a_start_phase(door: Door) -> Application:
    application = Application(top(child(Puppet, name="leaf", resources=(door,))), start_phases={"only": fail})
    with pytest.raises(StartError):
        await application.start()
    return application


async def stopped_during_the_start(door: Door) -> Application:
    hanging = child(Puppet, hang, id="hanging")
    application = Application(top(child(Puppet, name="leaf", resources=(door,)), hanging))
    starting = asyncio.ensure_future(application.start())
    await asyncio.sleep(1)
    await application.stop()
    with pytest.raises(StartError):
        await starting
    return application


async def given_up_during_the_start(door: Door) -> Application:
    hanging = child(Puppet, hang, id="hanging")
    application = Application(top(child(Puppet, name="leaf", resources=(door,)), hanging))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await application.start()
    return application


ENDS: dict[Callable[[Door], Awaitable[Application]], Any] = {
    stopped_in_order: ORDERLY,
    killed: CLOSED,
    killed_in_a_stop: CLOSED,
    ended_by_itself: CLOSED,
    not_started_whole: [("prepare_stop", False), ("close", False)],
    failed_in_a_start_phase: ORDERLY,
    stopped_during_the_start: ORDERLY,
    given_up_during_the_start: ORDERLY,
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@simulated
async def test_resources_are_prepared_before_a_stop_and_closed_after_every_end(
    end: Callable[[Door], Awaitable[Application]],
) -> None:
    door = Door()
    with capture_logs() as logs:
        application = await end(door)
    assert processes() == []
    failed = [entry["callback"] for entry in logs if entry["event"] == "application.callback_failed"]
    assert failed == [f"Door.{name}" for name, _ in door.log]
    assert door.log == ENDS[end]
    before = len(door.log)
    await application.stop()
    await application.kill()
    assert len(door.log) == before


@simulated
async def test_no_client_and_no_child_ends_the_master_of_an_application() -> None:
    application = Application(supervisor("root", [child(Puppet)]))
    root = await application.start()
    master = debug.info(root).parent  # type: ignore[union-attr]
    assert master is not None
    messages: list[Any] = ["?", Continue(), Exit(root, "boom"), Exit(None, "boom"), Exit(master, "boom"), Cast("?")]
    with capture_logs():
        for message in messages:
            send(master, message)
        assert await call(master, "?") == Refused("unknown_request")
        assert await call(master, StartTree(child(Puppet))) == Refused("unknown_request")
        assert await master.ask(ProxyGetAttr(attr_path=("missing",)), block=False) == Refused("unknown_request")
    await quiet()
    assert master.is_alive()
    assert root.is_alive()
    await application.stop()
    assert await application.wait() == SHUTDOWN
