"""The processes of a scenario: workers, supervisors and the runner (FORMAT.md: What a worker must do).

The traits of a process and the requests to it stay as the scenario file writes them.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from actors import (
    IGNORE,
    NO_REPLY,
    Call,
    CallExit,
    Down,
    Exit,
    ExitReason,
    GenServer,
    Monitor,
    Ref,
    Stop,
    Target,
    call,
    reply,
    start,
    start_link,
    stop,
)
from supervision import (
    INFINITY,
    AutoShutdown,
    ChildError,
    ChildInfo,
    ChildSpec,
    ChildType,
    Counts,
    DynamicSupervisor,
    Restart,
    Strategy,
    Supervisor,
    count_children,
    delete_child,
    restart_child,
    terminate_child,
    which_children,
)
from tests.otp.terms import Raised, Term, reason_of, refusal_of, term_of

Traits = Mapping[str, Any]

HANG = 4.0
"""Seconds that a hanging terminate takes, longer than its supervisor lets it."""
PROBE = 0.03
"""Seconds for a probe's request to reach the supervisor."""


class World:
    """What the processes of one scenario note, and who they are."""

    def __init__(self) -> None:
        self.events: list[Term] = []
        self.messages: defaultdict[str, list[Term]] = defaultdict(list)  # by pid, or of the probes
        self.newest: dict[str, Ref] = {}
        self.monitors: dict[str, tuple[Ref, Monitor]] = {}
        self.top_exits: list[ExitReason] = []
        self._begun: Counter[str] = Counter()
        self._pids: dict[Ref, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def enter(self, id: str, ref: Ref) -> int:
        """Note that an `init` began; returns how many began before for this id."""
        number = self._begun[id]
        self._begun[id] += 1
        self.call_it(ref, f"{id}#{number}")
        self.newest[id] = ref
        self.events.append(["init", self.pid(ref)])
        return number

    def call_it(self, ref: Ref, pid: str) -> None:
        """Have a process called `pid`."""
        self._pids[ref] = pid

    def pid(self, ref: Ref) -> str:
        """What the scenario calls a process."""
        return self._pids.get(ref, repr(ref))

    def term(self, value: Any) -> Term:
        """What the scenario calls a reason or a reference."""
        return term_of(value, self.pid)

    async def process(self, id: str) -> Ref:
        """The newest process of an id; a dead one if it never had any."""
        if id not in self.newest:
            ref = await start(GenServer)
            await stop(ref)
            self.call_it(ref, f"{id}#none")
            self.newest[id] = ref
        return self.newest[id]

    async def target(self, text: str) -> Target:
        """The process or name that a step's `target` means."""
        return text.removeprefix("@") if text.startswith("@") else await self.process(text)

    def keep(self, ref: Ref, message: Down | Exit) -> None:
        """Keep a message for the next observation."""
        match message:
            case Down(monitor, target, reason):
                name = next(name for name, (_, made) in self.monitors.items() if made is monitor)
                who = f"@{target}" if isinstance(target, str) else self.term(target)
                kept = ["DOWN", name, who, self.term(reason)]
            case Exit(sender, reason):
                kept = ["EXIT", self.term(sender), self.term(reason)]
        self.messages[self.pid(ref)].append(kept)

    def take_messages(self) -> dict[str, list[Term]]:
        """The messages since the last time, of those that are alive."""
        kept, self.messages = self.messages, defaultdict(list)
        taken = {id: kept[self.pid(ref)] for id, ref in self.newest.items() if ref.is_alive() and self.pid(ref) in kept}
        return {**taken, "probe": kept["probe"]} if "probe" in kept else taken

    def take_events(self) -> list[Term]:
        """The events since the last time."""
        taken, self.events = self.events, []
        return taken

    def counts(self, counts: Counts) -> Term:
        """What the scenario makes of `count_children`."""
        return [counts.specs, counts.active, counts.supervisors, counts.workers]

    async def ask(self, supervisor: Ref, request: str, child: Any = None) -> Term:
        """Ask a supervisor about a child, an id or a process; returns the result as the scenario writes it."""
        try:
            match request:
                case "which_children":
                    return [self._row(info) for info in await which_children(supervisor)]
                case "count_children":
                    return self.counts(await count_children(supervisor))
                case "restart_child":
                    return ["ok", self.term(await restart_child(supervisor, child))]
                case "terminate_child":
                    await terminate_child(supervisor, child)
                case "delete_child":
                    await delete_child(supervisor, child)
                case _:
                    raise ValueError(f"no supervisor knows the request {request!r}")
        except ChildError as error:
            return ["error", refusal_of(error, self.pid)]
        except CallExit as error:
            return ["exit", self.term(error.reason)]
        return "ok"

    def _row(self, info: ChildInfo) -> Term:
        return [info.id, "undefined" if info.ref is None else self.term(info.ref), info.type.value]

    def probe(self, supervisor: Ref, probe: Traits) -> None:
        """Have somebody else send a request to a supervisor."""
        task = asyncio.create_task(self._probe(supervisor, probe["do"], probe.get("child")))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, supervisor: Ref, request: str, child: str | None) -> None:
        result = await self.ask(supervisor, request, child)
        self.messages["probe"].append(["probe", request, result])


