"""Pure. Bytes to HTTP/1.1 requests, as strict as RFC 9112 allows a server to be.

Each line is checked as soon as it is complete, so a mistake is answered at once however the bytes are split. Anything
that two parsers could interpret differently (a bare LF, a folded line, a space before the colon, two lengths, two
hosts) is refused: request smuggling exploits such differences.
"""

import re
from enum import Enum

from protocol.body import NOT_IN_FIELD_LINE, Body, ChunkedBody, SizedBody
from protocol.headers import Headers
from protocol.http import ABSOLUTE_FORM, TOKEN, HttpError, Request, is_authority
from protocol.limits import Limits
from protocol.line_buffer import LineBuffer

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that we recognise; the answer to any other is 501 (RFC 9110 §9.1)."""


class Interim(Enum):
    """Interim responses that the parser asks to send before it continues."""

    CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestParser:
    """Splits a byte stream into requests. It stops after each one; the following bytes wait for the next call."""

    __slots__ = (
        "_blank_line_seen",
        "_body",
        "_buffer",
        "_fields",
        "_head",
        "_header_bytes",
        "_limits",
        "_started",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = LineBuffer()
        self._reset()

    def _reset(self) -> None:
        self._blank_line_seen = False
        self._started: tuple[str, str, tuple[int, int]] | None = None
        self._fields: list[tuple[str, str]] = []
        self._header_bytes = 0
        self._head: Request | None = None
        self._body: Body = SizedBody(0)

    def feed(self, data: bytes) -> None:
        """Append bytes from the peer."""
        self._buffer.feed(data)

    def take_rest(self) -> bytes:
        """Remove and return the bytes after the last request, for another protocol."""
        return self._buffer.take(len(self._buffer))

    @property
    def has_begun(self) -> bool:
        """Whether part of a request has arrived."""
        return bool(self._buffer) or self._started is not None

    @property
    def method(self) -> str | None:
        """The method of the request in progress, once its first line has been read."""
        return self._started[0] if self._started else None

    def next(self) -> Request | Interim | None:
        """Return the next request, `Interim.CONTINUE` to send before its body, or None if more bytes are needed.

        Raises:
            HttpError: if the request is malformed; the rest of the stream cannot be parsed.
        """
        if self._head is None:
            head = self._next_head()
            if head is None:
                return None
            self._body = _body_of(head, self._limits)
            self._head = head
            if _expects_continue(head) and not self._body.is_empty:
                return Interim.CONTINUE
        body = self._body.read(self._buffer)
        if body is None:
            return None
        head = self._head
        self._reset()
        return Request(head.method, head.target, head.version, head.headers, body) if body else head

    def _next_head(self) -> Request | None:
        if self._started is None:
            line = self._buffer.take_line(self._limits.request_line, _NOT_IN_REQUEST_LINE, _LINE_TOO_LONG)
            if line == b"" and not self._blank_line_seen:
                # One empty line before a request is ignored (RFC 9112 §2.2).
                self._blank_line_seen = True
                line = self._buffer.take_line(self._limits.request_line, _NOT_IN_REQUEST_LINE, _LINE_TOO_LONG)
            if line is None:
                return None
            self._started = _parse_request_line(line)
        while True:
            room = self._limits.header_bytes - self._header_bytes
            line = self._buffer.take_line(room, NOT_IN_FIELD_LINE, _HEADERS_TOO_LONG)
            if line is None:
                return None
            if not line:
                break
            self._header_bytes += len(line) + 2
            if len(self._fields) == self._limits.header_count:
                raise HttpError(431, f"More than {self._limits.header_count} header fields (RFC 6585 §5)")
            self._fields.append(_parse_field_line(line))
        method, target, version = self._started
        request = Request(method, target, version, Headers(self._fields))
        _check_host(request)
        return request


_TOKEN = re.compile(TOKEN.encode())
_REQUEST_LINE = re.compile(rf"({TOKEN}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])".encode())
_NOT_IN_REQUEST_LINE = re.compile(rb"[^\x20-\x7e\r\n]")
_LINE_TOO_LONG = (414, "The request line is too long (RFC 9110 §15.5.15)")
_HEADERS_TOO_LONG = (431, "The header fields are too long (RFC 6585 §5)")


def _parse_request_line(line: bytes) -> tuple[str, str, tuple[int, int]]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HttpError(400, "A request line must be: method SP target SP HTTP/x.y (RFC 9112 §3)")
    method, target = match[1].decode(), match[2].decode()
    version = (int(match[3]), int(match[4]))
    if version[0] != 1:
        raise HttpError(505, f"HTTP/{version[0]}.{version[1]} is not supported, only HTTP/1.1 and HTTP/1.0")
    if method not in METHODS:
        raise HttpError(501, f"Unknown method {method[:32]} (RFC 9110 §9.1)")
    _check_target(method, target)
    return method, target, version


def _check_target(method: str, target: str) -> None:
    absolute = ABSOLUTE_FORM.fullmatch(target)
    known = target.startswith("/") or absolute or (target == "*" and method == "OPTIONS")
    if not known or "#" in target:
        raise HttpError(400, "A request target must be a path or an http URI (RFC 9112 §3.2)")
    if absolute and not is_authority(absolute[1]):
        raise HttpError(400, "The authority of the request target is malformed (RFC 9112 §3.2.2)")


def _parse_field_line(line: bytes) -> tuple[str, str]:
    if line[0] in b" \t":
        raise HttpError(400, "A header line must not be folded or indented (RFC 9112 §5.2)")
    name, colon, value = line.partition(b":")
    if not colon:
        raise HttpError(400, "A header line must have a colon (RFC 9112 §5)")
    if name.endswith((b" ", b"\t")):
        raise HttpError(400, "No whitespace is allowed before the colon of a header (RFC 9112 §5.1)")
    if not _TOKEN.fullmatch(name):
        raise HttpError(400, "A header's name must be a token (RFC 9110 §5.1)")
    return name.decode(), value.strip(b" \t").decode("latin-1")


def _check_host(request: Request) -> None:
    hosts = request.headers.get_all("host")
    if len(hosts) > 1 or (not hosts and request.version >= (1, 1)):
        raise HttpError(400, f"A request must have exactly one Host, got {len(hosts)} (RFC 9112 §3.2)")
    if hosts and not is_authority(hosts[0]):
        raise HttpError(400, "Host must be a name or an address with an optional port (RFC 9110 §7.2)")


def _body_of(request: Request, limits: Limits) -> Body:
    """Determine the framing of the body from the head (RFC 9112 §6)."""
    lengths = request.headers.get_all("content-length")
    if "transfer-encoding" in request.headers:
        _check_transfer_encoding(request, with_length=bool(lengths))
        return ChunkedBody(limits)
    if not lengths:
        return SizedBody(0)
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        raise HttpError(400, "Content-Length must be one decimal number (RFC 9112 §6.3)")
    digits = lengths[0].lstrip("0")
    # Compared by length first: int() refuses thousands of digits.
    if len(digits) > len(str(limits.body)) or int(digits or "0") > limits.body:
        raise HttpError(413, f"The body is larger than the {limits.body} bytes allowed here (RFC 9110 §15.5.14)")
    return SizedBody(int(digits or "0"))


def _check_transfer_encoding(request: Request, *, with_length: bool) -> None:
    """Refuse any Transfer-Encoding except chunked alone (RFC 9112 §6.1)."""
    codings = [coding.lower() for coding in request.headers.tokens("transfer-encoding")]
    if with_length:
        raise HttpError(400, "Content-Length and Transfer-Encoding exclude each other (RFC 9112 §6.3)")
    if request.version < (1, 1):
        raise HttpError(400, "HTTP/1.0 has no Transfer-Encoding (RFC 9112 §6.1)")
    if any(coding != "chunked" for coding in codings):
        raise HttpError(501, "Unknown transfer coding (RFC 9112 §6.1)")
    if len(codings) != 1:
        raise HttpError(400, "Transfer-Encoding must name chunked exactly once (RFC 9112 §6.1)")


def _expects_continue(request: Request) -> bool:
    expectations = [expectation.lower() for expectation in request.headers.tokens("expect")]
    if not expectations or request.version < (1, 1):
        return False
    if expectations != ["100-continue"]:
        raise HttpError(417, "The only supported expectation is 100-continue (RFC 9110 §10.1.1)")
    return True
