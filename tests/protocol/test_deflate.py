"""RFC 7692: what is agreed on, and what comes out of what went in."""

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import CloseCode, Compression, Opcode, ProtocolViolation
from protocol.deflate import MAX_FINAL_BLOCKS, Agreement, Inflater, agree, deflater
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
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=15"),
        ("permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=9"),
        ("permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8"),
        ("permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"),
        ('permessage-deflate; server_max_window_bits="10"', "permessage-deflate; server_max_window_bits=10"),
        ("x, permessage-deflate; y, permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits=7, permessage-deflate", "permessage-deflate"),
    ],
)
def test_the_first_offer_that_can_be_met_is_taken(offer: str, answer: str) -> None:
    assert str(agreed(offer).extension) == answer


@pytest.mark.parametrize(
    "offer",
    [
        "x",
        "Permessage-Deflate",
        "permessage-deflate; x",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
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


@given(st.integers(8, 15), st.booleans(), st.lists(st.binary(max_size=3_000) | st.integers(0, 70_000).map(bytes)))
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


# -- inflating -------------------------------------------------------------------------------------------------------


def inflate(inflater: Inflater, *pieces: bytes, room: int = 100_000) -> bytes:
    """Restore one message that comes in pieces."""
    restored = bytearray()
    for piece in pieces:
        for part in inflater.inflate(piece, room - len(restored)):
            restored += part
    for part in inflater.finish(room - len(restored)):
        restored += part
    return bytes(restored)


def new_inflater(offer: str = "permessage-deflate") -> Inflater:
    return Inflater(agreed(offer))


def refusal(*pieces: bytes, room: int = 100_000) -> int:
    with pytest.raises(ProtocolViolation) as refused:
        inflate(new_inflater(), *pieces, room=room)
    return refused.value.code


@pytest.mark.parametrize(
    ("compressed", "restored"),
    [
        ("f2 48 cd c9 c9 07 00", b"Hello"),
        ("00 05 00 fa ff 48 65 6c 6c 6f 00", b"Hello"),
        ("f3 48 cd c9 c9 07 00 00", b"Hello"),
        ("f2 48 05 00 00 00 ff ff ca c9 c9 07 00", b"Hello"),
        ("02 00", b""),
        ("00", b""),
    ],
    ids=["fixed", "stored", "final", "two blocks", "an empty fixed block", "an empty message"],
)
def test_the_examples_of_the_rfc_are_restored(compressed: str, restored: bytes) -> None:
    data = bytes.fromhex(compressed)
    assert inflate(new_inflater(), data) == restored
    assert inflate(new_inflater(), *(data[at : at + 1] for at in range(len(data)))) == restored


def test_a_message_may_refer_to_the_one_before_if_that_was_agreed() -> None:
    inflater = new_inflater()
    assert inflate(inflater, bytes.fromhex("f2 48 cd c9 c9 07 00")) == b"Hello"
    assert inflate(inflater, bytes.fromhex("f2 00 11 00 00")) == b"Hello"
    forgetting = new_inflater("permessage-deflate; client_no_context_takeover")
    assert inflate(forgetting, bytes.fromhex("f2 48 cd c9 c9 07 00")) == b"Hello"
    with pytest.raises(ProtocolViolation):
        inflate(forgetting, bytes.fromhex("f2 00 11 00 00"))


def test_a_message_may_refer_to_one_that_ended_in_a_final_block() -> None:
    inflater = new_inflater()
    assert inflate(inflater, bytes.fromhex("f3 48 cd c9 c9 07 00 00")) == b"Hello"
    assert inflate(inflater, bytes.fromhex("f2 00 11 00 00")) == b"Hello"


def test_a_message_of_several_final_blocks_is_restored() -> None:
    blocks = zlib.compress(b"one", wbits=-15) + zlib.compress(b"two", wbits=-15)
    assert inflate(new_inflater(), blocks) == b"onetwo"
    assert inflate(new_inflater(), blocks + b"\x00") == b"onetwo"


@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_a_message_has_a_few_final_blocks_at_most(size: int) -> None:
    def cut(data: bytes) -> list[bytes]:
        return [data[at : at + size] for at in range(0, len(data), size)]

    inflater = new_inflater()
    for _ in range(3):  # messages: each is judged by itself
        assert inflate(inflater, *cut(b"\x03\x00" * MAX_FINAL_BLOCKS)) == b""
        assert inflate(inflater, *cut(b"\x00\x00\x00\xff\xff" * 1_000 + b"\x00")) == b"", "others cost nothing"
    assert refusal(*cut(b"\x03\x00" * (MAX_FINAL_BLOCKS + 1))) == CloseCode.MESSAGE_TOO_BIG


def test_a_compressed_message_without_any_byte_is_empty() -> None:
    assert inflate(new_inflater()) == b""


MESSAGES = st.lists(st.binary(max_size=3_000) | st.integers(0, 70_000).map(bytes), max_size=6)


@given(st.integers(9, 15), st.booleans(), MESSAGES, st.integers(1, 700))
def test_what_a_client_compresses_is_restored_from_any_pieces(
    bits: int, forgets: bool, messages: list[bytes], size: int
) -> None:
    takeover = "; client_no_context_takeover" if forgets else ""
    inflater = new_inflater(f"permessage-deflate; client_max_window_bits={bits}{takeover}")
    compressor = zlib.compressobj(wbits=-bits)
    for message in messages:
        data = (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        assert inflate(inflater, *(data[at : at + size] for at in range(0, len(data), size))) == message
        if forgets:
            compressor = zlib.compressobj(wbits=-bits)


@pytest.mark.parametrize(
    "compressed",
    ["07", "ff ff", "f2 48 cd c9", "00 05 00 fa ff 48 65", "00 05 00 fa fe 48", "f2 48 cd c9 c9 07 00 00 00 ff ff"],
    ids=["reserved block", "bad block", "cut in a block", "cut in a stored block", "bad length", "with its tail"],
)
def test_what_is_no_whole_deflate_stream_is_refused(compressed: str) -> None:
    assert refusal(bytes.fromhex(compressed)) == 1007


def test_more_than_there_is_room_for_is_1009() -> None:
    exact = zlib.compress(bytes(1_000), wbits=-15)
    assert inflate(new_inflater(), exact, room=1_000) == bytes(1_000)
    assert refusal(exact, room=999) == 1009


def test_a_bomb_takes_no_more_memory_than_there_is_room_for() -> None:
    bomb = zlib.compress(bytes(100_000_000), 9, wbits=-15)
    room = 1_000_000
    tracemalloc.start()
    try:
        assert refusal(bomb, room=room) == 1009
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(bomb) < 100_000
    assert peak < 1.5 * room


def test_between_messages_only_the_window_is_kept() -> None:
    keeping = new_inflater("permessage-deflate; client_max_window_bits=10")
    forgetting = new_inflater("permessage-deflate; client_no_context_takeover")
    deflater_of_ours = deflater(agreed("permessage-deflate; server_max_window_bits=10"), KEEPING)
    data = zlib.compress(bytes(1_000_000), wbits=-10)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for inflater in (keeping, forgetting):
            inflate(inflater, data, room=1_000_000)
        deflater_of_ours.encode(Opcode.BINARY, bytes(1_000_000))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 3 * 1_024 + 1_000


@given(st.binary(min_size=1, max_size=200), st.integers(1, 200))
def test_any_bytes_are_restored_or_refused_in_any_pieces_alike(data: bytes, cut: int) -> None:
    def outcome(*pieces: bytes) -> int | bytes:
        try:
            return inflate(new_inflater(), *pieces, room=1_000)
        except ProtocolViolation as violation:
            return int(violation.code)

    whole = outcome(data)
    assert whole in (1007, 1009) or (isinstance(whole, bytes) and len(whole) <= 1_000)
    assert outcome(data[:cut], data[cut:]) == whole
