"""Pure. Bytes to HTTP/1.1 requests, as strict as RFC 9112 allows a server to be.

Every line is judged as soon as it is complete, so a mistake is answered at once however the bytes are cut. Whatever
two readers of the same bytes could understand differently (a bare LF, a folded line, a space before the colon, two
lengths, two hosts) is refused: request smuggling lives on that difference.
"""

import re
from enum import Enum

from protocol.headers import Headers
from protocol.http import ABSOLUTE_FORM, TOKEN, HttpError, Request, is_authority
from protocol.limits import Limits

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What we recognise; any other method is 501 (RFC 9110 §9.1)."""


class Interim(Enum):
    """What the parser wants sent before it goes on."""

    CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestParser:
    """Cuts a byte stream into requests. It stops after each: the bytes behind it wait for the next call."""

    __slots__ = (
        "_blank_line_seen",
        "_body_length",
        "_buffer",
        "_fields",
        "_head",
        "_header_bytes",
        "_limits",
        "_scanned",
        "_started",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer known to hold no LF, so that a trickle is not searched twice
        self._reset()

    def _reset(self) -> None:
        self._blank_line_seen = False
        self._started: tuple[str, str, tuple[int, int]] | None = None
        self._fields: list[tuple[str, str]] = []
        self._header_bytes = 0
        self._head: Request | None = None
        self._body_length = 0

    def feed(self, data: bytes) -> None:
        """Append what the peer sent."""
        self._buffer += data

    def take_rest(self) -> bytes:
        """Hand over the bytes behind the last request, for another protocol to read."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        return rest

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is there."""
        return bool(self._buffer) or self._started is not None

    @property
    def method(self) -> str | None:
        """The method of the request in progress, once its first line has been read."""
        return self._started[0] if self._started else None

    def next(self) -> Request | Interim | None:
        """Return the next request, `Interim.CONTINUE` to be sent before its body, or None: not enough bytes yet.

        Raise HttpError for a malformed one; the stream cannot be understood beyond it.
        """
        if self._head is None:
            head = self._next_head()
            if head is None:
                return None
            self._body_length = _body_length(head, self._limits.body)
            self._head = head
            if _expects_continue(head) and self._body_length:
                return Interim.CONTINUE
        if len(self._buffer) < self._body_length:
            return None
        return self._finish(self._head)

    def _finish(self, head: Request) -> Request:
        body = bytes(self._buffer[: self._body_length])
        del self._buffer[: self._body_length]
        self._reset()
        return Request(head.method, head.target, head.version, head.headers, body) if body else head

    def _next_head(self) -> Request | None:
        if self._started is None:
            line = self._next_line(self._limits.request_line, _NOT_IN_REQUEST_LINE, _LINE_TOO_LONG)
            if line == b"" and not self._blank_line_seen:
                # One empty line before a request is ignored (RFC 9112 §2.2).
                self._blank_line_seen = True
                line = self._next_line(self._limits.request_line, _NOT_IN_REQUEST_LINE, _LINE_TOO_LONG)
            if line is None:
                return None
            self._started = _parse_request_line(line)
        while True:
            room = self._limits.header_bytes - self._header_bytes
            line = self._next_line(room, _NOT_IN_FIELD_LINE, _HEADERS_TOO_LONG)
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

    def _next_line(self, limit: int, forbidden: re.Pattern[bytes], too_long: tuple[int, str]) -> bytes | None:
        """Take one line off the buffer, without its CRLF. Its bytes are judged before its end has come."""
        end = self._buffer.find(b"\n", self._scanned)
        length = (end if end >= 0 else len(self._buffer)) - 1
        if forbidden.search(self._buffer, self._scanned, min(length, limit) + 2):  # TLS, for one, has no lines
            raise HttpError(400, "A line must be text without control characters (RFC 9112 §3, RFC 9110 §5.5)")
        if length > limit:
            raise HttpError(*too_long)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        if line.find(b"\r") != len(line) - 1 or not line:
            raise HttpError(400, "A line must end in CRLF and hold no other CR or LF (RFC 9112 §2.2)")
        return line[:-1]


_TOKEN = re.compile(TOKEN.encode())
_REQUEST_LINE = re.compile(rf"({TOKEN}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])".encode())
_NOT_IN_REQUEST_LINE = re.compile(rb"[^\x20-\x7e\r\n]")
_NOT_IN_FIELD_LINE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_TOO_LONG = (414, "The request line is too long (RFC 9110 §15.5.15)")
_HEADERS_TOO_LONG = (431, "The header fields are too long (RFC 6585 §5)")


def _parse_request_line(line: bytes) -> tuple[str, str, tuple[int, int]]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HttpError(400, "A request line must be: method SP target SP HTTP/x.y (RFC 9112 §3)")
    method, target = match[1].decode(), match[2].decode()
    version = (int(match[3]), int(match[4]))
    if version[0] != 1:
        raise HttpError(505, f"HTTP/{version[0]}.{version[1]} is not spoken here, only HTTP/1.1 and HTTP/1.0")
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


def _body_length(request: Request, limit: int) -> int:
    """Judge the framing of the body from the head (RFC 9112 §6)."""
    lengths = request.headers.get_all("content-length")
    if "transfer-encoding" in request.headers:
        raise _transfer_encoding_error(request, with_length=bool(lengths))
    if not lengths:
        return 0
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        raise HttpError(400, "Content-Length must be one decimal number (RFC 9112 §6.3)")
    digits = lengths[0].lstrip("0")
    # Compared by length first: int() refuses thousands of digits.
    if len(digits) > len(str(limit)) or int(digits or "0") > limit:
        raise HttpError(413, f"The body is larger than the {limit} bytes allowed here (RFC 9110 §15.5.14)")
    return int(digits or "0")


def _transfer_encoding_error(request: Request, *, with_length: bool) -> HttpError:
    """Say why a Transfer-Encoding is refused; every one is, because no route here takes a body of unknown length."""
    codings = [coding.lower() for coding in request.headers.tokens("transfer-encoding")]
    if with_length:
        return HttpError(400, "Content-Length and Transfer-Encoding exclude each other (RFC 9112 §6.3)")
    if request.version < (1, 1):
        return HttpError(400, "HTTP/1.0 has no Transfer-Encoding (RFC 9112 §6.1)")
    if any(coding != "chunked" for coding in codings):
        return HttpError(501, "Unknown transfer coding (RFC 9112 §6.1)")
    if len(codings) != 1:
        return HttpError(400, "Transfer-Encoding must name chunked exactly once (RFC 9112 §6.1)")
    return HttpError(411, "A body is taken only with a Content-Length (RFC 9112 §6.3)")


def _expects_continue(request: Request) -> bool:
    expectations = [expectation.lower() for expectation in request.headers.tokens("expect")]
    if not expectations or request.version < (1, 1):
        return False
    if expectations != ["100-continue"]:
        raise HttpError(417, "The only expectation that can be met is 100-continue (RFC 9110 §10.1.1)")
    return True
