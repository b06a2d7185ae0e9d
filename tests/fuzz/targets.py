"""What is fuzzed. A target takes any bytes, and fails by any exception of its own.

The first bytes say how the others are delivered, so that a fuzzer can learn that, too: limits, compression, cuts.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

from protocol import (
    Binary,
    Closed,
    Compression,
    Event,
    HttpError,
    HttpFailure,
    Limits,
    Ping,
    Pong,
    ProtocolViolation,
    Request,
    Response,
    Session,
    State,
    Text,
    decode_path,
)
from protocol.deflate import Inflater, agree
from protocol.frames import parse_frame
from protocol.handshake import is_upgrade, parse_extensions

LIMITS = Limits(request_line=200, header_bytes=600, header_count=10, body=50, message=2_000, fragments=20)
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; "
    b"client_max_window_bits=%d; server_max_window_bits=%d\r\n\r\n"
)


def session(data: bytes) -> None:
    """An open WebSocket that echoes; compressed, with and without context, with any window."""
    flags, stream = _first(data)
    bits = 8 + flags % 8
    connection = Session(LIMITS)
    (request,) = connection.receive(HANDSHAKE % (bits, bits))
    assert isinstance(request, Request)
    keeps = bool(flags & 8)
    compression = Compression(not keeps, not keeps, threshold=30) if flags & 16 else None
    events = connection.accept(request, compression=compression)
    output = bytearray(connection.output().partition(b"\r\n\r\n")[2])
    for piece in _cut(stream):
        events += connection.receive(piece)
        output += _echo(connection, events)
    events += connection.receive_eof()
    output += _echo(connection, events) + connection.finish()
    assert connection.state is State.CLOSED
    _check_frames(bytes(output))


def http(data: bytes) -> None:
    """A connection from its first byte on; every request is answered, and WebSockets are opened."""
    connection = Session(LIMITS)
    events: list[Event] = []
    output = bytearray()
    for piece in _cut(data):
        events += connection.receive(piece)
        output += _serve(connection, events)
    events += connection.receive_eof()
    output += _serve(connection, events) + connection.finish()
    assert connection.state is State.CLOSED
    assert not output or output.startswith(b"HTTP/1.1 ")


def deflate(data: bytes) -> None:
    """Messages that are inflated, with what is agreed on an offer of two window sizes."""
    flags, stream = _first(data)
    takeover = "" if flags & 8 else "; client_no_context_takeover"
    offer = f"permessage-deflate; client_max_window_bits={8 + flags % 8}{takeover}"
    agreement = agree(parse_extensions(offer), Compression(client_no_context_takeover=False))
    assert agreement is not None
    inflater = Inflater(agreement)
    for message in stream.split(b"\x00\x00\xff\xff"):
        try:
            room = LIMITS.message
            for piece in _cut(message):
                for part in inflater.inflate(piece, room):
                    room -= len(part)
            for part in inflater.finish(room):
                room -= len(part)
        except ProtocolViolation:
            return
        assert room >= 0


def extensions(data: bytes) -> None:
    """An offer of extensions, and what is agreed on it."""
    try:
        offers = parse_extensions(data.decode("latin-1"))
    except HttpError:
        return
    agreement = agree(offers, Compression())
    if agreement is not None:
        assert parse_extensions(str(agreement.extension)) == (agreement.extension,)


def path(data: bytes) -> None:
    """The path of a request, decoded for a file system."""
    try:
        decoded = decode_path(data.decode("latin-1"))
    except HttpError:
        return
    assert ".." not in decoded.split("/")
    assert "\0" not in decoded


TARGETS: dict[str, Callable[[bytes], None]] = {
    "session": session, "http": http, "deflate": deflate, "extensions": extensions, "path": path,
}  # fmt: skip


def _first(data: bytes) -> tuple[int, bytes]:
    return (data[0], data[1:]) if data else (0, b"")


def _cut(data: bytes) -> Iterator[bytes]:
    """Cut behind some of the bytes, so that no target knows only whole frames or only single bytes."""
    step = 1 + (data[0] % 40 if data else 0)
    edges = [*range(0, len(data), step), len(data)]
    return (data[start:end] for start, end in pairwise(edges))


def _echo(connection: Session, events: list[Event]) -> bytes:
    output = bytearray(connection.output())
    for event in events:
        match event:
            case Text(text):
                assert len(text.encode()) <= LIMITS.message
                output += connection.send_text(text)
            case Binary(payload):
                assert len(payload) <= LIMITS.message
                output += connection.send_binary(payload)
            case Ping(payload) | Pong(payload):
                assert len(payload) <= 125
            case Closed():
                output += connection.finish()
            case _:
                raise AssertionError(event)
    events.clear()
    return bytes(output)


def _serve(connection: Session, events: list[Event]) -> bytes:
    output = bytearray(connection.output())
    while events:
        event = events.pop(0)
        match event:
            case Request():
                assert len(event.body) <= LIMITS.body
                events += _answer(connection, event)
                output += connection.output()
            case HttpFailure():
                assert connection.state is State.CLOSED
            case Closed():
                output += connection.finish()
            case Text() | Binary() | Ping() | Pong():
                pass
    return bytes(output)


def _answer(connection: Session, request: Request) -> list[Event]:
    if not is_upgrade(request):
        return connection.respond(Response(200, (), b"ok"))
    try:
        return connection.accept(request, compression=Compression())
    except HttpError as error:
        return connection.respond(error.response)


def _check_frames(output: bytes) -> None:
    """What we have written is whole frames, and a close frame only at their end."""
    at, opcodes = 0, []
    while at < len(output):
        parsed = parse_frame(output, at, masked=False)
        assert parsed is not None
        opcodes.append(parsed[0].opcode)
        at = parsed[1]
    assert 8 not in opcodes[:-1]
