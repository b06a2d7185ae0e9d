"""Pure. What a supervisor knows of a child before it starts it (OTP supervisor: child specification)."""

from __future__ import annotations

import enum
import functools
import inspect
import math
from collections.abc import Callable, Coroutine, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

from actors import ExitReason, Process, Ref
from actors.guard import attempt
from actors.portable import PortableException
from actors.shown import shown

ChildId: TypeAlias = Hashable


class Restart(enum.Enum):
    """Which exits of a child are followed by a restart."""

    PERMANENT = "permanent"
    """Every one."""
    TRANSIENT = "transient"
    """All but the orderly ones: `normal`, `shutdown`, `Shutdown(detail)`."""
    TEMPORARY = "temporary"
    """None; the specification is forgotten with the child."""


class ChildType(enum.Enum):
    """Whether a child is itself a supervisor."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


BRUTAL_KILL: Final = "brutal_kill"
"""`shutdown` of a child that is killed at once."""
INFINITY: Final = math.inf
"""`shutdown` of a child that gets all the time it wants."""

StartFunction: TypeAlias = Callable[..., Coroutine[Any, Any, Ref]]
ShutdownTime: TypeAlias = float | Literal["brutal_kill"]


class SpecError(PortableException, ValueError):
    """A specification is refused: names the field, its value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        shown = attempt(repr, value, default=type(value).__name__)
        super().__init__(f"{field} must be {allowed}, got {shown}")
        self.field = field
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class DuplicateId:
    """Why a supervisor did not start: two children have one id."""

    id: ChildId


@dataclass(frozen=True, slots=True)
class BadCombination:
    """Why a supervisor or a child was refused: `field` may not be `value` where `other_field` is `other_value`."""

    field: str
    value: object
    other_field: str
    other_value: object


@dataclass(frozen=True, slots=True)
class BadSpecs:
    """Why a supervisor did not start: the specifications of its children are refused."""

    reason: DuplicateId | BadCombination


