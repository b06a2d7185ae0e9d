"""Pure. What a peer may make us hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection, in bytes unless named otherwise. Each is judged before its bytes are buffered."""

    request_line: int = 8_192
    """Without its CRLF; beyond it 414."""
    header_bytes: int = 32_768
    """All field lines of one request with their CRLFs; beyond it 431."""
    header_count: int = 100
    """Field lines of one request; beyond it 431."""
    body: int = 1_024
    """The Content-Length of one request; beyond it 413. Enough to say 405 to a small POST, and go on after it."""
    message: int = 1_048_576
    """One WebSocket message, over all its fragments; beyond it 1009."""
    fragments: int = 65_536
    """Frames of one WebSocket message; beyond it 1009."""


DEFAULT_LIMITS = Limits()
