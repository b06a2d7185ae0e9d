"""Pure. Messages for many sessions: each variant of their encoding is created once, on first use."""

from __future__ import annotations

from protocol.deflate import Variant
from protocol.frames import Opcode, encode_binary, encode_text
from protocol.session import Session


class SharedMessage:
    """One message, or several in sequence, that many sessions send.

    Sessions that compress without context takeover share compressed frames, one encoding per `Variant`. All others
    share uncompressed frames. These are valid even with context takeover, as a frame without RSV1 does not touch the
    context (RFC 7692 §6).
    """

    __slots__ = ("_encoded", "_opcode", "_payloads", "_plain")

    def __init__(self, opcode: Opcode, payloads: tuple[bytes, ...]) -> None:
        self._opcode = opcode
        self._payloads = payloads
        self._plain: bytes | None = None
        self._encoded: dict[Variant, bytes] = {}

    @classmethod
    def text(cls, *payloads: bytes) -> SharedMessage:
        """Create one text message per payload; the payloads must be UTF-8, which is not checked."""
        return cls(Opcode.TEXT, payloads)

    @classmethod
    def binary(cls, *payloads: bytes) -> SharedMessage:
        """Create one binary message per payload."""
        return cls(Opcode.BINARY, payloads)

    @property
    def payloads(self) -> tuple[bytes, ...]:
        """The payload of each message."""
        return self._payloads

    @property
    def plain(self) -> bytes:
        """The uncompressed frames."""
        if self._plain is None:
            encode = encode_text if self._opcode is Opcode.TEXT else encode_binary
            self._plain = b"".join([encode(payload) for payload in self._payloads])
        return self._plain

    def for_session(self, session: Session) -> bytes:
        """Return the bytes for `session` to send, after its own pending output. Empty after its close frame."""
        return session.send_frames(self.encoded(session.variant))

    def encoded(self, variant: Variant | None) -> bytes:
        """Return the frames for all sessions with this `variant`."""
        if variant is None:
            return self.plain
        encoded = self._encoded.get(variant)
        if encoded is None:
            encoded = b"".join([variant.encode(self._opcode, payload) for payload in self._payloads])
            self._encoded[variant] = encoded
        return encoded
