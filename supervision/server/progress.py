"""No process. How many of the bytes written to a socket the peer has acknowledged, as the operating system knows it.

A write to a socket succeeds as soon as the system's buffer, which holds megabytes, has room for it. Only
acknowledgements show that the peer is alive and reads.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from typing import Protocol

_IS_LINUX = sys.platform == "linux"
_BYTES_ACKED = struct.Struct("@Q")
_BYTES_ACKED_OFFSET = 120
"""Offset of `tcpi_bytes_acked` in `struct tcp_info` (tcp(7); Linux 4.1 and later)."""


class Progress(Protocol):
    """What the operating system knows about one socket."""

    def held(self) -> int:
        """Return the bytes that the system holds because the peer has not acknowledged them; 0 if unknown."""

    def acknowledged(self, written: int) -> int:
        """Return the bytes that the peer has acknowledged, of `written` bytes. Compare it with earlier values only."""


class SystemProgress:
    """Asks Linux, by SIOCOUTQ and TCP_INFO. On other systems a byte counts as acknowledged once the system has it.

    Args:
        sock: any object with the methods of a socket, such as the ones that asyncio's and uvloop's transports give
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def held(self) -> int:
        """Return the length of the send queue (SIOCOUTQ, tcp(7)), which includes bytes sent and not acknowledged."""
        if not _IS_LINUX:
            return 0
        try:
            return _int(fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        except (OSError, ValueError):  # the socket is closed
            return 0

    def acknowledged(self, written: int) -> int:
        """Return the system's own count where there is one. It includes the overhead of TLS."""
        if _IS_LINUX and self._socket.family != socket.AF_UNIX:
            try:
                info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            except (OSError, ValueError):
                return written
            if len(info) >= _BYTES_ACKED_OFFSET + _BYTES_ACKED.size:
                return int(_BYTES_ACKED.unpack_from(info, _BYTES_ACKED_OFFSET)[0])
        return written - self.held()


class UnknownProgress:
    """Stands for a transport without a socket: written bytes count as acknowledged."""

    def held(self) -> int:
        """Return 0."""
        return 0

    def acknowledged(self, written: int) -> int:
        """Return `written`."""
        return written


def progress_of(transport: asyncio.BaseTransport) -> Progress:
    """Return the progress of a transport; a simulated one gives its own as the extra information `progress`."""
    own: Progress | None = transport.get_extra_info("progress")
    if own is not None:
        return own
    sock: socket.socket | None = transport.get_extra_info("socket")
    return UnknownProgress() if sock is None else SystemProgress(sock)


def _int(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)
