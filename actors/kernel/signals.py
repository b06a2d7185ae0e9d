"""Messages and errors that report the exit of a process or a failed start."""

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
    """The message that replaces an exit signal in a process that traps exits (OTP's `{'EXIT', From, Reason}`)."""

    sender: Ref | None
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Down:
    """The single message of a monitor: `target`, as it was passed to `monitor`, has exited."""

    monitor: Monitor
    target: Target
    reason: ExitReason


Watcher: TypeAlias = Callable[["Ref", ExitReason], None]
"""Called on the loop with a process and its exit reason when it exits, for code outside of processes."""


@dataclass(frozen=True, slots=True)
class AlreadyStarted:
    """The reason of a failed start: the name of the new process is held by `ref`."""

    ref: Ref


class StartError(PortableException):
    """A process did not start; `reason` is what its `init` failed with, or an `AlreadyStarted`."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Return where in the tree, and why: `server > connections: the name 'web' is held by <4 connections>`."""
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
    """The `init` of a process declined to start, which is not an error (OTP's `ignore`)."""
