"""Current and recent users with their names and addresses. Resolves what a moderator types to a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from actors import CallExit, call
from canvas.board.names import SHOWN_OF_ID, titled
from canvas.history.historian import AskPainters
from canvas.live.client_state import client_states
from canvas.live.recent_users import RecentUsers
from canvas.store import StoreError
from canvas.users.bans import Bans, Network, canonical, read_address, read_network
from canvas.users.identity import is_user_id
from protocol import HttpError
from supervision.server import Sockets, Wire

MOST_MEANT = 10
"""How many users are listed when a text is ambiguous."""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user who is or was connected.

    Attributes:
        name: the display name; empty for none
        addresses: the addresses of the open connections, or else the last one
        actors: the numbers of the connection actors, as text; empty if the user has left
    """

    user_id: str
    name: str
    addresses: tuple[str, ...]
    actors: tuple[str, ...]

    @property
    def searched(self) -> str:
        """The text in which a search looks."""
        return f"{self.user_id} {self.name} {' '.join(self.addresses)}"


class UserDirectory:
    """Looks up users: connected, recent and banned ones.

    Args:
        bans: the bans
        recent: the users who connected recently
        sockets: has the open connections
    """

    def __init__(self, bans: Bans, recent: RecentUsers, sockets: Sockets) -> None:
        self._bans = bans
        self._recent = recent
        self._sockets = sockets

    async def identify(self, text: str) -> str:
        """Resolve a text to a user id, an address or a network, in the form that bans use.

        The text is an address, a network, the id of a user who has painted or connected recently, the start of such an
        id, or the name of a recent user. A name matches regardless of case if none matches exactly.

        Raises:
            HttpError: 404 if no user matches, 409 if several do, 503 if the history does not answer.
        """
        if read_network(text) is not None:
            return canonical(text)
        known = self._known()
        if text in known:
            return text
        meant = by_name(text, known)
        if is_user_id(text):
            painters = await _painters(text)
            if text in painters:
                return text
            meant |= by_prefix(text, (*known, *painters))
        if not meant:
            text = f"{text!r} is not an address, and no user with that id or name has painted or connected recently"
            raise HttpError(404, text)
        return only_one(text, meant)

    def all(self) -> Iterator[KnownUser]:
        """Yield the connected users, those with names first; then the recent ones, the latest first."""
        wires: defaultdict[str, list[Wire]] = defaultdict(list)
        names: dict[str, str] = {}
        for wire, client in client_states(self._sockets):
            wires[client.user_id].append(wire)
            names[client.user_id] = client.name
        here = sorted(names.items(), key=lambda item: (not item[1], item[1].casefold()))
        left = [recent for recent in self._recent.all() if recent.user_id not in wires]
        yield from (_known_user(user_id, name, wires[user_id]) for user_id, name in here)
        yield from (KnownUser(recent.user_id, recent.name, (recent.address,), ()) for recent in reversed(left))

    def count(self) -> tuple[int, int]:
        """Return how many users are connected, and how many have left recently."""
        here = {client.user_id for _, client in client_states(self._sockets)}
        return len(here), sum(recent.user_id not in here for recent in self._recent.all())

    def names(self) -> dict[str, str]:
        """Return the last name of each recent or banned user, by id; empty for none."""
        names = {ban.whom: ban.name for ban in self._bans.all() if is_user_id(ban.whom)}
        names |= {recent.user_id: recent.name for recent in self._recent.all()}
        return names

    def name(self, user_id: str) -> str:
        """Return the name of a user; empty for none."""
        recent = self._recent.get(user_id)
        if recent is not None:
            return recent.name
        here = (client.name for _, client in client_states(self._sockets) if client.user_id == user_id)
        banned = (ban.name for ban in self._bans.all() if ban.whom == user_id)
        return next(here, None) or next(banned, "")

    def is_banned(self, user_id: str) -> bool:
        """Tell whether a ban on the user is in force."""
        return self._bans.find(user_id, "") is not None

    def title(self, whom: str) -> str:
        """Return a user as name and id, or an address unchanged."""
        return titled(whom, self.name(whom) if is_user_id(whom) else "")

    def addresses(self, user_id: str) -> list[str]:
        """Return the current addresses of a user, or else the last one, in the form that bans use."""
        found = [wire.address for wire, client in client_states(self._sockets) if client.user_id == user_id]
        recent = self._recent.get(user_id)
        if not found and recent is not None:
            found = [recent.address]
        return list(dict.fromkeys(canonical(address) for address in found if read_network(address) is not None))

    def covered(self, whom: str, addresses: Iterable[str]) -> dict[str, int]:
        """Return the connected users that a ban would cover, with the number of their connections."""
        networks = [network for text in (whom, *addresses) if (network := read_network(text)) is not None]
        found: defaultdict[str, int] = defaultdict(int)
        for wire, client in client_states(self._sockets):
            if client.user_id == whom or (networks and is_within(wire.address, networks)):
                found[client.user_id] += 1
        return dict(found)

    def _known(self) -> dict[str, set[str]]:
        """Return the names of each current, recent or banned user, by id."""
        known: defaultdict[str, set[str]] = defaultdict(set)
        for ban in self._bans.all():
            if is_user_id(ban.whom):
                known[ban.whom].add(ban.name)
        for recent in self._recent.all():
            known[recent.user_id].add(recent.name)
        for _, client in client_states(self._sockets):
            known[client.user_id].add(client.name)
        return known


def _known_user(user_id: str, name: str, wires: list[Wire]) -> KnownUser:
    addresses = dict.fromkeys(wire.address for wire in wires)
    actors = (str(wire.owner.id) for wire in wires if wire.owner is not None)
    return KnownUser(user_id, name, tuple(addresses), tuple(actors))


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address is in any of the networks."""
    ip = read_address(address)
    return ip is not None and any(ip in network for network in networks)


def by_prefix(text: str, user_ids: Iterable[str]) -> set[str]:
    """Return the users whose id starts with `text`; none if `text` is shorter than `SHOWN_OF_ID`."""
    return {each for each in user_ids if each.startswith(text)} if len(text) >= SHOWN_OF_ID else set()


def by_name(text: str, known: Mapping[str, Collection[str]]) -> set[str]:
    """Return the users with a name; if none matches exactly, ignore case."""
    exactly = {user_id for user_id, names in known.items() if text in names}
    return exactly or {each for each, names in known.items() if text.casefold() in map(str.casefold, names)}


def only_one(text: str, meant: set[str]) -> str:
    """Return the only user in a set.

    Raises:
        HttpError: 409 if there are several.
    """
    if len(meant) > 1:
        several = ", ".join(sorted(meant)[:MOST_MEANT])
        raise HttpError(409, f"{text!r} is ambiguous: give the whole id of one of {several}")
    return next(iter(meant))


async def _painters(prefix: str) -> list[str]:
    try:
        painters: list[str] | StoreError = await call("history", AskPainters(prefix, MOST_MEANT))
    except CallExit as error:
        raise HttpError(503, f"the history cannot list the painters: {error}") from None
    if isinstance(painters, StoreError):
        raise HttpError(503, f"the history cannot list the painters: {painters}")
    return painters


def own_target(whom: str, addresses: Iterable[str], own_user: str | None, own_address: str) -> str | None:
    """Describe what a ban would cover of the moderator who makes it: their user or their address; None if neither."""
    if whom == own_user:
        return f"your own user {whom}"
    networks = (network for text in (whom, *addresses) if (network := read_network(text)) is not None)
    return f"your own address {own_address}" if is_within(own_address, networks) else None
