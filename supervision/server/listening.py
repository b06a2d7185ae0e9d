"""No process. Listening sockets: bound here, or inherited from systemd."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from pathlib import Path

BACKLOG = 1_024
"""Connections that the operating system queues while the listener is busy or restarts."""

_FIRST_INHERITED = 3
"""The file descriptor of the first socket from systemd (sd_listen_fds(3))."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Bind a TCP socket to every address of `host` and listen. With port 0 the system chooses one port for all.

    Raises:
        OSError: if an address is in use, unknown, or not permitted.
    """
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    bound: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(infos):
            bound_port = bound[0].getsockname()[1] if bound else port
            bound.append(_listen_on(family, (address[0], bound_port, *address[2:])))
    except OSError:
        for listening in bound:
            listening.close()
        raise
    return bound


def _listen_on(family: int, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # otherwise `::` would take the port of 0.0.0.0, too
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        return _start_listening(listening)
    except OSError:
        listening.close()
        raise


class UnixListener(socket.socket):
    """A Unix socket that removes its path first when it closes: later the path may belong to a successor."""

    path: Path | None = None

    def close(self) -> None:
        """Remove the path of the socket, and close it."""
        path, self.path = self.path, None
        if path is not None:
            path.unlink(missing_ok=True)
        super().close()


def listen_unix(path: Path, mode: int = 0o600) -> socket.socket:
    """Bind a Unix socket and listen. Replaces a stale socket; by default only the owner of the file may connect.

    Closing the socket removes its path.

    Raises:
        OSError: with the path as `filename`; `EADDRINUSE` if another process listens there.
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
        return _start_listening(listening)
    except OSError as error:
        listening.close()
        # A path that is too long gives no errno, and errors of sockets do not name the path.
        raise OSError(error.errno or errno.ENAMETOOLONG, error.strerror or str(error), str(path)) from None


def inherited(environment: Mapping[str, str], pid: int) -> list[socket.socket]:
    """Return the listening sockets that systemd passed to this process (socket activation, sd_listen_fds(3)).

    Empty unless LISTEN_PID names this process.

    Raises:
        OSError: if a file descriptor is not a listening stream socket.
    """
    if environment.get("LISTEN_PID") != str(pid) or not environment.get("LISTEN_FDS", "").isdecimal():
        return []
    count = int(environment["LISTEN_FDS"])
    return [_adopt_inherited(number) for number in range(_FIRST_INHERITED, _FIRST_INHERITED + count)]


def _adopt_inherited(number: int) -> socket.socket:
    listening = socket.socket(fileno=number)
    is_listening = listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listening.type != socket.SOCK_STREAM or not is_listening:
        listening.detach()
        raise OSError(errno.EINVAL, f"file descriptor {number} of LISTEN_FDS is not a listening stream socket")
    listening.set_inheritable(False)
    listening.setblocking(False)
    return listening


def _start_listening(listening: socket.socket) -> socket.socket:
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening
