"""Pure. The events that a session returns to its owner.

One event is created per message, on the hottest path, so these are plain slotted dataclasses, created in 0.10 us; a
frozen dataclass or a NamedTuple takes 0.18 us. Treat them as immutable all the same.
"""

from dataclasses import dataclass
from enum import Enum

from protocol.http import HttpError, Request


@dataclass(slots=True)
class Text:
    """A complete text message."""

    data: str


@dataclass(slots=True)
class Binary:
    """A complete binary message."""

    data: bytes


@dataclass(slots=True)
class Ping:
    """A ping. The session has already put the pong into its output, unless it is closing."""

    data: bytes


@dataclass(slots=True)
class Pong:
    """A pong: the answer to one of our pings, or unsolicited (RFC 6455 §5.5.3)."""

    data: bytes


class CloseCause(Enum):
    """What ended a WebSocket."""

    PEER = "peer"
    """The peer started the closing handshake; `finish` answers it."""
    LOCAL = "local"
    """We started the closing handshake, and the peer has answered."""
    VIOLATION = "violation"
    """The peer violated the protocol; `finish` sends our close frame."""
    LOST = "lost"
    """The stream ended without a close frame."""


@dataclass(slots=True)
class Closed:
    """The last event of a WebSocket, returned exactly once: `finish`, flush the output, close TCP (RFC 6455 §7.1.1).

    `code` and `reason` are the peer's (1005 if it sent no code), those of the violation, or 1006 if the stream ended
    without a close frame.
    """

    code: int
    reason: str
    cause: CloseCause

    @property
    def clean(self) -> bool:
        """Whether both sides sent a close frame (RFC 6455 §7.1.4)."""
        return self.cause in (CloseCause.PEER, CloseCause.LOCAL)


@dataclass(slots=True)
class HttpFailure:
    """A malformed request. The response is in the output: flush it, then close TCP."""

    error: HttpError


Event = Request | Text | Binary | Ping | Pong | Closed | HttpFailure
