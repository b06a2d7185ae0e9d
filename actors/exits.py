"""Pure. Exit reasons, and the messages and exceptions that carry them.

A reason is any value. Strings stand for Erlang's atoms; the few with a meaning of their own are constants here.
(Erlang reference manual, Processes: errors)
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from actors.guard import attempt
from actors.portable import PortableException

if TYPE_CHECKING:
    from actors.ref import Monitor, Ref, Target

ExitReason: TypeAlias = Any

NORMAL: Final = "normal"
"""The process finished its work. As a signal it harms nobody but its own sender."""
SHUTDOWN: Final = "shutdown"
"""An orderly end, usually asked for by a supervisor."""
KILL: Final = "kill"
"""Sent by `send_exit`: cannot be trapped, and the victim exits with `KILLED`."""
KILLED: Final = "killed"
NOPROC: Final = "noproc"
"""There is no such process."""
TIMEOUT: Final = "timeout"
"""No reply came in time."""
CALLING_SELF: Final = "calling_self"
"""A process called itself: its answer could never come."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """An orderly end with an explanation (OTP's `{shutdown, Term}`)."""

    detail: Any


@dataclass(frozen=True, slots=True)
class Crash:
    """An exception that no callback caught."""

    exception: BaseException

    def __str__(self) -> str:
        return _described(self)


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that failed with `reason` and that the caller did not catch."""

    reason: ExitReason
    target: Target

    def __str__(self) -> str:
        return _described(self)


@dataclass(frozen=True, slots=True)
class AlreadyStarted:
    """The name of the new process is held by `ref`."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Exit:
    """The message a process that traps exits gets in place of an exit signal (OTP's `{'EXIT', From, Reason}`)."""

    sender: Ref | None
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Down:
    """The one message of a monitor: `target`, as it was given to `monitor`, has ended."""

    monitor: Monitor
    target: Target
    reason: ExitReason


Watcher: TypeAlias = Callable[["Ref", ExitReason], None]
"""Called with a process and its exit reason when it ends, for code that is no process. It runs on the loop."""


class ProcessExit(PortableException):
    """Raised in a callback, it ends the process with `reason` (Erlang's `exit/1`); `terminate` runs."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(reason)
        self.reason = reason


class CallExit(ProcessExit):
    """A call failed: the server ended, was not there (`NOPROC`) or did not answer in time (`TIMEOUT`)."""

    def __init__(self, reason: ExitReason, target: Target) -> None:
        super().__init__(reason)
        self.target = target

    def __str__(self) -> str:
        return _described(CallFailure(self.reason, self.target))


class StartError(PortableException):
    """A process did not start; `reason` is what its `init` failed with, or `AlreadyStarted`."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Where in the tree, and why: `server > connections: the name 'web' is held by <4 connections>`."""
        path: list[str] = []
        reason = self.reason
        while isinstance(reason, Shutdown):
            match reason.detail:
                case object(id=id, reason=inner):  # supervision.FailedToStart
                    path.append(attempt(str, id, default="?"))
                    reason = inner
                case _:
                    break
        match reason:
            case AlreadyStarted(ref):
                cell = ref._cell
                text = f"its name was held by {ref!r}" if cell is None else f"the name {cell.name!r} is held by {ref!r}"
            case _:
                text = _described(reason)
        return f"{' > '.join(path)}: {text}" if path else text


class Ignored(Exception):
    """The `init` of a process declined to start, which is no error (OTP's `ignore`)."""


def is_clean(reason: ExitReason) -> bool:
    """Tell whether `reason` is an orderly end: a transient child is not restarted after it (OTP supervisor)."""
    return issubclass(type(reason), Shutdown) or is_atom(reason, NORMAL) or is_atom(reason, SHUTDOWN)


def is_atom(reason: ExitReason, atom: str) -> bool:
    """Tell whether `reason` is this string. It may be any value, whose own `==` might raise or return anything."""
    return issubclass(type(reason), str) and str.__eq__(reason, atom)


def reason_of(exception: BaseException) -> ExitReason:
    """The reason a process ends with when `exception` leaves a callback."""
    match exception:
        case CallExit():
            return CallFailure(exception.reason, exception.target)
        case ProcessExit():
            return exception.reason
        case _:
            return Crash(exception)


def exception_in(reason: ExitReason) -> BaseException | None:
    """The exception of a `Crash`, or None for every other reason; a program may have put any value into one."""
    return reason.exception if type(reason) is Crash and issubclass(type(reason.exception), BaseException) else None


def release_frames(exception: BaseException | None) -> None:
    """Clear the local variables that the tracebacks of `exception` and of those behind it hold.

    They would keep a dead process alive, with its sockets and locks, for as long as somebody looks at its exit reason.
    The lines of the traceback stay.
    """
    seen: set[int] = set()
    waiting = [exception]
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        waiting += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions


def _described(reason: ExitReason) -> str:
    from actors.describe import describe_reason  # it knows all kinds of values, and references among them know this

    return describe_reason(reason)
