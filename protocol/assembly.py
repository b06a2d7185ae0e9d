"""Pure. Reassembly and fragmentation of messages (RFC 6455 §5.4).

A message grows in one bytearray as its bytes arrive, however they are split, so it takes linear time, and memory of its
own size. Text is validated incrementally: it fails as soon as the bytes prove that it is not UTF-8.
"""

import codecs
from collections.abc import Iterator

from protocol.deflate import Inflater
from protocol.errors import CloseCode, ProtocolViolation
from protocol.events import Binary, Text
from protocol.frames import FrameHeader, Opcode, encode_frame
from protocol.limits import Limits

RSV1 = 4
_utf8_decoder = codecs.getincrementaldecoder("utf-8")


class Assembler:
    """Reassembles the data frames of one connection into messages. Between messages it holds nothing."""

    __slots__ = ("_compressed", "_data", "_decoder", "_fragments", "_inflater", "_limits", "_opcode", "_wire_size")

    def __init__(self, limits: Limits, inflater: Inflater | None = None) -> None:
        self._limits = limits
        self._inflater = inflater
        self._reset()

    def _reset(self) -> None:
        self._opcode: Opcode | None = None
        self._data = _NOTHING
        self._decoder: codecs.IncrementalDecoder | None = None
        self._compressed = False
        self._fragments = 0
        self._wire_size = 0

    @property
    def active(self) -> bool:
        """Whether a message is in progress."""
        return self._opcode is not None

    def begin(self, header: FrameHeader) -> None:
        """Begin a data frame, before its payload arrives.

        Raises:
            ProtocolViolation: 1002 if the frame is out of order, 1009 if the message is too long.
        """
        if header.opcode is not Opcode.CONTINUATION:
            self._begin_message(header)
        elif self._opcode is None:
            raise _out_of_order("a continuation without a message to continue")
        self._fragments += 1
        self._wire_size += header.length
        if self._fragments > self._limits.fragments:
            raise _too_big(f"more than {self._limits.fragments} fragments")
        # Compression may expand a message: to at most 9 bits per byte in the fixed code (RFC 1951 §3.2.6).
        spare = (self._limits.message >> 3) + 64 if self._compressed else 0
        if self._wire_size > self._limits.message + spare:
            raise _too_big(f"a message of more than {self._limits.message} bytes")

    def append(self, piece: bytes) -> None:
        """Append the next piece of the payload, unmasked.

        Raises:
            ProtocolViolation: 1007 if it is not UTF-8 or DEFLATE, 1009 if the inflated message is too long.
        """
        if self._compressed and self._inflater is not None:
            self._take_all(self._inflater.inflate(piece, self._limits.message - len(self._data)))
        else:
            self._take(piece)

    def end(self, *, fin: bool) -> Text | Binary | None:
        """End a frame; return the message if the frame was its last."""
        if not fin:
            return None
        if self._compressed and self._inflater is not None:
            self._take_all(self._inflater.finish(self._limits.message - len(self._data)))
        if self._decoder is not None:
            self._check_utf8(b"", final=True)
            message: Text | Binary = Text(self._data.decode())
        else:
            message = Binary(bytes(self._data))
        self._reset()
        return message

    def _begin_message(self, header: FrameHeader) -> None:
        if self._opcode is not None:
            raise _out_of_order("a new message before the fragmented one has ended")
        self._opcode = header.opcode
        self._data = bytearray()
        self._compressed = header.rsv == RSV1
        if header.opcode is Opcode.TEXT:
            self._decoder = _utf8_decoder()

    def _take_all(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        if self._decoder is not None:
            self._check_utf8(piece)
        self._data += piece

    def _check_utf8(self, piece: bytes, *, final: bool = False) -> None:
        assert self._decoder is not None
        try:
            self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            raise _not_utf8() from None
        # CPython waits for the third byte of a surrogate (ED A0..BF), although no byte can make it valid.
        if b"\xed\xa0" <= self._decoder.getstate()[0] < b"\xee":
            raise _not_utf8()


def fragment(opcode: Opcode, payload: bytes, size: int) -> Iterator[bytes]:
    """Encode a message as unmasked frames of at most `size` payload bytes each."""
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    last = max(0, (len(payload) - 1) // size * size)
    for start in range(0, last + 1, size):
        part = payload[start : start + size]
        yield encode_frame(opcode if start == 0 else Opcode.CONTINUATION, part, fin=start == last)


_NOTHING = bytearray()


def _not_utf8() -> ProtocolViolation:
    return ProtocolViolation(CloseCode.INVALID_PAYLOAD, "a text message must be UTF-8", "RFC 6455 §8.1")


def _out_of_order(reason: str) -> ProtocolViolation:
    return ProtocolViolation(CloseCode.PROTOCOL_ERROR, reason, "RFC 6455 §5.4")


def _too_big(reason: str) -> ProtocolViolation:
    return ProtocolViolation(CloseCode.MESSAGE_TOO_BIG, reason, "RFC 6455 §10.4")
