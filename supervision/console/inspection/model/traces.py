"""Pure. Traces: the messages that an actor takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TraceLine:
    """A message that an actor took, or its reply.

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
        ended: why it is over; None while it runs
    """

    ref: str
    label: str
    ended: str | None
    lines: list[TraceLine]
