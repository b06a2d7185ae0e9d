"""A supervisor does what a model of it does, whatever fails and whatever is asked of it meanwhile.

The model knows neither processes nor messages: it is the rules alone. After each step the supervisor must have the
children the model has, in the same states, started as often, each once and linked.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import IGNORE, SHUTDOWN, CallExit, ExitReason, GenServer, Ref, down, send_exit, start
from actors.debug import info
from actors.testing import quiet, run
from supervision import (
    GAVE_UP,
    RESTARTING,
    AutoShutdown,
    Backoff,
    ChildError,
    ChildSpec,
    Limit,
    Restart,
    Strategy,
    Supervisor,
    delete_child,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)

EVER = 1e9
DELAY = 2.0
STEP = 0.37
"""Seconds before each step: no two restarts are due at the same time."""
STEPS = 40
DEEDS = {"crash": 6, "exit": 2, "terminate": 3, "restart": 3, "delete": 1, "add": 2}
"""What happens, and how often."""
ENDS = ("crash", "exit")


@dataclass(frozen=True)
class Traits:
    """A child as both know it."""

    restart: Restart = Restart.PERMANENT
    budget: int | None = None
    waits: bool = False
    significant: bool = False


@dataclass(frozen=True)
class Plan:
    strategy: Strategy
    intensity: int
    auto_shutdown: AutoShutdown
    children: tuple[Traits, ...]
    later: int
    """How many of them, the last ones, are added by requests alone."""


# The model.


@dataclass
class Wait:
    """Somebody waits for a restart, and those behind wait for that."""

    child: int
    behind: list[int]
    due: float


@dataclass
class Model:
    plan: Plan
    now: float = 0.0
    reason: ExitReason | None = None
    """Why the supervisor has ended."""
    states: dict[int, str | Wait] = field(default_factory=dict)
    scripts: dict[int, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    starts: Counter[int] = field(default_factory=Counter)
    given_up: list[int] = field(default_factory=list)
    own: Counter[int] = field(default_factory=Counter)
    restarts: int = 0

    def of(self, id: int) -> Traits:
        return self.plan.children[id]

    def row(self, id: int) -> str:
        state = self.states[id]
        if isinstance(state, Wait):
            return "waits" if state.child == id else "down"
        return "up" if state == "up" else "down"

    def worth(self, do: str) -> list[int]:
        """The children for whom `do` is most likely to mean something."""
        ids = list(range(len(self.plan.children)))
        if do in ENDS:
            return [id for id in ids if self.states.get(id) == "up"] or ids
        return [id for id in ids if isinstance(self.states.get(id), Wait)] or ids

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.reason is None:
            waits = [state for id, state in self.states.items() if isinstance(state, Wait) and state.child == id]
            due = [wait for wait in waits if wait.due <= end]
            if not due:
                break
            first = min(due, key=lambda wait: wait.due)
            self.now = first.due
            self.begin(first.child)
        self.now = end

    def exits(self, id: int, is_clean: bool) -> None:
        restart = self.of(id).restart
        if restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and not is_clean):
            self.fail(Wait(id, [], 0))
            return
        self.down(id)
        others = any(self.of(other).significant and self.row(other) != "down" for other in self.states)
        match self.plan.auto_shutdown:
            case AutoShutdown.ANY_SIGNIFICANT if self.of(id).significant:
                self.end(SHUTDOWN)
            case AutoShutdown.ALL_SIGNIFICANT if self.of(id).significant and not others:
                self.end(SHUTDOWN)

    def fail(self, wait: Wait) -> None:
        """A restart has to be counted, and then begins."""
        traits = self.of(wait.child)
        if traits.budget is None:
            self.restarts += 1
            if self.restarts > self.plan.intensity:
                return self.end(GAVE_UP)
        else:
            self.own[wait.child] += 1
            if self.own[wait.child] > traits.budget:
                self.given_up.append(wait.child)
                self.states[wait.child] = "given up"
                return self.start_all([id for id in wait.behind if self.states.get(id) is wait])
        self.states[wait.child] = wait
        wait.due = self.now + DELAY
        return None if traits.waits else self.begin(wait.child)

    def begin(self, id: int) -> None:
        ids = list(self.states)
        group = {
            Strategy.ONE_FOR_ONE: [id],
            Strategy.ONE_FOR_ALL: ids,
            Strategy.REST_FOR_ONE: ids[ids.index(id) :],
        }[self.plan.strategy]
        group = [member for member in group if self.states[member] != "given up"]
        for member in group:
            self.down(member)
        self.start_all([member for member in group if member in self.states])

    def start_all(self, ids: list[int]) -> None:
        for number, id in enumerate(ids, 1):
            if self.start(id) == "fail":
                wait = Wait(id, ids[number:], 0)
                self.states.update(dict.fromkeys(ids[number - 1 :], wait))
                return self.fail(wait)
        return None

    def start(self, id: int) -> str:
        script = self.scripts[id]
        outcome = script.popleft() if script else "ok"
        self.starts[id] += 1
        if outcome == "ok":
            self.states[id] = "up"
        elif outcome == "ignore":
            self.down(id)
        return outcome

    def down(self, id: int) -> None:
        if self.of(id).restart is Restart.TEMPORARY:
            self.states.pop(id, None)
        else:
            self.states[id] = "down"

    def end(self, reason: ExitReason) -> None:
        self.reason = reason
        self.states.clear()

    def ask(self, do: str, id: int) -> str:
        """Serve a request; returns the answer."""
        if do == "add":
            return self.add(id)
        if id not in self.states:
            return "not_found"
        row = self.row(id)
        if do == "terminate":
            self.down(id)
        elif row != "down":
            return {"up": "running", "waits": "restarting"}[row]
        elif do == "restart":
            return "failed" if self.start(id) == "fail" else "ok"
        else:
            del self.states[id]
        return "ok"

    def add(self, id: int) -> str:
        if id in self.states:
            return "present"
        self.states[id] = "new"
        self.own[id] = 0  # another child, if with the id of one that was deleted
        if self.start(id) == "fail":
            del self.states[id]
            return "failed"
        return "ok"


# The real one.


class Worker(GenServer):
    def init(self, world: World, id: int) -> Any:
        world.starts[id] += 1
        script = world.scripts[id]
        outcome = script.popleft() if script else "ok"
        if outcome == "fail":
            raise ValueError(id)
        if outcome == "ignore":
            return IGNORE
        world.refs.append((id, self.ref))
        return None


class World:
    """The supervisor of a plan and its children, and what can be seen of them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.scripts: dict[int, deque[str]] = defaultdict(deque)
        self.starts: Counter[int] = Counter()
        self.refs: list[tuple[int, Ref]] = []
        self.given_up: list[int] = []
        self.supervisor: Ref
        self.ended: asyncio.Future[ExitReason]

    def spec(self, id: int) -> ChildSpec:
        traits = self.plan.children[id]
        return ChildSpec(
            start=Worker,
            args=(self, id),
            id=id,
            restart=traits.restart,
            significant=traits.significant,
            budget=None if traits.budget is None else Limit(traits.budget, EVER),
            backoff=Backoff(DELAY, DELAY, 1, jitter=0) if traits.waits else None,
            given_up=lambda reason, args: self.given_up.append(args[1]),
        )

    async def start(self) -> None:
        plan = self.plan
        self.supervisor = await start(
            Supervisor,
            [self.spec(id) for id in range(len(plan.children) - plan.later)],
            strategy=plan.strategy,
            intensity=plan.intensity,
            period=EVER,
            auto_shutdown=plan.auto_shutdown,
        )
        self.ended = down(self.supervisor)

    async def make(self, do: str, child: int) -> str:
        requests: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "add": lambda: start_child(self.supervisor, self.spec(child)),
            "terminate": lambda: terminate_child(self.supervisor, child),
            "restart": lambda: restart_child(self.supervisor, child),
            "delete": lambda: delete_child(self.supervisor, child),
        }
        if do in requests:
            return await self.answer(requests[do]())
        for id, ref in self.living():
            if id == child:
                send_exit(ref, "boom" if do == "crash" else SHUTDOWN)
        return "ok"

    async def answer(self, request: Coroutine[Any, Any, Any]) -> str:
        try:
            await request
        except ChildError as error:
            match error.reason:
                case "not_found" | "running" | "restarting":
                    return str(error.reason)
                case "already_present":
                    return "present"
                case reason:
                    return "present" if type(reason).__name__ == "AlreadyStarted" else "failed"
        except CallExit:
            return "ended"
        return "ok"

    def living(self) -> list[tuple[int, Ref]]:
        return [(id, ref) for id, ref in self.refs if ref.is_alive()]

    async def rows(self) -> dict[Any, str]:
        words: dict[object, str] = {None: "down", RESTARTING: "waits"}
        return {info.id: words.get(info.ref, "up") for info in reversed(await which_children(self.supervisor))}


