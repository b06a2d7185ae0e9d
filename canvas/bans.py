"""Who may not come in any more: users and addresses, kept in a file of the data folder. Outlives every process."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

FILE = "bans.json"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Ban:
    """One user, or all of a network; `at` in seconds since 1970."""

    whom: str
    reason: str
    at: float


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
        self._bans: dict[str, Ban] = {ban.whom: ban for ban in _read(path)}
        self._networks = self._all_networks()

    def all(self) -> list[Ban]:
        """All bans, oldest first."""
        return list(self._bans.values())

    def add(self, whom: str, reason: str = "") -> Ban:
        """Ban a user by its id, or an address or a network like `192.0.2.0/24`.

        Raises:
            OSError: if it cannot be kept; then it does not hold.
        """
        ban = Ban(_canonical(whom), reason, self._wall_clock())
        self._keep({**self._bans, ban.whom: ban})
        return ban

    def remove(self, whom: str) -> bool:
        """Lift a ban; False if there is none.

        Raises:
            OSError: if that cannot be kept.
        """
        key = _canonical(whom)
        if key not in self._bans:
            return False
        self._keep({name: ban for name, ban in self._bans.items() if name != key})
        return True

    def find(self, user_id: str | None, address: str) -> Ban | None:
        """The ban that keeps somebody out, or None."""
        if user_id is not None and user_id in self._bans:
            return self._bans[user_id]
        if not self._networks:
            return None
        ip = _parse(address)
        return next((self._bans[name] for name, network in self._networks.items() if ip and ip in network), None)

    def _keep(self, bans: dict[str, Ban]) -> None:
        """Write the file anew: whoever reads it finds the old bans or the new ones."""
        draft = self._path.with_suffix(".new")
        with draft.open("wb") as file:
            file.write(orjson.dumps([asdict(ban) for ban in bans.values()], option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        self._bans = bans
        self._networks = self._all_networks()

    def _all_networks(self) -> dict[str, _Network]:
        return {name: network for name in self._bans if (network := _network(name)) is not None}


def _read(path: Path) -> list[Ban]:
    try:
        kept = orjson.loads(path.read_bytes())
        return [Ban(str(each["whom"]), str(each["reason"]), float(each["at"])) for each in kept]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadBans(f"{path} cannot be read ({error}): mend it or delete it") from None


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
