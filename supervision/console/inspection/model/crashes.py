"""Pure. Crashes, and the tests that reproduce them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CrashRow:
    """One crash.

    Attributes:
        number: counts from 1
        at: seconds since 1970
        asked_by: the principal who crashed it, as in the audit log; None if it crashed by itself, or if that is no
            longer known
    """

    number: int
    at: float
    ref: str
    label: str
    kind: str
    reason: str
    restarts: int
    asked_by: str | None


@dataclass(slots=True)
class CrashPage:
    """The latest crashes, newest first. `total` includes those that are no longer kept."""

    total: int
    crashes: list[CrashRow]


@dataclass(slots=True)
class CrashDetails:
    """The details of one crash.

    Attributes:
        path: labels from the top of the tree down to the actor
        message: the message that the actor was handling
        recent: the messages before that one, if they were recorded
        state: the actor's attributes at the crash
        case: the source of a pytest test that reproduces the crash
    """

    crash: CrashRow
    path: list[str]
    message: str
    recent: list[str]
    state: dict[str, str]
    traceback: str
    case: str
