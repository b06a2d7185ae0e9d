"""Supervisor. Starts any number of children of one kind on demand (OTP supervisor: simple_one_for_one)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors import ExitReason, Ref, Stop, Target
from actors.shown import shown
from supervision import strategy as rules
from supervision.base import BaseSupervisor, Child
from supervision.child_spec import BadSpecs, ChildSpec, ChildType, SpecError, check_spec
from supervision.requests import (
    DYNAMIC,
    NOT_FOUND,
    CountChildren,
    Counts,
    DeleteChild,
    GetChildSpec,
    Refused,
    Request,
    RestartChild,
    StartChild,
    StartDynamicChild,
    TerminateChild,
    WhichChildren,
    ask,
)
from supervision.strategy import AutoShutdown

MAX_CHILDREN: Final = "max_children"
"""The supervisor has the maximum number of children."""


@shown("max_children")
class DynamicSupervisor(BaseSupervisor):
    """A supervisor that starts all children from one template, each with further arguments.

    Args (of `init`):
        template: its `args` and `kwargs` come before those of `start_dynamic_child`; its `id` is ignored
        intensity, period: more than `intensity` restarts of all children within `period` seconds end the supervisor
        auto_shutdown: whether the end of significant children ends the supervisor
        max_children: limit of children at a time; None for no limit
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
        refused = rules.refuse_child(template, auto_shutdown)
        return None if refused is None else Stop(BadSpecs(refused))

    async def terminate(self, reason: ExitReason) -> None:
        await self._stop_all(list(self._by_ref.values()))

    def _serve(self, request: Request) -> Any:
        match request:
            case StartDynamicChild(args, kwargs):
                return self._add(args, kwargs)
            case TerminateChild(child):
                return self._terminate_child(child)
            case WhichChildren():
                return [child.info(None) for child in self._by_ref.values()]
            case CountChildren():
                return self._count()
            case GetChildSpec():
                return self.template
            case RestartChild() | DeleteChild() | StartChild():
                return Refused(DYNAMIC)
        return super()._serve(request)

    async def _add(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Ref | Refused | None:
        if self.max_children is not None and len(self._by_ref) >= self.max_children:
            return Refused(MAX_CHILDREN)
        return await self._start_on_request(Child(self.template, args, kwargs))

    async def _terminate_child(self, ref: object) -> Refused | None:
        if type(ref) is not Ref:
            return Refused(DYNAMIC)
        child = self._by_ref.get(ref)
        if child is not None:
            await self._stop_all([child])
        elif ref.is_alive():
            return Refused(NOT_FOUND)
        return None

    def _count(self) -> Counts:
        children = len(self._by_ref)
        active = sum(not child.is_restarting for child in self._by_ref.values())
        is_supervisor = self.template.type is ChildType.SUPERVISOR
        return Counts(1, active, children if is_supervisor else 0, 0 if is_supervisor else children)


async def start_dynamic_child(supervisor: Target, /, *args: Any, **kwargs: Any) -> Ref | None:
    """Start a child from the template with further arguments. Returns None if the child declined to start.

    All keyword arguments go to the child.

    Raises:
        ChildError: `MAX_CHILDREN`, or the reason of a failed start. `UNKNOWN_REQUEST` if the supervisor is not a
            dynamic one.
    """
    started: Ref | None = await ask(supervisor, StartDynamicChild(args, kwargs))
    return started
