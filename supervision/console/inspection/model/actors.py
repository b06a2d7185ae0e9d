"""Pure. Actors: the tree, the table, and all of one."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Node:
    """One actor of the tree, and those it started, in start order.

    Attributes:
        ref: its number, as text
        kind: the class it runs
        state: `idle`, `queued`, `running`, `waiting` or `suspended`
        restarts: how often it was started again in its place
        mailbox: messages that wait
        children: those that are shown
        count: those that there are; more than `children` where the answer was limited
    """

    ref: str
    label: str
    kind: str
    state: str
    restarts: int
    mailbox: int
    children: list[Node] = field(default_factory=list)
    count: int = 0


@dataclass
class Actor:
    """A row of the table of actors.

    Attributes:
        parent: who started it
        peak: the longest its mailbox was at the beginning of a turn
        handled: messages it has taken
        recent: of these in the window of the page
        used: seconds that it ran since somebody began to look
        recently_used: of these in the window
        memory: an estimate: the process, its attributes (not what these hold on to), its mailbox
    """

    ref: str
    label: str
    kind: str
    state: str
    parent: str | None
    restarts: int
    mailbox: int
    peak: int
    handled: int
    recent: int
    used: float
    recently_used: float
    memory: int


@dataclass(slots=True)
class ActorPage:
    """Some of the actors.

    Attributes:
        window: seconds that `recent` and `recently_used` are about; 0 before the first mark
    """

    total: int
    offset: int
    window: float
    actors: list[Actor]


@dataclass(slots=True)
class Peer:
    """Another actor that this one has to do with."""

    ref: str
    label: str
    is_alive: bool


@dataclass(slots=True)
class Spec:
    """How the supervisor of an actor starts it and what it does at its end.

    Attributes:
        shutdown: seconds, `infinity` or `brutal_kill`
        budget, backoff: as text
    """

    id: str
    start: str
    restart: str
    shutdown: str
    type: str
    significant: bool
    budget: str | None
    backoff: str | None


@dataclass(slots=True)
class ActorDetails:
    """One actor.

    Attributes:
        name: under which it is registered
        path: labels from the top of the tree down to it
        keys: what it holds in the tables of the registry, as `table: key`
        message: what it handles now
        monitored_by: those that are told of its end
        spec: None if it was not started by a supervisor
        is_root: the root, or above it: it cannot be touched
    """

    actor: Actor
    name: str | None
    path: list[str]
    keys: list[str]
    trap_exit: bool
    message: str | None
    links: list[Peer]
    monitors: list[Peer]
    monitored_by: list[Peer]
    children: int
    spec: Spec | None
    connection: str | None
    is_root: bool
    is_traced: bool


@dataclass(slots=True)
class StateText:
    """The attributes of an actor, as text, as far as they may be seen; what is long is cut."""

    ref: str
    label: str
    state: dict[str, str]
    is_cut: bool
