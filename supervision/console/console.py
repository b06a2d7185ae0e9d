"""The supervision tree of the console, and what of it outlives its processes."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol import Limits
from supervision import ChildSpec, child, supervisor
from supervision.console.api.actions import Actions
from supervision.console.api.audit import FILE, Audit, AuditWriter
from supervision.console.api.extensions import Extensions
from supervision.console.api.live import Audience
from supervision.console.api.metrics import Metrics
from supervision.console.api.principals import OWNER, Grant
from supervision.console.api.routes import Api
from supervision.console.api.routing import Route, Router
from supervision.console.api.sampler import Sampler
from supervision.console.api.tokens import BadToken, Tokens, keep_plain_tokens, list_tokens
from supervision.console.inspection.samples import Samples
from supervision.console.inspection.snapshot import Snapshot
from supervision.console.inspection.sources import Sources
from supervision.console.inspection.tracing import Traces
from supervision.console.terminal.client import SOCKET
from supervision.console.web.gate import Front, Gate
from supervision.console.web.routes import AdminRoutes, WebRoutes
from supervision.console.web.static_files import StaticPages
from supervision.server import BasePath, Origins, Policy, Sockets, listen_unix, server

LIMITS = Limits(body=65_536, message=65_536)
DRAIN_TIMEOUT = 1.0
"""Seconds that the console's clients have to go."""
MAX_STRANGERS = 100
"""Connections to the port that have not shown a credential."""
MAX_KNOWN = 200
"""Those that have."""
MAX_PER_HOLDER = 32
"""Those of one token, with its sessions, or of one user."""


@dataclass(frozen=True, slots=True)
class ConsoleListener:
    """The port of the web console.

    Attributes:
        listening: bound and listening
        front: how it is reached, and whom a login in front of it lets in
        tls: what it speaks TLS with; None for not at all
    """

    listening: Sequence[socket.socket]
    front: Front = Front()  # noqa: RUF009  # immutable
    tls: ssl.SSLContext | None = None


class Console:
    """The console of one application. Made before its tree is started; the `Application` closes its sockets after it.

    Args:
        sources: what it looks at
        data: the folder of its socket, its tokens and its audit log
        door: its port; None for the admin socket alone, and then nothing of it runs by itself
        extensions: what the application adds; None for nothing

    Attributes:
        sources, extensions: as given; may be changed while it runs
        admin: the admin socket
        web: the port, if there is one
        admin_routes: what the admin socket answers

    Raises:
        OSError: if one of the files cannot be, or is not safe.
        BadToken: if the file of the tokens is damaged.
    """

    def __init__(
        self, sources: Sources, data: Path, door: ConsoleListener | None = None, extensions: Extensions | None = None
    ) -> None:
        self.sources = sources
        self.extensions = extensions = extensions if extensions is not None else Extensions()
        try:
            self.admin = Sockets([listen_unix(data / SOCKET)], Policy(max_connections=100, limits=LIMITS))
        except OSError:
            for listening in door.listening if door is not None else ():
                listening.close()
            raise
        self.web: Sockets | None = None
        sources.own["admin"] = self.admin
        self._history = Samples()
        self._snapshot = Snapshot(sources, self._history, extensions.acts_on)
        self._audience = Audience(self._snapshot)
        self._traces = Traces(self._audience.tell_trace)
        self._audit = Audit(data / FILE, sources.wall_clock)
        actions = Actions(self._snapshot, extensions, self._audit, self._traces)
        metrics = Metrics(self._snapshot)
        api = Api(self._snapshot, self._history, self._audience, self._traces, actions, metrics, extensions, self.link)
        self._router = Router(api.routes, self._audit)
        self.admin_routes = AdminRoutes(self._router)
        self._gate: Gate | None = None
        self._door = door
        self._base_path = door.front.base_path if door is not None else ""
        if door is not None:
            self._open(door, data, sources)

    def _open(self, door: ConsoleListener, data: Path, sources: Sources) -> None:
        try:
            keep_plain_tokens(data)
            list_tokens(data)
        except (OSError, BadToken):
            self.close()
            for listening in door.listening:
                listening.close()
            raise
        front = door.front
        policy = Policy(
            max_connections=MAX_KNOWN,
            max_unrecognized=MAX_STRANGERS,
            max_per_holder=MAX_PER_HOLDER,
            limits=LIMITS,
            tls=door.tls,
            proxies=front.proxies,
            origins=Origins.parse(("same", *front.origins)),
        )
        self.web = Sockets(door.listening, policy)
        sources.own["web"] = self.web
        self._gate = Gate(
            Tokens(data, sources.wall_clock),
            front,
            port=self.web.port,
            audit=self._audit,
            new_id=lambda: secrets.token_urlsafe(32),
            clock=sources.clock,
        )

    def spec(self) -> ChildSpec:
        """Specify its tree."""
        writer = child(AuditWriter, self._audit, id="audit", label="audit")
        children = [writer, server("admin", self.admin, self.admin_routes, drain_timeout=DRAIN_TIMEOUT)]
        if self.web is not None and self._gate is not None:
            routes = BasePath(self._base_path, WebRoutes(self._router, self._gate, StaticPages(), self.web))
            sampler = child(
                Sampler, self._snapshot, self._history, self._audience, self._traces, id="sampler", label="sampler"
            )
            children = [sampler, *children, server("web", self.web, routes, drain_timeout=DRAIN_TIMEOUT)]
        return supervisor("console", children, intensity=100, period=10.0)

    @property
    def routes(self) -> tuple[Route, ...]:
        """All that can be asked."""
        return self._router.routes

    @property
    def url(self) -> str | None:
        """Where a browser opens the console; None without a port."""
        if self.web is None or self._door is None:
            return None
        if self._door.front.origins:
            return f"{self._door.front.origins[0]}{self._base_path}/"
        host = self._door.listening[0].getsockname()[0]
        host = f"[{host}]" if ":" in host else host
        scheme = "http" if self._door.tls is None else "https"
        return f"{scheme}://{host}:{self.web.port}{self._base_path}/"

    def link(self, grant: Grant = OWNER) -> str | None:
        """Make a link that logs in to the console, once and within `CODE_LIFE`; None without a port.

        The code stands behind the hash, so that neither a server nor its log sees it.
        """
        if self._gate is None:
            return None
        return f"{self.url}#code={self._gate.make_code(grant)}"

    def close(self) -> None:
        """Close its sockets; for a console that was never started."""
        self.admin.close()
        if self.web is not None:
            self.web.close()
