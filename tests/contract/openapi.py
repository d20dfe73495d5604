"""The contract, read from our OpenAPI file and from the vendor's page, brought into one form that can be compared."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Json: TypeAlias = dict[str, Any]

OURS = Path(__file__).with_name("reach-api.yaml")
VENDORS = Path(__file__).parents[3] / "shared" / "reach-api" / "list-batch-jobs.md"
LIST = "/api/batches"
GET = "/api/batches/{batchId}"

PROSE = ("description", "summary", "title", "example", "examples", "x-inferred")


@cache
def read_ours() -> Json:
    """Our file, with every `$ref` replaced by what it names."""
    document: Json = yaml.safe_load(OURS.read_text(encoding="utf-8"))
    return {**document, "paths": _resolved(document["paths"], document)}


def read_vendors() -> Json | None:
    """The OpenAPI document on the vendor's page; None where the page does not lie beside the checkout."""
    if not VENDORS.exists():
        return None
    found = re.search(r"^````yaml [^\n]*\n(.*?)^````", VENDORS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found, "the page holds no OpenAPI block"
    document: Json = yaml.safe_load(found[1])
    return document


def documented(document: Json, path: str = LIST) -> Json:
    """What is promised for GET of a path: parameters and answers, without prose and without what is inferred.

    A default that stands in prose alone counts as the schema's default.
    """
    operation = document["paths"][path]["get"]
    answers = {status: answer for status, answer in operation["responses"].items() if not answer.get("x-inferred")}
    return {
        "parameters": {f"{part['in']} {part['name']}": _parameter(part) for part in operation["parameters"]},
        "answers": {
            status: _bare(answer["content"]["application/json"]["schema"]) for status, answer in answers.items()
        },
    }


def query_parameters(path: str = LIST) -> dict[str, Json]:
    """The schemas of a path's query parameters by name, in our file."""
    promised = documented(read_ours(), path)["parameters"]
    return {name.removeprefix("query "): part["schema"] for name, part in promised.items() if name.startswith("query ")}


def answer_schema(path: str, status: str) -> Json:
    """The schema of an answer in our file, inferred ones included."""
    answer = read_ours()["paths"][path]["get"]["responses"][status]
    schema: Json = _bare(answer["content"]["application/json"]["schema"])
    return schema


def example(path: str, status: str, name: str) -> Any:
    answer = read_ours()["paths"][path]["get"]["responses"][status]
    return answer["content"]["application/json"]["examples"][name]["value"]


def digest(promised: Json) -> str:
    """Twelve hex digits that change with any name, type, enum, default or required field."""
    return hashlib.sha256(json.dumps(promised, sort_keys=True).encode()).hexdigest()[:12]


def _parameter(part: Json) -> Json:
    schema = _bare(part["schema"])
    stated = re.search(r"Defaults? ?(?:to|:) (\w+)", part.get("description", ""))
    if stated:
        schema["default"] = stated[1]
    return {"required": part["required"], "schema": schema}


def _bare(schema: Any) -> Any:
    """A schema without its prose. The names of properties are no keywords, whatever they are."""
    if not isinstance(schema, dict):
        return schema
    bare = {name: _bare(value) for name, value in schema.items() if name not in (*PROSE, "properties")}
    if "required" in bare:
        bare["required"] = sorted(bare["required"])
    if "properties" in schema:
        bare["properties"] = {name: _bare(value) for name, value in schema["properties"].items()}
    return bare


def _resolved(node: Any, document: Json) -> Any:
    if isinstance(node, list):
        return [_resolved(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _resolved(target, document)
    return {name: _resolved(value, document) for name, value in node.items()}


def strict(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 in JSON Schema's words, with unknown fields refused."""
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(value) for name, value in schema.items() if name != "nullable"}
    if isinstance(schema.get("properties"), dict):
        found |= {
            "properties": {name: strict(value) for name, value in schema["properties"].items()},
            "additionalProperties": False,
        }
    if schema.get("nullable"):
        found["type"] = [schema["type"], "null"]
    return found
