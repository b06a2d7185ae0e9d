"""Supervisor. Starts its children in order, restarts those that fail, stops them in reverse order (OTP supervisor)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from actors import AlreadyStarted, ExitReason, Ref, Shutdown, StartError, Stop
from actors.guard import attempt
from supervision import strategy as rules
from supervision.base import GIVEN_UP, STOPPED, BaseSupervisor, Child, Inactive
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
    BAD_ID,
    NOT_FOUND,
    RESTARTING,
    RUNNING,
    CountChildren,
    Counts,
    DeleteChild,
    FailedToStart,
    GetChildSpec,
    Refused,
    Request,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from supervision.strategy import AutoShutdown, Strategy


class Supervisor(BaseSupervisor):
    """A supervisor with a list of children (OTP supervisor).

    Pass the children to `init`, or override `init` in a subclass:

        class Pipeline(Supervisor):
            async def init(self) -> Stop | None:  # type: ignore[override]  # it takes no children
                return await super().init([child(Source), child(Sink)], strategy=Strategy.REST_FOR_ONE)

    Args (of `init`):
        children: in start order
        strategy: which children restart together
        intensity, period: more than `intensity` restarts of all children within `period` seconds end the supervisor
        auto_shutdown: whether the end of significant children ends the supervisor
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
        specs = list(children)
        for spec in specs:
            check_spec(spec)
        refused = rules.refuse_children(specs, auto_shutdown)
        if refused is not None:
            return Stop(BadSpecs(refused))
        self._children.update((spec.id, Child(spec)) for spec in specs)
        for child in list(self._children.values()):
            try:
                await self._start(child)
            except StartError as error:
                await self._stop_in_order(list(self._children.values()))
                return Stop(Shutdown(FailedToStart(child.spec.id, error.reason)))
        return None

    async def terminate(self, reason: ExitReason) -> None:
        await self._stop_in_order(list(self._children.values()))

    def _serve(self, request: Request) -> Any:
        match request:
            case StartChild(spec):
                return self._add(spec)
            case WhichChildren():
                return [child.info(id) for id, child in reversed(self._children.items())]
            case CountChildren():
                return self._count()
            case TerminateChild(id) | RestartChild(id) | DeleteChild(id) | GetChildSpec(id):
                # A client's id may be unhashable, or raise when it is compared: then there is no such child.
                child = attempt(self._children.get, id, default=None)
                return Refused(NOT_FOUND) if child is None else self._about(child, request)
        return super()._serve(request)

    def _about(self, child: Child, request: Request) -> Any:
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
                return self._start_on_request(child)
            case _:
                self._retire(child, STOPPED)  # it may wait for the restart of a sibling
                self._children.pop(child.spec.id, None)
                return None

    async def _add(self, spec: ChildSpec) -> Ref | Refused | None:
        refused = rules.refuse_child(spec, self.auto_shutdown)
        if refused is not None:
            return Refused(refused)
        child = Child(spec)
        present = attempt(self._children.setdefault, spec.id, child, default=None)
        if present is None:
            return Refused(BAD_ID)
        if present is not child:
            return Refused(AlreadyStarted(present.ref) if present.ref else ALREADY_PRESENT)
        answer = await self._start_on_request(child)
        if isinstance(answer, Refused):
            del self._children[spec.id]
        return answer

    async def _terminate_child(self, child: Child) -> None:
        await self._stop_in_order([child])
        self._retire(child, STOPPED)

    def _count(self) -> Counts:
        children = self._children.values()
        active = sum(child.ref is not None and child.ref.is_alive() for child in children)
        supervisors = sum(child.spec.type is ChildType.SUPERVISOR for child in children)
        return Counts(len(children), active, supervisors, len(children) - supervisors)

    async def _stop_group(self, child: Child) -> list[Child]:
        group = rules.group(self.strategy, self._children.values(), child)
        members = [member for member in group if member.state is not GIVEN_UP]
        await self._stop_in_order(members)
        return [member for member in members if member.spec.restart is not Restart.TEMPORARY]

    async def _stop_in_order(self, children: Sequence[Child]) -> None:
        """Stop `children` one at a time in reverse order, and drop the temporary ones."""
        for child in reversed(children):
            await self._stop_all([child])
            if child.spec.restart is Restart.TEMPORARY:
                self._retire(child, STOPPED)

    def _retire(self, child: Child, state: Inactive) -> None:
        super()._retire(child, state)
        if child.spec.restart is Restart.TEMPORARY:
            self._children.pop(child.spec.id, None)


def supervisor(
    id: ChildId,
    children: Iterable[ChildSpec],
    *,
    name: str | None = None,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: int = 1,
    period: float = 5.0,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    **options: Any,
) -> ChildSpec:
    """Specify a supervisor: `supervisor("pipeline", [child(Source), child(Sink)], strategy=Strategy.REST_FOR_ONE)`.

    Args:
        id: unique among its siblings
        children: in start order
        name: registered before the children start
        strategy: which children restart together
        intensity, period: more than `intensity` restarts of all children within `period` seconds end the supervisor
        auto_shutdown: whether the end of significant children ends the supervisor
        options: the other fields of `ChildSpec`; `label` is by default the name or id

    Raises:
        SpecError: if a field has an invalid value.
    """
    limits = {"strategy": strategy, "intensity": intensity, "period": period, "auto_shutdown": auto_shutdown}
    options = {"type": ChildType.SUPERVISOR, "args": (list(children),), "kwargs": limits, **options}
    return ChildSpec(id=id, start=Supervisor, name=name, **options)
