"""No process. The client functions of supervisors, and the messages they exchange with a supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from actors import ExitReason, Ref, Target, call
from actors.portable import PortableException
from actors.shown import shown
from supervision.child_spec import ChildId, ChildSpec, ChildType, check_arguments, check_spec

RESTARTING: Final = "restarting"
ALREADY_PRESENT: Final = "already_present"
NOT_FOUND: Final = "not_found"
RUNNING: Final = "running"
DYNAMIC: Final = "dynamic"
"""The request is not for a `DynamicSupervisor` (OTP's `simple_one_for_one`)."""
BAD_ID: Final = "bad_id"
"""The id of the new child could not be compared with the ids of its siblings."""
UNKNOWN_REQUEST: Final = "unknown_request"
"""The request is not for this kind of supervisor."""


@shown("id")
@dataclass(frozen=True, slots=True)
class FailedToStart:
    """Why a supervisor did not start: a child failed to start."""

    id: ChildId
    reason: ExitReason


class ChildError(PortableException):
    """A request about a child was refused.

    `reason` is `NOT_FOUND`, `RUNNING`, `RESTARTING`, `ALREADY_PRESENT`, `BAD_ID`, `DYNAMIC`, `MAX_CHILDREN`,
    `UNKNOWN_REQUEST`, `AlreadyStarted(ref)`, `BadCombination`, or the reason of a failed start.
    """

    def __init__(self, reason: Any) -> None:
        super().__init__(reason)
        self.reason = reason


@shown("id")
@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One row of `which_children`. `ref` is the process, None if the child is down, or `RESTARTING`."""

    id: ChildId
    ref: Ref | Literal["restarting"] | None
    type: ChildType


@shown()
@dataclass(frozen=True, slots=True)
class Counts:
    """The result of `count_children`. `active` counts only running children."""

    specs: int
    active: int
    supervisors: int
    workers: int


async def start_child(supervisor: Target, spec: ChildSpec) -> Ref | None:
    """Add a child after the others and start it. Returns None if the child declined to start.

    Raises:
        ChildError: `AlreadyStarted(ref)` or `ALREADY_PRESENT` for a known id, or the reason of a failed start, after
            which the specification is dropped. `DYNAMIC` if the supervisor starts its children from a template.
        SpecError: if `spec` is not a `ChildSpec`; nothing is sent.
    """
    started: Ref | None = await ask(supervisor, StartChild(spec))
    return started


async def terminate_child(supervisor: Target, child: ChildId | Ref) -> None:
    """Stop a child without a restart; its siblings are not affected. Does nothing if the child is not running.

    Args:
        supervisor: a static or dynamic one
        child: its id under a static supervisor, its reference under a dynamic one. The specification of a temporary
            child is dropped

    Raises:
        ChildError: `NOT_FOUND`; `DYNAMIC` for an id where a reference is needed.
    """
    await ask(supervisor, TerminateChild(child))


async def restart_child(supervisor: Target, id: ChildId) -> Ref | None:
    """Start a child that is not running. If the start fails, it is not tried again.

    Raises:
        ChildError: `NOT_FOUND`, `RUNNING`, `RESTARTING`, `DYNAMIC`, or the reason of a failed start.
    """
    started: Ref | None = await ask(supervisor, RestartChild(id))
    return started


async def delete_child(supervisor: Target, id: ChildId) -> None:
    """Delete the specification of a child that is not running.

    Raises:
        ChildError: `NOT_FOUND`, `RUNNING`, `RESTARTING` or `DYNAMIC`.
    """
    await ask(supervisor, DeleteChild(id))


async def get_childspec(supervisor: Target, id: ChildId) -> ChildSpec:
    """Return the specification of a child.

    Raises:
        ChildError: `NOT_FOUND`.
    """
    spec: ChildSpec = await ask(supervisor, GetChildSpec(id))
    return spec


async def which_children(supervisor: Target) -> list[ChildInfo]:
    """Return the children of a supervisor. A static one lists the last started first."""
    children: list[ChildInfo] = await ask(supervisor, WhichChildren())
    return children


async def count_children(supervisor: Target) -> Counts:
    """Count the children of a supervisor."""
    counts: Counts = await ask(supervisor, CountChildren())
    return counts


async def ask(supervisor: Target, request: Any) -> Any:
    """Send a request, without a timeout as in OTP: a supervisor may take as long as its slowest child."""
    answer = await call(supervisor, request, timeout=None)
    if isinstance(answer, Refused):
        raise ChildError(answer.reason)
    return answer


# The messages.


class Request:
    """A request to a supervisor. It checks itself when it is made, so an invalid one is never sent."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class StartChild(Request):
    spec: ChildSpec

    def __post_init__(self) -> None:
        check_spec(self.spec)


@dataclass(frozen=True, slots=True)
class StartDynamicChild(Request):
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_arguments(self.args, self.kwargs)


@shown("child")
@dataclass(frozen=True, slots=True)
class TerminateChild(Request):
    child: ChildId | Ref


@shown("id")
@dataclass(frozen=True, slots=True)
class RestartChild(Request):
    id: ChildId


@shown("id")
@dataclass(frozen=True, slots=True)
class DeleteChild(Request):
    id: ChildId


@shown("id")
@dataclass(frozen=True, slots=True)
class GetChildSpec(Request):
    id: ChildId


@dataclass(frozen=True, slots=True)
class WhichChildren(Request):
    pass


@dataclass(frozen=True, slots=True)
class CountChildren(Request):
    pass


@dataclass(frozen=True, slots=True)
class Refused:
    """The reply that makes the client function raise `ChildError`."""

    reason: Any
