"""Pure. Frames to bytes and back (RFC 6455 §5).

A server parses only masked frames, those of a client. `masked=False` parses a server's frames, for tests and load
generators.
"""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from protocol.errors import CloseCode, ProtocolViolation, is_sendable
from protocol.masking import apply_mask

MAX_CONTROL_PAYLOAD = 125
FIRST_CONTROL = 0x8
"""The lowest opcode of a control frame: the most significant bit is set (RFC 6455 §5.5)."""


class Opcode(IntEnum):
    """The opcodes (RFC 6455 §5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class Frame(NamedTuple):
    """One complete frame, unmasked. `rsv` holds RSV1, RSV2 and RSV3 as the bits 4, 2 and 1."""

    fin: bool
    opcode: Opcode
    payload: bytes
    rsv: int = 0


class FrameHeader(NamedTuple):
    """The header of a frame. `size` is the length of the header itself, `length` that of the payload."""

    fin: bool
    rsv: int
    opcode: Opcode
    length: int
    key: bytes
    size: int


class Close(NamedTuple):
    """The content of a close frame; without a code it is 1005 (RFC 6455 §7.1.5)."""

    code: int
    reason: str


# -- parsing -------------------------------------------------------------------------------------------------------


def parse_header(data: bytes | bytearray, offset: int = 0, *, masked: bool = True) -> FrameHeader | None:
    """Parse the header at `offset`; return None if more bytes are needed.

    Reserved bits are returned unchecked: their meaning depends on the agreed extensions.

    Raises:
        ProtocolViolation: 1002 if the header is invalid.
    """
    available = len(data) - offset
    if available < 2:
        return None
    first, second = data[offset], data[offset + 1]
    fin, rsv, opcode = first > 0x7F, first >> 4 & 7, _OPCODES.get(first & 0x0F)
    if opcode is None:
        raise _violation(f"opcode {first & 0x0F:#x} is reserved", "5.2")
    if masked != (second > 0x7F):
        raise _violation("a client must mask its frames" if masked else "a server must not mask its frames", "5.1")
    length, size = second & 0x7F, 2
    if opcode >= FIRST_CONTROL:
        _check_control(fin, length)
    if length > 125:
        width = 2 if length == 126 else 8
        size += width
        if available < size:
            return None
        length = int.from_bytes(data[offset + 2 : offset + size])
        _check_length(length, width)
    if not masked:
        return FrameHeader(fin, rsv, opcode, length, b"", size)
    size += 4
    if available < size:
        return None
    return FrameHeader(fin, rsv, opcode, length, bytes(data[offset + size - 4 : offset + size]), size)


def parse_frame(data: bytes | bytearray, offset: int = 0, *, masked: bool = True) -> tuple[Frame, int] | None:
    """Parse the frame at `offset`; return it and the offset of its end, or None if more bytes are needed."""
    header = parse_header(data, offset, masked=masked)
    if header is None:
        return None
    start = offset + header.size
    end = start + header.length
    if len(data) < end:
        return None
    payload = bytes(data[start:end])
    if masked:
        payload = apply_mask(payload, header.key)
    return Frame(header.fin, header.opcode, payload, header.rsv), end


def parse_close(payload: bytes) -> Close:
    """Parse the payload of a close frame (RFC 6455 §5.5.1).

    Raises:
        ProtocolViolation: 1002 if it has half a code or a code that must not be sent, 1007 if the reason is not UTF-8.
    """
    if not payload:
        return Close(CloseCode.NO_STATUS, "")
    if len(payload) == 1:
        raise _violation("a close payload must be empty or begin with a 2-byte code", "5.5.1")
    code = int.from_bytes(payload[:2])
    if not is_sendable(code):
        raise _violation(f"close code {code} must not be sent", "7.4")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        text = "a close reason must be UTF-8"
        raise ProtocolViolation(CloseCode.INVALID_PAYLOAD, text, "RFC 6455 §5.5.1") from None


# -- encoding ------------------------------------------------------------------------------------------------------


def encode_frame(
    opcode: Opcode, payload: bytes, *, fin: bool = True, rsv1: bool = False, mask: bytes | None = None
) -> bytes:
    """Encode one frame; `mask` is a client's 4-byte key.

    Raises:
        ValueError: if it is a control frame that RFC 6455 §5.5 forbids.
    """
    length = len(payload)
    if opcode >= FIRST_CONTROL and not (fin and length <= MAX_CONTROL_PAYLOAD):
        raise ValueError(f"a control frame has at most {MAX_CONTROL_PAYLOAD} bytes and is not fragmented")
    header = _encode_header(fin << 7 | rsv1 << 6 | opcode, length, masked=mask is not None)
    if mask is None:
        return header + payload
    return b"".join((header, mask, apply_mask(payload, mask)))


def encode_text(data: str | bytes) -> bytes:
    """Encode a text message as one unmasked frame. Bytes must be UTF-8, which is not checked."""
    payload = data.encode() if isinstance(data, str) else data
    length = len(payload)
    if length < 126:
        return _TEXT_HEADERS[length] + payload
    return _encode_header(0x81, length) + payload


def encode_binary(data: bytes) -> bytes:
    """Encode a binary message as one unmasked frame."""
    length = len(data)
    if length < 126:
        return _BINARY_HEADERS[length] + data
    return _encode_header(0x82, length) + data


def encode_close(code: int | None = CloseCode.NORMAL, reason: str = "") -> bytes:
    """Encode a close frame; None sends no code. A reason that is too long is cut between two characters.

    Raises:
        ValueError: if `code` must not be sent (RFC 6455 §7.4).
    """
    if code is None:
        return encode_frame(Opcode.CLOSE, b"")
    if not is_sendable(code):
        raise ValueError(f"close code {code} must not be sent (RFC 6455 §7.4)")
    text = reason.encode()[: MAX_CONTROL_PAYLOAD - 2].decode(errors="ignore")
    return encode_frame(Opcode.CLOSE, code.to_bytes(2) + text.encode())


def _encode_header(first: int, length: int, *, masked: bool = False) -> bytes:
    mask_bit = masked << 7
    if length < 126:
        return bytes((first, mask_bit | length))
    if length < 0x10000:
        return _HEADER_16.pack(first, mask_bit | 126, length)
    return _HEADER_64.pack(first, mask_bit | 127, length)


_HEADER_16 = Struct("!BBH")
_HEADER_64 = Struct("!BBQ")
_OPCODES = {opcode.value: opcode for opcode in Opcode}
_TEXT_HEADERS = tuple(_encode_header(0x81, length) for length in range(126))
_BINARY_HEADERS = tuple(_encode_header(0x82, length) for length in range(126))


def _check_control(fin: bool, length: int) -> None:
    if not fin:
        raise _violation("a control frame must not be fragmented", "5.5")
    if length > MAX_CONTROL_PAYLOAD:
        raise _violation("a control frame has at most 125 bytes", "5.5")


def _check_length(length: int, width: int) -> None:
    if length >> 63:
        raise _violation("the most significant bit of a 64-bit length must be 0", "5.2")
    if length < (126 if width == 2 else 0x10000):
        raise _violation("a length must use the fewest bytes", "5.2")


def _violation(reason: str, section: str) -> ProtocolViolation:
    return ProtocolViolation(CloseCode.PROTOCOL_ERROR, reason, f"RFC 6455 §{section}")
