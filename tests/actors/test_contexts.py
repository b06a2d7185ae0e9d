"""Every process has context variables of its own, as every task has (PEP 567): no other process sees them."""

import asyncio
import contextvars
import decimal
import random
from typing import Any

import structlog

from actors import (
    BlockingServer,
    Call,
    GenServer,
    Ref,
    StartError,
    call,
    cast,
    self_ref,
    send_exit,
    start,
    start_link,
    start_task,
    watch,
)
from actors.exits import KILL
from actors.testing import quiet
from registry import Table
from supervision import Supervisor, child
from tests.support.puppet import Puppet, puppet
from tests.support.scenarios import live, simulated

USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


def set_user(user: str) -> None:
    USER.set(user)


class Session(GenServer):
    """Remembers a user in the variable, and in an attribute to compare."""

    def init(self) -> None:
        self.user = USER.get()

    def handle_call(self, request: Any, from_: Call) -> Any:
        match request:
            case "get":
                return USER.get(), self.user
            case ("set", str(user)):
                self.user = user
                USER.set(user)
            case ("reset", str(user)):
                token = USER.set(user)
                USER.reset(token)
            case ("wait", str(user)):
                return self.set_around_a_wait(user)
        return None

    async def set_around_a_wait(self, user: str) -> str:
        token = USER.set(user)
        await asyncio.sleep(0.01)
        seen = USER.get()
        USER.reset(token)
        return seen


@simulated
async def test_a_process_sees_what_it_set_and_nothing_of_any_other() -> None:
    chance = random.Random(7)
    sessions = [await start(Session) for _ in range(8)]

    async def client(number: int) -> None:
        for step in range(40):
            session = chance.choice(sessions)
            name = f"{number}.{step}"
            deed = chance.choice(["get", ("set", name), ("reset", name), ("wait", name)])
            answer = await call(session, deed, timeout=None)
            if deed == "get":
                assert answer[0] == answer[1]
            elif deed[0] == "wait":
                assert answer == name
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 100)

    async with asyncio.TaskGroup() as clients:
        for number in range(12):
            clients.create_task(client(number))
    assert USER.get() == "nobody"


@simulated
async def test_a_process_begins_with_the_variables_of_its_starter_and_changes_only_its_own() -> None:
    USER.set("ann")
    session = await start(Session)
    assert await call(session, "get") == ("ann", "ann")
    await call(session, ("set", "bob"))
    assert USER.get() == "ann"
    USER.set("carol")
    assert await call(session, "get") == ("bob", "bob")


@simulated
async def test_a_restarted_process_begins_with_the_variables_of_its_supervisor() -> None:
    await start(Supervisor, [child(Session, name="session")])
    await call("session", ("set", "ann"))
    send_exit("session", KILL)
    await quiet()
    assert await call("session", "get") == ("nobody", "nobody")


@simulated
async def test_precision_that_one_process_sets_does_not_change_the_sums_of_another() -> None:
    one, _ = await puppet()
    other, _ = await puppet()

    def imprecise(_: Puppet) -> None:
        decimal.setcontext(decimal.Context(prec=3))

    for _ in range(3):
        cast(one, imprecise)
        third = await call(other, lambda _: decimal.Decimal(1) / 3)
        assert len(str(third)) > 20


@simulated
async def test_what_is_bound_to_the_log_of_one_process_is_in_no_line_of_another() -> None:
    one, _ = await puppet()
    other, _ = await puppet()
    await call(one, lambda _: structlog.contextvars.bind_contextvars(user="ann"))
    assert await call(other, lambda _: structlog.contextvars.get_contextvars()) == {}
    assert await call(one, lambda _: structlog.contextvars.get_contextvars()) == {"user": "ann"}


@simulated
async def test_a_watcher_that_sets_a_variable_changes_no_process() -> None:
    dying, _ = await puppet()
    session = await start(Session)
    watch(dying, lambda *_: set_user("watcher"))
    cast(dying, lambda _: 1 / 0)
    await quiet()
    assert await call(session, "get") == ("nobody", "nobody")


@live
async def test_the_thread_of_a_process_has_its_variables_too() -> None:
    class Worker(BlockingServer):
        def init(self) -> None:
            self.first = USER.get()
            USER.set("thread")

        def handle_call(self, request: object, from_: Call) -> tuple[str, str, Ref | None]:
            return self.first, USER.get(), self_ref()

    USER.set("starter")
    workers = [await start(Worker), await start(Worker)]
    for worker in workers:
        assert await call(worker, "?") == ("starter", "thread", worker)
    assert USER.get() == "starter"


# Tasks that a callback makes belong to its process.


@simulated
async def test_tasks_of_a_callback_act_for_their_process() -> None:
    table: Table[str] = Table("names")
    ref, _ = await puppet()

    async def deeds(self: Puppet) -> Any:
        async def register() -> None:
            table.register("key", "value")

        async def who() -> Ref | None:
            return self_ref()

        children = await asyncio.gather(start_link(Puppet), start_link(Puppet))
        await asyncio.gather(register())
        task = await asyncio.wait_for(start_task(lambda: 5), 1)
        async with asyncio.TaskGroup() as group:
            started = group.create_task(start_link(Puppet))
            asked = group.create_task(who())
        assert await task.result() == 5
        return [*children, started.result()], asked.result()

    children, asked = await call(ref, deeds)
    assert asked is ref
    assert table.whereis("key") is ref
    parents = [child._process.parent for child in children]
    assert parents == [ref] * 3
    send_exit(ref, KILL)
    assert not any(child.is_alive() for child in children)


@simulated
async def test_a_task_that_outlives_its_process_starts_nothing_linked_to_it() -> None:
    outcomes: list[Any] = []
    tasks: list[asyncio.Future[None]] = []
    ref, _ = await puppet()

    async def later() -> None:
        await asyncio.sleep(1)
        try:
            await start_link(Puppet)
        except StartError as error:
            outcomes.append(str(error))

    def begin(self: Puppet) -> None:
        tasks.append(asyncio.ensure_future(later()))

    cast(ref, begin)
    await asyncio.sleep(0.5)
    send_exit(ref, KILL)
    await asyncio.sleep(1)
    assert outcomes == ["noproc"]


@simulated
async def test_outside_of_processes_there_is_no_self() -> None:
    ref, _ = await puppet()
    await call(ref, lambda _: set_user("x"))
    assert self_ref() is None
    seen: list[Ref | None] = []
    asyncio.get_running_loop().call_soon(lambda: seen.append(self_ref()))
    await asyncio.sleep(1)
    assert seen == [None]
