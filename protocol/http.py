"""Pure. HTTP/1.1 requests, responses and errors as values, and the encoding of responses (RFC 9110)."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Literal
from urllib.parse import unquote_to_bytes

from protocol.headers import Headers

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
"""A token as a pattern (RFC 9110 §5.6.2)."""
ABSOLUTE_FORM = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://([^/?]+)(.*)")
"""A request target in absolute form: its authority, and the rest (RFC 9112 §3.2.2)."""


class HttpError(Exception):
    """A request must be answered with `status`; `message` names the violated rule."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(status, message, headers)
        self.status = status
        self.message = message
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.status} {self.message}"

    @property
    def response(self) -> "Response":
        """The response to send, with the message as plain text."""
        headers = (*self.headers, ("Content-Type", "text/plain; charset=utf-8"))
        return Response(self.status, headers, f"{self.message}\n".encode())


@dataclass(frozen=True, slots=True)
class Request:
    """One complete request.

    The parser leaves the last four fields at their defaults; the server sets them: the client's address, whether it
    uses TLS (with the server or a trusted proxy), whether a trusted proxy sent the request, and the number of the
    connection.
    """

    method: str
    target: str
    version: tuple[int, int]
    headers: Headers
    body: bytes = b""
    remote: str = ""
    is_secure: bool = False
    is_proxied: bool = False
    connection: int = 0

    @property
    def path(self) -> str:
        """The path of the target, percent-encoded; `decode_path` turns it into a safe file path."""
        return self._origin_form.partition("?")[0]

    @property
    def query(self) -> str:
        """The query of the target, percent-encoded, without the question mark."""
        return self._origin_form.partition("?")[2]

    def below(self, base: str) -> "Request | None":
        """Return this request with its target relative to the path `base`, such as `/canvas`; None if outside of it."""
        origin = self._origin_form
        if not origin.startswith(base + "/"):
            return None
        return replace(self, target=self.target.removesuffix(origin) + origin[len(base) :])

    @property
    def host(self) -> str:
        """The requested authority: that of an absolute target takes precedence over Host (RFC 9112 §3.2.2)."""
        absolute = ABSOLUTE_FORM.fullmatch(self.target)
        return absolute[1] if absolute else self.headers.get("host") or ""

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to keep the connection after the response (RFC 9112 §9.3)."""
        options = {option.lower() for option in self.headers.tokens("connection")}
        return "close" not in options and (self.version >= (1, 1) or "keep-alive" in options)

    @property
    def _origin_form(self) -> str:
        absolute = ABSOLUTE_FORM.fullmatch(self.target)
        if absolute is None:
            return self.target
        return absolute[2] if absolute[2].startswith("/") else "/" + absolute[2]


@dataclass(frozen=True, slots=True)
class Response:
    """One response. The encoder adds Content-Length and Date."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def encode_response(
    response: Response,
    *,
    head_only: bool = False,
    date: str | None = None,
    connection: Literal["close", "keep-alive"] | None = None,
) -> bytes:
    """Encode a response.

    1xx, 204 and 304 have neither a body nor its length (RFC 9110 §8.6).

    Args:
        response: the response
        head_only: answer HEAD: send the length of the body, but not the body (RFC 9110 §9.3.2)
        date: value of the Date header, if any
        connection: value of the Connection header, if any

    Raises:
        ValueError: if a 1xx, 204 or 304 response has a body, the status is not in 100 to 599, or a header is malformed
            or one that the encoder writes.
        TypeError: if a part has the wrong type.
    """
    _check_types(response)
    status, bodiless = response.status, response.status < 200 or response.status in (204, 304)
    if bodiless and response.body:
        raise ValueError(f"a {status} response has no body")
    fields = list(response.headers)
    if any(name.lower() in _ENCODERS_OWN for name, _ in fields):
        raise ValueError(f"the encoder adds {', '.join(sorted(_ENCODERS_OWN))} itself: {fields!r}")
    if not bodiless:
        fields.append(("Content-Length", str(len(response.body))))
    if connection is not None:
        fields.append(("Connection", connection))
    if date is not None:
        fields.append(("Date", date))
    head = "".join(_field_line(name, value) for name, value in fields)
    body = b"" if head_only else response.body
    return f"HTTP/1.1 {status} {_phrase(status)}\r\n{head}\r\n".encode("latin-1") + body


