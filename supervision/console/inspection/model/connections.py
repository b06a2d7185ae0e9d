"""Pure. The connections of all servers."""

from __future__ import annotations

from dataclasses import dataclass, field

from supervision.console.inspection.model.forms import Act


@dataclass
class ConnectionRow:
    """One connection.

    Attributes:
        id: unique among all servers
        actor: the actor that owns it; None for an orphaned wire
        user, name: the user's id and display name, if the application knows them
        state: `http`, `open`, `closing`, `finishing` or `closed`
        age: seconds since it was accepted
        round_trip: seconds that the last ping took; None before the first
        backlog: bytes that the client has not read yet
        mailbox: messages in the mailbox of its actor
        peak: the longest that mailbox has been at the beginning of a turn
        congested: whether the client reads more slowly than the server writes
        acts: the actions that the application offers on it
    """

    id: str
    server: str
    actor: str | None
    label: str
    user: str | None
    name: str
    address: str
    peer: str
    state: str
    age: float
    bytes_in: int
    bytes_out: int
    round_trip: float | None
    backlog: int
    mailbox: int
    peak: int
    congested: bool
    compressed: bool
    acts: list[Act] = field(default_factory=list)


@dataclass(slots=True)
class ConnectionPage:
    """One page of the connections."""

    total: int
    offset: int
    connections: list[ConnectionRow]
