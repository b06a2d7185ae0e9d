"""Bans of users, addresses and networks, stored in a file of the data folder. They outlive every process."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from canvas.store.files import writing
from canvas.users.identity import is_user_id
from supervision.server import HandshakeRefused

FILE = "bans.json"

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_CLIENT_NETWORK_BITS = 64
"""Prefix length of an IPv6 client network: a subscriber may use any address in its /64."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban of a user, an address or a network.

    Attributes:
        whom: the id of a user, or an address or a network as `canonical` writes it
        reason: shown to the banned user
        at: when the ban was made, in seconds since 1970
        until: when it ends, in seconds since 1970; None if it is permanent
        addresses: addresses of the user that are banned as well
        name: the user's name when the ban was made; empty for none
    """

    whom: str
    reason: str
    at: float
    until: float | None = None
    addresses: tuple[str, ...] = ()
    name: str = ""

    @property
    def refusal(self) -> HandshakeRefused:
        """The answer to a banned client's handshake: 403, the end of the ban, and the reason."""
        until = "" if self.until is None else f" until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        return HandshakeRefused(403, f"you are banned{until}" + (f": {self.reason}" if self.reason else ""))

    @property
    def networks(self) -> list[Network]:
        """The addresses and networks that the ban covers."""
        found = map(read_network, (self.whom, *self.addresses))
        return [network for network in found if network is not None]


class BadTarget(ValueError):
    """A text is not the id of a user, an address or a network."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"{self.text!r} is not a user id, an address or a network like 192.0.2.0/24"


class BadBans(Exception):
    """The file of bans cannot be read. The text says why."""


class Bans:
    """The bans of one canvas.

    Args:
        path: the file that stores them; it need not exist
        wall_clock: returns the time in seconds since 1970

    Raises:
        BadBans: if the file cannot be read or parsed.
    """

    def __init__(self, path: Path, wall_clock: Callable[[], float]) -> None:
        self._path = path
        self._wall_clock = wall_clock
        self._remember(_read(path))

    def now(self) -> float:
        """Return the time by which bans begin and end, in seconds since 1970."""
        return self._wall_clock()

    def all(self) -> list[Ban]:
        """Return the bans in force, oldest first."""
        return [ban for ban in self._bans.values() if self._is_in_force(ban)]

    def add(
        self,
        whom: str,
        reason: str = "",
        seconds: float | None = None,
        addresses: Iterable[str] = (),
        name: str = "",
    ) -> Ban:
        """Ban a user, an address or a network. Replaces an earlier ban of the same target; the arguments are `draft`'s.


        Raises:
            BadTarget: if `whom` is not a user id, an address or a network, or one of `addresses` is not an address.
            OSError: if the ban cannot be stored; then it does not take effect.
        """
        ban = self.draft(whom, reason, seconds, addresses, name)
        self._store([*(each for each in self.all() if each.whom != ban.whom), ban])
        return ban

    def draft(
        self,
        whom: str,
        reason: str = "",
        seconds: float | None = None,
        addresses: Iterable[str] = (),
        name: str = "",
    ) -> Ban:
        """Return the ban that `add` would make now, without making it.

        Args:
            whom: a user id, an address or a network; an IPv6 address means its /64, unless it is written with /128
            seconds: how long the ban lasts; None for a permanent ban
            addresses: addresses of the user to ban as well
            name: the user's name

        Raises:
            BadTarget: if `whom` is not a user id, an address or a network, or one of `addresses` is not an address.
        """
        now = self._wall_clock()
        until = None if seconds is None else now + seconds
        banned_too = tuple(dict.fromkeys(map(_canonical_address, addresses)))
        return Ban(canonical(whom), reason, now, until, banned_too, name)

    def remove(self, whom: str) -> bool:
        """Lift the ban of a user, an address or a network; return False if there is none.

        Raises:
            OSError: if the change cannot be stored; then the ban stays in force.
        """
        bans = self.all()
        kept = [ban for ban in bans if ban.whom != whom]
        if len(kept) < len(bans):
            self._store(kept)
        return len(kept) < len(bans)

    def find(self, user_id: str | None, address: str) -> Ban | None:
        """Return a ban in force that covers a user or an address, or None."""
        ban = None if user_id is None else self._bans.get(user_id)
        if ban is not None and self._is_in_force(ban):
            return ban
        ip = read_address(address) if self._lengths else None
        if ip is None:
            return None
        lengths = (bits for version, bits in self._lengths if version == ip.version)
        around = (ipaddress.ip_network((ip, bits), strict=False) for bits in lengths)
        found = (ban for network in around for ban in self._networks.get(network, ()))
        return next(filter(self._is_in_force, found), None)

    def _is_in_force(self, ban: Ban) -> bool:
        return ban.until is None or self._wall_clock() < ban.until

    def _store(self, bans: list[Ban]) -> None:
        """Replace the file atomically: a reader finds the old bans or the new ones."""
        with writing(self._path, 0o600) as file:
            file.write(orjson.dumps([asdict(ban) for ban in bans], option=orjson.OPT_INDENT_2))
        self._remember(bans)

    def _remember(self, bans: list[Ban]) -> None:
        self._bans = {ban.whom: ban for ban in bans}
        self._networks: dict[Network, list[Ban]] = {}
        for ban in bans:
            for network in ban.networks:
                self._networks.setdefault(network, []).append(ban)
        self._lengths = {(network.version, network.prefixlen) for network in self._networks}


def canonical(text: str) -> str:
    """Normalise the id of a user, an address or a network, as bans store it.

    Raises:
        BadTarget: if `text` is none of these.
    """
    return text if is_user_id(text) else _canonical_address(text)


def _canonical_address(text: str) -> str:
    network = read_network(text)
    if network is None:
        raise BadTarget(text)
    is_ipv4_address = network.version == 4 and network.prefixlen == network.max_prefixlen
    return str(network.network_address) if is_ipv4_address else str(network)


def read_network(text: str) -> Network | None:
    """Parse a network or an address; return None if `text` is neither.

    An IPv6 address means its /64. An IPv4-mapped IPv6 address is read as IPv4.
    """
    address, slash, bits = text.strip().partition("/")
    address = address.partition("%")[0]  # an IPv6 zone has a meaning only on the machine that wrote it
    try:
        network: Network = ipaddress.ip_network(address + slash + bits, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv4Network):
        return network
    if network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None
        return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network if slash else network.supernet(new_prefix=_CLIENT_NETWORK_BITS)


def read_address(text: str) -> _Address | None:
    """Parse an address; return None if `text` is not one. An IPv4-mapped IPv6 address is read as IPv4."""
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None) or ip


def _read(path: Path) -> list[Ban]:
    try:
        return [_parse_ban(each) for each in orjson.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadBans(f"{path} cannot be read ({error}): repair it or delete it") from None


def _parse_ban(kept: dict[str, Any]) -> Ban:
    until, whom = kept["until"], str(kept["whom"])
    addresses = tuple(_canonical_address(str(address)) for address in kept.get("addresses", ()))
    return Ban(
        _canonical_address(whom) if read_network(whom) else whom,  # earlier versions stored any text
        str(kept["reason"]),
        float(kept["at"]),
        None if until is None else float(until),
        addresses,
        str(kept.get("name", "")),
    )
