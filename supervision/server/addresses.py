"""Pure. The addresses of clients: what counts as one, and whom to believe about it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

LOCAL = "local"
"""The address of a peer on a unix socket."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies in front of this server, whose word is taken for a client's address.

    Attributes:
        networks: where they are
        local: peers on a unix socket are proxies too
    """

    networks: tuple[_Network, ...] = ()
    local: bool = False

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Proxies:
        """Read addresses and networks like `10.0.0.0/8`, and `unix`.

        Raises:
            ValueError: if one of them is none.
        """
        names = list(texts)
        networks = tuple(ipaddress.ip_network(name) for name in names if name != "unix")
        return cls(networks, "unix" in names)

    def __contains__(self, address: str) -> bool:
        """Tell whether a peer at `address` is one of them."""
        if address == LOCAL:
            return self.local
        if not self.networks:
            return False
        ip = _parse(address)
        return ip is not None and any(ip in network for network in self.networks)

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """Tell who asks, if `peer` sent a request with these members of X-Forwarded-For, in their order.

        Each proxy adds whom it heard from, so they are read from the end, as far as the proxies are ours. What is no
        address ends the search: whoever wrote it is the last one known.
        """
        address = peer
        for claimed in reversed(list(forwarded)):
            if address not in self:
                break
            ip = _parse(_without_port(claimed))
            if ip is None:
                break
            address = str(ip)
        return address

    def speaks_tls(self, peer: str, forwarded: Iterable[str]) -> bool:
        """Tell whether a client speaks TLS with the proxy `peer`, whose X-Forwarded-Proto has these members.

        The first one is the client's, where several proxies have added theirs.
        """
        return peer in self and next(iter(forwarded), "").lower() == "https"


def client_network(address: str) -> str:
    """Tell what counts as one peer: an IPv4 address, but a whole /64 of IPv6, which is what one subscriber has."""
    return str(ipaddress.IPv6Network((address, 64), strict=False)) if ":" in address else address


def plain_address(address: str) -> str:
    """Write the address of a socket as people do: without a zone, and IPv4 mapped into IPv6 as IPv4."""
    ip = _parse(address)
    return address if ip is None else str(ip)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (ip.version == 6 and ip.ipv4_mapped) or ip


def _without_port(text: str) -> str:
    """`192.0.2.1:80` and `[2001:db8::1]:80` without their ports; some proxies write them."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
