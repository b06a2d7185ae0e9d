"""Pure. Connections of all servers."""

from __future__ import annotations

from dataclasses import dataclass, field

from supervision.console.inspection.model.forms import Act


@dataclass
class ConnectionRow:
    """One connection.

    Attributes:
        id: unique among all servers
        actor: who owns it now; None of an orphan
        user, name: the id and the display name of the client, if the application knows them
        state: `http`, `open`, `closing`, `finishing` or `closed`
        age: since it came
        round_trip: of the last ping; None if there was none
        backlog: what it has not taken yet
        mailbox: messages that wait for its actor
        peak: the longest that mailbox was at the beginning of a turn
        congested: it reads slower than we write
        acts: what the application offers to do about it
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
    """Some of the connections."""

    total: int
    offset: int
    connections: list[ConnectionRow]
