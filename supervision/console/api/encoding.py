"""Pure. The API's responses as JSON, and their types as JSON Schema."""

from __future__ import annotations

import dataclasses
import json
import types
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

from protocol import Response
from supervision.console.inspection.model.actors import Node
from supervision.console.inspection.paging import Inspection

T = TypeVar("T")
Schema = dict[str, Any]

_SIMPLE: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


class BadValue(ValueError):
    """A request body does not match its type; the message names the field."""


def to_json(value: Any) -> bytes:
    """Encode dataclasses and plain data as JSON; other objects as their `str`."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a lone surrogate, which UTF-8 cannot encode, or an integer of more than 64 bits
        plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
        return json.dumps(plain, default=str, ensure_ascii=False).encode(errors="replace")


def json_answer(value: Any) -> Response:
    """Return `value` as a JSON response; a `Response` is returned unchanged."""
    if isinstance(value, Response):
        return value
    return json_response(to_json(value) + b"\n")


def json_response(text: bytes) -> Response:
    """Return a response whose body is JSON already."""
    return Response(200, (("Content-Type", "application/json"),), text)


def schema_of(kind: Any, definitions: dict[str, Schema]) -> Schema:
    """Return the JSON Schema of a type. Adds the schemas of dataclasses to `definitions`, as OpenAPI components."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(each, definitions) for each in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (list, tuple):  # a tuple has any length, and items of one type
        return {"type": "array", "items": schema_of(args[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(args[1], definitions)}
    if dataclasses.is_dataclass(kind):
        return _reference(kind, definitions)
    return _SIMPLE[kind]


def _reference(kind: Any, definitions: dict[str, Schema]) -> Schema:
    name = kind.__name__
    if name not in definitions:
        schema: Schema = {}
        definitions[name] = schema  # before its fields: the type may be recursive
        hints = get_type_hints(kind)
        fields = dataclasses.fields(kind)
        required = [field.name for field in fields if _is_required(field)]
        schema |= {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
            "properties": {field.name: schema_of(hints[field.name], definitions) for field in fields},
            "required": required,
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{name}"}


def _is_required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def read(kind: type[T], body: bytes) -> T:
    """Parse a request's JSON body into a dataclass; an empty body counts as `{}`.

    Raises:
        BadValue: if the body does not match the type.
    """
    try:
        given = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadValue(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadValue("the body is not a JSON object")
    hints = get_type_hints(kind)
    unknown = given.keys() - hints.keys()
    if unknown:
        raise BadValue(f"unknown field {sorted(unknown)[0]!r:.100}; the fields are: {', '.join(hints)}")
    for name, value in given.items():
        if not _fits(value, hints[name]):
            raise BadValue(f"{name} must be {_type_name(hints[name])}, got {value!r:.100}")
    try:
        return kind(**given)
    except TypeError:
        missing = [field.name for field in dataclasses.fields(kind) if _is_required(field) and field.name not in given]  # type: ignore[arg-type]
        raise BadValue(f"{missing[0]} is missing") from None


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    return {int: "an integer", float: "a number", str: "a string"}.get(kind, str(kind))


async def encode_tree(inspection: Inspection, top: Node) -> bytes:
    """Encode a tree as JSON in slices, the deepest nodes first. Replaces the nodes' children by their JSON."""
    above: list[Node] = []
    level = [top]
    while level:
        above += level
        level = [
            child
            async for chunk in inspection.chunks(level)
            for node in chunk
            for child in node.children
            if child.children
        ]
    for node in reversed(above):
        texts = [to_json(chunk)[1:-1] async for chunk in inspection.chunks(node.children)]
        node.children = cast(Any, orjson.Fragment(b"[" + b",".join(texts) + b"]"))
    return to_json(top)
