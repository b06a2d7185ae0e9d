"""Pure. The body of a request, framed by its length or in chunks (RFC 9112 §6, §7.1)."""

import re
from enum import Enum, auto
from typing import Protocol

from protocol.http import HttpError
from protocol.limits import Limits
from protocol.line_buffer import LineBuffer

NOT_IN_FIELD_LINE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_FIELD_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


class Body(Protocol):
    """A body that is being received."""

    def read(self, buffer: LineBuffer) -> bytes | None:
        """Consume the received part; return the whole body once it is complete, or None until then.

        Raises:
            HttpError: if the body is malformed.
        """

    @property
    def is_empty(self) -> bool:
        """Whether the body is known to be empty."""


class SizedBody:
    """A body with a Content-Length, or a missing body."""

    __slots__ = ("_size",)

    def __init__(self, size: int) -> None:
        self._size = size

    def read(self, buffer: LineBuffer) -> bytes | None:
        """Consume the body once it is complete."""
        return buffer.take(self._size) if len(buffer) >= self._size else None

    @property
    def is_empty(self) -> bool:
        """Whether the length is 0."""
        return self._size == 0


class _Part(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()


class ChunkedBody:
    """A body in chunks. Extensions and trailers are checked and dropped (RFC 9112 §7.1.1, RFC 9110 §6.5.1)."""

    __slots__ = ("_data", "_limit", "_part", "_rest", "_room")

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.body
        self._room = limits.header_bytes  # left for all lines that are not data
        self._data = bytearray()
        self._part = _Part.SIZE
        self._rest = 0  # bytes of the chunk that have not arrived

    @property
    def is_empty(self) -> bool:
        """False: unknown before the last chunk."""
        return False

    def read(self, buffer: LineBuffer) -> bytes | None:
        """Consume the chunks that have arrived."""
        while True:
            match self._part:
                case _Part.DATA:
                    piece = buffer.take(self._rest)
                    self._data += piece
                    self._rest -= len(piece)
                    if self._rest:
                        return None
                    self._part = _Part.DATA_END
                case _Part.DATA_END:
                    line = buffer.take_line(0, _NOTHING, _NO_END)
                    if line is None:
                        return None
                    self._part = _Part.SIZE
                case _Part.SIZE:
                    line = self._take_line(buffer)
                    if line is None:
                        return None
                    self._begin_chunk(line)
                case _Part.TRAILER:
                    line = self._take_line(buffer)
                    if line is None:
                        return None
                    if not line:
                        return bytes(self._data)
                    if not _FIELD_LINE.fullmatch(line):
                        raise HttpError(400, "A trailer must consist of field lines (RFC 9112 §7.1.2)")

    def _begin_chunk(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise HttpError(400, "A chunk must begin with its size in hex digits (RFC 9112 §7.1)")
        self._rest = int(match[1], 16)
        if len(self._data) + self._rest > self._limit:
            raise HttpError(413, f"The body is larger than the {self._limit} bytes allowed here (RFC 9110 §15.5.14)")
        self._part = _Part.DATA if self._rest else _Part.TRAILER

    def _take_line(self, buffer: LineBuffer) -> bytes | None:
        line = buffer.take_line(self._room, NOT_IN_FIELD_LINE, _TOO_LONG)
        if line is not None:
            self._room = max(0, self._room - len(line) - 2)
        return line


_NOTHING = re.compile(rb"[^\r\n]")
_NO_END = (400, "The data of a chunk must end in CRLF (RFC 9112 §7.1)")
_TOO_LONG = (431, "The sizes and trailers of a chunked body are too long (RFC 6585 §5)")
