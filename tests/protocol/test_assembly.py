"""Fragmentation and UTF-8 (RFC 6455 §5.4, §8.1), below the session."""

import itertools
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Binary, Compression, Limits, Opcode, ProtocolViolation, Text
from protocol.assembly import Assembler, fragment
from protocol.deflate import Inflater, agree
from protocol.frames import FrameHeader
from protocol.handshake import parse_extensions
from tests.protocol.wire import frames_in

LIMITS = Limits(message=100, fragments=4)
DEFLATED_HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # RFC 7692 §7.2.3.1
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"


def header(opcode: Opcode, length: int, *, fin: bool = True, rsv: int = 0) -> FrameHeader:
    return FrameHeader(fin, rsv, opcode, length, b"", 2)


def put(
    assembler: Assembler, opcode: Opcode, payload: bytes, *, fin: bool = True, rsv: int = 0
) -> Text | Binary | None:
    assembler.begin(header(opcode, len(payload), fin=fin, rsv=rsv))
    assembler.append(payload)
    return assembler.end(fin=fin)


def test_fragments_become_one_message() -> None:
    assembler = Assembler(LIMITS)
    assert put(assembler, Opcode.TEXT, b"a", fin=False) is None
    assert assembler.active
    assert put(assembler, Opcode.CONTINUATION, b"", fin=False) is None
    assert put(assembler, Opcode.CONTINUATION, b"b") == Text("ab")
    assert not assembler.active
    assert put(assembler, Opcode.BINARY, b"\xff") == Binary(b"\xff")


def test_a_character_may_be_split_between_fragments() -> None:
    assembler = Assembler(LIMITS)
    put(assembler, Opcode.TEXT, "€".encode()[:1], fin=False)
    put(assembler, Opcode.CONTINUATION, "€".encode()[1:2], fin=False)
    assert put(assembler, Opcode.CONTINUATION, "€".encode()[2:]) == Text("€")


def test_a_continuation_without_a_message_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="continuation") as caught:
        put(Assembler(LIMITS), Opcode.CONTINUATION, b"")
    assert (caught.value.code, caught.value.section) == (1002, "RFC 6455 §5.4")


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_a_new_message_inside_a_message_is_refused(opcode: Opcode) -> None:
    assembler = Assembler(LIMITS)
    put(assembler, Opcode.TEXT, b"a", fin=False)
    with pytest.raises(ProtocolViolation, match="new message") as caught:
        put(assembler, opcode, b"b")
    assert caught.value.code == 1002


def test_a_message_of_the_limit_is_taken_and_one_byte_more_refused_from_its_header() -> None:
    assembler = Assembler(LIMITS)
    assert put(assembler, Opcode.BINARY, bytes(100)) == Binary(bytes(100))
    with pytest.raises(ProtocolViolation) as caught:
        assembler.begin(header(Opcode.BINARY, 101))
    assert caught.value.code == 1009


def test_the_limit_holds_for_the_sum_of_the_fragments() -> None:
    assembler = Assembler(LIMITS)
    put(assembler, Opcode.BINARY, bytes(60), fin=False)
    with pytest.raises(ProtocolViolation) as caught:
        assembler.begin(header(Opcode.CONTINUATION, 41))
    assert caught.value.code == 1009


def test_the_number_of_fragments_is_bounded_even_if_they_are_empty() -> None:
    assembler = Assembler(LIMITS)
    put(assembler, Opcode.BINARY, b"", fin=False)
    for _ in range(3):
        put(assembler, Opcode.CONTINUATION, b"", fin=False)
    with pytest.raises(ProtocolViolation) as caught:
        put(assembler, Opcode.CONTINUATION, b"")
    assert caught.value.code == 1009


@pytest.mark.parametrize(
    ("data", "proven_at"),
    [
        (b"\x80", 1),
        (b"\xc0\xaf", 1),
        (b"\xc3\x28", 2),
        (b"\xe0\x80\xaf", 2),
        (b"\xed\xa0\x80", 2),
        (b"\xe2\x82\x28", 3),
        (b"\xf0\x80\x80\xaf", 2),
        (b"\xf4\x90\x80\x80", 2),
        (b"\xf5\x80\x80\x80", 1),
        (b"\xff", 1),
        ("κόσμε".encode() + b"\xf4\x90\x80\x80", 12),
    ],
)
def test_text_fails_at_the_byte_that_proves_it_is_not_utf8(data: bytes, proven_at: int) -> None:
    assembler = Assembler(LIMITS)
    assembler.begin(header(Opcode.TEXT, 50))
    for byte in data[: proven_at - 1]:
        assembler.append(bytes([byte]))
    with pytest.raises(ProtocolViolation) as caught:
        assembler.append(data[proven_at - 1 : proven_at])
    assert (caught.value.code, caught.value.section) == (1007, "RFC 6455 §8.1")


