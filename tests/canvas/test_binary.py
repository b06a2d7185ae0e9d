"""`canopy.v1.bin`: what is read, what is refused and why, and that a client understands all that is written."""

import zlib
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.area import TILE, Area
from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.board.rules import Rules
from canvas.messages.binary_codec import BINARY, MAX_CHANGES, decode, encode_snapshot
from canvas.messages.values import (
    ClientCursorMove,
    ClientMessage,
    ClientPixels,
    ClientPixelUpdate,
    ClientSubscribe,
    PresenceChange,
    User,
    Welcome,
)
from supervision.server.rate_limit import RateLimit
from tests.support.binary_screen import BinaryScreen
from tests.support.instance import simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import BinaryClient, VirtualPeer

WIDTH, HEIGHT = 1000, 500
U16 = st.integers(0, 0xFFFF)
USER_IDS = st.text(max_size=60).filter(lambda text: len(text.encode()) <= 255)
PEOPLE = st.builds(User, USER_IDS, st.just("") | USER_IDS)


def refusal(data: bytes) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        decode(data, WIDTH, HEIGHT)
    return caught.value


# What is read.


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("01 6400 9600 ff0000", ClientPixels([ClientPixelUpdate(100, 150, 0xFF0000)])),
        (
            "01 0000 0000 00000a e703 f301 0a0b0c",
            ClientPixels([ClientPixelUpdate(0, 0, 0x00000A), ClientPixelUpdate(999, 499, 0x0A0B0C)]),
        ),
        ("04 ffffffff 6400 9600 ff0000", ClientPixels([ClientPixelUpdate(100, 150, 0xFF0000)], 2**32 - 1)),
        (
            "04 00000000 0000 0000 00000a 0100 0000 00000a",
            ClientPixels([ClientPixelUpdate(0, 0, 0x0A), ClientPixelUpdate(1, 0, 0x0A)], 0),
        ),
        ("02 c800 2c01", ClientCursorMove(200, 300)),
        ("03 0000 0000 e803 f401", ClientSubscribe(Area(0, 0, 1000, 500))),
    ],
)
def test_good_message_is_read(data: str, expected: ClientMessage) -> None:
    assert decode(bytes.fromhex(data), WIDTH, HEIGHT) == expected


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        ("", "invalid_message", None),
        ("00", "unknown_type", "type"),
        ("81", "unknown_type", "type"),
        ("01", "invalid_message", None),
        ("01 6400 9600 ff00", "invalid_message", None),
        ("01 6400 9600 ff0000 00", "invalid_message", None),
        ("01 e803 0000 ff0000", "out_of_bounds", "x"),
        ("01 0000 f401 ff0000", "out_of_bounds", "y"),
        ("01 0000 0000 ff0000 ffff 0000 ff0000", "out_of_bounds", "x"),
        ("04", "invalid_message", None),
        ("04 070000", "invalid_message", None),
        ("02 c800 2c", "invalid_message", None),
        ("02 c800 2c01 00", "invalid_message", None),
        ("02 e803 2c01", "out_of_bounds", "x"),
        ("03 0000 0000 e803", "invalid_message", None),
        ("03 0000 0000 0000 0100", "out_of_bounds", "width"),
        ("03 0100 0000 e803 0100", "out_of_bounds", "width"),
        ("03 0000 0100 e803 f401", "out_of_bounds", "height"),
    ],
)
def test_bad_message_is_refused(data: str, code: str, field: str | None) -> None:
    error = refusal(bytes.fromhex(data))
    assert (error.code, error.field) == (code, field)


@pytest.mark.parametrize("rest", ["", "6400 9600 ff00", "e803 0000 ff0000"])
def test_refused_painting_message_keeps_its_id(rest: str) -> None:
    error = refusal(bytes.fromhex("04 07000000" + rest))
    assert (error.id, error.paints) == (7, True)


def check_read_or_refused(data: bytes) -> None:
    message: ClientMessage | str
    try:
        message = decode(data, WIDTH, HEIGHT)
    except BadMessage as error:
        (sent,) = told(*BINARY.error(error).payloads)
        message = sent["code"]
    if isinstance(message, str):
        assert message in {"invalid_message", "unknown_type", "out_of_bounds"}
        return
    if isinstance(message, ClientSubscribe):
        assert message.area.x + message.area.width <= WIDTH
        assert message.area.y + message.area.height <= HEIGHT
        return
    places = message.pixels if isinstance(message, ClientPixels) else [message]
    assert places
    for place in places:
        assert isinstance(place, ClientPixelUpdate | ClientCursorMove)
        assert 0 <= place.x < WIDTH
        assert 0 <= place.y < HEIGHT


@given(st.binary() | st.builds(lambda kind, rest: bytes((kind,)) + rest, st.integers(1, 4), st.binary(max_size=40)))
def test_any_bytes_are_a_message_or_a_bad_message(data: bytes) -> None:
    check_read_or_refused(data)


