"""permessage-deflate (RFC 7692): negotiation, compression and inflation.

No clock, no randomness. With context takeover, `Deflater` and `Inflater` keep the window of DEFLATE from message to
message. A `Variant` compresses each message by itself and keeps nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from protocol.errors import CloseCode, ProtocolViolation
from protocol.frames import Opcode, encode_frame
from protocol.handshake import Extension

NAME = "permessage-deflate"
_TAIL = b"\x00\x00\xff\xff"  # the end of the output of Z_SYNC_FLUSH, omitted on the wire (RFC 7692 §7.2.1)
_LAST_BLOCK = b"\x03\x00"  # empty and final (RFC 1951 §3.2.3)
_STEP = 4_096  # input bytes per call of zlib, which copies the rest of its input at each final block and full piece
_PIECE = 65_536
MAX_FINAL_BLOCKS = 8
"""Maximum number of final blocks in one message.

Each costs a new zlib object, 5 us for 2 bytes. Clients that send final blocks at all send one per message.
"""
_MEM_LEVEL = 5  # 16 KiB of hash table instead of 128: 2 % larger output, a third of the setup time
_WITHOUT_VALUE = frozenset(("server_no_context_takeover", "client_no_context_takeover"))
_WINDOW_BITS = frozenset(("server_max_window_bits", "client_max_window_bits"))


@dataclass(frozen=True, slots=True)
class Compression:
    """The server's settings. Without context takeover a connection keeps no window between messages.

    Attributes:
        server_no_context_takeover, client_no_context_takeover: reset the window after each message sent, or received
        server_max_window_bits, client_max_window_bits: 8 to 15; a window of 2**bits bytes
        level: zlib's compression level, 1 to 9
        threshold: minimum size in bytes of a message that is compressed
    """

    server_no_context_takeover: bool = True
    client_no_context_takeover: bool = True
    server_max_window_bits: int = 12
    client_max_window_bits: int = 15
    level: int = 6
    threshold: int = 256


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreed parameters; `extension` is the server's answer in the handshake."""

    server_no_context_takeover: bool
    client_no_context_takeover: bool
    server_max_window_bits: int
    client_max_window_bits: int
    extension: Extension


def agree(offers: Iterable[Extension], wanted: Compression) -> Agreement | None:
    """Accept the first acceptable offer (RFC 7692 §5.1, §7.1); return None if there is none."""
    for offer in offers:
        agreement = _accept(offer, wanted) if offer.name == NAME else None
        if agreement is not None:
            return agreement
    return None


def _accept(offer: Extension, wanted: Compression) -> Agreement | None:
    params = dict(offer.params)
    if len(params) < len(offer.params) or not all(_is_valid(name, value) for name, value in offer.params):
        return None  # "a server MUST decline" an unknown, repeated or invalid parameter (RFC 7692 §7.1)
    server_bits = min(wanted.server_max_window_bits, _bits(params.get("server_max_window_bits")))
    # The server may limit the window of a client only if that offers it (RFC 7692 §7.1.2.2).
    may_limit = "client_max_window_bits" in params
    client_bits = _bits(params.get("client_max_window_bits"))
    if may_limit:
        client_bits = min(wanted.client_max_window_bits, client_bits)
    server_forgets = wanted.server_no_context_takeover or "server_no_context_takeover" in params
    client_forgets = wanted.client_no_context_takeover or "client_no_context_takeover" in params
    answer: list[tuple[str, str | None]] = []
    if server_forgets:
        answer.append(("server_no_context_takeover", None))
    if client_forgets:
        answer.append(("client_no_context_takeover", None))
    if server_bits < 15 or "server_max_window_bits" in params:
        answer.append(("server_max_window_bits", str(server_bits)))
    if may_limit:
        answer.append(("client_max_window_bits", str(client_bits)))
    extension = Extension(NAME, tuple(answer))
    return Agreement(server_forgets, client_forgets, server_bits, client_bits, extension)


def _bits(value: str | None) -> int:
    return 15 if value is None else int(value)


def _is_valid(name: str, value: str | None) -> bool:
    if name in _WITHOUT_VALUE:
        return value is None
    if name not in _WINDOW_BITS:
        return False
    if value is None:
        return name == "client_max_window_bits"
    return value in ("8", "9", "10", "11", "12", "13", "14", "15")


