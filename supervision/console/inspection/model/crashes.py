"""Pure. Crashes, and how to repeat one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CrashRow:
    """One crash.

    Attributes:
        number: counts from 1
        at: seconds since 1970
        asked_by: who had it crash, as in the audit log; None if nobody did, or that is forgotten
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
    """The last crashes, the last one first. `total` counts those that were forgotten as well."""

    total: int
    crashes: list[CrashRow]


@dataclass(slots=True)
class CrashDetails:
    """One crash.

    Attributes:
        path: labels from the top of the tree down to the actor
        message: what it was handling
        recent: messages before that, if a record of them was kept
        state: its attributes then
        case: a test for pytest that makes it crash the same way, as text
    """

    crash: CrashRow
    path: list[str]
    message: str
    recent: list[str]
    state: dict[str, str]
    traceback: str
    case: str
