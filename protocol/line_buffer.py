"""Pure. A buffer for bytes from a peer that are not parsed yet. A line is checked even before its end has arrived."""

import re

from protocol.http import HttpError


class LineBuffer:
    """The received bytes, oldest first."""

    __slots__ = ("_data", "_scanned")

    def __init__(self) -> None:
        self._data = bytearray()
        self._scanned = 0  # bytes known to contain no LF, so that a trickle of bytes is searched only once

    def feed(self, data: bytes) -> None:
        """Append bytes from the peer."""
        self._data += data

    def take(self, size: int) -> bytes:
        """Remove and return at most `size` bytes."""
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._scanned = 0
        return taken

    def take_line(self, limit: int, forbidden: re.Pattern[bytes], too_long: tuple[int, str]) -> bytes | None:
        """Remove one line and return it without its CRLF, or return None if its end has not arrived.

        Raises:
            HttpError: 400 if the line contains `forbidden` bytes or a stray CR or LF; `too_long`, a status and message,
                if it has more than `limit` bytes.
        """
        end = self._data.find(b"\n", self._scanned)
        length = (end if end >= 0 else len(self._data)) - 1
        if forbidden.search(self._data, self._scanned, min(length, limit) + 2):  # TLS, for example, has no lines
            raise HttpError(400, "A line must be text without control characters (RFC 9112 §3, RFC 9110 §5.5)")
        if length > limit:
            raise HttpError(*too_long)
        if end < 0:
            self._scanned = len(self._data)
            return None
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        self._scanned = 0
        if line.find(b"\r") != len(line) - 1 or not line:
            raise HttpError(400, "A line must end in CRLF and hold no other CR or LF (RFC 9112 §2.2)")
        return line[:-1]

    def __len__(self) -> int:
        return len(self._data)
