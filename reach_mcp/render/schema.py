"""The published output schema of a pydantic model: flat, and without the parts that cost tokens and say nothing."""

from __future__ import annotations

from pydantic import BaseModel

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

DROPPED = frozenset({"title", "default", "additionalProperties", "$defs", "required"})


def output_schema(model: type[BaseModel]) -> dict[str, object]:
    """The model's schema with all references inlined.

    A field that may be absent has the schema of its value and is not required. Nothing forbids further keys, because
    some clients refuse `additionalProperties`. `required` stands at the top only: below, it costs more than it tells.
    """
    raw = model.model_json_schema(mode="serialization", by_alias=True)
    return {**_inline(raw, raw.get("$defs", {}), description=False), "required": raw["required"]}


def _inline(node: dict[str, Json], definitions: dict[str, dict[str, Json]], *, description: bool) -> dict[str, object]:
    if isinstance(reference := node.get("$ref"), str):
        inlined = _inline(definitions[reference.rsplit("/", 1)[-1]], definitions, description=False)
        return inlined | ({"description": node["description"]} if description and "description" in node else {})
    if isinstance(options := node.get("anyOf"), list):
        present = next(option for option in options if option != {"type": "null"})
        assert isinstance(present, dict)
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return _inline({**present, **rest}, definitions, description=description)
    kept = {key: value for key, value in node.items() if key not in DROPPED and (description or key != "description")}
    if isinstance(properties := kept.get("properties"), dict):
        fields = {name: _inline(field, definitions, description=True) for name, field in properties.items()}  # type: ignore[arg-type]
        return {**kept, "properties": fields}
    if isinstance(items := kept.get("items"), dict):
        return {**kept, "items": _inline(items, definitions, description=False)}
    return dict(kept)
