"""Pure. Messages for many sessions at once: each variant of their bytes is encoded once, when first needed."""

from __future__ import annotations

from protocol.deflate import Variant
from protocol.frames import Opcode, encode_binary, encode_text
from protocol.session import Session


class SharedMessage:
    """One message, or several in a row, that many sessions send.

    Sessions whose compression remembers nothing share compressed frames, by what they agreed on. All others share
    uncompressed ones: those with context takeover too, since a frame without RSV1 is none of their context's business
    (RFC 7692 §6).
    """

    __slots__ = ("_encoded", "_opcode", "_payloads", "_plain")

    def __init__(self, opcode: Opcode, payloads: tuple[bytes, ...]) -> None:
        self._opcode = opcode
        self._payloads = payloads
        self._plain: bytes | None = None
        self._encoded: dict[Variant, bytes] = {}

    @classmethod
    def text(cls, *payloads: bytes) -> SharedMessage:
        """Make one text message of each payload; they are taken for UTF-8 without a look."""
        return cls(Opcode.TEXT, payloads)

    @classmethod
    def binary(cls, *payloads: bytes) -> SharedMessage:
        """Make one binary message of each payload."""
        return cls(Opcode.BINARY, payloads)

    @property
    def payloads(self) -> tuple[bytes, ...]:
        """The payload of each message."""
        return self._payloads

    @property
    def plain(self) -> bytes:
        """The frames as a session without compression sends them."""
        if self._plain is None:
            encode = encode_text if self._opcode is Opcode.TEXT else encode_binary
            self._plain = b"".join([encode(payload) for payload in self._payloads])
        return self._plain

    def for_session(self, session: Session) -> bytes:
        """Return the bytes for `session` to send, behind what it has to say itself. Empty after its close frame."""
        return session.send_frames(self.encoded(session.variant))

    def encoded(self, variant: Variant | None) -> bytes:
        """The frames for all sessions with this `variant`."""
        if variant is None:
            return self.plain
        encoded = self._encoded.get(variant)
        if encoded is None:
            encoded = b"".join([variant.encode(self._opcode, payload) for payload in self._payloads])
            self._encoded[variant] = encoded
        return encoded
