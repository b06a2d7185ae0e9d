"""Hypothesis makes up bytes for each target: random ones, and ones that get past the first header."""

import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Compression, Opcode, Request, Response, Session, encode_frame
from tests.fuzz.targets import HANDSHAKE, LIMITS, TARGETS
from tests.protocol.wire import open_session, raw_frame

KEYS = st.binary(min_size=4, max_size=4)
PAYLOADS = st.binary(max_size=140) | st.text(max_size=40).map(str.encode) | st.integers(0, 2_100).map(bytes)


def _raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-9)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


DEFLATED = PAYLOADS.map(_raw_deflate) | st.integers(0, 50_000).map(bytes).map(_raw_deflate)
DATA = st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION])
CONTROL = st.sampled_from([Opcode.CLOSE, Opcode.PING, Opcode.PONG])
FRAMES = (
    st.builds(encode_frame, DATA, PAYLOADS, fin=st.booleans(), mask=KEYS)
    | st.builds(encode_frame, DATA, DEFLATED, fin=st.booleans(), rsv1=st.booleans(), mask=KEYS)
    | st.builds(encode_frame, CONTROL, st.binary(max_size=125), mask=KEYS)
    | st.builds(raw_frame, st.integers(0, 255), st.binary(max_size=125))
    | st.binary(max_size=14)
)
STREAMS = st.tuples(st.binary(min_size=1, max_size=1), st.lists(FRAMES, max_size=10).map(b"".join)).map(b"".join)
LINES = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"Host: a\r\n", b"\r\n", b"abc"),
        *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"X: y\r\n"),
        *(b"Connection: close\r\n", b"Upgrade: websocket\r\n", HANDSHAKE % (15, 15), HANDSHAKE % (9, 8)),
    ]
)
HEADS = st.lists(LINES | FRAMES, max_size=12).map(b"".join)
WORDS = st.sampled_from(
    [
        *("permessage-deflate", "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits"),
        *("client_max_window_bits", "=", "8", "15", "16", '"', "\\", "a", " ", "\t", "; ", ", "),
    ]
)
OFFERS = st.lists(WORDS, max_size=15).map(lambda words: "".join(words).encode())
SEGMENTS = st.sampled_from([b"/", b"..", b".", b"%2e", b"%2F", b"%5c", b"%", b"a", b"%00", b"\xff"])
PATHS = st.lists(SEGMENTS).map(b"".join)
LIKELY = {"session": STREAMS, "http": HEADS, "deflate": DEFLATED, "extensions": OFFERS, "path": PATHS}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@given(data=st.binary(max_size=300))
def test_any_bytes_are_dealt_with(target: Callable[[bytes], None], data: bytes) -> None:
    target(data)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_likely_bytes_are_dealt_with(name: str, data: st.DataObject) -> None:
    TARGETS[name](data.draw(LIKELY[name]))


FLOODS = {
    "pings": raw_frame(0x89, b"ping"),
    "fragments": raw_frame(0x01, b"a") + raw_frame(0x00, b"a") * 15 + raw_frame(0x80, b"a"),
    "fragments without an end": raw_frame(0x00, b""),
    "messages": raw_frame(0x82, bytes(100)),
    "bombs": encode_frame(Opcode.BINARY, _raw_deflate(bytes(2_000)), rsv1=True, mask=b"abcd"),
    "bombs that are too large": encode_frame(Opcode.BINARY, _raw_deflate(bytes(2_001)), rsv1=True, mask=b"abcd"),
    "final blocks": encode_frame(Opcode.BINARY, b"\x03\x00" * 50, rsv1=True, mask=b"abcd"),
}


def peak_of(connection: Session, unit: bytes) -> int:
    """The memory that is taken at most while 128 KiB come in, and what comes out is thrown away."""
    piece = unit * (4_096 // len(unit) + 1)
    tracemalloc.start()
    try:
        for _ in range(32):
            events = connection.receive(piece)
            while events and isinstance(events[-1], Request):
                events = connection.respond(Response(200, (), b"ok"))
            connection.output()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("keeps", [False, True], ids=["forgetting", "keeping"])
@pytest.mark.parametrize("unit", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_frames_takes_no_more_memory_than_a_piece_of_it(unit: bytes, keeps: bool) -> None:
    compression = Compression(not keeps, not keeps)
    connection = open_session(LIMITS, offer="permessage-deflate", compression=compression)
    connection.receive(raw_frame(0x01, b"") if unit[0] == 0 else b"")
    inflated = LIMITS.message * (4_096 // len(unit) + 1) if unit[0] & 0x40 else 4_096
    assert peak_of(connection, unit) < 3 * inflated + 150_000


@pytest.mark.parametrize("unit", [b"a", b"a: b\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], ids=repr)
def test_a_flood_of_http_takes_no_more_memory_than_a_piece_of_it(unit: bytes) -> None:
    connection = Session(LIMITS)
    if unit.startswith(b"a:"):
        connection.receive(b"GET / HTTP/1.1\r\n")
    assert peak_of(connection, unit) < 150_000
