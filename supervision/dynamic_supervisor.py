"""Supervisor. Any number of children of one kind, started on demand (OTP supervisor: simple_one_for_one)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from actors import SHUTDOWN, Call, Exit, ExitReason, Ref, StartError, Stop, Target, cast
from actors.describe import outline
from supervision import strategy as rules
from supervision.base import BaseSupervisor, BeginRestart, Child, TryAgain, log
from supervision.child_spec import BadSpecs, ChildSpec, ChildType, SpecError, check_spec
from supervision.requests import (
    DYNAMIC,
    NOT_FOUND,
    CountChildren,
    Counts,
    DeleteChild,
    GetChildSpec,
    Refused,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
    ask,
)
from supervision.strategy import AutoShutdown

MAX_CHILDREN: Final = "max_children"
"""The supervisor has as many children as it may."""


@dataclass(frozen=True, slots=True)
class StartDynamicChild:
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class DynamicSupervisor(BaseSupervisor):
    """A supervisor whose children are all made from one template, with arguments of their own.

    Args (of `init`):
        template: its `args` and `kwargs` come before those of `start_dynamic_child`; its `id` means nothing
        intensity, period: at most `intensity` restarts of all children within `period` seconds, or it ends itself
        auto_shutdown: whether the end of significant children ends it
        max_children: how many there may be at a time
    """

    def init(
        self,
        template: ChildSpec,
        *,
        intensity: int = 1,
        period: float = 5.0,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        max_children: int | None = None,
    ) -> Stop | None:
        is_count = isinstance(max_children, int) and not isinstance(max_children, bool)
        if max_children is not None and not (is_count and max_children >= 0):
            raise SpecError("max_children", max_children, "an integer of at least 0, or None")
        check_spec(template)
        self._set_limits(intensity, period, auto_shutdown)
        self.template = template
        self.max_children = max_children
        self._children: dict[Ref, Child] = {}  # under the last process they had
        refused = rules.refuse_child(template, auto_shutdown)
        return None if refused is None else Stop(BadSpecs(refused))

    def child_of(self, ref: Ref) -> Child | None:
        """What this supervisor knows of a child that runs."""
        return self._children.get(ref)

    async def terminate(self, reason: ExitReason) -> None:
        children, self._children = self._children, {}
        await self._stop_all(children.values())

    def handle_info(self, message: Any) -> Any:
        """Take the exit of a child; those of others mean nothing to a supervisor."""
        if isinstance(message, Exit):
            if message.sender is None or message.sender not in self._children:
                return None
            return self._exited(self._children.pop(message.sender), message.sender, message.reason)
        log.warning("supervisor.unexpected_message", supervisor=self.ref, message=outline(message))
        return None

    def handle_cast(self, request: Any) -> Any:
        """Try a failed restart again, unless the child was stopped meanwhile."""
        if isinstance(request, TryAgain):
            child, last = request.child, request.last
            if last is None or not child.is_restarting:
                return None
            del self._children[last]
            return self._restart(child, last, request.reason)
        if isinstance(request, BeginRestart):
            child, last = request.child, request.last
            if last is None or not child.is_restarting or child.pending is not request:
                return None
            del self._children[last]
            return self._begin_restart(child, last)
        return super().handle_cast(request)

    def handle_call(self, request: Any, from_: Call) -> Any:
        """Serve the client functions."""
        match request:
            case StartDynamicChild(args, kwargs):
                return self._add(args, kwargs)
            case TerminateChild(child):
                return self._terminate_child(child)
            case WhichChildren():
                return [child.info(None) for child in self._children.values()]
            case CountChildren():
                return self._count()
            case GetChildSpec():
                return self.template
            case RestartChild() | DeleteChild() | StartChild():
                return Refused(DYNAMIC)
        return super().handle_call(request, from_)

    async def _add(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ref | Refused | None:
        if self.max_children is not None and len(self._children) >= self.max_children:
            return Refused(MAX_CHILDREN)
        child = Child(self.template, args, kwargs)
        try:
            await self._start_one(child)
        except StartError as error:
            return Refused(error.reason)
        return child.ref

    async def _start_one(self, child: Child) -> None:
        await self._start(child)
        if child.ref is not None:
            self._children[child.ref] = child

    async def _terminate_child(self, ref: object) -> Refused | None:
        if not isinstance(ref, Ref):
            return Refused(DYNAMIC)
        child = self._children.pop(ref, None)
        if child is not None:
            child.is_restarting = False
            await self._stop_all([child])
        elif ref.is_alive():
            return Refused(NOT_FOUND)
        return None

    def _count(self) -> Counts:
        children = len(self._children)
        active = sum(not child.is_restarting for child in self._children.values())
        is_supervisor = self.template.type is ChildType.SUPERVISOR
        return Counts(1, active, children if is_supervisor else 0, 0 if is_supervisor else children)

    def _exited(self, child: Child, ref: Ref, reason: ExitReason) -> Any:
        if rules.is_restarted(child.spec.restart, reason):
            return self._restart(child, ref, reason)
        child.ref = None
        return self._ends(child, self._children.values()) if child.spec.significant else None

    async def _restart(self, child: Child, last: Ref, reason: ExitReason) -> Stop | None:
        if child.spec.budget is not None:
            if not self._within_budget(child, reason):
                return None
        elif not self._within_limit():
            return Stop(SHUTDOWN)
        self._note_restart(child, reason)
        if self._waits(child, last):
            self._children[last] = child
        else:
            await self._begin_restart(child, last)
        return None

    async def _begin_restart(self, child: Child, last: Ref) -> None:
        try:
            await self._start_one(child)
        except StartError as error:
            log.error("supervisor.start_failed", supervisor=self.ref, child=last, reason=error.reason)
            child.is_restarting = True
            self._children[last] = child
            cast(self.ref, TryAgain(child, error.reason, last))


async def start_dynamic_child(supervisor: Target, *args: Any, **kwargs: Any) -> Ref | None:
    """Start a child from the template with further arguments. Returns None if it declined to start.

    Raises:
        ChildError: `MAX_CHILDREN`, or what the start failed with. `UNKNOWN_REQUEST` if the supervisor is no dynamic
            one.
    """
    started: Ref | None = await ask(supervisor, StartDynamicChild(args, kwargs))
    return started
