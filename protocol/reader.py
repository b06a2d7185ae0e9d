"""Pure. Parses the bytes of an open WebSocket into messages and control frames.

`read_small_messages` is the fast path: it reads complete, short, unfragmented messages in a tight loop. It checks no
rules: it stops at the first frame of any other kind, which `FrameReader`, with all the rules, then reads. Both return
the same events for the same bytes (tests/protocol/test_properties.py).
"""

from protocol.assembly import RSV1, Assembler
from protocol.deflate import Inflater
from protocol.errors import CloseCode, ProtocolViolation
from protocol.events import Binary, Event, Ping, Pong, Text
from protocol.frames import FIRST_CONTROL, Close, FrameHeader, Opcode, parse_close, parse_header
from protocol.limits import Limits
from protocol.masking import NUMPY_FROM, apply_mask, rotate_key

MAX_HEADER_SIZE = 14
_FIN_TEXT = 0x81
_FIN_BINARY = 0x82


def read_small_messages(data: bytes, position: int, limit: int, events: list[Event]) -> int:
    """Append the messages from `position` on to `events`; return the offset of the first frame that is not simple.

    A simple frame is complete in `data`, text or binary, masked and has FIN set, no reserved bit, a 7- or 16-bit length
    of at most `limit`, and valid UTF-8 if it is text. The unmasking of short payloads is inlined because a call costs
    as much as the XOR.
    """
    available = len(data)
    from_bytes = int.from_bytes
    while position + 6 <= available:
        first = data[position]
        if first != _FIN_TEXT and first != _FIN_BINARY:
            break
        length = data[position + 1] - 128
        start = position + 6
        if length == 126:
            length = data[position + 2] << 8 | data[position + 3]
            start = position + 8
            if length < 126:
                break
        elif not 0 <= length < 126:
            break
        end = start + length
        if end > available or length > limit:
            break
        key = data[start - 4 : start]
        if length < NUMPY_FROM:
            repeated = (key * (length // 4 + 1))[:length]
            payload = (from_bytes(data[start:end]) ^ from_bytes(repeated)).to_bytes(length)
        else:
            payload = apply_mask(data[start:end], key)
        if first == _FIN_BINARY:
            events.append(Binary(payload))
        else:
            try:
                events.append(Text(payload.decode()))
            except UnicodeDecodeError:
                break
        position = end
    return position


class FrameReader:
    """The general path: reads any bytes, however split, one frame or less per call."""

    __slots__ = ("_assembler", "_control", "_extended", "_head", "_header", "_received", "frames", "idle")

    def __init__(self, limits: Limits, inflater: Inflater | None = None) -> None:
        self._assembler = Assembler(limits, inflater)
        self._extended = inflater is not None
        self._head = b""  # the bytes of an incomplete header
        self._header: FrameHeader | None = None
        self._received = 0  # payload bytes of the current frame
        self._control = b""
        self.frames = 0  # frames read so far, without those of the fast path
        self.idle = True  # the next byte begins a new frame of a new message

    def read(self, data: bytes, position: int) -> tuple[int, Text | Binary | Ping | Pong | Close | None]:
        """Read from `position` to the end of a frame or of `data`; return that offset, and what is complete there.

        Raises:
            ProtocolViolation: as soon as the bytes prove a violation; the rest cannot be read.
        """
        self.idle = False
        header = self._header
        if header is None:
            header, position = self._read_header(data, position)
            if header is None:
                return position, None
        end = min(position + header.length - self._received, len(data))
        if end > position:
            self._read_payload(header, data[position:end])
        if self._received < header.length:
            return end, None
        self._header = None
        item = self._finish(header)
        self.idle = not self._assembler.active
        return end, item

    def _read_header(self, data: bytes, position: int) -> tuple[FrameHeader | None, int]:
        known = len(self._head)
        head = self._head + data[position : position + MAX_HEADER_SIZE - known]
        self._check_reserved_bits(head[0])
        header = parse_header(head)
        if header is None:
            self._head = head
            return None, len(data)
        if header.opcode < FIRST_CONTROL:
            self._assembler.begin(header)
        self._head = b""
        self.frames += 1
        self._header = header
        self._received = 0
        return header, position + header.size - known

    def _check_reserved_bits(self, first: int) -> None:
        """Refuse reserved bits, except RSV1 on the first frame of a message if an extension defines it."""
        rsv, opcode = first >> 4 & 7, first & 0x0F
        if rsv and not (rsv == RSV1 and self._extended and opcode in (Opcode.TEXT, Opcode.BINARY)):
            text = "a reserved bit is set without an extension that defines it"
            raise ProtocolViolation(CloseCode.PROTOCOL_ERROR, text, "RFC 6455 §5.2")

    def _read_payload(self, header: FrameHeader, masked: bytes) -> None:
        piece = apply_mask(masked, rotate_key(header.key, self._received))
        self._received += len(piece)
        if header.opcode < FIRST_CONTROL:
            self._assembler.append(piece)
        else:
            self._control += piece

    def _finish(self, header: FrameHeader) -> Text | Binary | Ping | Pong | Close | None:
        if header.opcode < FIRST_CONTROL:
            return self._assembler.end(fin=header.fin)
        payload, self._control = self._control, b""
        if header.opcode is Opcode.PING:
            return Ping(payload)
        if header.opcode is Opcode.PONG:
            return Pong(payload)
        return parse_close(payload)
