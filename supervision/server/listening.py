"""No process. Listening sockets: bound here, or handed over by who started us."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from pathlib import Path

BACKLOG = 1_024
"""Connections the kernel holds for us while the listener is away."""

_FIRST_INHERITED = 3
"""The file descriptor of the first socket that systemd hands over (sd_listen_fds(3))."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Bind a TCP socket to every address of `host` and listen. Port 0 lets the system choose, one port for all.

    Raises:
        OSError: if an address is in use, unknown, or not ours to take.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    bound: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            chosen = bound[0].getsockname()[1] if bound else port
            bound.append(_listen_on(family, (address[0], chosen, *address[2:])))
    except OSError:
        for listening in bound:
            listening.close()
        raise
    return bound


def _listen_on(family: int, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # `::` is IPv6 alone; otherwise it would take the port of 0.0.0.0, too
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        return _ready(listening)
    except OSError:
        listening.close()
        raise


class UnixListener(socket.socket):
    """A unix socket. Its path goes with it, and before it: afterwards the path may be a successor's."""

    path: Path | None = None

    def close(self) -> None:
        """Close it, and remove the path that it is bound to."""
        path, self.path = self.path, None
        if path is not None:
            path.unlink(missing_ok=True)
        super().close()


def listen_unix(path: Path, mode: int = 0o600) -> socket.socket:
    """Bind a unix socket, in place of one that nobody listens on any more. By default only its owner may use it.

    Its path is removed when it is closed.

    Raises:
        OSError: with the path as `filename`: `EADDRINUSE` if somebody listens there, or why it cannot be.
    """
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink()
            else:
                raise OSError(errno.EADDRINUSE, "another process listens there", str(path))
    listening = UnixListener(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        listening.path = path
        path.chmod(mode)
        return _ready(listening)
    except OSError as error:
        listening.close()
        # A path that is too long has no errno, and no error of a socket names the path.
        raise OSError(error.errno or errno.ENAMETOOLONG, error.strerror or str(error), str(path)) from None


def inherited(environment: Mapping[str, str], pid: int) -> list[socket.socket]:
    """Take over the sockets that systemd has bound for us (socket activation, sd_listen_fds(3)); maybe none.

    Raises:
        OSError: if what was handed over is no listening stream socket.
    """
    if environment.get("LISTEN_PID") != str(pid) or not environment.get("LISTEN_FDS", "").isdecimal():
        return []
    count = int(environment["LISTEN_FDS"])
    return [_take_over(number) for number in range(_FIRST_INHERITED, _FIRST_INHERITED + count)]


def _take_over(number: int) -> socket.socket:
    listening = socket.socket(fileno=number)
    is_listening = listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listening.type != socket.SOCK_STREAM or not is_listening:
        listening.detach()
        raise OSError(errno.EINVAL, f"file descriptor {number} of LISTEN_FDS is no listening stream socket")
    listening.set_inheritable(False)
    listening.setblocking(False)
    return listening


def _ready(listening: socket.socket) -> socket.socket:
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening
