"""Pure. The table of routes as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from supervision.console.api.encoding import Schema, schema_of
from supervision.console.api.live import TraceUpdate
from supervision.console.api.principals import Access
from supervision.console.api.routing import Parameter, Route
from supervision.console.inspection.model.live import Live

_ERROR: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
    "additionalProperties": False,
}


def document(application: str, routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of `routes`."""
    schemas: dict[str, Schema] = {"Error": _ERROR}
    for pushed in (Live, TraceUpdate):
        schema_of(pushed, schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Console of {application}",
            "version": "1",
            "description": "Times are in seconds, sizes in bytes. A `ref` is the number of a process, as a string.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "canopy_console_8001"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _operation(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    role = "" if route.access is Access.LOOK else f" Requires the role {route.access.value}."
    operation: dict[str, Any] = {
        "summary": route.about + role,
        "parameters": [*map(_in_path, route.names), *map(_in_query, route.parameters)],
        "responses": {
            "200": _answer(route, schemas),
            "default": {"description": "An error.", "content": _json({"$ref": "#/components/schemas/Error"})},
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"content": _json(schema_of(route.body, schemas))}
    return operation


def _answer(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    if route.answer is None:
        return {"description": route.about}
    return {"description": route.about, "content": _json(schema_of(route.answer, schemas))}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    schema: Schema = {"type": "string"}
    if isinstance(parameter.allowed, range):
        schema = {"type": "integer", "minimum": parameter.allowed[0], "maximum": parameter.allowed[-1]}
    elif parameter.allowed is not None:
        schema = {"enum": list(parameter.allowed)}
    if parameter.default not in (None, ""):
        schema["default"] = parameter.default
    return {"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema}
