"""A page is read whole, or as much of it as can be read; what can't be used is told apart."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reach_mcp.api.errors import (
    AnswerError,
    EmptyAnswer,
    NotJSON,
    Refused,
    TruncatedJSON,
    UnexpectedShape,
)
from reach_mcp.api.models import Page, parse_batch, parse_error, parse_page
from tests.builders import Json, batch, page, pending

ROW = pending("transactions/t1", "customers/c1", "locations/l1")
FULL = batch(
    "b1", ROW, failed={"t9": (["no amount"], ["VALIDATION"])}, message="half of it failed", successfulRecords=3
)
BARE: Json = {"batchId": "b2", "status": "processing", "batchType": "PARTNER_RESOURCE_JSON_INGEST", "progress": {}}


def read(body: Any) -> Page:
    return parse_page(json.dumps(body).encode())


def one(batch: Any) -> bytes:
    return json.dumps({"success": True, "data": batch}).encode()


# Pages as documented


def test_page_is_read_with_every_documented_field() -> None:
    """What is dropped here can be told by nothing that comes after."""
    body = json.dumps(page(FULL, BARE, cursor="next", total=140)).encode()
    answer = parse_page(body)

    assert msgspec.to_builtins(answer.batches) == [FULL, BARE]
    assert answer == Page(
        batches=answer.batches,
        has_next=True,
        cursor="next",
        total=140,
        malformed=[],
        size=len(body),
    )


@pytest.mark.parametrize("data", [{}, {"data": None}])
def test_page_without_data_is_empty(data: Json) -> None:
    """The contract does not require `data`; an answer without it is no failure."""
    answer = read({"success": True, **data})

    assert (answer.batches, answer.has_next, answer.total) == ([], False, None)


def test_unknown_enums_and_fields_are_no_fault() -> None:
    """Enums may grow and fields may come: an old server has to read a new API."""
    grown = {**FULL, "status": "paused", "batchType": "PARTNER_RESOURCE_MERGE", "retries": {"left": [1, 2]}}
    body = page(grown) | {"trace": "x"}

    answer = read(body)

    assert [(b["batchId"], b["status"], b["batchType"]) for b in answer.batches] == [
        ("b1", "paused", "PARTNER_RESOURCE_MERGE")
    ]
    assert answer.malformed == []


OPTIONAL = ["completedAt", "startedAt", "createdAt", "schemaName", "schemaDefinitionId", "errors", "pendingResources"]


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_field_may_be_null_or_absent(name: str) -> None:
    """A batch that has not started has no `startedAt`; whether the API then writes null is not documented."""
    absent = {field: value for field, value in FULL.items() if field != name}

    answer = read(page({**FULL, name: None}, absent))

    assert [b.get(name) for b in answer.batches] == [None, None]
    assert answer.malformed == []


def test_fields_within_errors_progress_and_rows_may_be_null() -> None:
    """Null is what several serializers write for nothing."""
    nulls = {
        **BARE,
        "progress": dict.fromkeys(("totalRecords", "processedRecords", "successfulRecords", "pendingRecords"), None),
        "errors": {"summary": None, "details": None, "message": None},
        "pendingResources": [
            {
                **ROW,
                "schemaName": None,
                "missingDependencies": [{"schemaDefinitionId": "sd_customers", "externalId": "c1", "schemaName": None}],
            }
        ],
    }

    answer = read(page(nulls))

    assert msgspec.to_builtins(answer.batches) == [nulls]
    assert answer.malformed == []


def test_numbers_may_be_floats() -> None:
    """The contract says `number`: 7.0 and 7 are the same count."""
    answer = read(page(batch("b1", totalRecords=7.0)))
    body = {"success": True, "data": {"results": [], "pagination": {"hasNextPage": False, "total": 140.0}}}

    assert answer.batches[0]["progress"]["totalRecords"] == 7
    assert read(body).total == 140


@pytest.mark.parametrize("cursor", [None, ""])
def test_empty_cursor_is_no_cursor(cursor: str | None) -> None:
    """An empty cursor, sent back, would begin at the first page again."""
    body = page(BARE)
    body["data"]["pagination"] |= {"cursor": cursor, "hasNextPage": True}

    answer = read(body)

    assert (answer.has_next, answer.cursor) == (True, None)


# Pages in part


def test_malformed_batch_is_named_and_costs_no_other() -> None:
    """One batch in a hundred that breaks the contract must not hide ninety-nine."""
    nameless = {"status": "success", "batchType": "X", "progress": {}}
    broken = {**BARE, "batchId": "b3", "progress": "half"}
    body = page(FULL, nameless, broken, {**BARE, "batchId": None}, cursor="on", total=6)
    body["data"]["results"] += ["no batch", BARE]

    answer = read(body)

    assert [b["batchId"] for b in answer.batches] == ["b1", "b2"]
    assert answer.malformed == ["batch 2 of the page", "b3", "batch 4 of the page", "batch 5 of the page"]
    assert (answer.has_next, answer.cursor, answer.total) == (True, "on", 6)


def test_malformed_row_is_named_and_costs_no_other() -> None:
    """A count of what waits says that a row is missing from it, and which."""
    broken = {**ROW, "id": "pr_2", "missingDependencies": [{"schemaDefinitionId": "sd_customers"}]}
    nameless = {**ROW, "id": None}

    answer = read(page(batch("b1", ROW, broken, nameless), BARE))
    answer_with_junk = read(page({**FULL, "pendingResources": [ROW, 7]}))

    assert [row.id for row in answer.batches[0].get("pendingResources") or ()] == [ROW["id"]]
    assert answer.malformed == ["b1: pr_2", "b1: a row"]
    assert answer_with_junk.malformed == ["b1: a row"]


def test_rows_that_are_no_list_cost_their_batch_alone() -> None:
    """Where rows can't be told, the batch's row count can't either: naming it is the truth."""
    answer = read(page({**FULL, "pendingResources": "many"}, BARE))

    assert ([b["batchId"] for b in answer.batches], answer.malformed) == (["b2"], ["b1"])


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_number_beyond_all_counting_costs_its_batch_alone(number: str) -> None:
    """JSON can write 1e999; no count can hold it."""
    body = json.dumps(page({**FULL, "progress": {"totalRecords": "?"}}, BARE)).replace('"?"', number)

    answer = parse_page(body.encode())

    assert ([b["batchId"] for b in answer.batches], answer.malformed) == (["b2"], ["b1"])


