"""Who may not come in any more: users and addresses, kept in a file of the data folder. Outlives every process."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from canvas.files import writing
from supervision.server import HandshakeRefused

FILE = "bans.json"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Ban:
    """One user, or all of a network; from `at` on and until `until`, in seconds since 1970, or for good."""

    whom: str
    reason: str
    at: float
    until: float | None = None

    @property
    def refusal(self) -> HandshakeRefused:
        """What they are told: until when, and why."""
        until = "" if self.until is None else f" until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        return HandshakeRefused(403, f"you are banned{until}" + (f": {self.reason}" if self.reason else ""))


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
        self._bans: dict[str, Ban] = {}
        self._networks: dict[str, _Network] = {}
        self._remember(_read(path))

    def all(self) -> list[Ban]:
        """All bans that hold, oldest first."""
        return [ban for ban in self._bans.values() if self._holds(ban)]

    def add(self, whom: str, reason: str = "", seconds: float | None = None) -> Ban:
        """Ban a user by its id, or an address or a network like `192.0.2.0/24`; for good, or for so many seconds.

        Raises:
            OSError: if it cannot be kept; then it does not hold.
        """
        now = self._wall_clock()
        ban = Ban(_canonical(whom), reason, now, None if seconds is None else now + seconds)
        self._keep([*(each for each in self.all() if each.whom != ban.whom), ban])
        return ban

    def remove(self, whom: str) -> bool:
        """Lift a ban; False if there is none.

        Raises:
            OSError: if that cannot be kept.
        """
        bans, key = self.all(), _canonical(whom)
        kept = [ban for ban in bans if ban.whom != key]
        if len(kept) < len(bans):
            self._keep(kept)
        return len(kept) < len(bans)

    def find(self, user_id: str | None, address: str) -> Ban | None:
        """The ban that keeps somebody out, or None."""
        if not self._bans:
            return None
        ip = _parse(address)
        names = [name for name, network in self._networks.items() if ip is not None and ip in network]
        found = (self._bans.get(name) for name in [user_id, *names] if name is not None)
        return next((ban for ban in found if ban is not None and self._holds(ban)), None)

    def _holds(self, ban: Ban) -> bool:
        return ban.until is None or self._wall_clock() < ban.until

    def _keep(self, bans: list[Ban]) -> None:
        """Replace the file: a reader finds the old bans or the new ones."""
        with writing(self._path) as file:
            file.write(orjson.dumps([asdict(ban) for ban in bans], option=orjson.OPT_INDENT_2))
        self._remember(bans)

    def _remember(self, bans: list[Ban]) -> None:
        self._bans = {ban.whom: ban for ban in bans}
        self._networks = {name: network for name in self._bans if (network := _network(name)) is not None}


def _read(path: Path) -> list[Ban]:
    try:
        return [_parse_ban(each) for each in orjson.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadBans(f"{path} cannot be read ({error}): mend it or delete it") from None


def _parse_ban(kept: dict[str, Any]) -> Ban:
    until = kept["until"]
    return Ban(str(kept["whom"]), str(kept["reason"]), float(kept["at"]), None if until is None else float(until))


def _canonical(whom: str) -> str:
    network = _network(whom)
    if network is None:
        return whom
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
