"""Pure. Exit reasons: the predefined ones, and which of them are clean.

A reason is any value. Strings stand for Erlang's atoms; those with a predefined meaning are constants here. The reasons
of failed processes are in `failures`. (Erlang reference manual, Processes: errors)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

ExitReason: TypeAlias = Any

NORMAL: Final = "normal"
"""The process finished its work. As an exit signal it ends no process but its own sender."""
SHUTDOWN: Final = "shutdown"
"""An orderly exit, usually requested by a supervisor."""
KILL: Final = "kill"
"""Sent by `send_exit`: cannot be trapped, and the receiver exits with `KILLED`."""
KILLED: Final = "killed"
NOPROC: Final = "noproc"
"""The process does not exist."""
TIMEOUT: Final = "timeout"
"""No reply arrived in time."""
CALLING_SELF: Final = "calling_self"
"""A process called itself, so it could never reply."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """An orderly exit with an explanation (OTP's `{shutdown, Term}`)."""

    detail: Any


def is_clean(reason: ExitReason) -> bool:
    """Return whether `reason` is an orderly exit, after which a transient child is not restarted (OTP supervisor)."""
    return issubclass(type(reason), Shutdown) or is_atom(reason, NORMAL) or is_atom(reason, SHUTDOWN)


def is_atom(reason: ExitReason, atom: str) -> bool:
    """Return whether `reason` is the string `atom`, without calling the `==` of `reason`, which may be any value."""
    return issubclass(type(reason), str) and str.__eq__(reason, atom)
