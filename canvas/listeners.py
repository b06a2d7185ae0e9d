"""The listening sockets and the policy of the server, as configured."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from actors.log import get_logger
from canvas.config import AUTO, Config, is_loopback
from protocol import Compression, Limits
from supervision.console import ConsoleListener, Front
from supervision.server import Policy, inherited, listen, listen_unix

CONSOLE_PORT = 8001
"""The default port of the console."""
OTHER_FILES = 300
"""File descriptors kept for the store, the console, and connections that are refused because the server is full."""
MAX_DISMISSALS = 200
"""The share of `OTHER_FILES` for connections that are being refused."""

log = get_logger("canopy")


class ListenerError(Exception):
    """A socket or a certificate cannot be used; the text names the option and says why."""


def open_listeners(config: Config, environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """Open the listening sockets: those passed by systemd, or else the Unix socket, or else host and port.

    Raises:
        ListenerError: if a socket cannot be opened.
    """
    try:
        handed_over = inherited(environment, os.getpid())
    except OSError as error:
        raise ListenerError(f"LISTEN_FDS={environment.get('LISTEN_FDS')} cannot be used: {error.strerror}") from None
    if handed_over:
        return handed_over
    try:
        if config.unix is not None:
            return [listen_unix(config.unix, config.unix_mode)]
        return listen(config.host, config.port)
    except OSError as error:
        raise ListenerError(_explain(error, config)) from None


def open_console(config: Config) -> ConsoleListener | None:
    """Listen on the console's port, or on a free port if the default one is taken. Return None if the console is off.

    Beyond loopback it speaks TLS, unless `--console-insecure` allows plain HTTP.

    Raises:
        ListenerError: if the socket cannot be opened.
    """
    host, port = config.console_host, config.console_port
    if port is None:
        return None
    try:
        listening = listen(host, CONSOLE_PORT if port == AUTO else port)
    except OSError as error:
        if port != AUTO or error.errno != errno.EADDRINUSE:
            raise ListenerError(_explain_console(error, config)) from None
        listening = listen(host, 0)
    tls = None if is_loopback(host) else load_tls(config)
    front = Front(
        names=(host, *config.console_names),
        origins=config.console_origin,
        base_path=config.console_base_path,
        proxies=config.trusted_proxy,
        user_header=config.console_user_header,
        roles=config.console_users,
    )
    return ConsoleListener(listening, front, tls)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How this OS process divides its file descriptors, apart from those that the application itself needs.

    Attributes:
        connections: maximum number of clients
        dismissals: maximum number of refused connections that are being answered at a time
    """

    connections: int
    dismissals: int

    @classmethod
    def of(cls, files: int) -> Capacity:
        """Divide `files` descriptors: at least half for clients, at most `OTHER_FILES` for everything else."""
        dismissals = min(MAX_DISMISSALS, files // 8)
        return cls(files - dismissals - min(OTHER_FILES - MAX_DISMISSALS, files // 2 - dismissals), dismissals)


def raise_open_file_limit(connections: int) -> None:
    """Raise the soft limit of open files to what `connections` clients need, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES if hard == resource.RLIM_INFINITY else min(connections + OTHER_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has yet another limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    files = _file_limit()
    if Capacity.of(files).connections < connections:
        capacity = Capacity.of(files)
        log.warning(
            "canopy.fewer_connections", wanted=connections, max_connections=capacity.connections, open_files=files
        )


def _file_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def policy_of(config: Config) -> Policy:
    """Build the policy of the server. The file descriptors of this OS process cap the number of connections.

    Raises:
        ListenerError: if the certificate and key cannot be used.
    """
    capacity = Capacity.of(_file_limit())
    return Policy(
        max_connections=min(config.max_connections, capacity.connections),
        max_pending_refusals=capacity.dismissals,
        max_per_address=config.max_connections_per_ip,
        max_arrivals=config.max_new_connections_per_ip,
        limits=Limits(message=config.max_message_size),
        compression=Compression() if config.compression else None,
        tls=load_tls(config),
        proxies=config.trusted_proxy,
        origins=config.origin,
        request_timeout=config.request_timeout,
        ping_interval=config.ping_interval or None,
        pong_timeout=config.pong_timeout,
        stall_timeout=config.stall_timeout,
    )


def load_tls(config: Config) -> ssl.SSLContext | None:
    """Load the certificate and its key; return None without `--tls-cert`.

    Raises:
        ListenerError: if they cannot be used.
    """
    certificate, key = config.tls_cert, config.tls_key
    if certificate is None:
        if key is not None:
            raise ListenerError(f"--tls-key {key} needs --tls-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, _refuse_to_decrypt)
    except OSError as error:  # includes ssl.SSLError
        option = f"--tls-cert {certificate}" + (f" with --tls-key {key}" if key else "")
        raise ListenerError(f"{option} cannot be used: {error.strerror or error}") from None
    return context


def _refuse_to_decrypt() -> bytes:
    """Replace OpenSSL's passphrase prompt."""
    raise OSError(errno.EACCES, "the key is encrypted; use one without a passphrase")


def _explain_console(error: OSError, config: Config) -> str:
    host, port = config.console_host, config.console_port
    if error.errno == errno.EADDRINUSE:
        return f"--console-port {port} on {host} is in use by another program"
    option = f"--console-port {port}" if error.errno == errno.EACCES else f"--console-host {host}"
    return f"{option} cannot be listened on: {error.strerror}"


def _explain(error: OSError, config: Config) -> str:
    is_taken = error.errno == errno.EADDRINUSE
    if config.unix is not None:
        return f"--unix {config.unix} " + ("is in use" if is_taken else f"cannot be used: {error.strerror}")
    if is_taken:
        return f"--port {config.port} on {config.host} is in use by another program"
    option = f"--port {config.port}" if error.errno == errno.EACCES else f"--host {config.host}"
    return f"{option} cannot be listened on: {error.strerror}"
