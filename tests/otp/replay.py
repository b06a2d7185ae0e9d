"""Replays a scenario in virtual time and tells where Canopy does not do what OTP did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors import (
    CallExit,
    ProcessExit,
    Ref,
    StartError,
    call,
    cast,
    down,
    register,
    send,
    send_exit,
    start,
    start_link,
    stop,
    unregister,
    whereis,
)
from actors.testing import quiet, run
from supervision import (
    ChildError,
    ChildInfo,
    DynamicSupervisor,
    Supervisor,
    count_children,
    start_child,
    start_dynamic_child,
    which_children,
)
from tests.otp import compare
from tests.otp.processes import Do, Parent, Player, Request, Runner, Traits, Worker, World, class_of, spec_of
from tests.otp.terms import Term, reason_of, refusal_of

FORMAT = "otp-scenarios 1"
LATE = 0.03
"""Seconds between `monitor` and `demonitor` in `demonitor_late`."""

Scenario = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step after which Canopy is not where OTP was."""

    scenario: str
    number: int
    step: Traits
    expected: dict[str, Any]
    observed: dict[str, Any]

    def __str__(self) -> str:
        where = "after the start" if self.number == 0 else f"after step {self.number}: {json.dumps(self.step)}"
        lines = [f"{self.scenario}, {where}"]
        for key, expected in self.expected.items():
            lines.append(f"  {key}")
            lines.append(f"    expected {json.dumps(expected)}")
            lines.append(f"    observed {json.dumps(self.observed[key])}")
        return "\n".join(lines)


