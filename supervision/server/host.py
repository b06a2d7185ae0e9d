"""No process. What a wire asks of the server that it belongs to; `Sockets` is one."""

from __future__ import annotations

from collections import Counter
from typing import Protocol, TypeVar

from actors import Ref
from supervision.server.admission import Admission, Refusal
from supervision.server.deadlines import Deadlines
from supervision.server.policy import Policy
from supervision.server.unread import Unread

W = TypeVar("W", contravariant=True)


class WireHost(Protocol[W]):
    """What is shared by the wires of one server, and what they tell it. See `Sockets` for the attributes."""

    policy: Policy
    admission: Admission
    deadlines: Deadlines
    unread: Unread
    listener: Ref | None
    is_draining: bool
    cut_off: Counter[str]
    closings: Counter[int]

    def next_id(self) -> int:
        """A number for a new wire."""
        ...

    def date(self) -> str:
        """The value of a Date header now."""
        ...

    def welcome(self, wire: W) -> None:
        """A wire has begun; it waits for an owner."""
        ...

    def forget(self, wire: W) -> None:
        """A wire is gone."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Count somebody who is turned away."""
        ...
