"""Pure. The addresses of clients, trusted proxies, and the client network that limits count by."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

LOCAL = "local"
"""The address of a peer on a Unix socket."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxies:
    """The trusted proxies in front of this server; their X-Forwarded-* headers are believed.

    Attributes:
        networks: their addresses
        local: peers on a Unix socket are trusted proxies, too
    """

    networks: tuple[_Network, ...] = ()
    local: bool = False

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Proxies:
        """Parse addresses, networks such as `10.0.0.0/8`, and `unix` for peers on a Unix socket.

        Raises:
            ValueError: if a text is invalid.
        """
        names = list(texts)
        networks = tuple(ipaddress.ip_network(name) for name in names if name != "unix")
        return cls(networks, "unix" in names)

    def __contains__(self, address: str) -> bool:
        """Whether a peer at `address` is a trusted proxy."""
        if address == LOCAL:
            return self.local
        if not self.networks:
            return False
        ip = _parse(address)
        return ip is not None and any(ip in network for network in self.networks)

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """Return the client's address for a request from `peer` with these members of X-Forwarded-For, in order.

        Each proxy appends the address of its peer, so the members are read from the end for as long as the proxies are
        trusted. A member that is not an address ends the search: the proxy that wrote it counts as the client.
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
        """Whether the client uses TLS, according to the trusted proxy `peer` and its members of X-Forwarded-Proto.

        If several proxies have added a member, the first one is the client's.
        """
        return peer in self and next(iter(forwarded), "").lower() == "https"


def client_network(address: str) -> str:
    """Return what limits count as one client: an IPv4 address, or an IPv6 /64, which one subscriber usually has."""
    return str(ipaddress.IPv6Network((address, 64), strict=False)) if ":" in address else address


def plain_address(address: str) -> str:
    """Return the address of a socket in plain form: without a zone, and an IPv4-mapped IPv6 address as IPv4."""
    ip = _parse(address)
    return address if ip is None else str(ip)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (ip.version == 6 and ip.ipv4_mapped) or ip


def _without_port(text: str) -> str:
    """Return `192.0.2.1:80` or `[2001:db8::1]:80` without the port, which some proxies write."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
