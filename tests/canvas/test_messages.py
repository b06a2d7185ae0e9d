"""The messages of docs/wire-protocol.md: what is read, what is refused and why, what is written."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.area import Area
from canvas.board.errors import BadMessage
from canvas.board.grid import Change
from canvas.board.rules import Rules
from canvas.messages.json_codec import JSON, decode, encode_canvas_state
from canvas.messages.values import (
    ClientCursorMove,
    ClientMessage,
    ClientPixelUpdate,
    ClientSubscribe,
    PresenceChange,
    User,
    Welcome,
)
from protocol import SharedMessage
from supervision.server.rate_limit import RateLimit

WIDTH, HEIGHT = 1000, 500
PIXEL = {"type": "pixel_update", "x": 1, "y": 2, "color": "#FF0000"}
CURSOR = {"type": "cursor_move", "x": 1, "y": 2}


def refusal(data: str | bytes) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        decode(data, WIDTH, HEIGHT)
    return caught.value


def changed(message: dict[str, Any], **changes: Any) -> str:
    """The message with some fields changed; `...` leaves one out."""
    return json.dumps({name: value for name, value in {**message, **changes}.items() if value is not ...})


# What is read.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"pixel_update","x":100,"y":150,"color":"#FF0000"}', ClientPixelUpdate(100, 150, 0xFF0000)),
        ('{"type":"cursor_move","x":200,"y":300}', ClientCursorMove(200, 300)),
        (' {"color":"#00a0Ff" ,"y":0,\n"x":0,"type":"pixel_update"} ', ClientPixelUpdate(0, 0, 0x00A0FF)),
        ('{"type":"cursor_move","x":999,"y":499,"pressure":0.5,"tool":null}', ClientCursorMove(999, 499)),
        ('{"type":"cursor_move","x":1,"y":2,"x":3}', ClientCursorMove(3, 2)),
        ('{"\\u0074ype":"cursor_move","x":-0,"y":2}', ClientCursorMove(0, 2)),
        ('{"type":"subscribe","x":0,"y":0,"width":1000,"height":500}', ClientSubscribe(Area(0, 0, 1000, 500))),
        ('{"type":"subscribe","x":999,"y":499,"width":1,"height":1}', ClientSubscribe(Area(999, 499, 1, 1))),
    ],
)
def test_good_message_is_read(text: str, expected: ClientMessage) -> None:
    assert decode(text, WIDTH, HEIGHT) == expected
    assert decode(text.encode(), WIDTH, HEIGHT) == expected


# What is refused.


@pytest.mark.parametrize(
    "data",
    [
        "", " ", "{", "}", "nothing", "{'type':'cursor_move'}", '{"type":"cursor_move",}', '{"type":"cursor_move"} {}',
        '{"type":"cursor_move","x":NaN,"y":2}', '{"type":"cursor_move","x":Infinity,"y":2}',
        '{"type":"cursor_move","x":01,"y":2}', '{"type":"cursor_move","x":0x1,"y":2}', '{"type":"\n"}',
        '{"type":"\\ud800"}', '{"type":"\ud800"}', b'{"type":"\xff"}', b"\xff\xfe{\x00}\x00", b'\xef\xbb\xbf{"type":1}',
        b"\xed\xa0\x80", "[" * 100_000,
    ],
    ids=lambda data: repr(data[:30]),
)  # fmt: skip
def test_what_is_not_json_is_invalid_json(data: str | bytes) -> None:
    error = refusal(data)
    assert (error.code, error.field) == ("invalid_json", None)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("null", "null"), ("true", "a boolean"), ("1", "an integer"), ("1.5", "a number"),
        ('"cursor_move"', "a string"), ('[{"type":"cursor_move","x":1,"y":2}]', "an array"),
    ],
)  # fmt: skip
def test_json_that_is_no_object_is_an_invalid_message(data: str, kind: str) -> None:
    error = refusal(data)
    assert (error.code, error.field) == ("invalid_message", None)
    assert error.message == f"a message is a JSON object, got {kind}"


@pytest.mark.parametrize(
    ("message", "field"), [(PIXEL, "type"), (PIXEL, "x"), (PIXEL, "y"), (PIXEL, "color"), (CURSOR, "x"), (CURSOR, "y")]
)
def test_missing_field_is_named(message: dict[str, Any], field: str) -> None:
    error = refusal(changed(message, **{field: ...}))
    assert (error.code, error.field, error.message) == ("missing_field", field, f"{field} is missing")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("null", "null"), ("true", "a boolean"), ("false", "a boolean"), ("1.0", "a number"), ("0.5", "a number"),
        ("1e2", "a number"), ('"1"', "a string"), ("[1]", "an array"), ("{}", "an object"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["x", "y"])
@pytest.mark.parametrize("message", [PIXEL, CURSOR], ids=["pixel_update", "cursor_move"])
def test_coordinate_that_is_no_integer_is_invalid(message: dict[str, Any], field: str, value: str, kind: str) -> None:
    error = refusal(changed(message, **{field: "HERE"}).replace('"HERE"', value))
    assert (error.code, error.field) == ("invalid_field", field)
    assert error.message == f"{field} must be an integer, got {kind}"


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("x", -1, 999), ("x", 1000, 999), ("y", -1, 499), ("y", 500, 499), ("x", 2**31, 999), ("x", -(2**63), 999),
        ("y", 2**63, 499), ("y", 2**64 - 1, 499),
    ],
)  # fmt: skip
@pytest.mark.parametrize("message", [PIXEL, CURSOR], ids=["pixel_update", "cursor_move"])
def test_coordinate_off_the_canvas_is_out_of_bounds(
    message: dict[str, Any], field: str, value: int, limit: int
) -> None:
    error = refusal(changed(message, **{field: value}))
    assert (error.code, error.field) == ("out_of_bounds", field)
    assert error.message == f"{field} must be within 0..{limit}, got {value}"


@pytest.mark.parametrize(
    ("field", "value", "limits"),
    [("width", 0, "1..900"), ("width", 901, "1..900"), ("height", -1, "1..300"), ("height", 301, "1..300"),
     ("x", 1000, "0..999"), ("y", 500, "0..499")],
)  # fmt: skip
def test_area_off_the_canvas_is_out_of_bounds(field: str, value: int, limits: str) -> None:
    area = {"type": "subscribe", "x": 100, "y": 200, "width": 10, "height": 10}
    error = refusal(changed(area, **{field: value}))
    assert (error.code, error.field) == ("out_of_bounds", field)
    assert error.message == f"{field} must be within {limits}, got {value}"


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**30, -(10**300)], ids="{:.3g}".format)
def test_integer_beyond_64_bits_is_out_of_bounds(value: int) -> None:
    error = refusal(changed(PIXEL, x=value))
    assert (error.code, error.field) == ("out_of_bounds", "x")


def test_integer_with_thousands_of_digits_is_refused() -> None:
    refusal('{"type":"cursor_move","x":1' + "0" * 5_000 + ',"y":0}')


@pytest.mark.parametrize(
    "color",
    [
        "", "#", "red", "FF0000", "#FF000", "#FF00000", "#FF0000 ", " #FF0000", "#FF0000\n", "#GG0000", "#+12345",
        "#1_2345", "#١٢٣٤٥٦", "#\uff26\uff26\uff10\uff10\uff10\uff10", "\uff03FF0000", "0xFF0000", "#FFF",
        "rgb(1,2,3)", "#" * 100_000,
    ],
    ids=lambda color: repr(color[:12]),
)  # fmt: skip
def test_colour_of_another_form_is_an_invalid_color(color: str) -> None:
    error = refusal(changed(PIXEL, color=color))
    assert (error.code, error.field) == ("invalid_color", "color")
    assert error.message.startswith("color must be like #FF0000, got ")
    assert len(error.message) < 120


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "a boolean"), (0xFF0000, "an integer"), (0.5, "a number"), ([255, 0, 0], "an array"),
     ({"r": 255}, "an object")],
)  # fmt: skip
def test_colour_that_is_no_string_is_an_invalid_field(value: Any, kind: str) -> None:
    error = refusal(changed(PIXEL, color=value))
    assert (error.code, error.field) == ("invalid_field", "color")
    assert error.message == f"color must be a string, got {kind}"


@pytest.mark.parametrize("kind", ["", "pixel", "PIXEL_UPDATE", "pixel_update ", "welcome", "💥" * 100, "\u0000"])
def test_unknown_type_is_named(kind: str) -> None:
    error = refusal(changed(PIXEL, type=kind))
    assert (error.code, error.field) == ("unknown_type", "type")
    assert len(error.message) < 500


@pytest.mark.parametrize(
    ("value", "kind"), [(None, "null"), (False, "a boolean"), (1, "an integer"), ([], "an array"), ({}, "an object")]
)
def test_type_that_is_no_string_is_an_invalid_field(value: Any, kind: str) -> None:
    error = refusal(changed(PIXEL, type=value))
    assert (error.code, error.field, error.message) == ("invalid_field", "type", f"type must be a string, got {kind}")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["pixel_update", "cursor_move", "subscribe"]) | ANY_JSON,
        "x": st.integers(-2, WIDTH + 1) | ANY_JSON,
        "y": st.integers(-2, HEIGHT + 1) | ANY_JSON,
        "width": st.integers(-2, WIDTH + 1) | ANY_JSON,
        "height": st.integers(-2, HEIGHT + 1) | ANY_JSON,
        "color": st.from_regex(r"#[0-9A-Fa-f]{6}", fullmatch=True) | ANY_JSON,
        "id": st.integers(-1, 2**32) | ANY_JSON,
    },
)


def check_read_or_refused(data: str | bytes) -> None:
    """Whatever comes is a message on the canvas, or a `BadMessage` that can be sent to whoever sent it."""
    try:
        message = decode(data, WIDTH, HEIGHT)
    except BadMessage as error:
        (sent,) = errors(error)
        assert sent["code"] in CODES
        assert sent.get("field") in (None, "type", "x", "y", "width", "height", "color", "id")
        return
    if isinstance(message, ClientSubscribe):
        area = message.area
        assert 0 <= area.x < area.x + area.width <= WIDTH
        assert 0 <= area.y < area.y + area.height <= HEIGHT
        return
    assert isinstance(message, ClientPixelUpdate | ClientCursorMove)
    assert type(message.x) is int
    assert type(message.y) is int
    assert 0 <= message.x < WIDTH
    assert 0 <= message.y < HEIGHT
    if isinstance(message, ClientPixelUpdate):
        assert type(message.color) is int
        assert 0 <= message.color <= 0xFFFFFF


CODES = {
    "invalid_json",
    "invalid_message",
    "missing_field",
    "invalid_field",
    "unknown_type",
    "out_of_bounds",
    "invalid_color",
}


@given(FIELDS | ANY_JSON)
def test_any_json_is_a_message_or_a_bad_message(value: Any) -> None:
    check_read_or_refused(json.dumps(value))


@given(st.text() | st.binary())
def test_any_text_or_bytes_are_a_message_or_a_bad_message(data: str | bytes) -> None:
    check_read_or_refused(data)


@given(st.data())
def test_message_broken_anywhere_is_a_message_or_a_bad_message(data: st.DataObject) -> None:
    whole = json.dumps(data.draw(FIELDS)).encode()
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))))
    check_read_or_refused(whole[:start] + data.draw(st.binary(max_size=3)) + whole[end:])


@given(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(0, 0xFFFFFF), st.booleans())
def test_every_pixel_in_every_colour_is_read(x: int, y: int, color: int, lower: bool) -> None:
    text = f"#{color:06x}" if lower else f"#{color:06X}"
    assert decode(changed(PIXEL, x=x, y=y, color=text), WIDTH, HEIGHT) == ClientPixelUpdate(x, y, color)


# What the client calls it.


SENT = [
    PIXEL,
    {"type": "cursor_move", "x": 1, "y": 2},
    {"type": "subscribe", "x": 0, "y": 0, "width": 1, "height": 1},
]


@pytest.mark.parametrize("id_", [0, 7, 2**32 - 1])
@pytest.mark.parametrize("message", SENT, ids=lambda message: message["type"])
def test_id_is_read(message: dict[str, Any], id_: int) -> None:
    assert decode(json.dumps({**message, "id": id_}), WIDTH, HEIGHT).id == id_
    assert decode(json.dumps(message), WIDTH, HEIGHT).id is None


@pytest.mark.parametrize("id_", [-1, 2**32, 2**70, 1.0, True, None, "7", [], {}])
@pytest.mark.parametrize("message", SENT, ids=lambda message: message["type"])
def test_what_is_no_id_is_refused_without_one(message: dict[str, Any], id_: object) -> None:
    error = refusal(json.dumps({**message, "id": id_}))
    assert (error.code, error.field, error.id, error.paints) == ("invalid_field", "id", None, False)


@pytest.mark.parametrize(
    ("message", "pixels"),
    [
        ({"type": "pixel_update", "x": WIDTH, "y": 0, "color": "#FF0000"}, ((WIDTH, 0),)),
        ({"type": "pixel_update", "x": 1, "y": 0, "color": "red"}, ((1, 0),)),
        ({"type": "pixel_update", "x": 1.5, "y": 0, "color": "#FF0000"}, ()),
        ({"type": "pixel_update"}, ()),
    ],
)
def test_refused_painting_message_keeps_its_id_and_its_pixel(message: dict[str, Any], pixels: object) -> None:
    error = refusal(json.dumps({**message, "id": 7}))
    assert (error.id, error.paints, error.pixels) == (7, True, pixels)


@pytest.mark.parametrize("message", [{"type": "cursor_move", "x": 1}, {"type": "subscribe"}, {"type": "other"}, {}])
def test_refused_message_that_paints_nothing_keeps_its_id(message: dict[str, Any]) -> None:
    error = refusal(json.dumps({**message, "id": 7}))
    assert (error.id, error.paints, error.pixels) == (7, False, ())


# What is written.


WELCOME = Welcome(
    user_id="abc123", width=1000, height=500, background=0xFFFFFF, epoch="e", seq=42, head=43, resumed=True,
    users=[User("abc123"), User("def456", "Dee")], user_count=2, rules=Rules(rate_limit=RateLimit(100, 200)),
)  # fmt: skip
FREE: dict[str, Any] = {"read_only": False, "palette": None, "cooldown": None, "locked": []}


def _told(message: SharedMessage) -> Any:
    """The one message that `message` is."""
    (text,) = message.payloads
    return json.loads(text)


def test_welcome_says_who_what_and_who_else() -> None:
    assert _told(JSON.welcome(WELCOME)) == {
        "type": "welcome", "user_id": "abc123", "width": 1000, "height": 500, "background": "#FFFFFF", "epoch": "e",
        "seq": 42, "head": 43, "resumed": True, "users": ["abc123", "def456"], "user_count": 2,
        "rate_limit": {"per_second": 100, "burst": 200}, "names": {"def456": "Dee"}, **FREE,
    }  # fmt: skip


def test_welcome_without_a_limit_says_null() -> None:
    message = _told(JSON.welcome(replace(WELCOME, background=0, rules=Rules())))
    assert message["rate_limit"] is None
    assert message["background"] == "#000000"


def test_canvas_state_has_the_pixels_as_they_are_given() -> None:
    text = encode_canvas_state(b'{"x":1,"y":2,"color":"#FF0000"}', 'an "epoch"', 42)
    state = {
        "type": "canvas_state", "epoch": 'an "epoch"', "seq": 42, "pixels": [{"x": 1, "y": 2, "color": "#FF0000"}]
    }  # fmt: skip
    assert json.loads(text) == state
    text = encode_canvas_state(b'{"x":1,"y":2,"color":"#FF0000"}', 'an "epoch"', 42, Area(1, 2, 3, 4))
    assert json.loads(text) == {**state, "area": {"x": 1, "y": 2, "width": 3, "height": 4}}


def test_changes_are_written_one_message_each_in_order() -> None:
    changes = [Change(100, 150, 0xFF0000, "abc123", 43), Change(0, 0, 0xA, 'b"ö', 44), Change(1, 1, 0, "abc123", 50)]
    told = [
        {"type": "pixel_changed", "x": 100, "y": 150, "color": "#FF0000", "user_id": "abc123", "seq": 43},
        {"type": "pixel_changed", "x": 0, "y": 0, "color": "#00000A", "user_id": 'b"ö', "seq": 44},
        {"type": "pixel_changed", "x": 1, "y": 1, "color": "#000000", "user_id": "abc123", "seq": 50, "skipped": 5},
    ]
    assert [json.loads(text) for text in JSON.changes(changes, 42).payloads] == told
    assert json.loads(JSON.changes(changes, 40).payloads[0]) == {**told[0], "skipped": 2}


def test_presence_is_written_as_documented() -> None:
    dee, other = User("def456", "Dee"), User("def456")
    assert _told(JSON.presence([PresenceChange(other, True)])) == {"type": "user_joined", "user_id": "def456"}
    joined = {"type": "user_joined", "user_id": "def456", "name": "Dee"}
    assert _told(JSON.presence([PresenceChange(dee, True)])) == joined
    assert _told(JSON.presence([PresenceChange(dee, False)])) == {"type": "user_left", "user_id": "def456"}
    cursor = {"type": "cursor_moved", "x": 200, "y": 300, "user_id": "abc123"}
    assert _told(JSON.cursors([("abc123", 200, 300)])) == cursor


def test_error_names_the_field_only_if_there_is_one() -> None:
    with_field = {"type": "error", "code": "missing_field", "message": "x is missing", "field": "x"}
    assert errors(BadMessage("missing_field", "x is missing", "x")) == [with_field]
    assert errors(BadMessage("invalid_json", "not JSON")) == [
        {"type": "error", "code": "invalid_json", "message": "not JSON"}
    ]


def test_error_names_each_refused_pixel_and_the_message_and_when_to_try_again() -> None:
    error = BadMessage("cooldown", "wait", retry_after=1.2345)
    error.id, error.pixels = 7, ((1, 2), (3, 4))
    told = {"type": "error", "code": "cooldown", "message": "wait", "id": 7, "retry_after": 1.235}
    assert errors(error) == [{**told, "x": 1, "y": 2}, {**told, "x": 3, "y": 4}]


@pytest.mark.parametrize("wait", [0.0, 1e-9, 0.001, 59.9999])
def test_time_to_wait_is_never_nothing_nor_too_short(wait: float) -> None:
    (error,) = errors(BadMessage("cooldown", "wait", retry_after=wait))
    assert 0.001 <= error["retry_after"] < wait + 0.0011
    assert error["retry_after"] >= wait


def errors(error: BadMessage) -> list[dict[str, Any]]:
    return [json.loads(text) for text in JSON.error(error).payloads]


def test_ack_is_written_as_documented() -> None:
    assert _told(JSON.ack((7, 123))) == {"type": "ack", "id": 7, "seq": 123}
