"""Pure. Child specifications (OTP supervisor): how to start, restart and stop a child."""

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
    """Which exits of a child lead to a restart."""

    PERMANENT = "permanent"
    """All exits."""
    TRANSIENT = "transient"
    """All except `normal`, `shutdown` and `Shutdown(detail)`."""
    TEMPORARY = "temporary"
    """No exits. The supervisor drops the specification when the child ends."""


class ChildType(enum.Enum):
    """Whether a child is itself a supervisor."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


BRUTAL_KILL: Final = "brutal_kill"
"""Value of `shutdown`: kill the child at once."""
INFINITY: Final = math.inf
"""Value of `shutdown`: wait for the child without a limit."""

StartFunction: TypeAlias = Callable[..., Coroutine[Any, Any, Ref]]
ShutdownTime: TypeAlias = float | Literal["brutal_kill"]


class SpecError(PortableException, ValueError):
    """A specification is invalid. The text names the field, its value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        shown = attempt(repr, value, default=type(value).__name__)
        super().__init__(f"{field} must be {allowed}, got {shown}")
        self.field = field
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class DuplicateId:
    """Why a supervisor did not start: two children have the same id."""

    id: ChildId


@dataclass(frozen=True, slots=True)
class BadCombination:
    """Why a supervisor or a child was refused: `field` cannot be `value` if `other_field` is `other_value`."""

    field: str
    value: object
    other_field: str
    other_value: object


@dataclass(frozen=True, slots=True)
class BadSpecs:
    """Why a supervisor did not start: the specifications of its children are invalid."""

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
    """The wait before each restart, in seconds: `first`, then `factor` times longer each time, at most `maximum`.

    A random share of up to `jitter` is subtracted, so that many children do not restart at once. Once a child has lived
    longer than `maximum`, its next wait is `first` again.
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
    """An object that outlives the processes that use it and is closed with their application, such as a `Sockets`.

    Both methods are plain functions, and may be called more than once.
    """

    def prepare_stop(self) -> object:
        """Prepare for an orderly stop. Called before the tree stops."""

    def close(self) -> object:
        """Release everything. Called when no process of the tree is left, whatever ended the application."""


@shown("id", "shutdown", "name", "label", "budget", "backoff")
@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start one child, and what to do when it ends.

    Attributes:
        id: unique among its siblings
        start: the class of its process, or a coroutine function that starts the process with `start_link` and returns
            its reference
        args, kwargs: arguments of `init` or of the function
        restart: which exits lead to a restart
        shutdown: seconds the child gets to stop, `INFINITY` or `BRUTAL_KILL`. The default is 5 s, and `INFINITY` for a
            supervisor
        type: worker or supervisor; `child` reads it from the class
        significant: whether the child's own end may end the supervisor, see `AutoShutdown`
        name: registered before `init` runs. Not allowed with a start function, which can name the process itself
        label: a readable name for logs and the console; by default the name or id. Not allowed with a start function
        budget: beyond OTP: limit of the child's own restarts. The supervisor gives up a child that exceeds it. Such
            restarts do not count for the supervisor
        backoff: beyond OTP: the wait before a restart; its siblings of the group keep running meanwhile
        given_up: beyond OTP: called with the last exit reason and `args` when the child is given up
        resources: beyond OTP: objects that an `Application` closes after its tree, as it does those of specifications
            in `args` and `kwargs`. It cannot know resources in specifications that a process makes itself
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
        object.__setattr__(self, "kwargs", dict(self.kwargs))  # the caller may change its own

    def _checks(self) -> Iterator[tuple[str, bool, str]]:
        """Yield each field, whether its value is allowed, and which values are."""
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
    """Whether `value` is a number that fits a float, as the clock needs; an integer can be too large."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and attempt(float, value, default=None) is not None


def _is_shutdown_time(value: Any) -> bool:
    return value == BRUTAL_KILL if isinstance(value, str) else _is_number(value) and value >= 0


def _is_plain_function(value: object) -> bool:
    return callable(value) and not inspect.iscoroutinefunction(value)


def _is_resource(value: object) -> bool:
    return isinstance(value, Resource) and _is_plain_function(value.prepare_stop) and _is_plain_function(value.close)


def resources_of(spec: ChildSpec) -> tuple[Resource, ...]:
    """Return the resources of a specification and of those in its arguments, each once, in start order."""
    return tuple({id(each): each for each in _all_resources(spec)}.values())


def _all_resources(spec: ChildSpec) -> Iterator[Resource]:
    for argument in (*spec.args, *spec.kwargs.values()):
        for each in argument if isinstance(argument, list | tuple) else (argument,):
            if isinstance(each, ChildSpec):
                yield from _all_resources(each)
    yield from spec.resources


def check_arguments(args: object, kwargs: object) -> None:
    """Check that `args` is a tuple and `kwargs` a mapping with string keys.

    Raises:
        SpecError: if not.
    """
    if not isinstance(args, tuple):
        raise SpecError("args", args, "a tuple")
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise SpecError("kwargs", kwargs, "a mapping of names to values")


def check_spec(spec: object) -> None:
    """Check that `spec` is a `ChildSpec`, which has checked its own fields.

    Raises:
        SpecError: if not.
    """
    if not isinstance(spec, ChildSpec):
        raise SpecError("child", spec, "a ChildSpec")


def child(start: type[Process] | StartFunction, /, *args: Any, id: ChildId = None, **options: Any) -> ChildSpec:
    """Specify a child: `child(Server, 1, 2, id="server", restart=Restart.TRANSIENT)`.

    Args:
        start: the class of its process, or a coroutine function that starts the process
        args: positional arguments of `init` or of the function
        id: by default the name of the class or function; for a `functools.partial`, that of its function
        options: the other fields of `ChildSpec`. Keyword arguments of `init` go into `kwargs`. `type` is by default the
            `child_type` of the class, or else a worker

    Raises:
        SpecError: if a field has an invalid value, or there is no `id` and the function has no name.
    """
    named = start.func if isinstance(start, functools.partial) else start
    id = getattr(named, "__name__", None) if id is None else id
    if id is None and callable(start):
        raise SpecError("id", None, "given, because the start function has no __name__")
    if isinstance(start, type):
        options.setdefault("type", getattr(start, "child_type", ChildType.WORKER))
    return ChildSpec(id=id, start=start, args=args, **options)
