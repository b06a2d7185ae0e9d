"""Pure. The other end of the wire: what a client sends, right and wrong, and ways to cut it."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from protocol import Compression, Event, Limits, Opcode, Request, Session, encode_frame
from protocol.frames import Frame, parse_frame
from protocol.masking import apply_mask

KEY = b"\x37\xfa\x21\x3d"
NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE_FIELDS = {
    "Host": "example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": NONCE,
    "Sec-WebSocket-Version": "13",
}

Cut = Callable[[bytes], list[bytes]]

CUTS: dict[str, Cut] = {
    "whole": lambda data: [data],
    "byte by byte": lambda data: [data[i : i + 1] for i in range(len(data))],
    "in sevens": lambda data: [data[i : i + 7] for i in range(0, len(data), 7)],
}
every_cut = pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
"""Runs a test with the same bytes delivered in different pieces."""


def cut_at(data: bytes, positions: Iterable[int]) -> list[bytes]:
    """Cut at the given positions, in any order and beyond the end."""
    edges = [0, *sorted(min(position, len(data)) for position in positions), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def head(start: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Build a request head."""
    return "".join([f"{start}\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]).encode("latin-1")


def handshake(start: str = "GET /ws HTTP/1.1", /, **changes: str | list[str] | None) -> bytes:
    """Build a handshake with some fields changed: `Sec_WebSocket_Key=None` leaves one out, a list repeats it."""
    fields: dict[str, str | list[str] | None] = {**HANDSHAKE_FIELDS}
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines: list[tuple[str, str]] = []
    for name, value in fields.items():
        lines += [(name, each) for each in ([value] if isinstance(value, str) else value or [])]
    return head(start, lines)


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Build a masked frame as a client sends it."""
    return encode_frame(Opcode(opcode), payload, fin=fin, rsv1=rsv1, mask=KEY)


def raw_frame(first: int, payload: bytes = b"") -> bytes:
    """Build a short masked frame with any first byte, legal or not."""
    return bytes((first, 0x80 | len(payload))) + KEY + apply_mask(payload, KEY)


def text(data: str, *, fin: bool = True) -> bytes:
    return client_frame(Opcode.TEXT, data.encode(), fin=fin)


def close_frame(payload: bytes = b"") -> bytes:
    return raw_frame(0x88, payload)


def receive(session: Session, pieces: Iterable[bytes]) -> list[Event]:
    """Deliver piece after piece and gather the events."""
    return [event for piece in pieces for event in session.receive(piece)]


def request_in(session: Session, data: bytes) -> Request:
    """Deliver exactly one request."""
    (request,) = session.receive(data)
    assert isinstance(request, Request)
    return request


def open_session(
    limits: Limits | None = None, *, offer: str | None = None, compression: Compression | None = None
) -> Session:
    """Take a session through the handshake; `offer` is what the client says in Sec-WebSocket-Extensions."""
    session = Session(limits or Limits())
    request = request_in(session, handshake(Sec_WebSocket_Extensions=offer))
    assert session.accept(request, compression=compression) == []
    assert session.output().startswith(b"HTTP/1.1 101 ")
    return session


def frames_in(data: bytes) -> list[Frame]:
    """Read what a server wrote; whatever is not whole frames fails."""
    frames, position = [], 0
    while position < len(data):
        parsed = parse_frame(data, position, masked=False)
        assert parsed is not None, data[position:]
        frame, position = parsed
        frames.append(frame)
    return frames
