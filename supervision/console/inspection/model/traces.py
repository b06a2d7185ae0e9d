"""Pure. Traces of the messages that an actor receives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TraceLine:
    """A message that an actor received, or its reply.

    Attributes:
        after: seconds since the trace began
        kind: `call`, `cast`, `message` or `reply`
    """

    after: float
    kind: str
    text: str
    caller: str | None = None


@dataclass(slots=True)
class TraceState:
    """A trace of one actor.

    Attributes:
        ended: why the trace ended; None while it runs
    """

    ref: str
    label: str
    ended: str | None
    lines: list[TraceLine]
