"""Pure. Exit reasons: those with a meaning of their own, and which of them are orderly ends.

A reason is any value. Strings stand for Erlang's atoms; the few with a meaning of their own are constants here. What a
process ends with that failed is in `failures`. (Erlang reference manual, Processes: errors)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

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


def is_clean(reason: ExitReason) -> bool:
    """Tell whether `reason` is an orderly end: a transient child is not restarted after it (OTP supervisor)."""
    return issubclass(type(reason), Shutdown) or is_atom(reason, NORMAL) or is_atom(reason, SHUTDOWN)


def is_atom(reason: ExitReason, atom: str) -> bool:
    """Tell whether `reason` is this string. It may be any value, whose own `==` might raise or return anything."""
    return issubclass(type(reason), str) and str.__eq__(reason, atom)