def load(path: Path) -> list[Scenario]:
    """The scenarios of a file, none if it holds something else."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return []
    scenarios: list[Scenario] = content["scenarios"]
    return scenarios


def replay(scenario: Scenario, seed: int | None = None) -> Difference | None:
    """Replay `scenario` in the run order of `seed`; returns the first difference, if there is one."""
    return run(Replay(scenario).compare(), seed=seed)


class Replay:
    """One scenario on its way."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World()
        objects = list(_objects([scenario["tree"], scenario.get("outsiders", []), scenario["steps"]]))
        self.names = sorted(set(_names(objects)))
        self.dynamic = {each["id"] for each in objects if each.get("strategy") == "dynamic"}
        self.runner: Ref
        self.parent: Ref
        self.top: Ref | None = None

    async def compare(self) -> Difference | None:
        """Make all steps, up to the first one that comes out otherwise than in OTP."""
        await self._set_stage()
        steps: list[tuple[Traits, Traits]] = [({"do": "start"}, self.scenario["started"])]
        steps += [(step, step["expect"]) for step in self.scenario["steps"]]
        expected: dict[str, Any] = {}
        for number, (step, expectation) in enumerate(steps):
            expected = compare.complete(expectation, expected)
            observed = await self._observe(await self._result(step))
            keys = compare.differences(expected, observed, self.dynamic)
            if keys:
                shown = {key: value for key, value in step.items() if key != "expect"}
                return Difference(
                    self.scenario["name"],
                    number,
                    shown,
                    {key: expected.get(key) for key in keys},
                    {key: observed.get(key) for key in keys},
                )
        return None

    async def _set_stage(self) -> None:
        self.runner = await start(Runner, self.world)
        self.parent = await start(Parent, self.world)
        for traits in self.scenario.get("outsiders", []):
            await start(Worker, self.world, traits, name=traits.get("name"))

    # Steps.

    async def _result(self, step: Traits) -> Term:
        """Have `step` made by the process that is to make it."""
        actor = await self._actor(step)
        if not actor.is_alive():
            return "not_alive"
        answer: asyncio.Future[Term] = asyncio.get_running_loop().create_future()
        death = down(actor)
        send(actor, Do(lambda player: self._make(step, player), answer))
        await asyncio.wait((answer, death), return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else "died_meanwhile"

    async def _actor(self, step: Traits) -> Ref:
        if "by" in step:
            return await self.world.process(step["by"])
        return self.parent if step["do"] in ("start", "shutdown") else self.runner

    async def _make(self, step: Traits, player: Player) -> Term:
        """Make `step` inside a callback of `player`."""
        world = self.world
        match step:
            case {"do": "start"}:
                return await self._start_top()
            case {"do": "sleep", "ms": ms}:
                await asyncio.sleep(ms / 1000)
            case {"do": "call", "target": target, "request": request}:
                return await self._call(target, request, step.get("timeout", 5000) / 1000)
            case {"do": "cast", "target": target, "request": request}:
                cast(await world.target(target), Request(request))
            case {"do": "info", "target": target, "request": request}:
                send(await world.target(target), Request(request))
            case {"do": "signal", "target": target, "reason": reason}:
                victim = whereis(await world.target(target))
                if victim is not None:
                    send_exit(victim, reason_of(reason))
                if victim is player.ref:
                    await asyncio.sleep(0)  # where it dies of its own signal; in Erlang, in the sending of it
            case {"do": "shutdown", "reason": reason}:
                return self._shut_down(reason)
            case {"do": "stop", "target": target, "reason": reason}:
                return await self._stop(target, reason)
            case {"do": "link" | "unlink" as do, "target": target}:
                return self._link(player, do, await world.process(target))
            case {"do": "monitor", "target": target, "ref": ref}:
                world.monitors[ref] = (player.ref, player.monitor(await world.target(target)))
            case {"do": "demonitor", "ref": ref}:
                return self._demonitor(player, ref, step.get("flush", False))
            case {"do": "demonitor_late", "target": target, "ref": ref}:
                world.monitors[ref] = (player.ref, player.monitor(await world.target(target)))
                await asyncio.sleep(LATE)
                return self._demonitor(player, ref, step.get("flush", False))
            case {"do": "whereis", "name": name}:
                return world.term(whereis(name))
            case {"do": "register", "name": name, "target": target}:
                return self._name(name, await world.process(target))
            case {"do": "unregister", "name": name}:
                return self._name(name, None)
            case {"do": "start_child", "sup": sup, "child": child}:
                return await self._start_child(await world.process(sup), child, sup in self.dynamic)
            case {"do": request, "sup": sup}:
                return await world.ask(await world.process(sup), request, await self._child(step))
            case _:
                raise ValueError(f"no such step: {step!r}")
        return "ok"

    async def _start_top(self) -> Term:
        tree = self.scenario["tree"]
        try:
            self.top = await start_link(class_of(tree), self.world, tree)
        except StartError as error:
            return ["error", self.world.term(error.reason)]
        return ["ok", self.world.pid(self.top)]

    async def _call(self, target: str, request: list[Any], timeout: float) -> Term:
        try:
            return ["reply", await call(await self.world.target(target), Request(request), timeout)]
        except CallExit as error:
            return ["exit", self.world.term(error.reason)]

    async def _stop(self, target: str, reason: Term) -> Term:
        try:
            await stop(await self.world.target(target), reason_of(reason))
        except CallExit as error:
            return ["exit", self.world.term(error.reason)]
        return "ok"

    def _shut_down(self, reason: Term) -> Term:
        if self.top is None or not self.top.is_alive():
            return "not_alive"
        send_exit(self.top, reason_of(reason))
        return "ok"

    def _link(self, player: Player, do: str, target: Ref) -> Term:
        try:
            player.link(target) if do == "link" else player.unlink(target)
        except ProcessExit as error:
            return ["raised", self.world.term(error.reason)]
        return "ok"

    def _demonitor(self, player: Player, ref: str, flush: bool) -> Term:
        owner, monitor = self.world.monitors.get(ref, (None, None))
        if monitor is None or owner is not player.ref:
            return "no_such_ref"
        player.demonitor(monitor, flush=flush)
        return "ok"

    def _name(self, name: str, ref: Ref | None) -> Term:
        try:
            unregister(name) if ref is None else register(name, ref)
        except ValueError:
            return ["raised", "badarg"]
        return "ok"

    async def _start_child(self, supervisor: Ref, child: Traits, is_dynamic: bool) -> Term:
        try:
            if is_dynamic:
                ref = await start_dynamic_child(supervisor, child)
            else:
                ref = await start_child(supervisor, spec_of(self.world, child))
        except ChildError as error:
            return ["error", refusal_of(error, self.world.pid)]
        except CallExit as error:
            return ["exit", self.world.term(error.reason)]
        return ["ok", self.world.term(ref)]

    async def _child(self, step: Traits) -> str | Ref | None:
        """What a request calls the child: its id or its process."""
        if "child" not in step:
            return None
        by_default = "pid" if step["do"] == "terminate_child" and step["sup"] in self.dynamic else "id"
        child: str = step["child"]
        return child if step.get("as", by_default) == "id" else await self.world.process(child)

    # Observations.

    async def _observe(self, result: Term) -> dict[str, Any]:
        """Wait until all is quiet, then look at everything."""
        await quiet()
        world = self.world
        living = {id: ref for id, ref in world.newest.items() if ref.is_alive()}
        observed: dict[str, Any] = {
            "result": result,
            "events": world.take_events(),
            "messages": world.take_messages(),
            "alive": {id: int(world.pid(ref).rpartition("#")[2]) for id, ref in living.items()},
            "children": {},
            "count": {},
        }
        for id, ref in living.items():
            if issubclass(ref.actor_class, Supervisor | DynamicSupervisor):
                observed["children"][id] = [self._row(info) for info in reversed(await which_children(ref))]
                observed["count"][id] = world.counts(await count_children(ref))
        if self.names:
            observed["names"] = {name: world.term(whereis(name)) for name in self.names}
        if world.top_exits:
            observed["top_exit"] = world.term(world.top_exits.pop())
        return observed

    def _row(self, info: ChildInfo) -> Term:
        """A child as an observation shows it; those of dynamic supervisors have no ids, so their processes tell."""
        if isinstance(info.ref, Ref):
            return [self.world.pid(info.ref).partition("#")[0] if info.id is None else info.id, "alive"]
        return [info.id, info.ref or "undefined"]


def _objects(value: Any) -> Iterator[Traits]:
    """All objects in a piece of a scenario."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _objects(part)


def _names(objects: Iterable[Traits]) -> Iterator[str]:
    """All names that processes have or are looked for by."""
    for each in objects:
        if "name" in each:
            yield each["name"]
        if str(each.get("target", "")).startswith("@"):
            yield each["target"][1:]
