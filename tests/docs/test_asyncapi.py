"""`docs/asyncapi.json` agrees with the codec: the codec reads what the schema allows and writes only that."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from canvas.board.errors import BadMessage
from canvas.messages.json_codec import decode
from protocol import Opcode, encode_frame
from tests.support.instance import simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import MASK, VirtualClient

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "asyncapi.json").read_text())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
SIDE = 10_000
"""The side of the largest canvas, in pixels."""


def resolve(ref: str) -> Any:
    """Return the target of a reference within the document."""
    value: Any = DOCUMENT
    for part in ref.removeprefix("#/").split("/"):
        value = value[part]
    return value


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [ref for inner in value.values() for ref in references(inner)]
    return [ref for inner in value for ref in references(inner)] if isinstance(value, list) else []


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**MESSAGES[name]["payload"], "components": DOCUMENT["components"]})


def names(operation: str) -> set[str]:
    return {ref["$ref"].rpartition("/")[2] for ref in DOCUMENT["operations"][operation]["messages"]}


CLIENT, SERVER = names("tell"), names("show")


def test_document_is_whole() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert CLIENT | SERVER == MESSAGES.keys() == DOCUMENT["channels"]["canvas"]["messages"].keys()
    for ref in references(DOCUMENT):
        assert resolve(ref) is not None
    for name in MESSAGES:
        validator(name).check_schema(MESSAGES[name]["payload"])
        assert MESSAGES[name]["examples"]


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_are_what_the_schema_allows(name: str) -> None:
    for example in MESSAGES[name]["examples"]:
        validator(name).validate(example["payload"])


@pytest.mark.parametrize("name", sorted(CLIENT))
def test_examples_of_the_client_are_read(name: str) -> None:
    for example in MESSAGES[name]["examples"]:
        decode(json.dumps(example["payload"]), 1_000, 1_000)


FRACTIONS = st.floats(-1e6, 1e6).filter(lambda value: not value.is_integer())
"""JSON Schema treats 1.0 as an integer, the codec does not; infinity is not JSON."""
VALUES = st.none() | st.booleans() | st.integers(-2, SIDE + 1) | FRACTIONS | st.text(max_size=8)
SENT = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(CLIENT))},
    optional={
        "x": st.integers(-1, SIDE) | VALUES,
        "y": st.integers(-1, SIDE) | VALUES,
        "width": st.just(1) | VALUES,
        "height": st.just(1) | VALUES,
        "color": st.from_regex(r"\A#[0-9A-Fa-f]{6}\Z") | VALUES,
        "id": st.integers(-1, 2**32) | VALUES,
        "more": VALUES,
    },
)


@given(SENT)
def test_what_is_read_is_what_the_schema_allows(message: dict[str, Any]) -> None:
    is_allowed = validator(message["type"]).is_valid(message)
    refused: BadMessage | None = None
    try:
        decode(json.dumps(message), SIDE, SIDE)
    except BadMessage as error:
        refused = error
    if refused is None:
        assert is_allowed
    elif refused.code != "out_of_bounds" or refused.field not in ("width", "height"):
        assert not is_allowed, (
            f"allowed by the schema, but {refused}"
        )  # the schema does not know the size of the canvas


@simulated
async def test_what_is_sent_is_what_the_schema_allows(tmp_path: Path) -> None:
    seen: set[str] = set()

    class Checked(VirtualClient):
        def _show(self, text: str | bytes) -> None:
            message = json.loads(text)
            validator(message["type"]).validate(message)
            seen.add(message["type"])
            super()._show(text)

    async with simulation(tmp_path) as canvas:
        ann = await Checked.open(canvas.door)
        bob = await Checked.open(canvas.door, "/ws?name=Bob")
        bob.send(type="subscribe", x=0, y=0, width=5, height=5)
        bob.send(type="cursor_move", x=1, y=1)
        for data in ("", "[]", "{}", '{"type":1}', '{"type":"x"}', '{"type":"cursor_move","x":99,"y":0}'):
            ann.send_text(data)
            await ann.error()
        ann.send(type="pixel_update", x=0, y=0, color="red")
        ann.send_bytes(encode_frame(Opcode.BINARY, b"", mask=MASK))
        ann.send(type="pixel_update", x=32, y=0, color="#FF0000", id=0)
        for id_, (x, color) in enumerate([(10, "#FF0000"), (0, "#FF0000"), (10, "#0000FF"), (1, "#FF0000")], start=1):
            ann.paint(x, 0, color, id_)
        await bob.until(lambda: bob.screen.seq == 4 and bob.screen.skipped > 0)
        await ann.until(lambda: ann.screen.users == {"user1", "user2"} and bool(ann.screen.cursors))
        await bob.leave()
        await ann.until(lambda: ann.screen.users == {"user1"})
        await ann.until(lambda: ann.screen.heartbeats > 0)
    assert seen == SERVER - {"user_count"}  # sent only to a crowd