@given(st.lists(st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(0, 0xFFFFFF)), min_size=1))
def test_pixels_are_read_as_they_were_sent(pixels: list[tuple[int, int, int]]) -> None:
    data = b"\x01" + b"".join(pack("<HH", x, y) + color.to_bytes(3, "big") for x, y, color in pixels)
    assert decode(data, WIDTH, HEIGHT) == ClientPixels([ClientPixelUpdate(*pixel) for pixel in pixels])


# What is written.


def told(*messages: bytes, screen: BinaryScreen | None = None) -> list[dict[str, Any]]:
    """What a client is told by messages, as JSON would have it."""
    screen = screen or BinaryScreen()
    return [one for data in messages for one in _read(screen, data)]


def _read(screen: BinaryScreen, data: bytes) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    screen.take = heard.append  # type: ignore[method-assign, assignment]
    screen.take_binary(data)
    return heard


WELCOMES = st.builds(
    Welcome,
    user_id=USER_IDS,
    width=U16,
    height=U16,
    background=st.integers(0, 0xFFFFFF),
    epoch=USER_IDS,
    seq=st.integers(0, 2**64 - 1),
    head=st.integers(0, 2**64 - 1),
    resumed=st.booleans(),
    users=st.lists(PEOPLE, max_size=5, unique_by=lambda person: person.user_id),
    user_count=st.integers(0, 2**32 - 1),
    rules=st.builds(
        Rules,
        rate_limit=st.none() | st.builds(RateLimit, st.floats(0, 1e6), st.integers(0, 2**32 - 1)),
        is_read_only=st.booleans(),
    ),
)


@given(WELCOMES)
def test_welcome_is_understood(welcome: Welcome) -> None:
    limit = welcome.rules.rate_limit
    assert told(*BINARY.welcome(welcome).payloads) == [
        {
            "type": "welcome",
            "user_id": welcome.user_id,
            "width": welcome.width,
            "height": welcome.height,
            "background": f"#{welcome.background:06X}",
            "epoch": welcome.epoch,
            "seq": welcome.seq,
            "head": welcome.head,
            "resumed": welcome.resumed,
            "users": [person.user_id for person in welcome.users],
            "names": {person.user_id: person.name for person in welcome.users if person.name},
            "read_only": welcome.rules.is_read_only,
            "palette": None,
            "cooldown": None,
            "locked": [],
            "user_count": welcome.user_count,
            "rate_limit": limit and {"per_second": limit.per_second, "burst": limit.burst},
        }
    ]


CHANGES = st.lists(st.tuples(U16, U16, st.integers(0, 0xFFFFFF), USER_IDS, st.integers(1, 3)), min_size=1, max_size=30)


@given(CHANGES, st.integers(0, 2**63))
def test_changes_are_understood(drawn: list[tuple[int, int, int, str, int]], after: int) -> None:
    seq, changes = after, []
    for x, y, color, user_id, step in drawn:
        seq += step
        changes.append(Change(x, y, color, user_id, seq))
    heard = told(*BINARY.changes(changes, after).payloads)
    assert [(c["x"], c["y"], c["color"], c["user_id"]) for c in heard] == [
        (c.x, c.y, f"#{c.color:06X}", c.user_id) for c in changes
    ]
    assert heard[-1]["seq"] == seq
    assert heard[-1].get("skipped", 0) == seq - after - len(changes)


def test_more_changes_than_a_message_holds_are_several() -> None:
    changes = [Change(n % 10, 0, n, f"user{n}", n + 1) for n in range(MAX_CHANGES + 2)]
    messages = BINARY.changes(changes, 0).payloads
    assert len(messages) == 2
    assert [one["seq"] for one in told(*messages)] == list(range(1, MAX_CHANGES + 3))


@given(st.lists(st.builds(PresenceChange, PEOPLE, st.booleans()), max_size=10), st.lists(st.tuples(USER_IDS, U16, U16)))
def test_presence_and_cursors_are_understood(
    changes: list[PresenceChange], cursors: list[tuple[str, int, int]]
) -> None:
    assert told(*BINARY.presence(changes).payloads) == [
        {
            "type": "user_joined" if change.is_present else "user_left",
            "user_id": change.user.user_id,
            **({"name": change.user.name} if change.is_present and change.user.name else {}),
        }
        for change in changes
    ]
    assert told(*BINARY.cursors(cursors).payloads) == [
        {"type": "cursor_moved", "x": x, "y": y, "user_id": user_id} for user_id, x, y in cursors
    ]


@given(USER_IDS, st.text(), st.none() | USER_IDS.filter(bool))
def test_error_is_understood(code: str, message: str, field: str | None) -> None:
    (error,) = told(*BINARY.error(BadMessage(code, message, field)).payloads)
    assert (error["code"], error["message"], error.get("field")) == (code, message, field)
    assert "id" not in error


IDS = st.integers(0, 2**32 - 1)


@given(IDS, st.lists(st.tuples(U16, U16), max_size=5), st.none() | st.floats(0, 1e6))
def test_refusal_of_a_message_with_an_id_is_understood(
    id_: int, pixels: list[tuple[int, int]], wait: float | None
) -> None:
    error = BadMessage("cooldown", "wait", retry_after=wait)
    error.id, error.pixels = id_, tuple(pixels)
    (data,) = BINARY.error(error).payloads
    heard = told(data)
    assert data[0] == 0x89
    assert [(e["id"], e["code"], e["message"]) for e in heard] == [(id_, "cooldown", "wait")] * (len(pixels) or 1)
    assert [(e["x"], e["y"]) for e in heard if "x" in e] == pixels
    for one in heard:
        assert ("retry_after" in one) is (wait is not None)
        assert wait is None or wait <= one["retry_after"] <= wait + 0.0011


