"""Our OpenAPI file is the vendor's contract, and the client, the wire models and the tools are our file's."""

from __future__ import annotations

import re
import types
from dataclasses import fields
from typing import Any, Literal, NamedTuple, NotRequired, Union, get_args, get_origin, get_type_hints

import jsonschema
import msgspec
import pytest
from mcp import Client
from typing_extensions import is_typeddict

from reach_mcp.api import BatchQuery
from reach_mcp.api.models import BatchEnvelope, ErrorEnvelope, ListEnvelope
from reach_mcp.server import build_server
from reach_mcp.settings import load_settings
from tests.contract.openapi import (
    GET,
    LIST,
    Json,
    answer_schema,
    digest,
    documented,
    query_parameters,
    read_ours,
    read_vendors,
    strict,
)

HELD_AGAINST_THE_VENDORS_PAGE = "539429f4a241"
"""The digest of what our file promises, as it was when it last equalled the vendor's page."""

EVERY_PARAMETER = BatchQuery(
    cursor="c",
    limit=5,
    batch_type="PARTNER_RESOURCE_JSON_INGEST",
    sort_by="createdAt",
    sort_direction="asc",
    include_pending_details=True,
    only_batches_with_pending_resources=False,
)


def test_list_endpoint_is_what_the_vendors_page_documents() -> None:
    """Names, types, enums, defaults and required fields; where the page is not at hand, our file has not changed."""
    ours = documented(read_ours())
    vendors = read_vendors()

    assert vendors is None or ours == documented(vendors)
    assert digest(ours) == HELD_AGAINST_THE_VENDORS_PAGE


def test_batch_by_id_is_the_list_endpoints_batch() -> None:
    """The vendor documents one object for both endpoints, so one wire model reads both."""
    one = answer_schema(GET, "200")["properties"]["data"]
    listed = answer_schema(LIST, "200")["properties"]["data"]["properties"]["results"]["items"]

    assert one == listed
    assert query_parameters(GET) == {"includePendingDetails": query_parameters()["includePendingDetails"]}


def test_every_example_is_of_its_schema() -> None:
    """Prism serves the examples: one that broke the contract would test nothing."""
    for path in (LIST, GET):
        for status, answer in read_ours()["paths"][path]["get"]["responses"].items():
            for example in answer["content"]["application/json"]["examples"].values():
                jsonschema.validate(example["value"], strict(answer_schema(path, status)))


def test_query_has_every_documented_parameter_and_sends_text() -> None:
    """The API takes booleans and numbers as strings, and knows no other parameter."""
    sent = EVERY_PARAMETER.params()

    assert sent.keys() == query_parameters().keys()
    for name, schema in query_parameters().items():
        jsonschema.validate(sent[name], schema)


def test_query_offers_exactly_the_documented_enums() -> None:
    """A value that the API does not document is refused before it is sent."""
    hints = get_type_hints(BatchQuery)
    offered = {_camel(field.name): _enum(hints[field.name]) for field in fields(BatchQuery)}

    assert offered == {name: schema.get("enum") for name, schema in query_parameters().items()}


def test_absent_arguments_are_not_sent() -> None:
    """The API's defaults stay the API's own."""
    assert BatchQuery().params() == {}


@pytest.mark.parametrize(
    ("model", "path", "status"),
    [(ListEnvelope, LIST, "200"), (BatchEnvelope, GET, "200"), (ErrorEnvelope, LIST, "400")],
)
def test_wire_models_are_the_documented_objects(model: Any, path: str, status: str) -> None:
    """Every documented field is read, with its type, and none that is not documented; enums are left open to growth."""
    assert _shape(model) == _open(answer_schema(path, status))


@pytest.mark.parametrize("model", [ListEnvelope, BatchEnvelope])
def test_wire_models_require_no_more_than_the_contract(model: Any) -> None:
    """A field that the API may leave out may be absent or null, at every depth."""
    path = LIST if model is ListEnvelope else GET

    assert _required(model) == _required_by(answer_schema(path, "200"))
    assert _optional_but_not_nullable(model) == []


@pytest.mark.anyio
async def test_list_batches_takes_every_documented_parameter() -> None:
    """Arguments bear the endpoint's own names, in snake case, with its enums and defaults."""
    arguments = (await _input_schemas())["list_batches"]["properties"]

    assert {name: _promise(arguments[_snake(name)]) for name in query_parameters()} == {
        name: _promise(_typed(schema)) for name, schema in query_parameters().items()
    }
    assert arguments["tenant_id"]["type"] == "string"


