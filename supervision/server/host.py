"""No process. What a wire needs of the server that it belongs to. `Sockets` implements it."""

from __future__ import annotations

from collections import Counter
from typing import Protocol, TypeVar

from actors import Ref
from supervision.server.admission import Admission, Refusal
from supervision.server.deadlines import Deadlines
from supervision.server.policy import Policy
from supervision.server.unread import UnreadLimiter

W = TypeVar("W", contravariant=True)


class WireHost(Protocol[W]):
    """What the wires of one server share, and how they report to it. `Sockets` documents the attributes."""

    policy: Policy
    admission: Admission
    deadlines: Deadlines
    unread: UnreadLimiter
    listener: Ref | None
    is_draining: bool
    cut_off: Counter[str]
    closings: Counter[int]

    def next_id(self) -> int:
        """Return the id of a new wire."""
        ...

    def date(self) -> str:
        """Return the value of the Date header (RFC 9110 §6.6.1)."""
        ...

    def add(self, wire: W) -> None:
        """Add a wire that is connected and has no owner yet."""
        ...

    def remove(self, wire: W) -> None:
        """Remove a wire that has ended."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        ...
