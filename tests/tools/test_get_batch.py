"""`get_batch`: state, errors by likeness, what waits in brief."""

from __future__ import annotations

import httpx
import pytest

from tests.builders import Json, batch, pending
from tests.tools.harness import EXPLAIN, GET, MARK, answer_page, ask, follow, serve

pytestmark = pytest.mark.anyio

WAITS = batch(
    "b",
    pending("t/1", "c/1", "c/2", expires=0.5),
    pending("t/2", "c/1", expires=-1),
    pending("t/3", "c/1", "c/3", "c/4", "c/5", expires="soon"),
    failed={str(number): ([f"Line {number} is wrong"], ["SHAPE"]) for number in range(4)}
    | {f"k{number}": ([f"{kind} is wrong"], []) for number, kind in enumerate(("Ape", "Bee", "Cow", "Dog"))}
    | {"silent": ([], ["SILENT"])},
)


async def test_errors_are_grouped_by_likeness_and_the_rest_is_counted() -> None:
    """A thousand records with one fault are one line, not a thousand."""
    server = serve([WAITS])
    reply = await ask(server, GET, batch_id="b")

    assert reply.content["error_groups"][0] | {"records": 4} == reply.content["error_groups"][0]
    assert f'- 4 records {MARK}"SHAPE": {MARK}"Line 0 is wrong"; e.g. {MARK}"0"' in reply.text
    assert reply.content["more_groups"] == 3
    assert "- and 3 more kinds of error." in reply.text
    pages = await follow(server, reply, "offset")
    assert sum(len(page.content["error_groups"]) for page in pages) == 6
    assert f'1 record {MARK}"SILENT"; e.g. {MARK}"silent"' in pages[-1].text


async def test_error_categories_are_told_once() -> None:
    reply = await ask(serve([WAITS]), GET, batch_id="b")

    assert reply.content["categories"] == {"SHAPE": 4, "SILENT": 1}
    assert "errors" not in reply.content["batch"]
    assert reply.text.count(f'4 {MARK}"SHAPE"') == 1


async def test_what_waits_is_told_in_brief() -> None:
    reply = await ask(serve([WAITS]), GET, batch_id="b")

    assert (
        "Pending resources: 3; 1 already expired; 1 deleted within the hour; next deletion 11-23 12:30Z (in 30 min); "
        f'1 without a readable expiry, such as {MARK}"pr_t/3" says {MARK}"soon".' in reply.text
    )
    assert f'Missing, with how many list each: {MARK}"c" {MARK}"1" (3)' in reply.text
    assert ", and 2 more." in reply.text
    assert {"tool": EXPLAIN, "arguments": {"focus": "b"}} in reply.content["next_calls"]


async def test_rows_that_were_not_asked_for_are_not_told() -> None:
    """Nothing listed and nothing asked are not the same; the next call keeps what was asked."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer_page({"success": True, "data": WAITS | {"pendingResources": None}})

    reply = await ask(serve(handler=answer), GET, batch_id="b", include_pending_details=False, tenant_id="t1")

    assert "includePendingDetails" not in seen[0].url.params
    assert "waiting" not in reply.content
    assert {one["tool"]: one["arguments"] for one in reply.content["next_calls"]} == {
        EXPLAIN: {"focus": "b", "tenant_id": "t1"},
        GET: {"batch_id": "b", "include_pending_details": False, "tenant_id": "t1", "offset": 3},
    }


async def test_batch_without_waiting_rows_says_so_and_leads_nowhere() -> None:
    reply = await ask(serve([batch("b", successfulRecords=3)]), GET, batch_id="b")

    assert reply.text.endswith("Pending resources: none listed.")
    assert reply.content["next_calls"] == []


async def test_malformed_row_is_counted_and_costs_no_other() -> None:
    body: Json = batch("b", pending("t/1", "c/1"), {"id": "broken"})

    reply = await ask(serve(handler=lambda _: answer_page({"success": True, "data": body})), GET, batch_id="b")

    assert "1 row could not be read and are not counted." in reply.text
    assert reply.content["waiting"]["rows"] == 1


async def test_more_kinds_of_errors_than_are_shown_are_counted() -> None:
    failed = {str(number): (["x"], [f"E{number}"]) for number in range(9)}

    reply = await ask(serve([batch("b", failed=failed)]), GET, batch_id="b")

    assert len(reply.content["categories"]) + reply.content["more_categories"] == 9
    assert f", and {reply.content['more_categories']} more." in reply.text


@pytest.mark.parametrize("batch_id", ["a/b", "ä?b", "../x", "b 1", "%2e", "\n"])
async def test_any_id_reaches_the_batch_that_bears_it(batch_id: str) -> None:
    if batch_id.strip():
        reply = await ask(serve([batch(batch_id)]), GET, batch_id=batch_id)
        assert reply.content["batch"]["id"] == batch_id
