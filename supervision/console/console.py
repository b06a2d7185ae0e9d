"""The console's supervision tree, and the state that outlives its processes."""

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
from supervision.console.api.tokens import BadToken, Tokens, create_plain_tokens, list_tokens
from supervision.console.inspection.inspector import Inspector
from supervision.console.inspection.samples import Samples
from supervision.console.inspection.sources import Sources
from supervision.console.inspection.tracing import Traces
from supervision.console.terminal.client import SOCKET
from supervision.console.web.gate import Front, Gate
from supervision.console.web.routes import AdminRoutes, WebRoutes
from supervision.console.web.static_files import StaticPages
from supervision.server import BasePath, Origins, Policy, Sockets, listen_unix, server

LIMITS = Limits(body=65_536, message=65_536)
DRAIN_TIMEOUT = 1.0
"""Seconds within which the console's clients must disconnect at shutdown."""
MAX_UNRECOGNIZED = 100
"""Connections to the port that have not presented a credential."""
MAX_KNOWN = 200
"""Connections to the port that have presented a credential."""
MAX_PER_PRINCIPAL = 32
"""Connections of one token, its sessions included, or of one user."""


@dataclass(frozen=True, slots=True)
class ConsoleListener:
    """The port of the web console.

    Attributes:
        listening: bound sockets that listen
        front: the public address, and the users that a login proxy lets in
        tls: the TLS context; None for plain HTTP
    """

    listening: Sequence[socket.socket]
    front: Front = Front()  # noqa: RUF009  # immutable
    tls: ssl.SSLContext | None = None


class Console:
    """The console of one application. Created before its tree starts; the `Application` closes its sockets afterwards.

    Args:
        sources: the parts of the application to inspect
        data: the folder of the admin socket, the tokens and the audit log
        listener: the web console's port; None for the admin socket alone, without a sampler
        extensions: what the application adds; None for nothing

    Attributes:
        sources, extensions: as given; may change while the console runs
        admin: the admin socket
        web: the web console's port, if there is one
        admin_routes: the routes of the admin socket

    Raises:
        OSError: if a file cannot be created, or its permissions are not safe.
        BadToken: if the token file is damaged.
    """

    def __init__(
        self,
        sources: Sources,
        data: Path,
        listener: ConsoleListener | None = None,
        extensions: Extensions | None = None,
    ) -> None:
        self.sources = sources
        self.extensions = extensions = extensions if extensions is not None else Extensions()
        try:
            self.admin = Sockets([listen_unix(data / SOCKET)], Policy(max_connections=100, limits=LIMITS))
        except OSError:
            for listening in listener.listening if listener is not None else ():
                listening.close()
            raise
        self.web: Sockets | None = None
        sources.own["admin"] = self.admin
        self._history = Samples()
        self._inspector = Inspector(sources, self._history, extensions.acts_on)
        self._audience = Audience(self._inspector)
        self._traces = Traces(self._audience.tell_trace)
        self._audit = Audit(data / FILE, sources.wall_clock)
        actions = Actions(self._inspector, extensions, self._audit, self._traces)
        metrics = Metrics(self._inspector)
        api = Api(self._inspector, self._history, self._audience, self._traces, actions, metrics, extensions, self.link)
        self._router = Router(api.routes, self._audit)
        self.admin_routes = AdminRoutes(self._router)
        self._gate: Gate | None = None
        self._listener = listener
        self._base_path = listener.front.base_path if listener is not None else ""
        if listener is not None:
            self._open(listener, data, sources)

    def _open(self, listener: ConsoleListener, data: Path, sources: Sources) -> None:
        try:
            create_plain_tokens(data)
            list_tokens(data)
        except (OSError, BadToken):
            self.close()
            for listening in listener.listening:
                listening.close()
            raise
        front = listener.front
        policy = Policy(
            max_connections=MAX_KNOWN,
            max_unrecognized=MAX_UNRECOGNIZED,
            max_per_holder=MAX_PER_PRINCIPAL,
            limits=LIMITS,
            tls=listener.tls,
            proxies=front.proxies,
            origins=Origins.parse(("same", *front.origins)),
        )
        self.web = Sockets(listener.listening, policy)
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
        """Return the child specification of the console's supervisor."""
        writer = child(AuditWriter, self._audit, id="audit", label="audit")
        children = [writer, server("admin", self.admin, self.admin_routes, drain_timeout=DRAIN_TIMEOUT)]
        if self.web is not None and self._gate is not None:
            routes = BasePath(self._base_path, WebRoutes(self._router, self._gate, StaticPages(), self.web))
            sampler = child(
                Sampler, self._inspector, self._history, self._audience, self._traces, id="sampler", label="sampler"
            )
            children = [sampler, *children, server("web", self.web, routes, drain_timeout=DRAIN_TIMEOUT)]
        return supervisor("console", children, intensity=100, period=10.0)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the API, those of the extensions included."""
        return self._router.routes

    @property
    def url(self) -> str | None:
        """The URL of the web console; None without a port."""
        if self.web is None or self._listener is None:
            return None
        if self._listener.front.origins:
            return f"{self._listener.front.origins[0]}{self._base_path}/"
        host = self._listener.listening[0].getsockname()[0]
        host = f"[{host}]" if ":" in host else host
        scheme = "http" if self._listener.tls is None else "https"
        return f"{scheme}://{host}:{self.web.port}{self._base_path}/"

    def link(self, grant: Grant = OWNER) -> str | None:
        """Create a link that logs in to the console once, within `CODE_LIFE` seconds; None without a port.

        The code is in the URL's fragment, which browsers send to no server and which no access log records.
        """
        if self._gate is None:
            return None
        return f"{self.url}#code={self._gate.make_code(grant)}"

    def close(self) -> None:
        """Close the sockets of a console that was never started."""
        self.admin.close()
        if self.web is not None:
            self.web.close()