@dataclass(frozen=True, slots=True)
class Do:
    """Asks a process to do something in one of its callbacks."""

    action: Callable[[Player], Awaitable[Term]]
    answer: asyncio.Future[Term]


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a worker, as the scenario writes it."""

    words: list[Any]


class Player(GenServer):
    """Does what the runner asks for, and keeps the messages it gets."""

    world: World

    def handle_info(self, message: Any) -> Any:
        match message:
            case Do(action, answer):
                return self._do(action, answer)
            case Down() | Exit():
                return self.world.keep(self.ref, message)
        return super().handle_info(message)

    async def _do(self, action: Callable[[Player], Awaitable[Term]], answer: asyncio.Future[Term]) -> None:
        result = await action(self)
        if not answer.done():
            answer.set_result(result)


class Runner(Player):
    """Makes the steps that are nobody else's."""

    def init(self, world: World) -> None:
        self.trap_exit = True
        self.world = world
        world.call_it(self.ref, "runner")


class Parent(Player):
    """Starts the top supervisor, and sees its end."""

    def init(self, world: World) -> None:
        self.trap_exit = True
        self.world = world
        world.call_it(self.ref, "parent")

    def handle_info(self, message: Any) -> Any:
        if isinstance(message, Exit):
            return self.world.top_exits.append(message.reason)
        return super().handle_info(message)


