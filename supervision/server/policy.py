"""Pure. What a server allows its peers: how many, how fast, from where, and for how long."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from protocol import Compression, Limits
from supervision.server.addresses import Proxies
from supervision.server.origins import SAME_HOST, Origins


@dataclass(frozen=True, slots=True)
class Policy:
    """One server's rules. Times in seconds; None switches a rule off.

    Attributes:
        max_connections: how many there may be at a time; the next one is refused with 503
        max_dismissals: refused clients that are told why at a time; the next one is dropped without a word
        max_per_address: how many WebSockets there may be of one address; the next one is refused with 429
        max_strangers: connections that no route has recognized; the next one takes the place of the oldest of the
            address that has most of them, and `max_connections` counts the others alone
        max_per_holder: connections of one holder that is recognized; for more, `Sockets.recognize` says no
        max_arrivals: new WebSockets of one address in a second; the next one is refused with 429
        limits: what one peer may make us hold
        compression: how messages are compressed with clients that offer it; None for not at all
        tls: speaks TLS with everybody
        proxies: whose word is taken for the address of a client
        origins: which pages may open a WebSocket
        request_timeout: for a whole request, after the client connected (TLS included) or took its answer
        ping_interval: between two pings of an open WebSocket
        pong_timeout: for the answer, or any other sign of life, until the connection is dropped. It begins when the
            peer has taken what was written before the ping, and has had the time to read it at 5 kB/s
        close_timeout: for the answer to our close frame, or the end of the peer's side, after it took the rest
        stall_timeout: after which a peer is cut off that takes nothing of what waits for it
        max_backlog: bytes a peer may leave unread, beyond what it had when the wire became congested, before it is
            cut off
        max_unread: bytes that may wait for all peers, beside messages that are sent to many; for those of one address
            a quarter of it. Beyond that, the connections of that address that read least are cut off
    """

    max_connections: int = 15_000
    max_dismissals: int = 200
    max_per_address: int | None = None
    max_strangers: int | None = None
    max_per_holder: int | None = None
    max_arrivals: int | None = None
    limits: Limits = Limits()  # noqa: RUF009  # immutable
    compression: Compression | None = None
    tls: ssl.SSLContext | None = None
    proxies: Proxies = Proxies()  # noqa: RUF009  # immutable
    origins: Origins = SAME_HOST
    request_timeout: float = 10.0
    ping_interval: float | None = 20.0
    pong_timeout: float = 20.0
    close_timeout: float = 5.0
    stall_timeout: float = 30.0
    max_backlog: int = 16 * 1024 * 1024
    max_unread: int = 256 * 1024 * 1024
