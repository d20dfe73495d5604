"""Decoding: every documented field, and as much as possible of an answer that breaks the contract."""

from __future__ import annotations

import json

import pytest

from reach_mcp.api.decoding import decode_batch, decode_error, decode_page
from reach_mcp.api.errors import (
    NotJSON,
    ReachError,
    ServerFailed,
    UnexpectedAnswer,
)
from reach_mcp.api.models import Batch, Page
from tests.builders import Json, batch, detail, page, pending

ROW = pending("transactions:t1", "customers:c1")
COUNTERS = ("totalRecords", "processedRecords", "successfulRecords", "pendingRecords", "failedRecords", "successRate")


def read(body: object) -> Page:
    return decode_page(body if isinstance(body, bytes) else json.dumps(body).encode())


def read_one(body: Json) -> Batch:
    return decode_batch(json.dumps(body).encode())


def test_a_page_has_every_documented_field() -> None:
    item = batch("b1", ROW, failed={"x": (["bad"], ["FORMAT"])}, message="half")
    found = read(page(item, cursor="c2", total=7))
    (first,) = found.batches
    assert (found.has_next, found.cursor, found.total, found.unreadable) == (True, "c2", 7, [])
    assert found.size == len(json.dumps(page(item, cursor="c2", total=7)))
    assert (first.batch_id, first.status, first.schema_definition_id) == ("b1", "partial_success", "sd_transactions")
    assert first.progress.total_records == 2
    assert first.errors is not None
    assert first.errors.summary == {"FORMAT": 1}
    assert first.pending_resources is not None
    assert first.pending_resources[0].missing_dependencies[0].external_id == "c1"
    assert read_one(detail(item)) == first


@pytest.mark.parametrize("null", [False, True])
def test_optional_fields_may_be_absent_or_null(null: bool) -> None:
    item: Json = {"batchId": "b1", "status": "s", "batchType": "T", "progress": dict.fromkeys(COUNTERS) if null else {}}
    names = ("completedAt", "startedAt", "createdAt", "schemaName", "schemaDefinitionId", "errors", "pendingResources")
    (found,) = read(page(item | (dict.fromkeys(names) if null else {}))).batches
    assert (found.pending_resources, found.errors, found.progress.total_records) == (None, None, None)


def test_an_unreadable_batch_or_row_costs_nothing_else() -> None:
    rows = [ROW, {"id": "broken"}, 7, ROW | {"missingDependencies": [{}]}]
    found = read(page(batch("b1"), batch("b2") | {"pendingResources": rows}, {"batchId": "b3"}, batch("b4"), total=4))
    assert [one.batch_id for one in found.batches] == ["b1", "b2", "b4"]
    assert found.unreadable == ["b3"]
    assert (found.batches[1].unreadable_resources, len(found.batches[1].pending_resources or ())) == (3, 1)
    assert read_one(detail(batch("b2") | {"pendingResources": rows})).unreadable_resources == 3


@pytest.mark.parametrize("item", ["7", "[]", "null", "{}", '{"pendingResources": 5}', '{"batchId": 1e400}'])
def test_an_unreadable_batch_without_id_is_named_by_its_place(item: str) -> None:
    found = read(json.dumps(page(batch("b1"), {"here": 0})).replace('{"here": 0}', item).encode())
    assert (len(found.batches), found.unreadable) == (1, ["batch 2 of the page"])


@pytest.mark.parametrize("number", ["-5", "1e400", "NaN", "1" + "0" * 30, "1" + "0" * 5000, "5.5", '"many"', "[]"])
@pytest.mark.parametrize("counter", COUNTERS[:5])
def test_a_counter_that_is_no_count_is_named_and_unknown(number: str, counter: str) -> None:
    body = json.dumps(page(batch("b1") | {"progress": {counter: "here"}})).replace('"here"', number).encode()
    (found,) = read(body).batches
    assert found.unreadable_counters == (counter,)
    known = {"totalRecords": found.progress.total_records, "pendingRecords": found.progress.pending_records}
    assert known.get(counter) is None


def test_a_summary_count_that_is_no_count_is_named_and_left_out() -> None:
    item = batch("b1") | {"errors": {"summary": {"A": 2, "B": -1, "C": None}, "details": None, "message": None}}
    (found,) = read(page(item)).batches
    assert found.unreadable_counters == ("errors.summary.B", "errors.summary.C")
    assert found.errors is not None
    assert found.errors.summary == {"A": 2}


