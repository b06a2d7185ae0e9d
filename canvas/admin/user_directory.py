"""Who is here and who was, by which names and addresses; and whom a text means. For all that is done about people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from actors import CallExit, call
from canvas.board.names import SHOWN_OF_ID, titled
from canvas.history.historian import AskPainters
from canvas.live.client_state import visits
from canvas.live.recent_users import RecentUsers
from canvas.store import StoreError
from canvas.users.bans import Bans, Network, canonical, read_address, read_network
from canvas.users.identity import is_user_id
from protocol import HttpError
from supervision.server import Sockets, Wire

MOST_MEANT = 10
"""Users who are listed when a text may mean several."""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user as they are, or were the last time.

    Attributes:
        name: the display name; empty for none
        addresses: those from which they are here, or were the last time
        actors: the numbers of their connection actors, as text; none of those who have left
    """

    user_id: str
    name: str
    addresses: tuple[str, ...]
    actors: tuple[str, ...]

    @property
    def searched(self) -> str:
        """What they are found by."""
        return f"{self.user_id} {self.name} {' '.join(self.addresses)}"


class UserDirectory:
    """Knows people.

    Args:
        bans: who is kept out
        guests: who has been here lately
        sockets: where people are connected
    """

    def __init__(self, bans: Bans, recent: RecentUsers, sockets: Sockets) -> None:
        self._bans = bans
        self._recent = recent
        self._sockets = sockets

    async def identify(self, text: str) -> str:
        """Tell whom a text means, as the bans write it.

        That is an address, a network, the id of somebody who has painted or been here lately, the first characters of
        such an id, or the name of somebody who has been here lately; in other letter case if nobody has that very name.

        Raises:
            HttpError: 404 if it means nobody, 409 if it may mean several, 503 if the painters cannot be asked for.
        """
        if read_network(text) is not None:
            return canonical(text)
        known = self._known()
        if text in known:
            return text
        meant = called(text, known)
        if is_user_id(text):
            painters = await _painters(text)
            if text in painters:
                return text
            meant |= beginning(text, (*known, *painters))
        if not meant:
            raise HttpError(404, f"{text!r} is no address, and no user of that id or name has painted or come lately")
        return only(text, meant)

    def all(self) -> Iterator[KnownUser]:
        """Those who are here, those with names first; then those who were here lately, the last one first."""
        wires: defaultdict[str, list[Wire]] = defaultdict(list)
        names: dict[str, str] = {}
        for wire, visit in visits(self._sockets):
            wires[visit.user_id].append(wire)
            names[visit.user_id] = visit.name
        here = sorted(names.items(), key=lambda item: (not item[1], item[1].casefold()))
        left = [recent for recent in self._recent.all() if recent.user_id not in wires]
        yield from (_known_user(user_id, name, wires[user_id]) for user_id, name in here)
        yield from (KnownUser(recent.user_id, recent.name, (recent.address,), ()) for recent in reversed(left))

    def count(self) -> tuple[int, int]:
        """How many users are here, and how many have left lately."""
        here = {visit.user_id for _, visit in visits(self._sockets)}
        return len(here), sum(recent.user_id not in here for recent in self._recent.all())

    def names(self) -> dict[str, str]:
        """What users who are or were here, or are banned, are called: the last name of each; empty for none."""
        names = {ban.whom: ban.name for ban in self._bans.all() if is_user_id(ban.whom)}
        names |= {recent.user_id: recent.name for recent in self._recent.all()}
        return names

    def name(self, user_id: str) -> str:
        """What one user is called; empty for nothing."""
        recent = self._recent.get(user_id)
        if recent is not None:
            return recent.name
        here = (visit.name for _, visit in visits(self._sockets) if visit.user_id == user_id)
        banned = (ban.name for ban in self._bans.all() if ban.whom == user_id)
        return next(here, None) or next(banned, "")

    def is_banned(self, user_id: str) -> bool:
        """Tell whether a ban names a user."""
        return self._bans.find(user_id, "") is not None

    def title(self, whom: str) -> str:
        """A user by name and id, or an address as it is."""
        return titled(whom, self.name(whom) if is_user_id(whom) else "")

    def addresses(self, user_id: str) -> list[str]:
        """The addresses from which a user is connected, or was the last time, as the bans write them."""
        found = [wire.address for wire, visit in visits(self._sockets) if visit.user_id == user_id]
        recent = self._recent.get(user_id)
        if not found and recent is not None:
            found = [recent.address]
        return list(dict.fromkeys(canonical(address) for address in found if read_network(address) is not None))

    def behind(self, whom: str, addresses: Iterable[str]) -> dict[str, int]:
        """The users who are connected and would be kept out by a ban, and how many connections each has."""
        networks = [network for text in (whom, *addresses) if (network := read_network(text)) is not None]
        found: defaultdict[str, int] = defaultdict(int)
        for wire, visit in visits(self._sockets):
            if visit.user_id == whom or (networks and is_within(wire.address, networks)):
                found[visit.user_id] += 1
        return dict(found)

    def _known(self) -> dict[str, set[str]]:
        """The users who are or were here, or are banned, and the names that they gave themselves."""
        known: defaultdict[str, set[str]] = defaultdict(set)
        for ban in self._bans.all():
            if is_user_id(ban.whom):
                known[ban.whom].add(ban.name)
        for recent in self._recent.all():
            known[recent.user_id].add(recent.name)
        for _, visit in visits(self._sockets):
            known[visit.user_id].add(visit.name)
        return known


def _known_user(user_id: str, name: str, wires: list[Wire]) -> KnownUser:
    addresses = dict.fromkeys(wire.address for wire in wires)
    actors = (str(wire.owner.id) for wire in wires if wire.owner is not None)
    return KnownUser(user_id, name, tuple(addresses), tuple(actors))


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address is in one of some networks."""
    ip = read_address(address)
    return ip is not None and any(ip in network for network in networks)


def beginning(text: str, user_ids: Iterable[str]) -> set[str]:
    """The users whose id begins so, if that is enough of an id."""
    return {each for each in user_ids if each.startswith(text)} if len(text) >= SHOWN_OF_ID else set()


def called(text: str, known: Mapping[str, Collection[str]]) -> set[str]:
    """The users who have a name; in another letter case if none has that very name."""
    exactly = {user_id for user_id, names in known.items() if text in names}
    return exactly or {each for each, names in known.items() if text.casefold() in map(str.casefold, names)}


def only(text: str, meant: set[str]) -> str:
    """The only one who is meant.

    Raises:
        HttpError: 409 if there are several.
    """
    if len(meant) > 1:
        several = ", ".join(sorted(meant)[:MOST_MEANT])
        raise HttpError(409, f"{text!r} may be any of {several}: give the whole id of one of them")
    return next(iter(meant))


async def _painters(beginning: str) -> list[str]:
    try:
        painters: list[str] | StoreError = await call("history", AskPainters(beginning, MOST_MEANT))
    except CallExit as error:
        raise HttpError(503, f"the history does not tell who has painted: {error}") from None
    if isinstance(painters, StoreError):
        raise HttpError(503, f"the history does not tell who has painted: {painters}")
    return painters


def own_target(whom: str, addresses: Iterable[str], own_user: str | None, own_address: str) -> str | None:
    """Return what of the asking person a ban would keep out: their user or their address; None if neither."""
    if whom == own_user:
        return f"your own user {whom}"
    networks = (network for text in (whom, *addresses) if (network := read_network(text)) is not None)
    return f"your own address {own_address}" if is_within(own_address, networks) else None