def format_date(timestamp: float) -> str:
    """Format seconds since 1970 for a Date header (RFC 9110 §5.6.7), independently of the locale."""
    at = datetime.fromtimestamp(timestamp, UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02} {month} {at.year} {at.hour:02}:{at.minute:02}:{at.second:02} GMT"


def decode_path(path: str) -> str:
    """Decode a path so that it is safe to join to a folder.

    Raises:
        HttpError: 400 for a broken escape, for invalid UTF-8, and for what might lead out of the folder: control
            characters, backslashes and dot segments, plain or escaped.
    """
    if _BROKEN_ESCAPE.search(path):
        raise HttpError(400, "A percent sign in a path must be followed by two hex digits (RFC 3986 §2.1)")
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise HttpError(400, "A path must be UTF-8 when decoded") from None
    if _UNSAFE_IN_PATH.search(decoded):
        raise HttpError(400, "A path must not hold control characters or backslashes")
    if not {".", ".."}.isdisjoint(decoded.split("/")):
        raise HttpError(400, "A path must not hold dot segments (RFC 3986 §5.2.4)")
    return decoded


def is_token(text: str) -> bool:
    """Return whether `text` is a token (RFC 9110 §5.6.2)."""
    return _TOKEN_TEXT.fullmatch(text) is not None


def is_authority(text: str) -> bool:
    """Return whether `text` is a host with an optional port and no user (RFC 3986 §3.2, RFC 9110 §4.2.4)."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or int(match["port"] or "0") > 0xFFFF:
        return False
    try:
        return match["v6"] is None or bool(IPv6Address(match["v6"]))
    except ValueError:
        return False


_TOKEN_TEXT = re.compile(TOKEN)
_AUTHORITY = re.compile(
    r"""(?: \[ (?P<v6> [0-9A-Fa-f:.]+ ) \] | (?: [A-Za-z0-9\-._~!$&'()*+,;=] | %[0-9A-Fa-f]{2} )+ )
        (?: : (?P<port> [0-9]{0,5} ) )?""",
    re.VERBOSE,
)
_NOT_IN_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNSAFE_IN_PATH = re.compile(r"[\x00-\x1f\x7f\\]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RENAMED = {413: "Content Too Large", 414: "URI Too Long"}  # RFC 9110 §15.5; Python has these since 3.13
_ENCODERS_OWN = frozenset({"content-length", "transfer-encoding", "date"})


def _check_types(response: Response) -> None:
    """Refuse wrong types that could be encoded by accident: a mapping with two-letter names, a str body for HEAD."""
    if not isinstance(response.status, int) or isinstance(response.status, bool):
        raise TypeError(f"a status must be an int, not a {type(response.status).__name__}")
    if not 100 <= response.status <= 599:  # RFC 9110 §15
        raise ValueError(f"not an HTTP status: {response.status}")
    if not isinstance(response.headers, tuple | list):
        raise TypeError(f"headers must be a tuple of pairs, not a {type(response.headers).__name__}")
    for field in response.headers:
        if not isinstance(field, tuple | list) or len(field) != 2 or not all(isinstance(part, str) for part in field):
            raise TypeError("a header must be a name and a value, both str")
    if not isinstance(response.body, bytes | bytearray):
        raise TypeError(f"a body must be bytes, not {type(response.body).__name__}")


def _phrase(status: int) -> str:
    try:
        return _RENAMED.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return ""


def _field_line(name: str, value: str) -> str:
    if not is_token(name) or _NOT_IN_VALUE.search(value):
        raise ValueError(f"not a header field: {name!r}: {value!r}")
    return f"{name}: {value}\r\n"
