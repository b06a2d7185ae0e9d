"""The supervision tree of the console, and what of it outlives its processes."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol import Limits
from supervision import ChildSpec, ChildType, Strategy, Supervisor, child
from supervision.console.actions import Actions
from supervision.console.api import Api
from supervision.console.audit import FILE, Audit
from supervision.console.client import SOCKET
from supervision.console.gate import Gate
from supervision.console.history import History
from supervision.console.live import Audience
from supervision.console.metrics import Metrics
from supervision.console.pages import StaticPages
from supervision.console.routes import AdminRoutes, WebRoutes
from supervision.console.routing import Route, Router
from supervision.console.sampler import Sampler
from supervision.console.sessions import Tokens
from supervision.console.snapshot import Snapshot
from supervision.console.sources import Sources
from supervision.console.tracing import Traces
from supervision.server import BasePath, Policy, Sockets, listen_unix, server

TOKEN_FILE = "console-token"
READ_TOKEN_FILE = "console-token-read"
LIMITS = Limits(body=65_536, message=65_536)
DRAIN_TIMEOUT = 1.0
"""Seconds that the console's clients have to go."""


@dataclass(frozen=True, slots=True)
class Door:
    """The port of the web console.

    Attributes:
        listening: bound and listening
        hosts: names that it is reached under, beside those of loopback
        tls: what it speaks TLS with; None for not at all
        base_path: under which a proxy serves it, like /console; "" for the root
    """

    listening: Sequence[socket.socket]
    hosts: Iterable[str] = ()
    tls: ssl.SSLContext | None = None
    base_path: str = ""


class Console:
    """The console of one application. Made before its tree is started; the `Application` closes its sockets after it.

    Args:
        sources: what it looks at, and what it may do
        data: the folder of its socket, its tokens and its audit log
        door: its port; None for the admin socket alone, and then nothing of it runs by itself

    Attributes:
        sources: as given; may be changed while it runs
        admin: the admin socket
        web: the port, if there is one
        tokens: what opens it
        admin_routes: what the admin socket answers

    Raises:
        OSError: if one of the files cannot be.
    """

    def __init__(self, sources: Sources, data: Path, door: Door | None = None) -> None:
        self.sources = sources
        try:
            self.admin = Sockets([listen_unix(data / SOCKET)], Policy(max_connections=100, limits=LIMITS))
        except OSError:
            for listening in door.listening if door is not None else ():
                listening.close()
            raise
        self.web: Sockets | None = None
        self.tokens: Tokens | None = None
        sources.own["admin"] = self.admin
        self._history = History()
        self._snapshot = Snapshot(sources, self._history)
        self._audience = Audience(self._snapshot)
        self._traces = Traces(self._audience.tell_trace)
        audit = Audit(data / FILE, sources.wall_clock)
        actions = Actions(self._snapshot, sources, audit, self._traces)
        metrics = Metrics(self._snapshot)
        api = Api(self._snapshot, self._history, self._audience, self._traces, actions, metrics)
        self._router = Router(api.routes, audit)
        self.admin_routes = AdminRoutes(self._router)
        self._gate: Gate | None = None
        self._door = door
        self._base_path = door.base_path if door is not None else ""
        if door is not None:
            self._open(door, data, sources)

    def _open(self, door: Door, data: Path, sources: Sources) -> None:
        try:
            self.tokens = Tokens(keep_token(data / TOKEN_FILE), keep_token(data / READ_TOKEN_FILE))
        except OSError:
            self.close()
            for listening in door.listening:
                listening.close()
            raise
        self.web = Sockets(door.listening, Policy(max_connections=200, limits=LIMITS, tls=door.tls))
        sources.own["web"] = self.web
        self._gate = Gate(
            self.tokens,
            door.hosts,
            is_secure=door.tls is not None,
            path=f"{door.base_path}/",
            new_id=lambda: secrets.token_urlsafe(32),
            clock=sources.clock,
        )

    def spec(self) -> ChildSpec:
        """Specify its tree."""
        children = [server("admin", self.admin, self.admin_routes, drain_timeout=DRAIN_TIMEOUT)]
        if self.web is not None and self._gate is not None:
            routes = BasePath(self._base_path, WebRoutes(self._router, self._gate, StaticPages()))
            sampler = child(
                Sampler, self._snapshot, self._history, self._audience, self._traces, id="sampler", label="sampler"
            )
            children = [sampler, *children, server("web", self.web, routes, drain_timeout=DRAIN_TIMEOUT)]
        return child(
            Supervisor,
            children,
            id="console",
            label="console",
            type=ChildType.SUPERVISOR,
            kwargs={"strategy": Strategy.ONE_FOR_ONE, "intensity": 100, "period": 10.0},
        )

    @property
    def routes(self) -> tuple[Route, ...]:
        """All that can be asked."""
        return self._router.routes

    @property
    def url(self) -> str | None:
        """Where a browser opens the console without being asked for the token; None without a port."""
        if self.web is None or self.tokens is None or self._door is None:
            return None
        host = self._door.listening[0].getsockname()[0]
        host = f"[{host}]" if ":" in host else host
        scheme = "http" if self._door.tls is None else "https"
        return f"{scheme}://{host}:{self.web.port}/?token={self.tokens.admin}"

    def close(self) -> None:
        """Close its sockets; for a console that was never started."""
        self.admin.close()
        if self.web is not None:
            self.web.close()


def keep_token(path: Path) -> str:
    """The token in a file, made anew if there is none. Only the owner may read the file.

    Raises:
        OSError: if it cannot be read or made, with the path as `filename`.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        token = path.read_text(errors="replace").strip()
        if len(token) >= 32 and token.isascii():
            return token
        path.unlink()
        return keep_token(path)
    token = secrets.token_urlsafe(32)
    with os.fdopen(file, "w") as writer:
        writer.write(token + "\n")
    return token
