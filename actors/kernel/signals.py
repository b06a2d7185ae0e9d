"""What is heard of the end of a process, and of a start that failed: the messages and errors that hold references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from actors.exits import ExitReason, Shutdown
from actors.failures import describe_reason
from actors.guard import attempt
from actors.portable import PortableException

if TYPE_CHECKING:
    from actors.kernel.ref import Monitor, Ref, Target


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


@dataclass(frozen=True, slots=True)
class AlreadyStarted:
    """The name of the new process is held by `ref`."""

    ref: Ref


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
                text = describe_reason(reason)
        return f"{' > '.join(path)}: {text}" if path else text


class Ignored(Exception):
    """The `init` of a process declined to start, which is no error (OTP's `ignore`)."""
