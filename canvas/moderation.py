"""Keeping people out, and sending away those who are there. For the admin API and the console."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from actors import CallExit, call
from actors.log import get_logger
from canvas.bans import Ban, Bans, canonical, read_network
from canvas.guests import Guests
from canvas.historian import AskPainters
from canvas.identity import is_user_id
from canvas.names import SHOWN_OF_ID
from canvas.store import StoreError
from canvas.visit import visits
from protocol import HttpError, State
from supervision.console import Access, Asked, Parameter, Route
from supervision.server import Sockets

log = get_logger("canopy.canvas")

PATH = "/api/v1/bans"
MAX_SECONDS = 100 * 365 * 86_400.0
"""Of a ban that ends by itself."""
MOST_MEANT = 10
"""Users who are listed when a text may mean several."""


@dataclass(frozen=True, slots=True)
class Banned:
    """A ban that was made.

    Attributes:
        whom, reason, at, until, addresses: as in `Ban`
        sent_away: open connections that were closed
    """

    whom: str
    reason: str
    at: float
    until: float | None
    addresses: tuple[str, ...]
    sent_away: int


@dataclass(frozen=True, slots=True)
class Unbanned:
    """A user, an address or a network may come in again."""

    unbanned: str


class Moderation:
    """Bans users and addresses.

    Args:
        bans: where the bans are kept
        guests: who has been here lately
        sockets: where they are connected
    """

    def __init__(self, bans: Bans, guests: Guests, sockets: Sockets) -> None:
        self._bans = bans
        self._guests = guests
        self._sockets = sockets

    def ban(self, whom: str, reason: str = "", seconds: float | None = None, addresses: Iterable[str] = ()) -> Banned:
        """Keep out a user, with some of their addresses, or an address or a network; close their connections.

        It holds for every connection, whatever it waits for, and nothing more is heard of them.

        Raises:
            BadTarget: if `whom` is none of these.
            OSError: if it cannot be kept; then it does not hold.
        """
        ban = self._bans.add(whom, reason, seconds, addresses)
        sent_away = self._send_away()
        log.warning(
            "moderation.banned", whom=ban.whom, reason=reason, seconds=seconds,
            addresses=", ".join(ban.addresses), sent_away=sent_away,
        )  # fmt: skip
        return Banned(ban.whom, ban.reason, ban.at, ban.until, ban.addresses, sent_away)

    def ban_address(self, address: str, seconds: float) -> Banned:
        """Keep out the address of a connection.

        Raises:
            HttpError: 409 if it has none.
            OSError: if it cannot be kept; then it does not hold.
        """
        if read_network(address) is None:
            raise HttpError(409, f"a client at {address} has no address: is its proxy missing from --trusted-proxy?")
        return self.ban(address, seconds=seconds)

    async def identify(self, text: str) -> str:
        """Tell whom a text means, as the bans write it.

        That is an address, a network, the id of somebody who has painted or been here lately, the first characters of
        such an id, or the name of somebody who has been here lately.

        Raises:
            HttpError: 404 if it means nobody, 409 if it may mean several, 503 if the painters cannot be asked for.
        """
        if read_network(text) is not None:
            return canonical(text)
        known = self._known()
        if text in known:
            return text
        meant = {user_id for user_id, names in known.items() if text in names}
        if is_user_id(text):
            painters = await _painters(text)
            if text in painters:
                return text
            meant |= _beginning(text, (*known, *painters))
        if not meant:
            raise HttpError(404, f"{text!r} is no address, and no user of that id or name has painted or come lately")
        return _only(text, meant)

    def routes(self) -> Iterator[Route]:
        """What it adds to the API."""
        whom = Parameter("whom", "A user (id, the first 6 characters of it or more, or name), an address or a network.")
        parameters = (
            whom,
            Parameter("reason", "Why; they are told."),
            Parameter("seconds", "For how long; for good if it is not given.", None),
            Parameter("with_address", "1 to keep out the addresses of a user, too.", "0", ("0", "1")),
        )
        yield Route("GET", PATH, "Who is kept out.", lambda _: self._bans.all(), list[Ban])
        yield Route(
            "POST", PATH, "Keep a user or an address out.", self._add, Banned, Access.MODERATE, parameters=parameters
        )
        yield Route("DELETE", PATH, "Lift a ban.", self._lift, Unbanned, Access.MODERATE, parameters=(whom,))

    async def _add(self, asked: Asked) -> Banned:
        text, reason, seconds = _whom(asked), asked.query["reason"], _seconds(asked.query["seconds"])
        whom = await self.identify(text)
        addresses = self._addresses_of(whom) if asked.query["with_address"] == "1" else []
        span = "for good" if seconds is None else f"for {seconds:g} s"
        asked.note("ban", " ".join([*[whom, *addresses], span]) + (f": {reason}" if reason else ""))
        with _kept():
            return self.ban(whom, reason, seconds, addresses)

    def _lift(self, asked: Asked) -> Unbanned:
        whom = self._find_ban(_whom(asked))
        asked.note("unban", whom)
        with _kept():
            self._bans.remove(whom)
        log.warning("moderation.unbanned", whom=whom)
        return Unbanned(whom)

    def _send_away(self) -> int:
        """Close the connections of all who are banned; tell how many there were."""
        count = 0
        for wire, visit in visits(self._sockets):
            ban = self._bans.find(visit.user_id, wire.address)
            if ban is not None and not visit.view.is_dismissed:
                visit.view.is_dismissed = True
                count += wire.session.state is State.OPEN
                wire.close(ban.refusal.close_code, ban.refusal.message)
        return count

    def _known(self) -> dict[str, set[str]]:
        """The users who are or were here, or are banned, and the names that they gave themselves."""
        known: defaultdict[str, set[str]] = defaultdict(set)
        for ban in self._bans.all():
            if is_user_id(ban.whom):
                known[ban.whom] = set()
        for guest in self._guests.all():
            known[guest.user_id].add(guest.name)
        for _, visit in visits(self._sockets):
            known[visit.user_id].add(visit.name)
        return known

    def _addresses_of(self, whom: str) -> list[str]:
        """The addresses from which a user is connected, or was the last time."""
        if not is_user_id(whom):
            raise HttpError(400, f"{whom} is an address itself: with_address is for users")
        found = [wire.address for wire, visit in visits(self._sockets) if visit.user_id == whom]
        guest = self._guests.get(whom)
        if not found and guest is not None:
            found = [guest.address]
        addresses = list(dict.fromkeys(canonical(address) for address in found if read_network(address) is not None))
        if not addresses:
            raise HttpError(409, f"no address of {whom} is known")
        return addresses

    def _find_ban(self, text: str) -> str:
        """Tell which ban a text means."""
        bans = [ban.whom for ban in self._bans.all()]
        whom = text if read_network(text) is None else canonical(text)
        if whom in bans:
            return whom
        meant = _beginning(text, filter(is_user_id, bans))
        if not meant:
            covering = self._bans.find(None, text)
            raise HttpError(404, f"{text} is not banned" + (f", but {covering.whom} is" if covering else ""))
        return _only(text, meant)


def _beginning(text: str, user_ids: Iterable[str]) -> set[str]:
    """The users whose id begins so, if that is enough of an id."""
    return {each for each in user_ids if each.startswith(text)} if len(text) >= SHOWN_OF_ID else set()


def _only(text: str, meant: set[str]) -> str:
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


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HttpError(503, f"the ban could not be kept: {error.strerror}") from None


def _whom(asked: Asked) -> str:
    whom: str = asked.query["whom"].strip()
    if not whom:
        raise HttpError(400, "whom is missing: a user, an address or a network")
    return whom


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_SECONDS:
        limit = f"{MAX_SECONDS:.0f} ({MAX_SECONDS / 86_400:.0f} days)"
        raise HttpError(400, f"seconds must be a number above 0 and up to {limit}, got {text}")
    return seconds
