"""Bans: refuse users and addresses, and disconnect those who are connected. For the API, the console and the CLI."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from actors.log import get_logger
from canvas.admin.user_directory import UserDirectory, by_name, by_prefix, only_one, own_target
from canvas.board.names import titled
from canvas.live.client_state import client_states
from canvas.users.bans import Ban, Bans, canonical, read_network
from canvas.users.identity import Identities, is_user_id
from protocol import HttpError, State
from supervision.console import Access, Act, ActionResult, ApiRequest, Form, FormField, Parameter, Quantity, Route
from supervision.server import Sockets

log = get_logger("canopy.canvas")

PATH = "/api/v1/bans"
MAX_SECONDS = 100 * 365 * 86_400.0
"""The longest duration of a temporary ban."""
MOST_NAMED = 5
"""How many other affected users a preview names."""

_WHOM = FormField("whom", "Whom", hint="Name, id, or first 6 characters of an id; or an address like 192.0.2.0/24")
BAN = Form(
    id="ban",
    title="Ban a user or an address",
    about="Open connections are closed at once; new ones are refused until the ban ends.",
    verb="Ban",
    method="POST",
    path="bans",
    fields=[
        _WHOM,
        FormField(
            "seconds", "For how long", "choice", "86400",
            choices={"3600": "1 hour", "86400": "1 day", "604800": "1 week", "2592000": "30 days", "": "For good"},
        ),
        FormField(
            "with_address", "Who is banned", "choice", "0",
            choices={"0": "Only the user", "1": "The user, and everyone at the same address"},
        ),
        FormField("reason", "Reason", hint="Shown to the user"),
    ],
)  # fmt: skip
LIFT = Form(
    id="lift",
    title="Lift a ban",
    about="They may connect again at once.",
    verb="Lift",
    method="DELETE",
    path="bans",
    fields=[_WHOM],
)


@dataclass(frozen=True, slots=True)
class Banned:
    """A ban that was made, or its preview.

    Attributes:
        whom, reason, at, until, addresses, name: as in `Ban`
        sent_away: the number of connections that were closed, or would be
        told: the same, for the console
    """

    whom: str
    reason: str
    at: float
    until: float | None
    addresses: tuple[str, ...]
    name: str
    sent_away: int
    told: ActionResult


@dataclass(frozen=True, slots=True)
class Unbanned:
    """A ban that was lifted, or its preview.

    Attributes:
        unbanned: the user, address or network
        told: the same, for the console
    """

    unbanned: str
    told: ActionResult


class Moderation:
    """Bans users and addresses.

    Args:
        bans: stores the bans
        users: resolves a text to a user
        sockets: has the open connections
        identities: identifies a moderator who is also a user of the canvas
    """

    def __init__(self, bans: Bans, users: UserDirectory, sockets: Sockets, identities: Identities) -> None:
        self._bans = bans
        self._users = users
        self._sockets = sockets
        self._identities = identities

    def ban(
        self, whom: str, reason: str = "", seconds: float | None = None, addresses: Iterable[str] = ()
    ) -> tuple[Ban, int]:
        """Ban a user (and optionally some of their addresses), an address or a network, and close their connections.

        A banned connection is closed in any phase, and no more of its messages are handled.

        Returns:
            The ban, and how many open connections were closed.

        Raises:
            BadTarget: if `whom` is not a user id, an address or a network.
            OSError: if the ban cannot be stored; then it does not take effect.
        """
        ban = self._bans.add(whom, reason, seconds, addresses, self._name(whom))
        sent_away = self._send_away()
        log.warning(
            "moderation.banned", whom=ban.whom, reason=reason, seconds=seconds,
            addresses=", ".join(ban.addresses), sent_away=sent_away,
        )  # fmt: skip
        return ban, sent_away

    def routes(self) -> Iterator[Route]:
        """Yield the routes for bans."""
        whom = Parameter(
            "whom",
            "A user (an id, at least the first 6 characters of one, or a name), an address or a network; "
            "an IPv6 address means its /64, unless it is written with /128.",
        )
        apply = Parameter("apply", "0 for a preview that changes nothing.", "1", ("0", "1"))
        parameters = (
            whom,
            Parameter("reason", "The reason, shown to the user."),
            Parameter("seconds", "The duration in seconds; permanent if omitted.", None),
            Parameter("with_address", "1 to ban the user's addresses, too.", "0", ("0", "1")),
            Parameter("own", "1 to allow a ban that covers the caller.", "0", ("0", "1")),
            apply,
        )
        yield Route("GET", PATH, "List the bans.", lambda _: self._bans.all(), list[Ban])
        yield Route(
            "POST", PATH, "Ban a user, an address or a network.", self._add, Banned, Access.MODERATE,
            parameters=parameters,
        )  # fmt: skip
        yield Route("DELETE", PATH, "Lift a ban.", self._lift, Unbanned, Access.MODERATE, parameters=(whom, apply))

    async def _add(self, asked: ApiRequest) -> Banned:
        query = asked.query
        text, reason, seconds = _whom(asked), query["reason"], _seconds(query["seconds"])
        whom = await self._users.identify(text)
        addresses = self._addresses_of(whom) if query["with_address"] == "1" else []
        own = own_target(whom, addresses, self._identities.read(asked.request), asked.request.remote)
        if query["apply"] == "0":
            return self._preview(whom, reason, seconds, addresses, own)
        if own is not None and query["own"] == "0":
            raise HttpError(409, f"this would ban {own}: pass own=1 if that is intended")
        span = "for good" if seconds is None else f"for {seconds:g} s"
        await asked.note("ban", " ".join([whom, *addresses, span]) + (f": {reason}" if reason else ""))
        with _storing():
            ban, sent_away = self.ban(whom, reason, seconds, addresses)
        closed = "1 connection was closed" if sent_away == 1 else f"{sent_away} connections were closed"
        result = ActionResult(f"{describe(ban)} is banned {_span(seconds)}. {closed.capitalize()}.")
        result.acts.append(Act("lift", "Lift the ban…", {"whom": ban.whom}))
        if is_user_id(ban.whom):
            result.acts.append(Act("rollback", "Roll back what they painted…", {"user": ban.whom}))
        return _banned(ban, sent_away, result)

    def _preview(self, whom: str, reason: str, seconds: float | None, addresses: list[str], own: str | None) -> Banned:
        ban = self._bans.draft(whom, reason, seconds, addresses, self._name(whom))
        covered = self._users.covered(whom, addresses)
        sent_away = sum(covered.values())
        result = ActionResult(f"{describe(ban)} will be banned {_span(seconds)}.")
        result.values = {
            "connections to close": sent_away,
            "until": "it is lifted" if ban.until is None else Quantity(ban.until, "moment"),
        }
        result.warnings = [*([] if own is None else [f"This would ban {own}."]), *self._warnings(ban, covered)]
        if own is not None:
            result.confirm = {"own": f"Yes, ban {own}"}
        return _banned(ban, sent_away, result)

    def _warnings(self, ban: Ban, covered: dict[str, int]) -> Iterator[str]:
        """Yield what a moderator should know before making a ban."""
        others = [self._users.title(user_id) for user_id in covered if user_id != ban.whom]
        if others:
            more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
            whose = "users" if len(others) > 1 else "user"
            yield f"It also disconnects {len(others)} other {whose}: {', '.join(others[:MOST_NAMED])}{more}."
        earlier = next((each for each in self._bans.all() if each.whom == ban.whom), None)
        if earlier is not None:
            yield f"It replaces a ban {'for good' if earlier.until is None else f'until {_moment(earlier.until)}'}."
        if is_user_id(ban.whom) and not ban.addresses:
            yield "They can return as a new user by deleting a cookie, unless their address is banned as well."

    async def _lift(self, asked: ApiRequest) -> Unbanned:
        ban = self._find_ban(_whom(asked))
        until = "for good" if ban.until is None else f"until {_moment(ban.until)}"
        if asked.query["apply"] == "0":
            why = f": {ban.reason}" if ban.reason else ""
            return Unbanned(ban.whom, ActionResult(f"{describe(ban)} is banned {until}{why}. The ban will be lifted."))
        await asked.note("unban", ban.whom)
        with _storing():
            self._bans.remove(ban.whom)
        log.warning("moderation.unbanned", whom=ban.whom)
        again = Act("ban", "Ban again…", {"whom": ban.whom, "reason": ban.reason})
        return Unbanned(ban.whom, ActionResult(f"{describe(ban)} is no longer banned.", acts=[again]))

    def _name(self, whom: str) -> str:
        return self._users.name(whom) if is_user_id(whom) else ""

    def _send_away(self) -> int:
        """Close the connections of banned users and addresses; return how many were open."""
        count = 0
        for wire, client in client_states(self._sockets):
            ban = self._bans.find(client.user_id, wire.address)
            if ban is not None and not client.view.is_dismissed:
                client.view.is_dismissed = True
                count += wire.session.state is State.OPEN
                wire.close(ban.refusal.close_code, ban.refusal.message)
        return count

    def _addresses_of(self, whom: str) -> list[str]:
        """Return the current addresses of a user, or else the last one."""
        if not is_user_id(whom):
            raise HttpError(400, f"{whom} is an address: with_address is for users")
        addresses = self._users.addresses(whom)
        if not addresses:
            raise HttpError(409, f"no address of {whom} is known")
        return addresses

    def _find_ban(self, text: str) -> Ban:
        """Find the ban that a text refers to: by target, the start of a user id, or a name."""
        bans = {ban.whom: ban for ban in self._bans.all()}
        whom = text if read_network(text) is None else canonical(text)
        if whom in bans:
            return bans[whom]
        users = {whom: ban for whom, ban in bans.items() if is_user_id(whom)}
        names = self._users.names()
        meant = by_prefix(text, users) | by_name(text, {whom: (ban.name, names[whom]) for whom, ban in users.items()})
        if not meant:
            covering = self._bans.find(None, text)
            raise HttpError(404, f"{text} is not banned" + (f", but {covering.whom} is" if covering else ""))
        return bans[only_one(text, meant)]


def describe(ban: Ban) -> str:
    """Describe the target of a ban: the user by name and id, with the banned addresses."""
    whom = titled(ban.whom, ban.name)
    return f"{whom} with {', '.join(ban.addresses)}" if ban.addresses else whom


def _banned(ban: Ban, sent_away: int, result: ActionResult) -> Banned:
    return Banned(ban.whom, ban.reason, ban.at, ban.until, ban.addresses, ban.name, sent_away, result)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "for good"
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"for {count} {unit if count > 1 else unit[:-1]}"
    return f"for {seconds:g} s"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


@contextlib.contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HttpError(503, f"the ban could not be stored: {error.strerror}") from None


def _whom(asked: ApiRequest) -> str:
    whom: str = asked.query["whom"].strip()
    if not whom:
        raise HttpError(400, "whom is missing: give a user, an address or a network")
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
