"""Supervisor. Starts its children in order, restarts those that fail, stops them in reverse order (OTP supervisor)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from actors import (
    KILL,
    SHUTDOWN,
    Call,
    Cast,
    Exit,
    ExitReason,
    GenServer,
    Ignored,
    Ref,
    Shutdown,
    StartError,
    Stop,
    Target,
    call,
    cast,
    down,
    send_after,
    send_exit,
    start_successor,
)
from actors.exits import AlreadyStarted, reason_of
from supervision import strategy as rules
from supervision.child_spec import (
    BRUTAL_KILL,
    INFINITY,
    BadSpecs,
    ChildId,
    ChildSpec,
    ChildType,
    Limit,
    Restart,
    SpecError,
)
from supervision.strategy import AutoShutdown, Strategy

log = structlog.get_logger("canopy.supervision")

RESTARTING: Final = "restarting"
ALREADY_PRESENT: Final = "already_present"
NOT_FOUND: Final = "not_found"
RUNNING: Final = "running"
DYNAMIC: Final = "dynamic"
"""The request is not for a `DynamicSupervisor` (OTP's `simple_one_for_one`)."""
UNKNOWN_REQUEST: Final = "unknown_request"
"""The request is not for this kind of supervisor."""


@dataclass(frozen=True, slots=True)
class FailedToStart:
    """Why a supervisor did not start: a child did not."""

    id: ChildId
    reason: ExitReason


class ChildError(Exception):
    """A request about a child was refused.

    `reason` is `NOT_FOUND`, `RUNNING`, `RESTARTING`, `ALREADY_PRESENT`, `DYNAMIC`, `UNKNOWN_REQUEST`,
    `AlreadyStarted(ref)`, `BadCombination`, or what the child's start failed with.
    """

    def __init__(self, reason: Any) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One row of `which_children`; `ref` is None for a child that is not running, or `RESTARTING`."""

    id: ChildId
    ref: Ref | Literal["restarting"] | None
    type: ChildType


@dataclass(frozen=True, slots=True)
class Counts:
    """What `count_children` tells. `active` leaves out those that are not running."""

    specs: int
    active: int
    supervisors: int
    workers: int


# Requests.


@dataclass(frozen=True, slots=True)
class StartChild:
    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class TerminateChild:
    child: ChildId | Ref


@dataclass(frozen=True, slots=True)
class RestartChild:
    id: ChildId


@dataclass(frozen=True, slots=True)
class DeleteChild:
    id: ChildId


@dataclass(frozen=True, slots=True)
class GetChildSpec:
    id: ChildId


@dataclass(frozen=True, slots=True)
class WhichChildren:
    pass


@dataclass(frozen=True, slots=True)
class CountChildren:
    pass


@dataclass(frozen=True, slots=True)
class TryAgain:
    """A failed restart is tried again after the requests that came meanwhile, so that one can still be stopped."""

    child: Child
    reason: ExitReason
    last: Ref | None = None


class BeginRestart:
    """The wait before a restart is over. Told apart by identity: one that was called off is not `Child.pending`."""

    __slots__ = ("child", "last")

    def __init__(self, child: Child, last: Ref | None = None) -> None:
        self.child = child
        self.last = last


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer that makes the client raise `ChildError`."""

    reason: Any


class Child:
    """A child in the hands of its supervisor. `ref` is None while it is not running."""

    __slots__ = (
        "args", "attempts", "is_restarting", "kwargs", "last", "own_restarts", "pending", "ref", "restarts", "spec",
        "started",
    )

    def __init__(self, spec: ChildSpec, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        self.spec = spec
        self.args = spec.args + args
        self.kwargs = {**spec.kwargs, **kwargs} if kwargs else spec.kwargs
        self.ref: Ref | None = None
        self.last: Ref | None = None  # the last process it had, which may have left a checkpoint
        self.is_restarting = False
        self.pending: BeginRestart | None = None
        self.restarts = 0
        self.attempts = 0  # restarts without a long life between them, and when the last life began
        self.started = 0.0
        self.own_restarts: list[float] = []

    @property
    def label(self) -> str | None:
        """What people call it."""
        spec = self.spec
        return spec.label or spec.name or (spec.id if isinstance(spec.id, str) else None)

    def info(self, id: ChildId) -> ChildInfo:
        """Its row of `which_children`."""
        return ChildInfo(id, RESTARTING if self.is_restarting else self.ref, self.spec.type)


def check_spec(spec: object) -> None:
    """Check that `spec` is a specification; its fields have checked themselves.

    Raises:
        SpecError: if it is something else.
    """
    if not isinstance(spec, ChildSpec):
        raise SpecError("child", spec, "a ChildSpec")


async def begin(child: Child) -> Ref:
    """Start the process of a child, linked to the calling one.

    Raises:
        StartError: if it fails.
        Ignored: if it declines.
    """
    kind = child.spec.start
    if isinstance(kind, type):
        name, label = child.spec.name, child.label
        return await start_successor(child.last, kind, *child.args, name=name, label=label, **child.kwargs)
    try:
        return await kind(*child.args, **child.kwargs)
    except (StartError, Ignored):
        raise
    except Exception as exception:  # a start function that fails is a child that fails (OTP: do_start_child_i)
        raise StartError(reason_of(exception)) from exception


class BaseSupervisor(GenServer):
    """What static and dynamic supervisors have in common: starting, stopping and counting restarts."""

    def _set_limits(self, intensity: int, period: float, auto_shutdown: AutoShutdown) -> None:
        if not isinstance(auto_shutdown, AutoShutdown):
            raise SpecError("auto_shutdown", auto_shutdown, "a member of AutoShutdown")
        self.trap_exit = True
        self.limit = Limit(intensity, period)
        self.auto_shutdown = auto_shutdown
        self.recent_restarts: list[float] = []

    async def _start(self, child: Child) -> None:
        """Start the process of `child`; its `ref` stays None if it declines.

        Raises:
            StartError: if it fails.
        """
        child.ref = child.pending = None
        child.is_restarting = False
        try:
            child.ref = child.last = await begin(child)
        except Ignored:
            return
        child.ref.restarts = child.restarts
        child.started = self.scheduler.loop.time()

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Refuse what is not for this kind of supervisor: a client's mistake may not harm the children."""
        log.warning("supervisor.unexpected_call", supervisor=str(self), request=repr(request)[:200])
        return Refused(UNKNOWN_REQUEST)

    def handle_cast(self, request: Any) -> Any:
        """As for a call."""
        log.warning("supervisor.unexpected_cast", supervisor=str(self), request=repr(request)[:200])

    async def _stop_all(self, children: Iterable[Child]) -> None:
        """Stop `children` all at once, in the time of the slowest (OTP: terminate_dynamic_children)."""
        watched = {child: down(child.ref) for child in children if child.ref is not None}
        deadlines: dict[float, list[Child]] = {}
        for child in watched:
            assert child.ref is not None
            self.unlink(child.ref)
            if child.spec.shutdown == BRUTAL_KILL:
                send_exit(child.ref, KILL)
            else:
                send_exit(child.ref, SHUTDOWN)
                deadlines.setdefault(float(child.spec.shutdown or 0), []).append(child)
        stopped = set(watched)
        refs = {child.ref for child in stopped}
        self.discard(lambda message: isinstance(message, Exit) and message.sender in refs)
        loop = self.scheduler.loop
        begin = loop.time()
        for seconds in sorted(deadlines):
            late = [child for child in deadlines[seconds] if not watched[child].done()]
            if not late:
                continue
            timeout = None if seconds == INFINITY else max(0.0, begin + seconds - loop.time())
            await asyncio.wait([watched[child] for child in late], timeout=timeout)
            for child in late:
                if not watched[child].done() and child.ref is not None:
                    log.warning("supervisor.child_killed", supervisor=str(self), child=repr(child.ref), after=seconds)
                    send_exit(child.ref, KILL)
        pending = [ended for ended in watched.values() if not ended.done()]
        if pending:
            await asyncio.wait(pending)
        for child in stopped:
            child.ref = None

    def _within_limit(self) -> bool:
        self.recent_restarts, is_kept = rules.add_restart(
            self.recent_restarts, self.scheduler.loop.time(), self.limit
        )
        if not is_kept:
            log.error("supervisor.limit_reached", supervisor=str(self), limit=str(self.limit))
        return is_kept

    def _within_budget(self, child: Child, reason: ExitReason) -> bool:
        """Count a restart of a child with a budget of its own; report it if that is used up."""
        budget = child.spec.budget
        assert budget is not None
        child.own_restarts, is_kept = rules.add_restart(child.own_restarts, self.scheduler.loop.time(), budget)
        if not is_kept:
            log.error(
                "supervisor.child_given_up", supervisor=str(self), child=child.label, reason=str(reason),
                budget=str(budget),
            )
            self._tell_given_up(child, reason)
        return is_kept

    def _tell_given_up(self, child: Child, reason: ExitReason) -> None:
        if child.spec.given_up is None:
            return
        try:
            child.spec.given_up(reason, child.args)
        except Exception:  # the siblings of a child that is given up never notice, whatever its owner does about it
            log.exception("supervisor.given_up_failed", supervisor=str(self), child=child.label)

    def _waits(self, child: Child, last: Ref | None = None) -> bool:
        """Have a restart begin later if the child is to wait for it; tell whether it is."""
        backoff = child.spec.backoff
        if backoff is None:
            return False
        lived = self.scheduler.loop.time() - child.started
        child.attempts = 0 if lived > backoff.maximum else child.attempts
        child.started = INFINITY  # a start that fails is no life
        delay = rules.restart_delay(backoff, child.attempts, self.scheduler.random.random())
        child.attempts += 1
        child.is_restarting = True
        child.pending = BeginRestart(child, last)
        send_after(delay, self.ref, Cast(child.pending))
        return True

    def _ends(self, child: Child, children: Iterable[Child]) -> Stop | None:
        others = any(
            other.spec.significant and (other.ref is not None or other.is_restarting)
            for other in children
            if other is not child
        )
        if rules.ends_supervisor(self.auto_shutdown, child.spec.significant, others):
            return Stop(SHUTDOWN)
        return None

    def _note_restart(self, child: Child, reason: ExitReason) -> None:
        child.restarts += 1
        log.warning(
            "supervisor.child_restarted", supervisor=str(self), child=child.label, reason=str(reason),
            restarts=child.restarts,
        )


class Supervisor(BaseSupervisor):
    """A supervisor of children that are known beforehand.

    Start it with its children, or subclass it and give them in `init`:

        class Pipeline(Supervisor):
            async def init(self):
                return await super().init([child(Source), child(Sink)], strategy=Strategy.REST_FOR_ONE)

    `init` takes the children in start order and, beside them:
        strategy: who is restarted with whom
        intensity, period: at most `intensity` restarts of all children within `period` seconds, or it ends itself
        auto_shutdown: whether the end of significant children ends it
    """

    async def init(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: int = 1,
        period: float = 5.0,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    ) -> Stop | None:
        if not isinstance(strategy, Strategy):
            raise SpecError("strategy", strategy, "a member of Strategy")
        self._set_limits(intensity, period, auto_shutdown)
        self.strategy = strategy
        self._children: dict[ChildId, Child] = {}  # in start order
        self._by_ref: dict[Ref, Child] = {}
        specs = list(children)
        for spec in specs:
            check_spec(spec)
        refused = rules.refuse_children(specs, auto_shutdown)
        if refused is not None:
            return Stop(BadSpecs(refused))
        for spec in specs:
            self._children[spec.id] = Child(spec)
        try:
            await self._start_group(list(self._children.values()))
        except StartError as error:
            failed = next(iter(c for c in self._children.values() if c.is_restarting))
            failed.is_restarting = False
            await self._stop_group(list(self._children.values()))
            return Stop(Shutdown(FailedToStart(failed.spec.id, error.reason)))
        return None

    async def terminate(self, reason: ExitReason) -> None:
        await self._stop_group(list(self._children.values()))

    def handle_info(self, message: Any) -> Any:
        """Take the exit of a child; those of others mean nothing to a supervisor."""
        if isinstance(message, Exit):
            child = None if message.sender is None else self._by_ref.pop(message.sender, None)
            return None if child is None else self._exited(child, message.reason)
        log.warning("supervisor.unexpected_message", supervisor=str(self), message=repr(message)[:200])
        return None

    def handle_cast(self, request: Any) -> Any:
        """Try a failed restart again, unless the child was stopped or removed meanwhile."""
        if isinstance(request, TryAgain):
            return self._restart(request.child, request.reason) if request.child.is_restarting else None
        if isinstance(request, BeginRestart):
            is_due = request.child.is_restarting and request.child.pending is request
            return self._begin_restart(request.child) if is_due else None
        return super().handle_cast(request)

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Serve the client functions of this module."""
        match request:
            case StartChild(spec):
                return self._add(spec)
            case WhichChildren():
                return [child.info(id) for id, child in reversed(self._children.items())]
            case CountChildren():
                return self._count()
            case TerminateChild(id) | RestartChild(id) | DeleteChild(id) | GetChildSpec(id):
                child = None if isinstance(id, Ref) else self._children.get(id)
                return Refused(NOT_FOUND) if child is None else self._about(child, request)
        return super().handle_call(request, from_)

    def _about(self, child: Child, request: Any) -> Any:
        """Serve a request about one child."""
        match request:
            case TerminateChild():
                return self._terminate_child(child)
            case GetChildSpec():
                return child.spec
            case _ if child.is_restarting:
                return Refused(RESTARTING)
            case _ if child.ref is not None:
                return Refused(RUNNING)
            case RestartChild():
                return self._start_again(child)
            case _:
                del self._children[child.spec.id]
                return None

    async def _add(self, spec: ChildSpec) -> Ref | Refused | None:
        refused = rules.refuse_child(spec, self.auto_shutdown)
        if refused is not None:
            return Refused(refused)
        present = self._children.get(spec.id)
        if present is not None:
            return Refused(AlreadyStarted(present.ref) if present.ref else ALREADY_PRESENT)
        child = Child(spec)
        answer = await self._start_again(child)
        if isinstance(answer, Ref) or (answer is None and spec.restart is not Restart.TEMPORARY):
            self._children[spec.id] = child
        return answer

    async def _start_again(self, child: Child) -> Ref | Refused | None:
        try:
            await self._start_one(child)
        except StartError as error:
            return Refused(error.reason)
        return child.ref

    async def _terminate_child(self, child: Child) -> None:
        child.is_restarting = False
        await self._stop_group([child])

    def _count(self) -> Counts:
        children = self._children.values()
        active = sum(child.ref is not None and child.ref.is_alive() for child in children)
        supervisors = sum(child.spec.type is ChildType.SUPERVISOR for child in children)
        return Counts(len(children), active, supervisors, len(children) - supervisors)

    # Starting, stopping, restarting.

    async def _start_one(self, child: Child) -> None:
        await self._start(child)
        if child.ref is not None:
            self._by_ref[child.ref] = child

    async def _start_group(self, children: list[Child]) -> None:
        """Start `children` in order; the one that fails is left `is_restarting`."""
        for child in children:
            try:
                await self._start_one(child)
            except StartError:
                child.is_restarting = True
                raise
            if child.ref is None and child.spec.restart is Restart.TEMPORARY:
                self._children.pop(child.spec.id, None)

    async def _stop_group(self, children: list[Child]) -> None:
        """Stop `children` one at a time in reverse order; temporary ones are forgotten."""
        for child in reversed(children):
            if child.ref is not None:
                self._by_ref.pop(child.ref, None)
                await self._stop_all([child])
            child.is_restarting = False
            if child.spec.restart is Restart.TEMPORARY:
                self._children.pop(child.spec.id, None)

    def _exited(self, child: Child, reason: ExitReason) -> Any:
        if rules.is_restarted(child.spec.restart, reason):
            return self._restart(child, reason)
        child.ref = None
        if child.spec.restart is Restart.TEMPORARY:
            del self._children[child.spec.id]
        return self._ends(child, self._children.values())

    async def _restart(self, child: Child, reason: ExitReason) -> Stop | None:
        child.ref = None
        child.is_restarting = False
        if child.spec.budget is not None:
            if not self._within_budget(child, reason):
                return None
        elif not self._within_limit():
            return Stop(SHUTDOWN)
        self._note_restart(child, reason)
        if not self._waits(child):
            await self._begin_restart(child)
        return None

    async def _begin_restart(self, child: Child) -> None:
        group = rules.group(self.strategy, list(self._children.values()), child)
        await self._stop_group(group)
        try:
            await self._start_group([member for member in group if member.spec.id in self._children])
        except StartError as error:
            failed = next(member for member in group if member.is_restarting)
            log.error("supervisor.start_failed", supervisor=str(self), child=failed.spec.id, reason=str(error.reason))
            cast(self.ref, TryAgain(failed, error.reason))


# Client functions.


async def start_child(supervisor: Target, spec: ChildSpec) -> Ref | None:
    """Add a child after the others and start it. Returns None if it declined to start.

    Raises:
        ChildError: `AlreadyStarted(ref)` or `ALREADY_PRESENT` for an id that is known, or what the start failed with;
            then nothing is kept. `DYNAMIC` if the supervisor starts its children from a template.
        SpecError: if `spec` is no specification.
    """
    check_spec(spec)
    started: Ref | None = await _request(supervisor, StartChild(spec))
    return started


async def terminate_child(supervisor: Target, child: ChildId | Ref) -> None:
    """Stop a child and do not restart it; its siblings stay as they are. Fine if it is not running.

    Args:
        supervisor: a static one knows its children by id, a dynamic one by reference
        child: a temporary one is forgotten

    Raises:
        ChildError: `NOT_FOUND`; `DYNAMIC` for an id where a reference is wanted.
    """
    await _request(supervisor, TerminateChild(child))


async def restart_child(supervisor: Target, id: ChildId) -> Ref | None:
    """Start a child again that is not running. A failure is not tried again.

    Raises:
        ChildError: `NOT_FOUND`, `RUNNING`, `RESTARTING`, `DYNAMIC`, or what the start failed with.
    """
    started: Ref | None = await _request(supervisor, RestartChild(id))
    return started


async def delete_child(supervisor: Target, id: ChildId) -> None:
    """Forget a child that is not running.

    Raises:
        ChildError: `NOT_FOUND`, `RUNNING`, `RESTARTING` or `DYNAMIC`.
    """
    await _request(supervisor, DeleteChild(id))


async def get_childspec(supervisor: Target, id: ChildId) -> ChildSpec:
    """The specification of a child.

    Raises:
        ChildError: `NOT_FOUND`.
    """
    spec: ChildSpec = await _request(supervisor, GetChildSpec(id))
    return spec


async def which_children(supervisor: Target) -> list[ChildInfo]:
    """The children of a supervisor, the last started first."""
    children: list[ChildInfo] = await _request(supervisor, WhichChildren())
    return children


async def count_children(supervisor: Target) -> Counts:
    """How many children a supervisor has."""
    counts: Counts = await _request(supervisor, CountChildren())
    return counts


async def _request(supervisor: Target, request: Any) -> Any:
    """A supervisor may take as long as its slowest child: without a timeout, as in OTP."""
    answer = await call(supervisor, request, timeout=None)
    if isinstance(answer, Refused):
        raise ChildError(answer.reason)
    return answer

