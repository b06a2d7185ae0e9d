"""Pure. What the console shows, as plain data: the shapes of the API's answers.

Times are in seconds, sizes in bytes. A reference is the number of a process as text. A page of a longer list says how
many there are in all (`total`), of which it shows those from `offset` on. What comes by the thousand has no slots:
it is encoded in a quarter of the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Quantity:
    """A number that has a unit, or that somebody should look at.

    Attributes:
        amount: None if it is not known
        unit: `bytes`, `seconds`, `moment` (seconds since 1970), or nothing
        level: `warning` or `bad` if somebody should look at it, or nothing
    """

    amount: float | None
    unit: str = ""
    level: str = ""


@dataclass(slots=True)
class Usage:
    """A limit, and how full it is.

    Attributes:
        share: from 0 to 1, beyond that if the limit is soft
        unit: `bytes`, or nothing
    """

    name: str
    used: int
    limit: int
    share: float
    unit: str = ""

    @classmethod
    def of(cls, name: str, used: int, limit: int, unit: str = "") -> Usage:
        """Calculate the share."""
        return cls(name, used, limit, used / limit if limit else 1.0, unit)


@dataclass(slots=True)
class Overview:
    """The system at a glance.

    Attributes:
        at: seconds since 1970
        connections: open ones of all servers but the console's own
        messages, turns, started, restarts, crashes, accepted, bytes_in, bytes_out: since the beginning
        messages_per_second, turns_per_second: lately; None before there are two samples
        loop_lag: the longest that the event loop was late in the last seconds
        cpu: share of one core, lately
        waiting: messages in all mailboxes
        longest_mailbox: the actor with most of them, if any has one
        limits: what can run out, the fullest first
        refused, cut_off: connections, by reason
    """

    at: float
    uptime: float
    is_draining: bool
    actors: int
    connections: int
    messages: int
    messages_per_second: float | None
    turns: int
    turns_per_second: float | None
    loop_lag: float | None
    memory: int
    cpu: float | None
    started: int
    restarts: int
    crashes: int
    waiting: int
    longest_mailbox: str | None
    limits: list[Usage]
    accepted: int
    refused: dict[str, int]
    cut_off: dict[str, int]
    bytes_in: int
    bytes_out: int


@dataclass(slots=True)
class Sample:
    """One point of the charts; see `Overview`."""

    at: float
    actors: int
    connections: int
    messages_per_second: float
    turns_per_second: float
    loop_lag: float
    memory: int
    cpu: float
    restarts: int
    crashes: int
    waiting: int


@dataclass(slots=True)
class HistoryPage:
    """The last hour, oldest first.

    Attributes:
        interval: seconds between two samples
    """

    interval: float
    samples: list[Sample]


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


@dataclass(slots=True)
class Act:
    """Something that can be done: a form, and how it is filled in.

    Attributes:
        form: the id of the form
        values: of its fields; those that are not named are left as they are
    """

    form: str
    label: str
    values: dict[str, str] = field(default_factory=dict)


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


@dataclass
class Entry:
    """Somebody who holds a name or is in a topic.

    Attributes:
        table: where; empty for the names of the kernel
        value: what goes with it, as text; None for nothing
    """

    table: str
    key: str
    ref: str
    label: str
    value: str | None


@dataclass(slots=True)
class EntryPage:
    """Some of the names and topics."""

    total: int
    offset: int
    entries: list[Entry]


@dataclass
class Topic:
    """A key, and how many hold it."""

    table: str
    key: str
    members: int


@dataclass(slots=True)
class TopicPage:
    """Some of the topics: the keys of tables in which any number of actors may hold one."""

    total: int
    offset: int
    topics: list[Topic]


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


@dataclass(slots=True)
class PageTable:
    """A table of a page of the application.

    Attributes:
        rows: those from `offset` on; a column called `actor` has numbers of actors
        total: how many rows there are in all
        empty: what to say if there are none
        acts: of each row, what the application offers to do about it
    """

    title: str
    columns: list[str]
    rows: list[list[Any]]
    total: int
    offset: int = 0
    empty: str = "There are none."
    acts: list[list[Act]] = field(default_factory=list)


@dataclass(slots=True)
class PageContent:
    """A page of the application, which every face shows in its own way.

    Attributes:
        values: name -> value, which may be a `Quantity`
        search: what its table can be searched for, as a hint; empty if it cannot be searched
        acts: what the application offers to do
    """

    id: str
    title: str
    values: dict[str, Any]
    table: PageTable | None = None
    search: str = ""
    acts: list[Act] = field(default_factory=list)


@dataclass(slots=True)
class PageLink:
    """That there is a page."""

    id: str
    title: str


@dataclass(slots=True)
class PageLinks:
    """The pages of the application."""

    pages: list[PageLink]


@dataclass(slots=True)
class StoreState:
    """What is kept where.

    Attributes:
        values: what the application says of its store: name -> value
    """

    values: dict[str, Any]


@dataclass(slots=True)
class Link:
    """Where a browser logs in, once.

    Attributes:
        seconds: in which it can be used
    """

    url: str
    seconds: float


@dataclass(slots=True)
class FormField:
    """A field of a form.

    Attributes:
        name: the parameter of the route
        kind: `text`; `choice`; a moment, `since` or `until`, sent in seconds since 1970; `area`, sent as
            X,Y,WIDTH,HEIGHT
        value: what it is at first
        choices: value -> label
        picture: of an `area`, the path below `/api/v1/` of the picture on which it can be drawn
        width, height: what that picture shows, in the units of the area
    """

    name: str
    label: str
    kind: Literal["text", "choice", "since", "until", "area"] = "text"
    value: str = ""
    hint: str = ""
    choices: dict[str, str] = field(default_factory=dict)
    picture: str = ""
    width: int = 0
    height: int = 0


@dataclass(slots=True)
class Form:
    """Something that the application lets people do, and what they have to say for it.

    A face sends the fields that are not empty: with `apply=0` to be told what would happen, with `apply=1` to do it.

    Attributes:
        verb: on the button
        method, path: of the route, below `/api/v1/`; its answer has the attribute `told`
    """

    id: str
    title: str
    about: str
    verb: str
    method: str
    path: str
    fields: list[FormField]


@dataclass(slots=True)
class ToldPicture:
    """A picture.

    Attributes:
        source: a PNG as `data:` URL
    """

    title: str
    source: str
    width: int
    height: int


@dataclass(slots=True)
class Told:
    """What a form would do, or has done, as every face shows it.

    Attributes:
        text: a sentence
        warnings: what somebody should know before they do it
        values: name -> value
        confirm: a parameter that has to be `1` as well, and what is agreed to by that
        is_possible: there is something to do
        acts: what may be done next, such as to undo it
    """

    text: str
    warnings: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    table: PageTable | None = None
    pictures: list[ToldPicture] = field(default_factory=list)
    confirm: dict[str, str] = field(default_factory=dict)
    is_possible: bool = True
    acts: list[Act] = field(default_factory=list)


@dataclass(slots=True)
class Session:
    """Who asks.

    Attributes:
        access: the role: `look`, `moderate` or `administer`
        actions: what this application can do and the role allows, by name
        forms: what else the application lets them do, and the role allows
        servers: the application's; the console's own have other names
    """

    access: str
    who: str
    application: str
    servers: list[str]
    actions: list[str]
    forms: list[Form]


@dataclass(slots=True)
class Done:
    """An action was done.

    Attributes:
        ref, label: on whom, if on an actor
    """

    action: str
    ref: str | None = None
    label: str | None = None
    detail: str = ""


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


@dataclass(slots=True)
class Crashed:
    """An actor was made to crash."""

    crashed: str
    label: str


@dataclass(slots=True)
class Live:
    """What a WebSocket at `/api/v1/live` is told about once a second.

    Attributes:
        type: `live`
        started: actors that came since the last time, oldest first, at most 200, with their parents
        ended: references of those that went, at most 500
        restarted: those of `started` that came in the place of another
        is_cut: more came or went than is shown, or was told while the viewer did not read: fetch the tree again
    """

    type: str
    overview: Overview
    started: list[Actor]
    ended: list[str]
    restarted: list[str]
    is_cut: bool
