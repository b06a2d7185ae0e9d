"""Pure. Limits on what a peer can make the server buffer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one connection, in bytes unless stated otherwise. Each is checked before the bytes are buffered."""

    request_line: int = 8_192
    """Size of a request line without its CRLF; above it the answer is 414."""
    header_bytes: int = 32_768
    """Size of all field lines of one request with their CRLFs; above it the answer is 431."""
    header_count: int = 100
    """Number of field lines of one request; above it the answer is 431."""
    body: int = 1_024
    """Size of the body of one request; above it the answer is 413.

    The default is enough to answer a small POST with 405 and keep the connection."""
    message: int = 1_048_576
    """Size of one WebSocket message, including all its fragments; above it the close code is 1009."""
    fragments: int = 65_536
    """Number of frames of one WebSocket message; above it the close code is 1009."""


DEFAULT_LIMITS = Limits()
