"""The published output schema of a pydantic model: flat, and without the parts that cost tokens and say nothing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]


def output_schema(model: type[BaseModel]) -> Schema:
    """The model's types, fields and descriptions with all references inlined.

    A field that may be absent has the schema of its value and is not required. Nothing forbids further keys, because
    some clients refuse `additionalProperties`. `required` stands at the top only: below, it costs more than it tells.
    """
    whole = model.model_json_schema(mode="serialization", by_alias=True)
    return {**_flatten(whole, whole.get("$defs", {}), set()), "required": whole["required"]}


def _flatten(node: Schema, definitions: Schema, said: set[tuple[str, str]]) -> Schema:
    """A node without references. `said` holds the fields described so far: a description is given once."""
    if reference := node.get("$ref"):
        return _flatten(definitions[reference.rsplit("/", 1)[-1]], definitions, said)
    if options := node.get("anyOf"):
        return _flatten(next(option for option in options if option != {"type": "null"}), definitions, said)
    flat: Schema = {"type": node["type"]}
    if items := node.get("items"):
        flat["items"] = _flatten(items, definitions, said)
    if fields := node.get("properties"):
        flat["properties"] = {name: _flatten(field, definitions, said) for name, field in fields.items()}
        for name, text in ((name, field["description"]) for name, field in fields.items() if "description" in field):
            flat["properties"][name] |= {"description": text} if (name, text) not in said else {}
            said.add((name, text))
    return flat
