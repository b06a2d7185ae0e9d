"""RFC 7692: what is agreed on, and what comes out of what went in."""

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Compression, Opcode, ProtocolViolation, agree
from protocol.deflate import Agreement, Inflater, deflater
from protocol.handshake import Extension, parse_extensions
from tests.protocol.wire import frames_in

KEEPING = Compression(server_no_context_takeover=False, client_no_context_takeover=False, server_max_window_bits=15)


def agreed(offer: str, wanted: Compression = KEEPING) -> Agreement:
    agreement = agree(parse_extensions(offer), wanted)
    assert agreement is not None
    return agreement


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", "permessage-deflate"),
        ("Permessage-Deflate", "permessage-deflate"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=15"),
        ("permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=9"),
        ("x, permessage-deflate; y, permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
    ],
)
def test_the_first_offer_that_can_be_met_is_taken(offer: str, answer: str) -> None:
    assert str(agreed(offer).extension) == answer


@pytest.mark.parametrize(
    "offer",
    [
        "x",
        "permessage-deflate; x",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ],
)
def test_an_offer_that_is_not_valid_is_declined(offer: str) -> None:
    assert agree(parse_extensions(offer), KEEPING) is None


def test_what_the_server_wants_stands_in_the_answer() -> None:
    agreement = agreed("permessage-deflate; client_max_window_bits", Compression(client_max_window_bits=11))
    assert agreement.extension == Extension(
        "permessage-deflate",
        (
            ("server_no_context_takeover", None),
            ("client_no_context_takeover", None),
            ("server_max_window_bits", "12"),
            ("client_max_window_bits", "11"),
        ),
    )


def test_a_client_that_cannot_limit_its_window_is_not_asked_to() -> None:
    agreement = agreed("permessage-deflate", Compression(client_max_window_bits=9))
    assert agreement.client_max_window_bits == 15
    assert "client_max_window_bits" not in str(agreement.extension)


def client_inflates(compressed: bytes, bits: int, window: bytes) -> bytes:
    """Restore a message as a client with `window` of earlier ones does; by zlib itself, not by what is tested."""
    inflater = zlib.decompressobj(-bits, zdict=window)
    restored = inflater.decompress(compressed + b"\x00\x00\xff\xff")
    assert not inflater.unused_data
    return restored


@given(st.integers(9, 15), st.booleans(), st.lists(st.binary(max_size=3_000) | st.integers(0, 70_000).map(bytes)))
def test_what_we_compress_a_client_restores(bits: int, forgets: bool, messages: list[bytes]) -> None:
    wanted = Compression(forgets, forgets, bits, threshold=0)
    encoder, window = deflater(agreed("permessage-deflate", wanted), wanted), b""
    for message in messages:
        (frame,) = frames_in(encoder.encode(Opcode.BINARY, message))
        if not frame.rsv:
            assert frame.payload == message
            continue
        assert client_inflates(frame.payload, bits, window) == message
        window = b"" if forgets else (window + message)[-(1 << bits) :]


def test_context_is_kept_only_if_that_was_agreed() -> None:
    message = bytes(range(256)) * 4
    keeping = deflater(agreed("permessage-deflate"), KEEPING)
    forgetting = deflater(agreed("permessage-deflate; server_no_context_takeover"), KEEPING)
    assert len(keeping.encode(Opcode.BINARY, message)) > len(keeping.encode(Opcode.BINARY, message))
    assert forgetting.encode(Opcode.BINARY, message) == forgetting.encode(Opcode.BINARY, message)


def test_a_message_of_several_final_blocks_is_restored() -> None:
    inflater = Inflater(agreed("permessage-deflate"))
    blocks = zlib.compress(b"one", wbits=-15) + zlib.compress(b"two", wbits=-15)
    assert inflater.inflate(blocks, 100) + inflater.finish(100) == b"onetwo"


def test_more_than_there_is_room_for_is_1009_before_it_is_there() -> None:
    inflater = Inflater(agreed("permessage-deflate"))
    with pytest.raises(ProtocolViolation) as refused:
        inflater.inflate(zlib.compress(bytes(10_000_000), wbits=-15), 1_000)
    assert refused.value.code == 1009


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_restored_or_refused(data: bytes) -> None:
    inflater: Any = Inflater(agreed("permessage-deflate"))
    outcome: int | bytes
    try:
        outcome = inflater.inflate(data, 1_000) + inflater.finish(1_000)
    except ProtocolViolation as violation:
        outcome = violation.code
    assert outcome in (1007, 1009) or (isinstance(outcome, bytes) and len(outcome) <= 2_000)