@shown()
@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` restarts within `period` seconds."""

    count: int
    period: float

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 0:
            raise SpecError("intensity", self.count, "an integer of at least 0")
        if not _is_number(self.period) or not self.period > 0:
            raise SpecError("period", self.period, "a number of seconds above 0")


@shown()
@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before each restart, in seconds: `first`, then `factor` times longer, `maximum` at most.

    Up to the share `jitter` of it is left out by chance, so that many do not come back at once. A child that lived
    longer than `maximum` begins with `first` again.
    """

    first: float = 0.1
    maximum: float = 10.0
    factor: float = 2.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        for name, low in (("first", 0), ("maximum", self.first), ("factor", 1)):
            value = getattr(self, name)
            if not _is_number(value) or not low <= value < INFINITY:
                raise SpecError(name, value, f"a number of at least {low:g}")
        if not _is_number(self.jitter) or not 0 <= self.jitter <= 1:
            raise SpecError("jitter", self.jitter, "a number from 0 to 1")


@runtime_checkable
class Resource(Protocol):
    """What outlives the processes that use it and ends with their application: the sockets of a server, for example.

    Both are plain functions, and may be called more than once.
    """

    def prepare_stop(self) -> object:
        """Get ready for an orderly stop. Called before the tree stops."""

    def close(self) -> object:
        """Release everything. Called when no process of the tree is left, however the application ended."""


@shown("id", "shutdown", "name", "label", "budget", "backoff")
@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start one child, and what to do when it ends.

    Attributes:
        id: tells it from its siblings
        start: the class of its process, or a coroutine function that starts it with `start_link` and returns its
            reference; `args` and `kwargs` go to `init` or to the function
        restart: which exits are followed by a restart
        shutdown: seconds it has to end when it is asked to, `INFINITY` or `BRUTAL_KILL`; 5 s by default, `INFINITY`
            for a supervisor
        type: worker or supervisor; `child` reads it from the class
        significant: its own end may end the supervisor, see `AutoShutdown`
        name: registered before its `init` runs; not together with a start function, which may name the process itself
        label: what people call it; its name or id by default; not together with a start function either
        budget: beyond OTP: its own restarts within a time. One that exceeds it is given up, and its restarts do not
            count for the supervisor
        backoff: beyond OTP: how long to wait before a restart; its siblings of a group run on meanwhile
        given_up: beyond OTP: called with the last reason and `args` when the child is given up
        resources: beyond OTP: what an `Application` closes after its tree, beside the resources of the specifications
            in `args` and `kwargs`. It does not know those of children that a process specifies itself
    """

    id: ChildId
    start: type[Process] | StartFunction
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = Restart.PERMANENT
    shutdown: ShutdownTime | None = None
    type: ChildType = ChildType.WORKER
    significant: bool = False
    name: str | None = None
    label: str | None = None
    budget: Limit | None = None
    backoff: Backoff | None = None
    given_up: Callable[[ExitReason, tuple[Any, ...]], None] | None = None
    resources: tuple[Resource, ...] = ()

    def __post_init__(self) -> None:
        if self.shutdown is None and isinstance(self.type, ChildType):
            object.__setattr__(self, "shutdown", INFINITY if self.type is ChildType.SUPERVISOR else 5.0)
        for name, is_allowed, allowed in self._checks():
            if not is_allowed:
                raise SpecError(name, getattr(self, name), allowed)
        check_arguments(self.args, self.kwargs)
        object.__setattr__(self, "kwargs", dict(self.kwargs))  # what becomes of the client's own is not checked

    def _checks(self) -> Iterator[tuple[str, bool, str]]:
        """The fields, whether their values are allowed, and what is."""
        is_function = inspect.iscoroutinefunction(self.start)
        is_class = isinstance(self.start, type) and issubclass(self.start, Process)
        text = "None beside a start function" if is_function else "a string or None"
        texts = NoneType if is_function else str | NoneType
        yield "id", attempt(hash, self.id, default=None) is not None, "hashable"
        yield "start", is_function or is_class, "a class of processes or a coroutine function that starts one"
        yield "restart", isinstance(self.restart, Restart), "a member of Restart"
        yield "type", isinstance(self.type, ChildType), "a member of ChildType"
        yield "shutdown", _is_shutdown_time(self.shutdown), "seconds of at least 0, INFINITY or BRUTAL_KILL"
        yield "significant", isinstance(self.significant, bool), "True or False"
        yield "name", isinstance(self.name, texts), text
        yield "label", isinstance(self.label, texts), text
        yield "budget", self.budget is None or isinstance(self.budget, Limit), "a Limit or None"
        yield "backoff", self.backoff is None or isinstance(self.backoff, Backoff), "a Backoff or None"
        yield "given_up", self.given_up is None or _is_plain_function(self.given_up), "a plain function or None"
        is_tuple = isinstance(self.resources, tuple)
        yield "resources", is_tuple and all(map(_is_resource, self.resources)), "a tuple of resources (see Resource)"


def _is_number(value: object) -> bool:
    """Tell whether `value` is a number that a clock can take: an integer may be too large for that."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and attempt(float, value, default=None) is not None


def _is_shutdown_time(value: Any) -> bool:
    return value == BRUTAL_KILL if isinstance(value, str) else _is_number(value) and value >= 0


def _is_plain_function(value: object) -> bool:
    return callable(value) and not inspect.iscoroutinefunction(value)


def _is_resource(value: object) -> bool:
    return isinstance(value, Resource) and _is_plain_function(value.prepare_stop) and _is_plain_function(value.close)


def resources_of(spec: ChildSpec) -> tuple[Resource, ...]:
    """The resources of a specification and of those among its arguments, each once, in start order."""
    return tuple({id(each): each for each in _all_resources(spec)}.values())


def _all_resources(spec: ChildSpec) -> Iterator[Resource]:
    for argument in (*spec.args, *spec.kwargs.values()):
        for each in argument if isinstance(argument, list | tuple) else (argument,):
            if isinstance(each, ChildSpec):
                yield from _all_resources(each)
    yield from spec.resources


def check_arguments(args: object, kwargs: object) -> None:
    """Check that a function can be called with `args` and `kwargs`.

    Raises:
        SpecError: if they are something else than a tuple and a mapping of names.
    """
    if not isinstance(args, tuple):
        raise SpecError("args", args, "a tuple")
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise SpecError("kwargs", kwargs, "a mapping of names to values")


def check_spec(spec: object) -> None:
    """Check that `spec` is a specification; its fields have checked themselves.

    Raises:
        SpecError: if it is something else.
    """
    if not isinstance(spec, ChildSpec):
        raise SpecError("child", spec, "a ChildSpec")


def child(start: type[Process] | StartFunction, /, *args: Any, id: ChildId = None, **options: Any) -> ChildSpec:
    """Specify a child: `child(Server, 1, 2, id="server", restart=Restart.TRANSIENT)`.

    Args:
        start: the class of its process, or a coroutine function that starts it
        args: what its `init` or the function gets
        id: the name of the class or function by default, of a `functools.partial` that of its function
        options: the other fields of `ChildSpec`; keywords of `init` are its `kwargs`; `type` is that of the class by
            default (its `child_type`), or else a worker

    Raises:
        SpecError: if a field has a value that is not allowed, or the function has no name and there is no `id`.
    """
    named = start.func if isinstance(start, functools.partial) else start
    id = getattr(named, "__name__", None) if id is None else id
    if id is None and callable(start):
        raise SpecError("id", None, "given, because the start function has no __name__")
    if isinstance(start, type):
        options.setdefault("type", getattr(start, "child_type", ChildType.WORKER))
    return ChildSpec(id=id, start=start, args=args, **options)