def test_numbers_may_be_quoted_or_floats() -> None:
    (found,) = read(page(batch("b1", details=False, totalRecords="5", pendingRecords=3.0, successRate="99.5"))).batches
    progress = found.progress
    assert (progress.total_records, progress.pending_records, progress.success_rate) == (5, 3, 99.5)
    assert found.unreadable_counters == ()


@pytest.mark.parametrize("total", ["-1", "NaN", '"x"', "[1]", "1e400"])
def test_a_total_that_is_no_number_is_unknown(total: str) -> None:
    assert read(json.dumps(page(batch("b1"), total=3)).replace("3}", f"{total}}}").encode()).total is None


@pytest.mark.parametrize(
    ("raw", "text"), [(rb"\ud83d", "�"), (b"\xff", "�"), (rb"\ud83d\ude00", "😀"), (rb"\\ud83d", r"\ud83d")]
)
def test_text_that_utf8_cannot_hold_has_a_replacement(raw: bytes, text: str) -> None:
    body = json.dumps(page(batch("b@"), batch("b2") | {"pendingResources": [ROW | {"id": "p@"}]})).encode()
    found = read(body.replace(b"@", raw))
    assert found.batches[0].batch_id == f"b{text}"
    assert found.batches[1].pending_resources is not None
    assert found.batches[1].pending_resources[0].id == f"p{text}"


UNUSABLE = [
    (b"", NotJSON, "is empty"),
    (b"<!doctype html>", NotJSON, "HTML page"),
    (b'{"success": tru e, "data": {"results": []}}', NotJSON, "no valid JSON"),
    (b'{"success": true, "data": {"results": [{"batchId": "b', NotJSON, "cut short"),
    (b'{"success": true, "data": ' + b"[" * 100_000 + b"}", NotJSON, "cut short"),
    (b'{"success": true, "data": "' + b"\\n" * 2_000_001, UnexpectedAnswer, "over 2,000,000 values and escapes"),
    (b'{"success": true, "data": [' + b"{}," * 1_000_001, UnexpectedAnswer, "over 2,000,000 values and escapes"),
    (b"[1]", UnexpectedAnswer, "not the documented"),
    (b'{"success": true}', UnexpectedAnswer, "no list of batches"),
    (b'{"success": true, "data": {"results": [], "more": 1}}', UnexpectedAnswer, "no list of batches"),
    (b'{"success": true, "data": {"results": [], "pagination": {}}}', UnexpectedAnswer, "next page"),
    (b'{"success": false, "message": "paused", "errors": ["why"]}', ServerFailed, "request failed"),
    (
        b'{"success": false, "data": {"results": [], "pagination": {"hasNextPage": false}}}',
        ServerFailed,
        "request failed",
    ),
]


@pytest.mark.parametrize(("body", "kind", "message"), UNUSABLE, ids=lambda value: str(value)[:40])
def test_unusable_answers_are_told_apart(body: bytes, kind: type[ReachError], message: str) -> None:
    with pytest.raises(kind, match=message) as raised:
        decode_page(body)
    assert type(raised.value) is kind
    assert raised.value.quotes == (["paused", "why"] if b"paused" in body else [])


@pytest.mark.parametrize("data", [None, {"batchId": "b1"}, []])
def test_an_answer_without_a_batch_is_an_error(data: object) -> None:
    with pytest.raises(UnexpectedAnswer, match="no batch"):
        read_one({"data": data})
    with pytest.raises(ServerFailed, match="request failed"):
        read_one(detail(batch("b1")) | {"success": False})


@pytest.mark.parametrize("item", [b"0", b"{}", b"null"])
def test_a_page_of_junk_ends_after_a_thousand_items(item: bytes) -> None:
    body = json.dumps(page(batch("b1") | {"pendingResources": ["here"]})).encode()
    whole = b'{"success":true,"data":{"results":[%b],"pagination":{"hasNextPage":false}}}'
    for junk in (whole % b",".join([item] * 200_000), body.replace(b'"here"', b",".join([item] * 200_000))):
        with pytest.raises(UnexpectedAnswer, match="1,000 items"):
            decode_page(junk)


def test_error_answers_are_quoted_as_far_as_they_are_texts() -> None:
    assert decode_error(b'\xef\xbb\xbf{"message": "no", "errors": ["a", 5, "", "b"]}') == ["no", "a", "b"]
    assert decode_error(rb'{"message": "cut \ud83d", "errors": "x"}') == ["cut �"]
    assert decode_error(b"<html>") == decode_error(b"[]") == []
