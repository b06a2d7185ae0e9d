"""What the server listens on, and what it allows there, as the configuration says."""

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
"""The console's port by default."""
OTHER_FILES = 300
"""File descriptors for what is no client: the store, the console, and those who are told that there is no room."""
MAX_DISMISSALS = 200
"""Of these, those for clients who are told that there is no room."""

log = get_logger("canopy")


class ListenerError(Exception):
    """A socket or a certificate cannot be used; the text names the option and says why."""


def open_listeners(config: Config, environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """Open what the server listens on: what systemd hands over, or else the unix socket, or else host and port.

    Raises:
        ListenerError: if that cannot be.
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
    """Listen on the port of the console; the one that is meant by default may be another's. None if it is off.

    Others than this machine reach it only over TLS, or if that was asked for.

    Raises:
        ListenerError: if it cannot be listened on.
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
    """How many clients this process has file descriptors for, without those that the application itself needs.

    Attributes:
        connections: how many clients
        dismissals: how many of those who are refused may be told so at a time
    """

    connections: int
    dismissals: int

    @classmethod
    def of(cls, files: int) -> Capacity:
        """Divide so many descriptors up: at least a half for clients, 300 at most for everything else."""
        dismissals = min(MAX_DISMISSALS, files // 8)
        return cls(files - dismissals - min(OTHER_FILES - MAX_DISMISSALS, files // 2 - dismissals), dismissals)


def raise_open_file_limit(connections: int) -> None:
    """Let this process have a file descriptor for each of so many, as far as the system's hard limit allows."""
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
    """What the server allows its clients: no more connections than this process has file descriptors for.

    Raises:
        ListenerError: if there is no TLS with this certificate and key.
    """
    capacity = Capacity.of(_file_limit())
    return Policy(
        max_connections=min(config.max_connections, capacity.connections),
        max_dismissals=capacity.dismissals,
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
    """Read the certificate and its key; None without `--tls-cert`.

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
    except OSError as error:  # ssl.SSLError is one
        option = f"--tls-cert {certificate}" + (f" with --tls-key {key}" if key else "")
        raise ListenerError(f"{option} cannot be used: {error.strerror or error}") from None
    return context


def _refuse_to_decrypt() -> bytes:
    """Take the place of a prompt for the passphrase."""
    raise OSError(errno.EACCES, "the key is encrypted, and nobody is there to decrypt it")


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
