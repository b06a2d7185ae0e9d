"""Pure. Actors: the tree, the table, and the details of one."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Node:
    """An actor of the tree, with its children in start order.

    Attributes:
        ref: its number, as a string
        kind: its class
        state: `idle`, `queued`, `running`, `waiting` or `suspended`
        restarts: how often its supervisor has restarted it
        mailbox: messages in its mailbox
        children: the children that are shown
        count: the number of all children, which may exceed `children` if the request limits them
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
    """A row of the actor table.

    Attributes:
        parent: the actor that started it
        peak: the longest its mailbox has been at the beginning of a turn
        handled: messages it has handled
        recent: messages it has handled in the page's window
        used: seconds it has run since measuring began, which needs a viewer
        recently_used: seconds it has run in the page's window
        memory: an estimate in bytes: the process, its attributes (not the objects they refer to), its mailbox
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
    """One page of the actors.

    Attributes:
        window: seconds that `recent` and `recently_used` cover; 0 while nothing has been measured
    """

    total: int
    offset: int
    window: float
    actors: list[Actor]


@dataclass(slots=True)
class Peer:
    """An actor that another is linked to, monitors, or is monitored by."""

    ref: str
    label: str
    is_alive: bool


@dataclass(slots=True)
class Spec:
    """The child specification of an actor.

    Attributes:
        shutdown: seconds, `infinity` or `brutal_kill`
        budget, backoff: the restart budget and backoff, as text
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
    """The details of one actor.

    Attributes:
        name: the name it is registered under
        path: labels from the top of the tree down to it
        keys: its keys in the registry's tables, as `table: key`
        message: the message it is handling
        monitored_by: the actors that monitor it
        spec: None if no supervisor started it
        connection: the `id` of the connection it owns
        is_root: whether it is the root or its ancestor, which cannot be ended
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
    """The attributes of an actor as text, without secrets. `is_cut` tells whether long values were truncated."""

    ref: str
    label: str
    state: dict[str, str]
    is_cut: bool
