"""The page of the service's HTTP API, from its OpenAPI document."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NotRequired, TypedDict, cast

from scripts.docs.markdown import code, escaped, table

_Schema = TypedDict(
    "_Schema",
    {
        "$ref": NotRequired[str],
        "type": NotRequired[str],
        "format": NotRequired[str],
        "description": NotRequired[str],
        "enum": NotRequired[list[str]],
        "anyOf": NotRequired[list["_Schema"]],
        "items": NotRequired["_Schema"],
        "properties": NotRequired[dict[str, "_Schema"]],
        "required": NotRequired[list[str]],
        "default": NotRequired[object],
        "minimum": NotRequired[float],
        "maximum": NotRequired[float],
    },
)


class _Content(TypedDict):
    schema: _Schema


class _Body(TypedDict):
    content: dict[str, _Content]


_Parameter = TypedDict("_Parameter", {"name": str, "in": str, "description": NotRequired[str], "schema": _Schema})


class _Operation(TypedDict):
    summary: str
    description: NotRequired[str]
    parameters: NotRequired[list[_Parameter]]
    requestBody: NotRequired[_Body]


class _Components(TypedDict):
    schemas: dict[str, _Schema]


class _Document(TypedDict):
    paths: dict[str, dict[str, _Operation]]
    components: _Components


@cache
def routes() -> str:
    """Every route: what it does, its parameters, and the fields of its body."""
    document = _openapi()
    schemas = document["components"]["schemas"]
    return "\n\n".join(
        block
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for block in _section(f"{method.upper()} {path}", operation, schemas)
    )


def _openapi() -> _Document:
    from oddlens.service.app import create_app
    from oddlens.service.settings import ServeSettings

    with TemporaryDirectory() as folder:
        app = create_app(ServeSettings(home=Path(folder) / "home"))
        app.state.service.stop()
        return cast(_Document, app.openapi())


def _section(route: str, operation: _Operation, schemas: dict[str, _Schema]) -> Iterator[str]:
    yield f"## {escaped(operation['summary'])}"
    yield f"```text\n{route}\n```"
    yield from (escaped(" ".join(each.split())) for each in operation.get("description", "").split("\n\n"))
    parameters = [
        (code(each["name"]), each["in"], _form(each["schema"]), escaped(each.get("description", "")))
        for each in operation.get("parameters", [])
        if each["in"] != "path"  # the route shows these
    ]
    if parameters:
        yield table(("parameter", "in", "form", "meaning"), parameters)
    for kind, content in operation.get("requestBody", _Body(content={}))["content"].items():
        body = _resolved(content["schema"], schemas)
        yield f"The body is `{kind}`: {escaped(body.get('description', ''))}"
        required = body.get("required", [])
        yield table(
            ("field", "form", "meaning"),
            [
                (code(name), _form(each), escaped(each.get("description", "")) + " (required)" * (name in required))
                for name, each in body.get("properties", {}).items()
            ],
        )


def _resolved(schema: _Schema, schemas: dict[str, _Schema]) -> _Schema:
    return schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def _form(schema: _Schema) -> str:
    """What a value may be, in words."""
    if "anyOf" in schema:
        return " or ".join(_form(each) for each in schema["anyOf"])
    if "enum" in schema:
        words = ", ".join(code(each) for each in schema["enum"])
    elif schema.get("type") == "array":
        words = f"list of {_form(schema['items'])}"
    else:
        words = _WORDS.get(schema.get("format", schema.get("type", "")), schema.get("type", "any"))
    if "minimum" in schema and "maximum" in schema:
        words += f" from {schema['minimum']:g} to {schema['maximum']:g}"
    return words + (
        f", else {code(str(schema['default']).lower())}" if schema.get("default") not in (None, "", []) else ""
    )


_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "null": "null",
    "date-time": "time (ISO 8601)",
    "object": "object",
}