@pytest.mark.parametrize("total", ["1e999", "NaN", '"many"', "[]", "null"])
def test_total_that_is_no_number_is_unknown(total: str) -> None:
    """`total` is optional: a page whose total can't be read is as good as one without."""
    body = json.dumps(page(BARE, cursor="next")).replace('"hasNextPage"', f'"total": {total}, "hasNextPage"')

    answer = parse_page(body.encode())

    assert (answer.total, answer.cursor, len(answer.batches)) == (None, "next", 1)


def test_id_that_is_a_huge_number_is_named() -> None:
    """Python refuses to read integers of thousands of digits from text; that is no reason to lose the page."""
    body = json.dumps(page({**BARE, "batchId": "?"}, FULL)).replace('"?"', "9" * 300)

    answer = parse_page(body.encode())

    assert ([b["batchId"] for b in answer.batches], answer.malformed) == (["b1"], ["9" * 300])


# Text that can't be encoded


@pytest.mark.parametrize(
    ("escape", "read_as"),
    [
        (r"\ud83d", "\ufffd"),
        (r"\uDC00", "\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\ud83d\n", "\ufffd\n"),
        (r"\\ud83d\ud83d", "\\ud83d\ufffd"),
    ],
)
def test_half_a_surrogate_pair_is_replaced(escape: str, read_as: str) -> None:
    """Text that was cut in the middle of an emoji must not cost the page, and must be encodable further on."""
    whole = page(batch("b1 ?", ROW), BARE)

    answer = parse_page(json.dumps(whole).replace("?", escape).encode())

    assert [b["batchId"] for b in answer.batches] == [f"b1 {read_as}", "b2"]
    assert answer.malformed == []


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    """A partner's Latin-1 that came through unchecked is an oddity of one field, not of the page."""
    answer = parse_page(json.dumps(page(batch("caf?"))).encode().replace(b"?", b"\xe9"))

    assert [b["batchId"] for b in answer.batches] == ["caf\ufffd"]


def test_half_a_pair_and_a_malformed_row_on_one_page_are_both_mended() -> None:
    """Faults come together; the slow road has to go through with both."""
    body = page(batch("b?", {**ROW, "expiresAt": 5}, ROW), BARE)

    answer = parse_page(json.dumps(body).replace("?", r"\ud83d").encode())

    assert [b["batchId"] for b in answer.batches] == ["b\ufffd", "b2"]
    assert answer.malformed == [f"b\ufffd: {ROW['id']}"]


def test_half_a_pair_in_a_single_batch_is_replaced() -> None:
    """The same for `GET /api/batches/{batchId}`."""
    read_batch, malformed = parse_batch(one(batch("b?")).replace(b"?", rb"\udfff"))

    assert (read_batch["batchId"], malformed) == ("b\ufffd", [])


@given(st.text(st.characters(codec=None), max_size=8))
def test_whatever_an_id_holds_it_can_be_encoded(text: str) -> None:
    """Every text that leaves the models goes on to UTF-8; Python's own decoder would let half a pair pass."""
    answer = read(page({**BARE, "batchId": text}))

    assert answer.batches[0]["batchId"] == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# Answers that can't be used

PAGE = json.dumps(page(batch("b1 \U0001f600", ROW), BARE, cursor="next", total=2)).encode()