class Worker(Player):
    """A server that obeys the scenario."""

    def init(self, world: World, traits: Traits) -> Any:
        self.trap_exit = traits.get("trap_exit", False)
        self.world = world
        self.traits = traits
        self.held: list[Call] = []
        number = world.enter(traits["id"], self.ref)
        starts = traits.get("start", [])
        how = starts[number] if number < len(starts) else "ok"
        probe = traits.get("probe")
        if probe is not None and probe["start"] == number:
            return self._begin_after_probe(how, probe)
        return self._begin(how)

    def _begin(self, how: Term) -> Any:
        match how:
            case "ignore":
                return IGNORE
            case ["stop", reason]:
                return Stop(reason_of(reason))
            case ["raise", tag]:
                raise Raised(tag)
        return None

    async def _begin_after_probe(self, how: Term, probe: Traits) -> Any:
        assert self.parent is not None
        self.world.probe(self.parent, probe)
        await asyncio.sleep(PROBE)
        return self._begin(how)

    def handle_call(self, request: Request, from_: Call) -> Any:
        return self._obey(request.words, from_)

    def handle_cast(self, request: Request) -> Any:
        return self._obey_silently(request)

    def handle_info(self, message: Any) -> Any:
        return self._obey_silently(message) if isinstance(message, Request) else super().handle_info(message)

    def _obey_silently(self, request: Request) -> Any:
        match request.words:
            case ["release", value]:
                for from_ in self.held:
                    reply(from_, value)
                return None
            case ["slow", *_] | ["call", *_]:
                return self._later(self._obey(request.words, None))
        result = self._obey(request.words, None)
        return Stop(result.reason) if isinstance(result, Stop) else None

    async def _later(self, result: Awaitable[Any]) -> None:
        await result

    def _obey(self, words: list[Any], from_: Call | None) -> Any:
        match words:
            case ["echo", value]:
                return value
            case ["raise", tag]:
                raise Raised(tag)
            case ["stop", reason]:
                return Stop(reason_of(reason))
            case ["stop_reply", reason, value]:
                return Stop(reason_of(reason), reply=value)
            case ["slow", ms, value]:
                return asyncio.sleep(ms / 1000, value)
            case ["noreply"]:
                return NO_REPLY
            case ["hold"]:
                if from_ is not None:
                    self.held.append(from_)
                return NO_REPLY
            case ["call", target, request]:
                return self._pass_on(target, Request(request))
        raise ValueError(f"no worker knows the request {words!r}")

    async def _pass_on(self, target: str, request: Request) -> Any:
        return await call(await self.world.target(target), request)

    def terminate(self, reason: ExitReason) -> Any:
        self.world.events.append(["terminate", self.world.pid(self.ref), self.world.term(reason)])
        match self.traits.get("terminate", "ok"):
            case "hang":
                return asyncio.sleep(HANG)
            case ["slow", ms]:
                return self._linger(ms / 1000)
            case ["raise", tag]:
                raise Raised(tag)
        return None

    async def _linger(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.world.events.append(["terminated", self.world.pid(self.ref)])


class StaticNode(Supervisor):
    """A supervisor of the children that the scenario gives it."""

    async def init(self, world: World, traits: Traits) -> Stop | None:  # type: ignore[override]
        world.enter(traits["id"], self.ref)
        children = [spec_of(world, child) for child in traits["children"]]
        return await super().init(children, strategy=Strategy(traits["strategy"]), **limits_of(traits))


class DynamicNode(DynamicSupervisor):
    """A supervisor of children that steps of the scenario start."""

    def init(self, world: World, traits: Traits) -> Stop | None:  # type: ignore[override]
        world.enter(traits["id"], self.ref)
        template = ChildSpec(id="template", start=begin, args=(world,), **options_of(traits["template"]))
        return super().init(template, **limits_of(traits))


async def begin(world: World, traits: Traits) -> Ref:
    """Start the process that `traits` describe, linked to the calling one."""
    return await start_link(class_of(traits), world, traits, name=traits.get("name"))


def class_of(traits: Traits) -> type[Worker | StaticNode | DynamicNode]:
    """What a process with these traits runs."""
    match traits.get("strategy"):
        case None:
            return Worker
        case "dynamic":
            return DynamicNode
        case _:
            return StaticNode


def spec_of(world: World, traits: Traits) -> ChildSpec:
    """The specification of a child of a static supervisor."""
    options = {"type": "supervisor", **traits} if "strategy" in traits else traits
    return ChildSpec(
        id=traits["id"], start=class_of(traits), args=(world, traits), name=traits.get("name"), **options_of(options)
    )


def options_of(traits: Traits) -> dict[str, Any]:
    """What the traits of a child, or a template, say to its supervisor."""
    options: dict[str, Any] = {}
    if "restart" in traits:
        options["restart"] = Restart(traits["restart"])
    if "type" in traits:
        options["type"] = ChildType(traits["type"])
    if "significant" in traits:
        options["significant"] = traits["significant"]
    match traits.get("shutdown"):
        case "infinity":
            options["shutdown"] = INFINITY
        case int(ms) | float(ms):
            options["shutdown"] = ms / 1000
        case "brutal_kill":
            options["shutdown"] = "brutal_kill"
    return options


def limits_of(traits: Traits) -> dict[str, Any]:
    """What the traits of a supervisor say of itself."""
    limits = {key: traits[key] for key in ("intensity", "period") if key in traits}
    if "auto_shutdown" in traits:
        limits["auto_shutdown"] = AutoShutdown(traits["auto_shutdown"])
    return limits