@pytest.mark.anyio
@pytest.mark.parametrize("tool", ["get_batch", "explain_pending_dependencies"])
async def test_other_tools_mean_the_same_by_the_same_names(tool: str) -> None:
    """A model that has learnt one tool's arguments knows the others'."""
    arguments = (await _input_schemas())[tool]["properties"]
    shared = {name: schema for name, schema in query_parameters().items() if _snake(name) in arguments}

    assert {name: arguments[_snake(name)].get("enum") for name in shared} == {
        name: _typed(schema).get("enum") for name, schema in shared.items()
    }
    assert arguments["tenant_id"]["type"] == "string"


async def _input_schemas() -> dict[str, Json]:
    async with Client(build_server(load_settings(demo=True))) as client:
        return {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}


def _promise(schema: Json) -> Json:
    """Type, enum and default: one may stand in the description, as the vendor's do; a default of nothing is none."""
    stated = re.search(r"\(default (\w+)", schema.get("description", ""))
    default = stated[1] if stated else str(schema.get("default") or "")
    return {"type": schema["type"], "enum": schema.get("enum"), "default": default}


def _typed(schema: Json) -> Json:
    """A parameter as a tool offers it: what the wire writes as text is a boolean or a number there."""
    if schema.get("enum") == ["true", "false"]:
        return {"type": "boolean"}
    if str(schema.get("default", "")).isdecimal():
        return {"type": "integer", "default": schema["default"]}
    return schema


def _enum(hint: Any) -> list[str] | None:
    """The values that an argument's type admits, in the wire's own words; None where any is right."""
    kind = next(part for part in get_args(hint) if part is not type(None))
    if kind is bool:
        return ["true", "false"]
    return list(get_args(kind)) if get_origin(kind) is Literal else None


def _shape(hint: Any) -> Json:
    """A wire type as a schema of names and types."""
    kind = _present(hint)
    if _is_object(kind):
        return {"properties": {name: _shape(part.hint) for name, part in _fields(kind).items()}}
    if get_origin(kind) is list:
        return {"items": _shape(get_args(kind)[0])}
    if get_origin(kind) is dict:
        return {"additionalProperties": _shape(get_args(kind)[1])}
    return {"type": {str: "string", float: "number", bool: "boolean"}[kind]}


def _open(schema: Json) -> Json:
    """A schema reduced to what `_shape` tells."""
    if "properties" in schema:
        return {"properties": {name: _open(part) for name, part in schema["properties"].items()}}
    if "items" in schema:
        return {"items": _open(schema["items"])}
    if "additionalProperties" in schema:
        return {"additionalProperties": _open(schema["additionalProperties"])}
    return {"type": schema["type"]}


def _required(hint: Any, path: str = "") -> dict[str, list[str]]:
    kind = _present(hint)
    if not _is_object(kind):
        return {name: keys for part in get_args(kind) for name, keys in _required(part, f"{path}*").items()}
    found = {path: sorted(name for name, part in _fields(kind).items() if part.required)}
    for name, part in _fields(kind).items():
        found |= _required(part.hint, f"{path}/{name}")
    return found


def _required_by(schema: Json, path: str = "") -> dict[str, list[str]]:
    found = {path: schema.get("required", [])} if "properties" in schema else {}
    for name, part in schema.get("properties", {}).items():
        found |= _required_by(part, f"{path}/{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            found |= _required_by(schema[keyword], f"{path}*")
    return found


def _optional_but_not_nullable(hint: Any) -> list[str]:
    kind = _present(hint)
    if not _is_object(kind):
        return [name for part in get_args(kind) for name in _optional_but_not_nullable(part)]
    found = [
        name for name, part in _fields(kind).items() if not part.required and type(None) not in get_args(part.hint)
    ]
    return [*found, *(name for part in _fields(kind).values() for name in _optional_but_not_nullable(part.hint))]


class _Field(NamedTuple):
    hint: Any
    required: bool


def _is_object(kind: Any) -> bool:
    return is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def _fields(model: Any) -> dict[str, _Field]:
    """The fields of a wire type. A TypedDict's `__required_keys__` don't see through annotations that are strings."""
    if not is_typeddict(model):
        return {part.encode_name: _Field(part.type, part.required) for part in msgspec.structs.fields(model)}
    full, plain = get_type_hints(model, include_extras=True), get_type_hints(model)
    return {name: _Field(plain[name], model.__total__ and get_origin(full[name]) is not NotRequired) for name in plain}


def _present(hint: Any) -> Any:
    """A type without the null that it may be."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    return hint


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
