"""Pure. The bytes of a peer that have not been parsed yet. A line is judged before its end has come."""

import re

from protocol.http import HttpError


class LineBuffer:
    """What has come, oldest first."""

    __slots__ = ("_data", "_scanned")

    def __init__(self) -> None:
        self._data = bytearray()
        self._scanned = 0  # bytes known to hold no LF, so that a trickle is not searched twice

    def feed(self, data: bytes) -> None:
        """Append what the peer sent."""
        self._data += data

    def take(self, size: int) -> bytes:
        """Take at most so many bytes."""
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._scanned = 0
        return taken

    def take_line(self, limit: int, forbidden: re.Pattern[bytes], too_long: tuple[int, str]) -> bytes | None:
        """Take one line, without its CRLF, or None: its end has not come.

        Raise HttpError for bytes that it must not hold, and `too_long` for more than `limit`.
        """
        end = self._data.find(b"\n", self._scanned)
        length = (end if end >= 0 else len(self._data)) - 1
        if forbidden.search(self._data, self._scanned, min(length, limit) + 2):  # TLS, for one, has no lines
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
