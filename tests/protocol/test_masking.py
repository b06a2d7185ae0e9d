"""Masking (RFC 6455 §5.3)."""

from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from protocol.masking import NUMPY_FROM, apply_mask, rotate_key

LONG = st.integers(NUMPY_FROM - 9, NUMPY_FROM + 9).flatmap(lambda size: st.binary(min_size=size, max_size=size))
KEYS = st.binary(min_size=4, max_size=4)


@given(st.binary() | LONG, KEYS)
def test_each_byte_is_xored_with_its_byte_of_the_key(data: bytes, key: bytes) -> None:
    assert apply_mask(data, key) == bytes(byte ^ mask for byte, mask in zip(data, cycle(key), strict=False))


@given(st.binary() | LONG, KEYS)
def test_masking_twice_gives_the_payload_back(data: bytes, key: bytes) -> None:
    assert apply_mask(apply_mask(data, key), key) == data


@given(LONG, KEYS, st.integers(0, NUMPY_FROM))
def test_a_payload_may_be_masked_in_pieces(data: bytes, key: bytes, cut: int) -> None:
    pieces = apply_mask(data[:cut], key) + apply_mask(data[cut:], rotate_key(key, cut))
    assert pieces == apply_mask(data, key)


@given(LONG, KEYS)
def test_any_kind_of_buffer_is_masked_alike(data: bytes, key: bytes) -> None:
    assert apply_mask(bytearray(data), key) == apply_mask(memoryview(data), key) == apply_mask(data, key)
