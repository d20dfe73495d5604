"""Every answer fits its limit in each form that is sent, and says the same in both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given

from reach_mcp.analysis import results
from reach_mcp.render.batch_detail import render_detail
from reach_mcp.render.batch_list import render_listing
from reach_mcp.render.budget import fit
from reach_mcp.render.models import BatchDetailReport, BatchListReport, PendingReport
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.pending_report import TRIMS, build_report, render_explanation
from reach_mcp.render.pending_text import write_report
from reach_mcp.render.sanitize import is_hidden
from reach_mcp.render.schema import output_schema
from reach_mcp.tools import read_schemas
from tests.render import fabricated, strategies

Json = object
SCHEMAS = {model: output_schema(model) for model in (PendingReport, BatchListReport, BatchDetailReport)}
INPUTS = {name: schemas["input"] for name, schemas in read_schemas().items()}


def check(rendered: Rendered, options: RenderOptions, schema: dict[str, object]) -> None:
    assert len(rendered.text.encode()) <= options.limit_bytes
    assert [char for char in set(rendered.text) - {"\n"} if is_hidden(char)] == []
    if options.parts == "text":
        assert rendered.structured is None
        assert rendered.model is None
        return
    assert rendered.structured is not None
    compact = json.dumps(rendered.structured, ensure_ascii=False, separators=(",", ":"))
    assert len(compact.encode()) <= options.limit_bytes
    assert list(undeclared(rendered.structured, schema)) == []
    for call in rendered.structured.get("next", ()):  # type: ignore[attr-defined]
        assert list(undeclared(call["arguments"], INPUTS[call["tool"]])) == []
        assert set(INPUTS[call["tool"]].get("required", ())) <= set(call["arguments"])
    if options.parts == "structured":
        assert json.loads(rendered.text) == rendered.structured


def undeclared(value: Json, schema: dict[str, object], path: str = "$") -> Iterator[str]:
    """Keys that a schema does not declare, and values of another type."""
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if not isinstance(value, types[str(schema["type"])]):
        yield f"{path} is no {schema['type']}"
    elif value not in schema.get("enum", [value]):  # type: ignore[operator]
        yield f"{path} has an unknown value"
    elif isinstance(value, dict) and isinstance(properties := schema.get("properties"), dict):
        for key, item in value.items():
            yield from undeclared(item, properties[key], f"{path}.{key}") if key in properties else [f"{path}.{key}"]
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for item in value:
            yield from undeclared(item, items, f"{path}[]")


@given(strategies.explanations, strategies.options("explain_pending_dependencies"))
def test_every_explanation_fits_and_is_declared(explanation: results.Explanation, options: RenderOptions) -> None:
    check(render_explanation(explanation, options), options, SCHEMAS[PendingReport])


@given(strategies.listings, strategies.options("list_batches"))
def test_every_listing_fits_and_is_declared(listing: results.BatchListing, options: RenderOptions) -> None:
    check(render_listing(listing, options), options, SCHEMAS[BatchListReport])


@given(strategies.details, strategies.options("get_batch"))
def test_every_detail_fits_and_is_declared(detail: results.BatchDetail, options: RenderOptions) -> None:
    check(render_detail(detail, options), options, SCHEMAS[BatchDetailReport])


def test_long_texts_are_shortened_where_no_list_is_left_to_trim() -> None:
    text = "顧客の記録 " * 100
    coverage = replace(fabricated.large_tenant().coverage, cursor="顧" * 190, stop="deadline")
    explanation = replace(fabricated.large_tenant(), skipped=(text,) * 9, notes=(text,) * 9, coverage=coverage)
    options = RenderOptions(limit_bytes=4_000, tenant="顧" * 190)
    rendered = render_explanation(explanation, options)
    check(rendered, options, SCHEMAS[PendingReport])
    assert rendered.structured is not None
    assert "…(+" in rendered.structured["verdict"]  # type: ignore[operator]


@pytest.mark.parametrize(("limit", "most"), [(24_000, 1), (8_000, 2), (5_000, 2)])
def test_an_answer_is_written_once_as_a_rule_and_twice_where_it_is_trimmed(limit: int, most: int) -> None:
    options, written = RenderOptions(limit_bytes=limit), list[str]()
    report = build_report(fabricated.large_tenant(), options)

    def write() -> str:
        written.append(write_report(report, options.delimiter))
        return written[-1]

    rendered = fit(report, TRIMS, options, finish=lambda: None, write=write)
    assert 1 <= len(written) <= most
    assert rendered.text == written[-1]


def test_a_summary_drops_parts_of_which_no_item_is_left() -> None:
    counters = results.Section((results.CounterDifference("bat_1", "invoices", 18, 7, 4, 0),), 1)
    found = replace(fabricated.large_tenant(), expired=fabricated.expired(9), counters=counters)
    whole = render_explanation(found, RenderOptions(limit_bytes=24_000)).structured
    cut = render_explanation(found, RenderOptions(limit_bytes=3_400)).structured
    assert whole is not None
    assert cut is not None
    assert {"expired", "counters"} <= set(whole)
    assert not {"expired", "counters"} & set(cut)
    assert "by_cause" in cut


def test_a_limit_below_the_fixed_parts_gives_the_shortest_answer() -> None:
    rendered = render_explanation(fabricated.large_tenant(), RenderOptions(limit_bytes=100))
    assert rendered.structured is not None
    assert {"verdict", "counts", "coverage"} < set(rendered.structured)
    assert not {"by_cause", "next"} & set(rendered.structured)
    assert "items" not in rendered.structured["blockers"]  # type: ignore[operator]
    assert rendered.structured["blockers"]["total"] == 982  # type: ignore[index]
