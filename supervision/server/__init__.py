"""A supervised HTTP and WebSocket server, whose sockets outlive its actors."""

from supervision.server.connection import Answer, Connection, Handler, Phase, Routes, WebSocket, asking
from supervision.server.sockets import Sockets, listen, listen_unix
from supervision.server.tree import server
from supervision.server.wire import Wire

__all__ = [
    "Answer",
    "Connection",
    "Handler",
    "Phase",
    "Routes",
    "Sockets",
    "WebSocket",
    "Wire",
    "asking",
    "listen",
    "listen_unix",
    "server",
]
