"""The OpenAPI document: every route is in it, and every answer has the shape that it says."""

import re
from pathlib import Path
from typing import Any

from actors import Ref, cast, down, whereis
from supervision.console.inspection.model.live import Live
from tests.support.console import Asker, console
from tests.support.instance import mended
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "array": list,
    "object": dict,
}  # fmt: skip


def misfits(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str = "answer") -> list[str]:
    """Where `value` does not have the shape of `schema`: as much of JSON Schema as the document uses."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return misfits(value, document["components"]["schemas"][name], document, where)
    if "anyOf" in schema:
        return [] if any(not misfits(value, each, document) for each in schema["anyOf"]) else [f"{where}: {value!r}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r}"]
    if "type" not in schema:
        return []
    kind = TYPES[schema["type"]]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return [f"{where}: {value!r} is no {schema['type']}"]
    if isinstance(value, list):
        items = [misfits(item, schema["items"], document, f"{where}[{n}]") for n, item in enumerate(value)]
        return [each for found in items for each in found]
    return _of_object(value, schema, document, where) if isinstance(value, dict) else []


def _of_object(value: dict[str, Any], schema: dict[str, Any], document: dict[str, Any], where: str) -> list[str]:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, item in value.items():
        if name in known:
            found += misfits(item, known[name], document, f"{where}.{name}")
        elif isinstance(rest, dict):
            found += misfits(item, rest, document, f"{where}.{name}")
        else:
            found.append(f"{where}: {name} is unknown")
    return found


def test_the_check_finds_what_does_not_fit() -> None:
    schema = {
        "type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}, "additionalProperties": False
    }  # fmt: skip
    assert misfits({"a": 1}, schema, {}) == []
    misfit: list[Any] = [{}, {"a": "1"}, {"a": True}, {"a": 1, "b": 2}, [], None]
    for bad in misfit:
        assert misfits(bad, schema, {}) != []
    assert misfits([1, "2"], {"type": "array", "items": {"type": "integer"}}, {}) == ["answer[1]: '2' is no integer"]
    assert misfits(1, {"anyOf": [{"type": "string"}, {"type": "null"}]}, {}) != []
    assert misfits("c", {"enum": ["a", "b"]}, {}) != []


@live
async def test_every_route_is_in_the_document(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        document = await ann.get("openapi.json")
        assert document["openapi"] == "3.1.0"
        described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert described == {(route.method, route.path) for route in ann.application.console.routes}
        for path, methods in document["paths"].items():
            for operation in methods.values():
                in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
                assert in_path == set(re.findall(r"\{(\w+)\}", path))
                assert operation["summary"]


@live
async def test_every_reference_in_the_document_leads_somewhere(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        answer = await ann.send("GET", "/api/v1/openapi.json")
        document = await ann.get("openapi.json")
        names = set(re.findall(rb'"#/components/schemas/(\w+)"', answer.body))
        assert len(names) > 20
        assert names <= {name.encode() for name in document["components"]["schemas"]}
        fields = document["components"]["schemas"]["Live"]["properties"]
        assert set(fields) == set(Live.__dataclass_fields__)


@live
async def test_every_answer_has_the_shape_that_is_described(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        document = await ann.get("openapi.json")
        await prepare(ann)
        wires = (await ann.get("connections?server=server"))["connections"]
        ids = {"id": wires[0]["id"], "number": "1"}
        checked = set()
        for (method, path), body in REQUESTS.items():
            await mended(ann.application)
            images = whereis("images")
            assert isinstance(images, Ref)
            ids["ref"] = str(images.id)
            target = re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], path)
            if path == "/pages/{id}":
                target = "/pages/people"
            elif path == "/bans" and method != "GET":
                target = "/bans?whom=192.0.2.1"
            elif path == "/rollback":
                target = "/rollback?area=0,0,1,1"
            answer = await ann.ask(method, target.removeprefix("/"), body)
            operation = document["paths"][f"/api/v1{path}"][method.lower()]
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert (path, misfits(answer, schema, document)) == (path, [])
            checked.add((method, f"/api/v1{path}"))
        shaped = {(route.method, route.path) for route in ann.application.console.routes if route.answer is not None}
        assert shaped == checked
        await mended(ann.application)


@live
async def test_every_field_of_a_form_is_a_parameter_of_its_route(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        forms = (await ann.get("session"))["forms"]
        assert [form["id"] for form in forms] == ["ban", "lift", "rollback"]
        paths = (await ann.get("openapi.json"))["paths"]
        for form in forms:
            operation = paths[f"/api/v1/{form['path']}"][form["method"].lower()]
            known = {parameter["name"] for parameter in operation["parameters"]}
            assert {field["name"] for field in form["fields"]} | {"apply"} <= known
            answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert "told" in (await ann.get("openapi.json"))["components"]["schemas"][answer]["properties"]
        assert (await ann.reader().get("session"))["forms"] == []


REQUESTS: dict[tuple[str, str], Any] = {
    ("GET", "/session"): None,
    ("POST", "/links"): {"role": "look"},
    ("GET", "/overview"): None,
    ("GET", "/history"): None,
    ("GET", "/tree"): None,
    ("GET", "/actors"): None,
    ("GET", "/actors/{ref}"): None,
    ("POST", "/actors/{ref}/state"): None,
    ("POST", "/actors/{ref}/suspend"): None,
    ("POST", "/actors/{ref}/resume"): None,
    ("POST", "/actors/{ref}/trace"): {"lines": 10, "seconds": 5},
    ("GET", "/actors/{ref}/trace"): None,
    ("DELETE", "/actors/{ref}/trace"): None,
    ("GET", "/connections"): None,
    ("GET", "/connections/{id}"): None,
    ("GET", "/names"): None,
    ("GET", "/topics"): None,
    ("GET", "/crashes"): None,
    ("GET", "/crashes/{number}"): None,
    ("GET", "/pages"): None,
    ("GET", "/pages/{id}"): None,
    ("POST", "/bans"): None,
    ("GET", "/bans"): None,
    ("DELETE", "/bans"): None,
    ("POST", "/rollback"): None,
    ("POST", "/connections/{id}/disconnect"): None,
    ("POST", "/log-level"): {"level": "info"},
    ("POST", "/drain"): None,
    ("POST", "/actors/{ref}/exit"): {"reason": "crash"},
    ("POST", "/actors/{ref}/restart"): None,
}
"""One request to each route that answers with JSON, in this order."""


async def prepare(ann: Asker) -> None:
    """Let there be something of everything: a visitor, a crash, what the application can do."""
    ann.application.console.extensions.set_log_level = lambda level: None
    for _ in range(2):
        await WebSocketClient.open(ann.application)
    canvas = whereis("canvas")
    assert isinstance(canvas, Ref)
    ended = down(canvas)
    cast(canvas, "nonsense")
    await ended
    await mended(ann.application)
