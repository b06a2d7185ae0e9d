"""No process. How much of what was written to a socket the other side of TCP has taken, as the system knows it.

A write to a socket succeeds as soon as the system has room for it, and it holds megabytes. Only what the peer has
acknowledged tells that it is alive, and reads.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from typing import Protocol

_TELLS = sys.platform == "linux"
_BYTES_ACKED = struct.Struct("@Q")
_BYTES_ACKED_AT = 120
"""Where `tcpi_bytes_acked` stands in `struct tcp_info` (tcp(7); Linux 4.1 and later)."""


class Progress(Protocol):
    """What the system knows of one socket."""

    def held(self) -> int:
        """Bytes that the system holds because the peer has not acknowledged them; 0 if it does not tell."""

    def acknowledged(self, written: int) -> int:
        """Bytes that the peer has acknowledged, of `written` that the system has been given. Only good to compare."""


class SystemProgress:
    """What Linux tells by SIOCOUTQ and TCP_INFO. Elsewhere a byte counts as taken when the system has taken it.

    Args:
        sock: any object with the methods of a socket; asyncio's and uvloop's stand for the transport's own
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def held(self) -> int:
        """Ask for the length of the send queue (SIOCOUTQ, tcp(7)), which has what was sent and not acknowledged too."""
        if not _TELLS:
            return 0
        try:
            return _int(fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        except (OSError, ValueError):  # it is closed
            return 0

    def acknowledged(self, written: int) -> int:
        """Count it exactly where the system does; TLS writes more bytes than it is given."""
        if _TELLS and self._socket.family != socket.AF_UNIX:
            try:
                info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            except (OSError, ValueError):
                return written
            if len(info) >= _BYTES_ACKED_AT + _BYTES_ACKED.size:
                return int(_BYTES_ACKED.unpack_from(info, _BYTES_ACKED_AT)[0])
        return written - self.held()


class UnknownProgress:
    """Of a transport without a socket nothing more is known."""

    def held(self) -> int:
        """Nothing."""
        return 0

    def acknowledged(self, written: int) -> int:
        """All of it."""
        return written


def progress_of(transport: asyncio.BaseTransport) -> Progress:
    """Say what is known of a transport. One of a simulation answers for itself, as the extra information `progress`."""
    own: Progress | None = transport.get_extra_info("progress")
    if own is not None:
        return own
    sock: socket.socket | None = transport.get_extra_info("socket")
    return UnknownProgress() if sock is None else SystemProgress(sock)


def _int(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)