def can_become_utf8(data: bytes) -> bool:
    """Tell whether some continuation makes `data` valid UTF-8, by trying them."""
    edges = (b"\x80", b"\x90", b"\xa0", b"\xbf")
    endings = (b"".join(ending) for size in range(4) for ending in itertools.product(edges, repeat=size))
    for ending in endings:
        try:
            (data + ending).decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


EDGES = b"a\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff"


def fails_at(data: bytes) -> int | None:
    """Deliver text byte by byte; return how many bytes it took to fail."""
    assembler = Assembler(LIMITS)
    assembler.begin(header(Opcode.TEXT, 50))
    for size in range(1, len(data) + 1):
        try:
            assembler.append(data[size - 1 : size])
        except ProtocolViolation:
            return size
    return None


def test_text_fails_exactly_when_no_continuation_could_save_it() -> None:
    for codes in itertools.product(EDGES, repeat=3):
        data = bytes(codes)
        hopeless = (size for size in (1, 2, 3) if not can_become_utf8(data[:size]))
        assert fails_at(data) == next(hopeless, None), data


def test_text_that_ends_inside_a_character_is_refused() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        put(Assembler(LIMITS), Opcode.TEXT, "€".encode()[:2])
    assert caught.value.code == 1007


def test_a_message_in_many_pieces_costs_no_more_memory_than_its_size() -> None:
    size = 1 << 20
    assembler = Assembler(Limits(message=size))
    piece = bytes(16)
    assembler.begin(header(Opcode.BINARY, size))
    tracemalloc.start()
    try:
        for _ in range(size // len(piece)):
            assembler.append(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size
    assert assembler.end(fin=True) == Binary(bytes(size))


# -- compressed messages ----------------------------------------------------------------------------------------------


def compressing(limits: Limits = LIMITS) -> Assembler:
    agreement = agree(parse_extensions("permessage-deflate"), Compression())
    assert agreement is not None
    return Assembler(limits, Inflater(agreement))


def test_a_message_marked_by_rsv1_goes_through_the_inflater_and_the_next_does_not() -> None:
    assembler = compressing()
    put(assembler, Opcode.TEXT, DEFLATED_HELLO[:3], fin=False, rsv=4)
    assert put(assembler, Opcode.CONTINUATION, DEFLATED_HELLO[3:]) == Text("Hello")
    assert put(assembler, Opcode.TEXT, b"ab") == Text("ab")


def test_the_limit_holds_for_what_the_inflater_returns() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        put(compressing(Limits(message=4)), Opcode.BINARY, DEFLATED_HELLO, rsv=4)
    assert caught.value.code == 1009


def test_a_compressed_message_may_be_longer_on_the_wire_than_what_it_holds() -> None:
    assembler = compressing(Limits(message=1_000))
    noise = random.Random(1).randbytes(1_000)
    compressed = zlib.compress(noise, 0, wbits=-15)
    assert len(compressed) > len(noise)
    assert put(assembler, Opcode.BINARY, compressed, rsv=4) == Binary(noise)


def test_a_compressed_message_without_end_is_refused_though_it_holds_nothing() -> None:
    assembler = compressing(Limits(message=1_000, fragments=10_000))
    put(assembler, Opcode.BINARY, EMPTY_BLOCK, fin=False, rsv=4)
    with pytest.raises(ProtocolViolation) as caught:
        put(assembler, Opcode.CONTINUATION, EMPTY_BLOCK * 300, fin=False)
    assert caught.value.code == 1009


def test_utf8_is_checked_behind_the_inflater() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        put(compressing(), Opcode.TEXT, zlib.compress(b"\xff", wbits=-15), rsv=4)
    assert caught.value.code == 1007


# -- sending fragmented ----------------------------------------------------------------------------------------------


@given(st.binary(max_size=50), st.integers(1, 60))
def test_fragments_sent_are_put_together_again(payload: bytes, size: int) -> None:
    frames = frames_in(b"".join(fragment(Opcode.BINARY, payload, size)))
    assert b"".join(frame.payload for frame in frames) == payload
    assert [frame.opcode for frame in frames] == [Opcode.BINARY] + [Opcode.CONTINUATION] * (len(frames) - 1)
    assert [frame.fin for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert all(0 < len(frame.payload) <= size for frame in frames) or payload == b""


def test_an_empty_message_is_one_empty_frame() -> None:
    assert list(fragment(Opcode.TEXT, b"", 10)) == [b"\x81\x00"]


def test_fragments_have_a_size() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        list(fragment(Opcode.TEXT, b"a", 0))
