"""Pure. HTTP/1.1 and RFC 6455, the server's side: bytes to values and back; no socket, clock or randomness.

A server needs `Session` and the events; the codecs below it are in `frames`, `handshake` and `http`.
"""

from protocol.assembly import Assembler, fragment
from protocol.deflate import Agreement, Compression, Inflater, Variant, agree
from protocol.errors import CloseCode, ProtocolViolation
from protocol.events import Binary, CloseCause, Closed, Event, HttpFailure, Ping, Pong, Text
from protocol.frames import Frame, Opcode, encode_binary, encode_close, encode_frame, encode_text
from protocol.handshake import Extension, Upgrade, accept_key, choose_subprotocol, is_upgrade, validate
from protocol.headers import Headers
from protocol.http import HttpError, Request, Response, decode_path, encode_response, format_date
from protocol.index import parse_index
from protocol.limits import Limits
from protocol.masking import apply_mask
from protocol.session import TRANSITIONS, Session, State, Trigger
from protocol.shared import SharedMessage

__all__ = [
    "TRANSITIONS",
    "Agreement",
    "Assembler",
    "Binary",
    "CloseCause",
    "CloseCode",
    "Closed",
    "Compression",
    "Event",
    "Extension",
    "Frame",
    "Headers",
    "HttpError",
    "HttpFailure",
    "Inflater",
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
    "Trigger",
    "Upgrade",
    "Variant",
    "accept_key",
    "agree",
    "apply_mask",
    "choose_subprotocol",
    "decode_path",
    "encode_binary",
    "encode_close",
    "encode_frame",
    "encode_response",
    "encode_text",
    "format_date",
    "fragment",
    "is_upgrade",
    "parse_index",
    "validate",
]
