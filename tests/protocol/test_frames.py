"""Frames (RFC 6455 §5.2, §5.5, §7.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Opcode, ProtocolViolation, encode_frame
from protocol.errors import is_sendable
from protocol.frames import (
    Close,
    Frame,
    encode_binary,
    encode_close,
    encode_text,
    parse_close,
    parse_frame,
    parse_header,
)
from tests.protocol.wire import KEY, client_frame, frames_in, raw_frame

RFC_EXAMPLES = {
    "unmasked text": ("81 05 48 65 6c 6c 6f", False, Frame(True, Opcode.TEXT, b"Hello")),
    "masked text": ("81 85 37 fa 21 3d 7f 9f 4d 51 58", True, Frame(True, Opcode.TEXT, b"Hello")),
    "first fragment": ("01 03 48 65 6c", False, Frame(False, Opcode.TEXT, b"Hel")),
    "last fragment": ("80 02 6c 6f", False, Frame(True, Opcode.CONTINUATION, b"lo")),
    "unmasked ping": ("89 05 48 65 6c 6c 6f", False, Frame(True, Opcode.PING, b"Hello")),
    "masked pong": ("8a 85 37 fa 21 3d 7f 9f 4d 51 58", True, Frame(True, Opcode.PONG, b"Hello")),
    "256 bytes": ("82 7e 01 00" + "00" * 256, False, Frame(True, Opcode.BINARY, bytes(256))),
    "64 KiB": ("82 7f 00 00 00 00 00 01 00 00" + "00" * 65536, False, Frame(True, Opcode.BINARY, bytes(65536))),
}


@pytest.mark.parametrize(("data", "masked", "frame"), RFC_EXAMPLES.values(), ids=RFC_EXAMPLES.keys())
def test_the_examples_of_the_rfc_are_read_and_written(data: str, masked: bool, frame: Frame) -> None:
    raw = bytes.fromhex(data)
    assert parse_frame(raw, masked=masked) == (frame, len(raw))
    assert encode_frame(frame.opcode, frame.payload, fin=frame.fin, mask=KEY if masked else None) == raw


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 65537])
@pytest.mark.parametrize("masked", [True, False])
def test_each_length_uses_the_fewest_bytes(length: int, masked: bool) -> None:
    raw = encode_frame(Opcode.BINARY, bytes(length), mask=KEY if masked else None)
    size = 2 + (0 if length < 126 else 2 if length < 65536 else 8) + 4 * masked
    assert len(raw) == size + length
    assert parse_frame(raw, masked=masked) == (Frame(True, Opcode.BINARY, bytes(length)), len(raw))


@given(
    opcode=st.sampled_from([Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY]),
    payload=st.binary() | st.binary(min_size=120, max_size=130),
    fin=st.booleans(),
    rsv1=st.booleans(),
    mask=st.none() | st.binary(min_size=4, max_size=4),
    before=st.binary(max_size=5),
    after=st.binary(max_size=5),
)
def test_a_frame_written_is_read_back_from_anywhere(
    opcode: Opcode, payload: bytes, fin: bool, rsv1: bool, mask: bytes | None, before: bytes, after: bytes
) -> None:
    raw = encode_frame(opcode, payload, fin=fin, rsv1=rsv1, mask=mask)
    parsed = parse_frame(before + raw + after, len(before), masked=mask is not None)
    assert parsed == (Frame(fin, opcode, payload, 4 * rsv1), len(before) + len(raw))


@given(st.binary(max_size=200), st.booleans())
def test_a_frame_cut_short_is_not_enough_bytes(payload: bytes, masked: bool) -> None:
    raw = encode_frame(Opcode.BINARY, payload, mask=KEY if masked else None)
    assert all(parse_frame(raw[:size], masked=masked) is None for size in range(len(raw)))


@given(st.binary(max_size=20), st.booleans())
def test_random_bytes_are_a_header_a_violation_or_not_enough(data: bytes, masked: bool) -> None:
    try:
        header = parse_header(data, masked=masked)
    except ProtocolViolation as violation:
        outcome = violation.code == 1002 and violation.section.startswith("RFC 6455 §5")
    else:
        outcome = header is not None or len(data) < 14
    assert outcome


VIOLATIONS = {
    "reserved opcode 3": ("5.2", raw_frame(0x83)),
    "reserved opcode 7": ("5.2", raw_frame(0x87)),
    "reserved opcode b": ("5.2", raw_frame(0x8B)),
    "reserved opcode f": ("5.2", raw_frame(0x8F)),
    "unmasked frame": ("5.1", b"\x81\x01a"),
    "fragmented ping": ("5.5", raw_frame(0x09)),
    "fragmented close": ("5.5", raw_frame(0x08)),
    "ping of 126 bytes": ("5.5", b"\x89\xfe\x00\x7e" + KEY + bytes(126)),
    "close of 64 KiB": ("5.5", b"\x88\xff" + (1 << 16).to_bytes(8) + KEY),
    "16-bit length of 125": ("5.2", b"\x81\xfe\x00\x7d" + KEY + bytes(125)),
    "64-bit length of 65535": ("5.2", b"\x81\xff" + (65535).to_bytes(8) + KEY),
    "length with its top bit set": ("5.2", b"\x81\xff\x80" + bytes(7) + KEY),
}


@pytest.mark.parametrize(("section", "data"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_header_that_breaks_a_rule_fails_with_1002_and_its_section(section: str, data: bytes) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_header(data)
    assert caught.value.code == 1002
    assert caught.value.section == f"RFC 6455 §{section}"
    assert str(caught.value) == f"{caught.value.reason} ({caught.value.section})"


def test_a_clients_reader_refuses_a_masked_frame() -> None:
    with pytest.raises(ProtocolViolation, match="must not mask"):
        parse_header(raw_frame(0x81), masked=False)


def test_reserved_bits_are_reported() -> None:
    header = parse_header(raw_frame(0xF1))
    assert header is not None
    assert header.rsv == 7


def test_a_control_frame_of_125_bytes_is_whole() -> None:
    assert frames_in(encode_frame(Opcode.PING, bytes(125))) == [Frame(True, Opcode.PING, bytes(125))]


@pytest.mark.parametrize("opcode", [Opcode.CLOSE, Opcode.PING, Opcode.PONG])
def test_we_cannot_send_a_control_frame_that_is_long_or_fragmented(opcode: Opcode) -> None:
    with pytest.raises(ValueError, match="control frame"):
        encode_frame(opcode, bytes(126))
    with pytest.raises(ValueError, match="control frame"):
        encode_frame(opcode, b"", fin=False)


@given(st.text())
def test_text_is_encoded_from_str_and_from_utf8_alike(data: str) -> None:
    assert encode_text(data) == encode_text(data.encode()) == encode_frame(Opcode.TEXT, data.encode())


@given(st.binary() | st.binary(min_size=120, max_size=130))
def test_binary_is_encoded_in_one_frame(data: bytes) -> None:
    assert encode_binary(data) == encode_frame(Opcode.BINARY, data)


@pytest.mark.parametrize("length", [125, 126, 65535, 65536])
def test_long_messages_have_the_header_of_their_length(length: int) -> None:
    assert encode_text("a" * length) == encode_frame(Opcode.TEXT, b"a" * length)
    assert encode_binary(b"a" * length) == encode_frame(Opcode.BINARY, b"a" * length)


# -- close -----------------------------------------------------------------------------------------------------------

VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
INVALID_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", VALID_CODES)
def test_a_registered_or_private_close_code_is_read_and_written(code: int) -> None:
    (frame,) = frames_in(encode_close(code, "bye"))
    assert parse_close(frame.payload) == Close(code, "bye")


@pytest.mark.parametrize("code", INVALID_CODES)
def test_any_other_close_code_is_refused_both_ways(code: int) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_close(code.to_bytes(2))
    assert caught.value.code == 1002
    with pytest.raises(ValueError, match=f"close code {code}"):
        encode_close(code)


def test_only_listed_codes_are_sendable() -> None:
    assert [code for code in range(3000) if is_sendable(code)] == VALID_CODES[:-4]
    assert all(is_sendable(code) for code in range(3000, 5000))


def test_close_code_1005_on_the_wire_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="1005"):
        parse_close((1005).to_bytes(2))


def test_a_close_without_a_code_reads_as_1005() -> None:
    assert parse_close(b"") == Close(1005, "")
    assert encode_close(None) == b"\x88\x00"


def test_a_close_payload_of_one_byte_is_refused() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_close(b"\x03")
    assert (caught.value.code, caught.value.section) == (1002, "RFC 6455 §5.5.1")


def test_a_close_reason_that_is_not_utf8_fails_with_1007() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_close(b"\x03\xe8\xff")
    assert caught.value.code == 1007


@given(st.sampled_from(VALID_CODES), st.text(min_size=60, max_size=130))
def test_a_long_reason_is_cut_at_a_characters_edge(code: int, reason: str) -> None:
    (frame,) = frames_in(encode_close(code, reason))
    sent = parse_close(frame.payload).reason
    assert reason.startswith(sent)
    assert len(frame.payload) <= 125
    assert sent == reason or len(sent.encode()) > 123 - 4


def test_every_opcode_has_its_number() -> None:
    assert [opcode.value for opcode in Opcode] == [0, 1, 2, 8, 9, 10]
    assert client_frame(Opcode.TEXT)[0] == 0x81
