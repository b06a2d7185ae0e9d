"""Pure. The server's side of HTTP/1.1 and RFC 6455: bytes to values and back, without sockets, clock or randomness.

A server uses `Session` and the events; the codecs below it are in `frames`, `handshake` and `http`.
"""

from protocol.deflate import Compression, Variant
from protocol.errors import CloseCode, ProtocolViolation
from protocol.events import Binary, CloseCause, Closed, Event, HttpFailure, Ping, Pong, Text
from protocol.frames import Opcode, encode_frame
from protocol.handshake import Upgrade, choose_subprotocol, validate
from protocol.headers import Headers
from protocol.http import HttpError, Request, Response, decode_path, encode_response, format_date
from protocol.index import parse_index
from protocol.limits import Limits
from protocol.session import Session, State
from protocol.shared import SharedMessage

__all__ = [
    "Binary",
    "CloseCause",
    "CloseCode",
    "Closed",
    "Compression",
    "Event",
    "Headers",
    "HttpError",
    "HttpFailure",
    "Limits",
    "Opcode",
    "Ping",
    "Pong",
    "ProtocolViolation",
    "Request",
    "Response",
    "Session",
    "SharedMessage",
    "State",
    "Text",
    "Upgrade",
    "Variant",
    "choose_subprotocol",
    "decode_path",
    "encode_frame",
    "encode_response",
    "format_date",
    "parse_index",
    "validate",
]
