"""Who may not come in any more: users and addresses, kept in a file of the data folder. It outlives every process."""

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
_HOUSEHOLD = 64
"""Bits of an IPv6 address that name one subscriber, who may take any address behind them."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A user with some of their addresses, or a network; from `at` on and until `until`, in seconds since 1970.

    Attributes:
        whom: the id of a user; or an address or a network, as `canonical` writes it
        until: None for good
        addresses: of a user, which are kept out as well
        name: what the user was called then; empty for nothing
    """

    whom: str
    reason: str
    at: float
    until: float | None = None
    addresses: tuple[str, ...] = ()
    name: str = ""

    @property
    def refusal(self) -> HandshakeRefused:
        """What they are told: until when, and why."""
        until = "" if self.until is None else f" until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        return HandshakeRefused(403, f"you are banned{until}" + (f": {self.reason}" if self.reason else ""))

    @property
    def networks(self) -> list[Network]:
        """The addresses that it keeps out."""
        found = map(read_network, (self.whom, *self.addresses))
        return [network for network in found if network is not None]


class BadTarget(ValueError):
    """A text is neither the id of a user nor an address nor a network."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"{self.text!r} is neither the id of a user nor an address nor a network like 192.0.2.0/24"


class BadBans(Exception):
    """The file cannot be read; the text says why."""


class Bans:
    """The bans of one canvas.

    Args:
        path: where they are kept
        wall_clock: seconds since 1970

    Raises:
        BadBans: if the file is none of ours.
    """

    def __init__(self, path: Path, wall_clock: Callable[[], float]) -> None:
        self._path = path
        self._wall_clock = wall_clock
        self._remember(_read(path))

    def now(self) -> float:
        """The time by which bans begin and end, in seconds since 1970."""
        return self._wall_clock()

    def all(self) -> list[Ban]:
        """All bans that hold, oldest first."""
        return [ban for ban in self._bans.values() if self._holds(ban)]

    def add(
        self,
        whom: str,
        reason: str = "",
        seconds: float | None = None,
        addresses: Iterable[str] = (),
        name: str = "",
    ) -> Ban:
        """Ban a user, or an address or a network, in place of an earlier ban. The arguments are those of `draft`.

        Raises:
            BadTarget: if `whom` or an address is none.
            OSError: if it cannot be kept; then it does not hold.
        """
        ban = self.draft(whom, reason, seconds, addresses, name)
        self._keep([*(each for each in self.all() if each.whom != ban.whom), ban])
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
            whom: an IPv6 address stands for its /64, unless it is written with /128
            seconds: None for good
            addresses: of a user, to be kept out as well
            name: what the user is called

        Raises:
            BadTarget: if `whom` or an address is none.
        """
        now = self._wall_clock()
        until = None if seconds is None else now + seconds
        with_them = tuple(dict.fromkeys(map(_canonical_address, addresses)))
        return Ban(canonical(whom), reason, now, until, with_them, name)

    def remove(self, whom: str) -> bool:
        """Lift the ban of a user, an address or a network; False if there is none.

        Raises:
            OSError: if that cannot be kept.
        """
        bans = self.all()
        kept = [ban for ban in bans if ban.whom != whom]
        if len(kept) < len(bans):
            self._keep(kept)
        return len(kept) < len(bans)

    def find(self, user_id: str | None, address: str) -> Ban | None:
        """Return a ban that keeps somebody out, or None."""
        ban = None if user_id is None else self._bans.get(user_id)
        if ban is not None and self._holds(ban):
            return ban
        ip = read_address(address) if self._lengths else None
        if ip is None:
            return None
        lengths = (bits for version, bits in self._lengths if version == ip.version)
        around = (ipaddress.ip_network((ip, bits), strict=False) for bits in lengths)
        found = (ban for network in around for ban in self._networks.get(network, ()))
        return next(filter(self._holds, found), None)

    def _holds(self, ban: Ban) -> bool:
        return ban.until is None or self._wall_clock() < ban.until

    def _keep(self, bans: list[Ban]) -> None:
        """Replace the file: a reader finds the old bans or the new ones."""
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
    """Write the id of a user, an address or a network in the one way in which it is kept.

    Raises:
        BadTarget: if it is none.
    """
    return text if is_user_id(text) else _canonical_address(text)


def _canonical_address(text: str) -> str:
    network = read_network(text)
    if network is None:
        raise BadTarget(text)
    is_ipv4_address = network.version == 4 and network.prefixlen == network.max_prefixlen
    return str(network.network_address) if is_ipv4_address else str(network)


def read_network(text: str) -> Network | None:
    """Read a network, or an address; None if it is none.

    An IPv6 address stands for its /64. IPv4 addresses that are mapped into IPv6 are IPv4.
    """
    address, slash, bits = text.strip().partition("/")
    address = address.partition("%")[0]  # a zone means something on the machine alone that it was written on
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
    return network if slash else network.supernet(new_prefix=_HOUSEHOLD)


def read_address(text: str) -> _Address | None:
    """Read an address; None if it is none. One that is mapped into IPv6 is IPv4."""
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
        raise BadBans(f"{path} cannot be read ({error}): mend it or delete it") from None


def _parse_ban(kept: dict[str, Any]) -> Ban:
    until, whom = kept["until"], str(kept["whom"])
    addresses = tuple(_canonical_address(str(address)) for address in kept.get("addresses", ()))
    return Ban(
        _canonical_address(whom) if read_network(whom) else whom,  # a file of an earlier version may have any text
        str(kept["reason"]),
        float(kept["at"]),
        None if until is None else float(until),
        addresses,
        str(kept.get("name", "")),
    )