async def compare(plan: Plan, random: Random) -> None:
    model, world = Model(plan), World(plan)
    await world.start()
    for id in range(len(plan.children) - plan.later):
        model.ask("add", id)
    for _ in range(STEPS):
        for seconds in (STEP, random.choice((0, 0, 0, DELAY))):
            model.advance(seconds)
            await asyncio.sleep(seconds)
        await quiet()
        await same(model, world)
        if model.reason is not None:
            break
        do = random.choices(list(DEEDS), list(DEEDS.values()))[0]
        id = random.choice(model.worth(do))
        failing = random.choice((id, random.randrange(len(plan.children))))
        script = random.choices(("fail", "ok", "ignore"), (12, 2, 1), k=random.randint(0, 6))
        model.scripts[failing], world.scripts[failing] = deque(script), deque(script)
        answer = await world.make(do, id)
        if do in ENDS:
            if model.states.get(id) == "up":
                model.exits(id, do == "exit")
        else:
            assert answer == model.ask(do, id)
        await quiet()
        await same(model, world)


async def same(model: Model, world: World) -> None:
    """Check that the supervisor is where the model is."""
    assert world.starts == model.starts
    assert world.given_up == model.given_up
    living = world.living()
    if model.reason is not None:
        assert await world.ended == model.reason
        assert living == []
        return
    assert world.supervisor.is_alive()
    rows = await world.rows()
    assert list(rows.items()) == [(id, model.row(id)) for id in model.states]
    assert sorted(id for id, _ in living) == sorted(id for id, row in rows.items() if row == "up")
    for _, ref in living:
        process = info(ref)
        assert process is not None
        assert world.supervisor in process.links


def plan_of(random: Random) -> Plan:
    auto_shutdown = random.choice((AutoShutdown.NEVER, AutoShutdown.NEVER, *AutoShutdown))
    children = []
    for _ in range(random.randint(2, 5)):
        restart = random.choice((Restart.PERMANENT, Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY))
        may_be_significant = auto_shutdown is not AutoShutdown.NEVER and restart is not Restart.PERMANENT
        children.append(
            Traits(
                restart,
                budget=random.choice((None, None, 1, 2, 3)),
                waits=random.random() < 0.5,
                significant=may_be_significant and random.random() < 0.7,
            )
        )
    return Plan(
        random.choice((*Strategy, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE)),
        random.choice((3, 1000, 1000, 1000)),
        auto_shutdown,
        tuple(children),
        later=random.randrange(len(children)),
    )


@pytest.mark.parametrize("seed", range(400))
def test_a_supervisor_does_what_its_model_does(seed: int) -> None:
    random = Random(seed)
    plan = plan_of(random)
    with capture_logs():
        run(compare(plan, random), seed=random.choice((None, 1, 2, 3)))
