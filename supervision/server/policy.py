"""Pure. The limits, timeouts and rules of one server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from protocol import Compression, Limits
from supervision.server.addresses import Proxies
from supervision.server.origins import SAME_HOST, Origins


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits, timeouts and rules of one server. Times are in seconds; None means no limit.

    Attributes:
        max_connections: connections at a time; the next one is refused with 503
        max_pending_refusals: refused clients that are sent a reason at a time; the next one is closed without one
        max_per_address: WebSockets of one client network; the next one is refused with 429
        max_unrecognized: connections that no route has recognized. The next one replaces the oldest of the client
            network with the most, and `max_connections` counts recognized connections only
        max_per_holder: recognized connections of one holder; `Sockets.recognize` refuses more
        max_arrivals: new WebSockets of one client network in a second; the next one is refused with 429
        limits: sizes that one peer can make the server hold
        compression: how to compress messages for clients that offer it; None for no compression
        tls: the context for TLS on every connection; None for plain TCP
        proxies: trusted proxies, whose X-Forwarded-For names the client
        origins: origins whose pages may open a WebSocket
        request_timeout: for a complete request, from the connection (TLS handshake included) or the previous answer
        ping_interval: between two pings of an open WebSocket
        pong_timeout: for the pong, or any other bytes, before the connection is dropped. It starts once the peer has
            acknowledged what was written before the ping and has had time to read that at 5 kB/s
        close_timeout: for the answer to our close frame, or the end of the peer's side, after it has read the rest
        stall_timeout: before a peer is dropped that reads nothing of what waits for it
        max_backlog: unread bytes, beyond those at the start of the congestion, before a peer is dropped
        max_unread: bytes that may wait for all peers, not counting shared messages; a client network may have a quarter
            of it. Beyond a limit, the slowest readers of a client network are dropped
    """

    max_connections: int = 15_000
    max_pending_refusals: int = 200
    max_per_address: int | None = None
    max_unrecognized: int | None = None
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