@given(st.integers(1, len(PAGE) - 1))
def test_page_cut_anywhere_is_told_as_cut(at: int) -> None:
    """Half a body is tried again with a smaller limit; calling it HTML or empty would send people elsewhere."""
    with pytest.raises(TruncatedJSON):
        parse_page(PAGE[:at])


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", EmptyAnswer, "The answer is empty."),
        (b" \r\n", EmptyAnswer, "The answer is empty."),
        (b"<!doctype html><title>Sign in</title>", NotJSON, "The answer is an HTML page, not JSON."),
        (b"upstream connect error", NotJSON, "The answer is not JSON."),
        (b"{'success': true}", NotJSON, "The answer starts like JSON but is not valid."),
        (b'{"success": true} {}', NotJSON, "The answer starts like JSON but is not valid."),
        (b"[" * 100_000, TruncatedJSON, "The answer was cut short or is nested too deep to read."),
        (b'{"success":true,"x":' + b"[" * 5000 + b"]" * 5000 + b"}", TruncatedJSON, TruncatedJSON.message),
        (b"[]", UnexpectedShape, "The answer is JSON, but not what Reach documents."),
        (b"null", UnexpectedShape, UnexpectedShape.message),
        (b'{"success": "maybe"}', UnexpectedShape, UnexpectedShape.message),
        (b'{"success": true, "data": []}', UnexpectedShape, UnexpectedShape.message),
        (b'{"success": true, "data": {}}', UnexpectedShape, UnexpectedShape.message),
        (b'{"data": {"pagination": {"hasNextPage": false}}}', UnexpectedShape, UnexpectedShape.message),
        (b'{"data": {"results": {}, "pagination": {"hasNextPage": false}}}', UnexpectedShape, UnexpectedShape.message),
        (b'{"success": true, "data": {"results": [], "pagination": {}}}', UnexpectedShape, UnexpectedShape.message),
    ],
)
def test_unusable_answers_are_told_apart(body: bytes, kind: type[AnswerError], message: str) -> None:
    """Each has another cause and another remedy: a proxy, a smaller limit, an update."""
    with pytest.raises(AnswerError) as raised:
        parse_page(body)

    assert (type(raised.value), raised.value.message) == (kind, message)
    with pytest.raises(kind):
        parse_batch(body)


def test_refusal_under_200_is_told_with_the_words_of_the_api() -> None:
    """`success: false` is no empty page. Its words are foreign and stand apart."""
    refusals: list[Json] = [
        {"success": False, "message": "tenant is paused"},
        {"success": False, "message": "tenant is paused", "data": "none"},
    ]
    for refusal in refusals:
        with pytest.raises(Refused) as raised:
            read(refusal)

        assert raised.value.quotes == ("tenant is paused",)
        assert "paused" not in str(raised.value)


@pytest.mark.parametrize("message", [{}, {"message": None}, {"message": 7}])
def test_refusal_may_be_without_words(message: Json) -> None:
    """`message` is optional, in a refusal too."""
    with pytest.raises(Refused) as raised:
        parse_batch(json.dumps({"success": False, **message}).encode())

    assert raised.value.quotes == ()


def test_answer_without_success_is_read_for_its_data() -> None:
    """`success` is required, but the data are what was asked for."""
    answer = read({"data": page(BARE)["data"]})

    assert [b["batchId"] for b in answer.batches] == ["b2"]


# One batch


def test_single_batch_is_read() -> None:
    """The same object as in a list."""
    assert msgspec.to_builtins(parse_batch(one(FULL))) == (FULL, [])


def test_single_batch_names_its_malformed_rows() -> None:
    """What a batch waits for is told as far as it can be read."""
    read_batch, malformed = parse_batch(one(batch("b1", ROW, {**ROW, "id": "pr_2", "createdAt": None})))

    assert [row.id for row in read_batch.get("pendingResources") or ()] == [ROW["id"]]
    assert malformed == ["b1: pr_2"]


def test_single_batch_that_is_absent_or_malformed_is_an_error() -> None:
    """There is no other batch on this page to tell of."""
    with pytest.raises(UnexpectedShape, match="holds no batch"):
        parse_batch(b'{"success": true}')
    with pytest.raises(UnexpectedShape, match="not what Reach documents"):
        parse_batch(one({**FULL, "status": None}))


# Error answers


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"success": false, "message": "bad limit", "errors": ["limit: not a number"]}',
            "bad limit|limit: not a number",
        ),
        (b'{"message": "", "errors": null}', ""),
        (b'{"message": null, "errors": ["one", {"two": 2}, "", "three"]}', "one|three"),
        (b'{"message": ["a", "b"], "errors": "c"}', ""),
        (rb'{"message": "half \ud83d"}', "half \ufffd"),
        (b'{"message": "caf\xe9"}', "caf\ufffd"),
        (b"<html>Bad Gateway</html>", ""),
        (b"[1]", ""),
        (b"", ""),
    ],
)
def test_words_of_an_error_answer_are_kept_as_far_as_they_are_text(body: bytes, words: str) -> None:
    """The status says what kind of error it is; the words are a help where there are any."""
    assert "|".join(parse_error(body)) == words
