"""A supervised HTTP and WebSocket server whose sockets outlive its actors.

The processes are one per connection, a listener and a drainer. `Sockets` and its wires are not processes: when a
connection crashes, its next incarnation continues with the same wire.
"""

from supervision.server.addresses import Proxies
from supervision.server.base_path import BasePath, cookie_prefix, read_base_path
from supervision.server.connection import Answer, Connection, Routes, WebSocket
from supervision.server.handler import Handler
from supervision.server.listening import inherited, listen, listen_unix
from supervision.server.origins import ANY_ORIGIN, SAME_HOST, Origins
from supervision.server.page_files import page_files
from supervision.server.policy import Policy
from supervision.server.refusing import HandshakeRefused
from supervision.server.sockets import Sockets
from supervision.server.tree import server
from supervision.server.wire import Wire

__all__ = [
    "ANY_ORIGIN",
    "SAME_HOST",
    "Answer",
    "BasePath",
    "Connection",
    "Handler",
    "HandshakeRefused",
    "Origins",
    "Policy",
    "Proxies",
    "Routes",
    "Sockets",
    "WebSocket",
    "Wire",
    "cookie_prefix",
    "inherited",
    "listen",
    "listen_unix",
    "page_files",
    "read_base_path",
    "server",
]