class Inflater:
    """Inflates the peer's messages in pieces, up to a maximum size.

    Between messages it keeps only the window, if context takeover was agreed, and no zlib object. A new one, with the
    window as its dictionary, is created when a message begins or continues after a final block.
    """

    __slots__ = ("_bits", "_final_blocks", "_forgets", "_history", "_inflate")

    def __init__(self, agreement: Agreement) -> None:
        self._bits = agreement.client_max_window_bits
        self._forgets = agreement.client_no_context_takeover
        self._history = bytearray()
        self._final_blocks = 0  # in this message
        self._inflate: zlib._Decompress | None = None

    def inflate(self, data: bytes, room: int) -> Iterator[bytes]:
        """Inflate a part of a message.

        Raises:
            ProtocolViolation: 1009 if the result exceeds `room` bytes, before all of it is inflated, or if the message
                has more than `MAX_FINAL_BLOCKS`; 1007 if it is not DEFLATE.
        """
        for start in range(0, len(data), _STEP):
            rest = data[start : start + _STEP]
            while rest:
                piece, rest = self._next_piece(rest)
                room -= len(piece)
                if room < 0:
                    text = "an inflated message is too long"
                    raise ProtocolViolation(CloseCode.MESSAGE_TOO_BIG, text, "RFC 6455 §10.4")
                if piece:
                    self._remember(piece)
                    yield piece

    def finish(self, room: int) -> Iterator[bytes]:
        """Inflate the rest at the end of a message, and keep or reset the window as agreed.

        The tail that the peer omitted ends a block, and so does the peer's own final block (RFC 7692 §7.2.3.4). An
        empty final block then ends the stream, unless the message was truncated.

        Raises:
            ProtocolViolation: as `inflate`; 1007 if the message is truncated.
        """
        self._final_blocks = 0
        if self._inflate is not None:
            yield from self.inflate(_TAIL, room)
        if self._inflate is not None:
            yield from self.inflate(_LAST_BLOCK, room)
        if self._inflate is not None:
            raise _not_deflate("it ends inside a block")
        self._final_blocks = 0
        if self._forgets:
            self._history.clear()
        else:
            self._trim()

    def _next_piece(self, data: bytes) -> tuple[bytes, bytes]:
        """Inflate one piece; return it and the rest of `data`."""
        inflate = self._inflate
        if inflate is None:
            inflate = self._inflate = zlib.decompressobj(-self._bits, zdict=self._window())
        try:
            piece = inflate.decompress(data, _PIECE)
        except zlib.error as error:
            raise _not_deflate(str(error)) from None
        if not inflate.eof:
            return piece, inflate.unconsumed_tail
        self._inflate = None
        self._final_blocks += 1
        if self._final_blocks > MAX_FINAL_BLOCKS:
            text = f"a message of more than {MAX_FINAL_BLOCKS} final blocks"
            raise ProtocolViolation(CloseCode.MESSAGE_TOO_BIG, text, "RFC 6455 §10.4")
        return piece, inflate.unused_data

    def _remember(self, piece: bytes) -> None:
        self._history += piece
        if len(self._history) > 2 << self._bits:  # amortised: not for each of many small pieces
            self._trim()

    def _trim(self) -> None:
        del self._history[: -(1 << self._bits)]

    def _window(self) -> bytes:
        return bytes(self._history[-(1 << self._bits) :])


def _not_deflate(reason: str) -> ProtocolViolation:
    text = f"a compressed message must be DEFLATE: {reason}"
    return ProtocolViolation(CloseCode.INVALID_PAYLOAD, text, "RFC 7692 §7.2.2")


class Variant(NamedTuple):
    """Parameters of compression without context takeover: the bytes are the same for all sessions that share them."""

    window_bits: int
    level: int
    threshold: int

    def encode(self, opcode: Opcode, payload: bytes) -> bytes:
        """Encode a message as one frame, compressed if that is shorter (RFC 7692 §6.1)."""
        return _encode(opcode, payload, self, b"")[0]


class Deflater:
    """Compresses messages with context takeover. It keeps at most one window of earlier messages."""

    __slots__ = ("_history", "_variant")

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._history = b""

    def encode(self, opcode: Opcode, payload: bytes) -> bytes:
        """Encode a message as one frame, compressed if that is shorter (RFC 7692 §6.1)."""
        frame, is_compressed = _encode(opcode, payload, self._variant, self._history)
        if is_compressed:
            self._history = (self._history + payload)[-(1 << self._variant.window_bits) :]
        return frame


def deflater(agreement: Agreement, wanted: Compression) -> Variant | Deflater:
    """Return the encoder for the server's messages."""
    variant = Variant(agreement.server_max_window_bits, wanted.level, wanted.threshold)
    return variant if agreement.server_no_context_takeover else Deflater(variant)


def _encode(opcode: Opcode, payload: bytes, variant: Variant, history: bytes) -> tuple[bytes, bool]:
    if len(payload) >= variant.threshold:
        compressed = _deflate(payload, variant, history)
        if len(compressed) < len(payload):
            return encode_frame(opcode, compressed, rsv1=True), True
    return encode_frame(opcode, payload), False


def _deflate(payload: bytes, variant: Variant, history: bytes) -> bytes:
    """Compress a message (RFC 7692 §7.2.1).

    zlib has no window of 256 bytes for raw DEFLATE, but one of 512 bytes serves as well: zlib looks back 262 bytes less
    than its window, so its distances stay below 251.
    """
    bits = max(variant.window_bits, 9)
    compressor = zlib.compressobj(variant.level, zlib.DEFLATED, -bits, _MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, history)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(_TAIL)]
