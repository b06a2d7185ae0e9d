"""Supervisor. Starts its children in order, restarts those that fail, stops them in reverse order (OTP supervisor)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors import (
    SHUTDOWN,
    Call,
    Exit,
    ExitReason,
    Ref,
    Shutdown,
    StartError,
    Stop,
    cast,
)
from actors.describe import outline
from actors.exits import AlreadyStarted
from supervision import strategy as rules
from supervision.base import BaseSupervisor, BeginRestart, Child, TryAgain, log
from supervision.child_spec import (
    BadSpecs,
    ChildId,
    ChildSpec,
    ChildType,
    Restart,
    SpecError,
    check_spec,
)
from supervision.requests import (
    ALREADY_PRESENT,
    NOT_FOUND,
    RESTARTING,
    RUNNING,
    CountChildren,
    Counts,
    DeleteChild,
    FailedToStart,
    GetChildSpec,
    Refused,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from supervision.strategy import AutoShutdown, Strategy


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

    def child_of(self, ref: Ref) -> Child | None:
        """What this supervisor knows of a child that runs."""
        return self._by_ref.get(ref)

    async def terminate(self, reason: ExitReason) -> None:
        await self._stop_group(list(self._children.values()))

    def handle_info(self, message: Any) -> Any:
        """Take the exit of a child; those of others mean nothing to a supervisor."""
        if isinstance(message, Exit):
            child = None if message.sender is None else self._by_ref.pop(message.sender, None)
            return None if child is None else self._exited(child, message.reason)
        log.warning("supervisor.unexpected_message", supervisor=self.ref, message=outline(message))
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
            log.error("supervisor.start_failed", supervisor=self.ref, child=failed.spec.id, reason=error.reason)
            cast(self.ref, TryAgain(failed, error.reason))
