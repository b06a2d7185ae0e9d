"""RFC 7692: permessage-deflate."""

import re
import zlib

import pytest

from tests.conformance.peer import ask, close, converse, deflated, exchange, frame, handshake, read_answer

DEFLATE = "permessage-deflate"
LONG = "a message that is long enough to gain by compression. " * 20


def agreed(port: int, offer: str) -> dict[str, str | None] | None:
    """What the server agrees to; None for nothing."""
    answer = read_answer(exchange(port, handshake(Sec_WebSocket_Extensions=offer) + close()))
    assert answer.status == 101
    value = answer.headers.get("sec-websocket-extensions")
    if value is None:
        return None
    name, *params = re.split(r"\s*;\s*", value)
    assert name == DEFLATE
    pairs = [param.partition("=") for param in params]
    assert len({pair[0] for pair in pairs}) == len(pairs)
    return {name: setting or None for name, _, setting in pairs}


# -- §7.1: what is agreed on -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", range(8, 16))
def test_7_1_2_1_the_servers_window_is_at_most_as_large_as_asked(port: int, bits: int) -> None:
    answer = agreed(port, f"{DEFLATE}; server_max_window_bits={bits}")
    assert answer is not None
    assert 8 <= int(answer["server_max_window_bits"] or "") <= bits
    assert "client_max_window_bits" not in answer


@pytest.mark.parametrize("bits", range(8, 16))
def test_7_1_2_2_the_clients_window_is_at_most_as_large_as_offered(port: int, bits: int) -> None:
    answer = agreed(port, f"{DEFLATE}; client_max_window_bits={bits}")
    assert answer is not None
    assert 8 <= int(answer.get("client_max_window_bits") or "15") <= bits


def test_7_1_2_2_a_client_that_did_not_offer_it_is_not_asked_to_limit_its_window(port: int) -> None:
    answer = agreed(port, DEFLATE)
    assert answer is not None
    assert "client_max_window_bits" not in answer


def test_7_1_1_1_the_server_forgets_its_context_if_asked(port: int) -> None:
    answer = agreed(port, f"{DEFLATE}; server_no_context_takeover")
    assert answer is not None
    assert "server_no_context_takeover" in answer


def test_7_1_1_2_the_clients_hint_is_accepted(port: int) -> None:
    assert agreed(port, f"{DEFLATE}; client_no_context_takeover") is not None


def test_7_1_all_four_parameters_together(port: int) -> None:
    offer = "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9"
    assert agreed(port, f"{DEFLATE}; {offer}") == {
        "server_no_context_takeover": None,
        "client_no_context_takeover": None,
        "server_max_window_bits": "9",
        "client_max_window_bits": "9",
    }


INVALID_PARAMETERS = [
    "foo", "foo=1", "server_no_context_takeover=1", "client_no_context_takeover=true", "server_max_window_bits",
    "server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=08", "server_max_window_bits=x",
    "server_max_window_bits=-9", "client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=0",
    "client_max_window_bits=10; client_max_window_bits=10", "server_no_context_takeover; server_no_context_takeover",
]  # fmt: skip


@pytest.mark.parametrize("params", INVALID_PARAMETERS)
def test_7_1_an_invalid_offer_is_declined_and_the_next_one_taken(port: int, params: str) -> None:
    assert agreed(port, f"{DEFLATE}; {params}") is None
    assert agreed(port, f"{DEFLATE}; {params}, {DEFLATE}") is not None
    assert agreed(port, f"x-unknown; a=b, {DEFLATE}; {params}, {DEFLATE}; server_max_window_bits=10") is not None


def test_7_1_offers_may_stand_in_several_lines(port: int) -> None:
    lines = f"x-unknown\r\nSec-WebSocket-Extensions: {DEFLATE}"
    assert agreed(port, lines) is not None


def test_7_1_a_value_may_be_quoted(port: int) -> None:
    answer = agreed(port, f'{DEFLATE}; server_max_window_bits="10"')
    assert answer is not None
    assert answer["server_max_window_bits"] == "10"


def test_without_an_offer_nothing_is_agreed(port: int) -> None:
    answer = read_answer(exchange(port, handshake() + close()))
    assert "sec-websocket-extensions" not in answer.headers
    assert ask(port, handshake(Sec_WebSocket_Extensions=f"{DEFLATE};")).status == 400


# -- §6, §7.2: messages ----------------------------------------------------------------------------------------------