def test_more_refused_pixels_than_a_message_holds_are_several() -> None:
    error = BadMessage("rate_limited", "")
    error.id, error.pixels = 1, tuple((n % 1000, n // 1000) for n in range(MAX_CHANGES + 2))
    messages = BINARY.error(error).payloads
    assert len(messages) == 2
    assert [(one["x"], one["y"]) for one in told(*messages)] == list(error.pixels)


@given(IDS, st.integers(0, 2**64 - 1))
def test_ack_is_understood(id_: int, seq: int) -> None:
    assert told(*BINARY.ack((id_, seq)).payloads) == [{"type": "ack", "id": id_, "seq": seq}]


def test_snapshot_is_understood_and_a_part_of_one_changes_nothing_else() -> None:
    screen = BinaryScreen()
    screen.width, screen.height, screen.background, screen.states = 300, 256, "#FFFFFF", 1
    red = zlib.compress(b"\xff\x00\x00" * TILE * TILE)
    screen.take_binary(encode_snapshot(7, Area(0, 0, 300, 256), [(1, red)], is_whole=True))
    assert screen.pixels == {(x, y): "#FF0000" for x in range(256, 300) for y in range(256)}
    assert screen.seq == 7
    screen.take_binary(encode_snapshot(8, Area(250, 0, 20, 20), [(0, b"")], is_whole=False))
    assert screen.pixels == {(x, y): "#FF0000" for x in range(256, 270) for y in range(20)}
    progress = BINARY.progress(8, 11)
    assert progress is not None
    screen.take_binary(*progress.payloads)
    assert (screen.seq, screen.skipped) == (11, 3)


# In the application.


@simulated
async def test_every_bad_message_gets_its_error_and_the_connection_stays(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await BinaryClient.open(canvas.door)
        assert b"Sec-WebSocket-Protocol: canopy.v1.bin" in ann.response
        off = pack("<BHH", 2, 32, 0)
        for data, code in [(b"", "invalid_message"), (b"\x09", "unknown_type"), (off, "out_of_bounds")]:
            ann.send_binary(data)
            assert (await ann.error())["code"] == code
        ann.send_text("{}")
        assert (await ann.error())["code"] == "unsupported_data"
        ann.paint(1, 1, "#FF0000")
        await ann.until(lambda: ann.screen.own == [(1, 1, "#FF0000")])


@simulated
async def test_client_that_goes_on_sending_nonsense_is_closed_with_1008(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await BinaryClient.open(canvas.door)
        for _ in range(101):
            ann.send_binary(b"\xff")
        assert await ann.end() == (1008, "too many bad messages, the last one: unknown_type")


@simulated
async def test_many_pixels_in_one_message_count_each_for_the_rate_limit(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(10, 20)) as canvas:
        ann = await BinaryClient.open(canvas.door)
        ann.send_binary(b"\x01" + b"".join(pack("<HHBBB", x, 0, 255, 0, 0) for x in range(30)))
        assert (await ann.error())["code"] == "rate_limited"
        await ann.until(lambda: len(ann.screen.own) == 20)
        assert ann.screen.pixels == {(x, 0): "#FF0000" for x in range(20)}


@simulated
async def test_message_with_one_bad_pixel_paints_none(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await BinaryClient.open(canvas.door)
        ann.send_binary(b"\x01" + pack("<HHBBB", 0, 0, 255, 0, 0) + pack("<HHBBB", 32, 0, 255, 0, 0))
        assert (await ann.error())["field"] == "x"
        ann.paint(2, 2, "#FF0000")
        await ann.until(lambda: bool(ann.screen.own))
        assert ann.screen.pixels == {(2, 2): "#FF0000"}


@simulated
async def test_those_who_speak_either_see_each_other(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, bob = await canvas.join(), await BinaryClient.open(canvas.door)
        ann.paint(0, 0, "#FF0000")
        bob.paint(1, 1, "#00FF00")
        bob.send_binary(pack("<BHH", 2, 5, 6))
        for client in (ann, bob):
            await client.until(lambda screen=client.screen: screen.seq == 2 and screen.cursors == {"user2": (5, 6)})
            assert client.screen.pixels == {(0, 0): "#FF0000", (1, 1): "#00FF00"}
            assert client.screen.users == {"user1", "user2"}
        await ann.leave()
        await bob.until(lambda: bob.screen.users == {"user2"})


@simulated
async def test_client_that_offers_only_unknown_subprotocols_is_served_json_without_one(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        peer = VirtualPeer()
        peer.begin(canvas.door, headers=["Sec-WebSocket-Protocol: canopy.v9.bin, chat"])
        assert str(await peer.message()).startswith('{"type":"welcome"')
        assert b"Sec-WebSocket-Protocol" not in peer.response
