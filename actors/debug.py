"""Looking at processes and interfering with them (OTP sys)."""

from __future__ import annotations

from actors.exits import ExitReason
from actors.ref import Ref
from actors.scheduler import Scheduler


def force_exit(ref: Ref, reason: ExitReason) -> None:
    """Make a process die of `reason` as if an exception had struck it between two messages.

    Cannot be trapped, `terminate` does not run; links and monitors see `reason`. Nothing if it is dead.
    """
    process = ref._process
    if process is not None:
        process.scheduler.invoke(process.scheduler.signal, process._doom, reason)


def find(number: int) -> Ref | None:
    """The living process with this number in the scheduler of the running loop, or None."""
    process = Scheduler.current().processes.get(number)
    return None if process is None else process.ref