HEARD = {
    "7.2.3.1 one fixed block": ([frame(1, bytes.fromhex("f248cdc9c90700"), rsv=4)], ["text Hello"]),
    "7.2.3.1 in two fragments": (
        [frame(1, bytes.fromhex("f248cd"), fin=False, rsv=4), frame(0, bytes.fromhex("c9c90700"))],
        ["text Hello"],
    ),
    "7.2.3.3 a block without compression": ([frame(1, bytes.fromhex("000500faff48656c6c6f00"), rsv=4)], ["text Hello"]),
    "7.2.3.4 a final block": ([frame(1, bytes.fromhex("f348cdc9c9070000"), rsv=4)], ["text Hello"]),
    "7.2.3.5 two blocks": ([frame(1, bytes.fromhex("f248050000 00ffffcac9c90700"), rsv=4)], ["text Hello"]),
    "7.2.3.6 an empty message": ([frame(1, b"\x00", rsv=4)], ["text"]),
    "7.2.3.6 an empty fixed block": ([frame(1, b"\x02\x00", rsv=4)], ["text"]),
    "6 a message without RSV1 is taken as it is": ([frame(1, "Hello")], ["text Hello"]),
    "6.1 a ping between the fragments": (
        [frame(1, bytes.fromhex("f248cd"), fin=False, rsv=4), frame(9, "p"), frame(0, bytes.fromhex("c9c90700"))],
        ["pong 70", "text Hello"],
    ),
    "6.1 an empty last fragment": (
        [frame(1, bytes.fromhex("f248cdc9c90700"), fin=False, rsv=4), frame(0)],
        ["text Hello"],
    ),
    "7.2.1 a long message comes back compressed": ([frame(1, deflated(LONG.encode()), rsv=4)], [f"~text {LONG}"]),
    "7.2.1 a long binary message, too": (
        [frame(2, deflated(LONG.encode()), rsv=4)],
        [f"~binary {LONG.encode().hex()}"],
    ),
}


@pytest.mark.parametrize(("sent", "heard"), HEARD.values(), ids=HEARD.keys())
def test_a_compressed_message_is_echoed(port: int, sent: list[bytes], heard: list[str], bytewise: bool) -> None:
    answer = converse(port, *sent, close(), extensions=DEFLATE, bytewise=bytewise)
    assert answer == [*(each.rstrip() for each in heard), "close 1000"]


def test_7_2_2_messages_may_or_may_not_refer_to_each_other(port: int) -> None:
    answer = agreed(port, DEFLATE)
    assert answer is not None
    first, second = frame(1, bytes.fromhex("f248cdc9c90700"), rsv=4), frame(1, bytes.fromhex("f200110000"), rsv=4)
    heard = converse(port, first, first, second, extensions=DEFLATE)
    expected = "close 1007" if "client_no_context_takeover" in answer else "text Hello"
    assert heard == ["text Hello", "text Hello", expected]


REFUSED = {
    "6.1 RSV1 on a continuation": (1002, [frame(1, b"\x00", fin=False, rsv=4), frame(0, b"\x00", rsv=4)]),
    "6.1 RSV1 on a ping": (1002, [frame(9, "a", rsv=4)]),
    "6.1 RSV1 on a pong": (1002, [frame(10, "a", rsv=4)]),
    "6.1 RSV1 on a close frame": (1002, [frame(8, rsv=4)]),
    "5.2 RSV2": (1002, [frame(1, "a", rsv=2)]),
    "5.2 RSV3": (1002, [frame(1, "a", rsv=1)]),
    "5.2 RSV1 and RSV2": (1002, [frame(1, "a", rsv=6)]),
    "7.2.2 no DEFLATE": (1007, [frame(1, b"\xff\xff\xff\xff", rsv=4)]),
    "7.2.2 a reserved kind of block": (1007, [frame(2, b"\x07", rsv=4)]),
    "7.2.2 plain text": (1007, [frame(1, "Hello, world", rsv=4)]),
    "7.2.2 a message that is cut off": (1007, [frame(1, deflated(LONG.encode())[:-4], rsv=4)]),
    "7.2.2 a reference to what never was": (1007, [frame(1, bytes.fromhex("f200110000"), rsv=4)]),
    "8.1 not UTF-8 when inflated": (1007, [frame(1, deflated(b"\xff" * 10), rsv=4)]),
    "8.1 half a character when inflated": (1007, [frame(1, deflated(b"\xe2\x82"), rsv=4)]),
}


@pytest.mark.parametrize(("code", "sent"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_compressed_message_is_refused(port: int, code: int, sent: list[bytes], bytewise: bool) -> None:
    assert converse(port, *sent, extensions=DEFLATE, bytewise=bytewise) == [f"close {code}"]


@pytest.mark.parametrize("bits", range(8, 16))
def test_7_1_2_1_the_server_keeps_to_its_window(port: int, bits: int) -> None:
    unit = bytes(range(256)) * 2
    message = (unit + bytes(3_000) + unit) * 4
    offer = f"{DEFLATE}; server_max_window_bits={bits}"
    answer = read_answer(exchange(port, handshake(Sec_WebSocket_Extensions=offer) + frame(2, message) + close()))
    inflater = zlib.decompressobj(-bits)
    compressed = answer.rest[4:-4] + b"\x00\x00\xff\xff"
    assert answer.rest[0] == 0xC2
    assert b"".join(inflater.decompress(compressed[i : i + 1]) for i in range(len(compressed))) == message


def test_short_messages_come_back_as_they_are(port: int) -> None:
    assert converse(port, frame(1, "a" * 100), close(), extensions=DEFLATE) == ["text " + "a" * 100, "close 1000"]
