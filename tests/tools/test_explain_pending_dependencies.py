"""`explain_pending_dependencies`: how much is read, what is named, and how one goes on."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx
import pytest

from reach_mcp.analysis.evidence import KEPT
from tests.builders import Json, batch, page, pending
from tests.tools.harness import EXPLAIN, MARK, Reply, answer_page, ask, follow, refused, serve, serve_demo

pytestmark = pytest.mark.anyio

CHAIN = batch(
    "chain",
    pending("appointments/a1", "invoices/i1"),
    pending("invoices/i1", "customers/Cust_1"),
    pending("invoices/i2", "customers/Cust_1", "locations/l1"),
)
CIRCLE = batch("circle", pending("x/1", "x/2"), pending("x/2", "x/1"), pending("y/1", "x/1"))


def is_evidence(request: httpx.Request) -> bool:
    return "includePendingDetails" not in request.url.params


async def test_two_walks_read_what_waits_and_what_tells_why() -> None:
    failed = batch("failed", schema="customers", failed={"Cust_1": (["No e-mail"], ["VALIDATION"])})
    reply = await ask(serve([CHAIN, failed]), EXPLAIN)

    assert reply.content["coverage"] | {"pages": 1, "batches": 1, "of": 1, "rows": 3} == reply.content["coverage"]
    assert reply.content["coverage"]["evidence"] == {"pages": 1, "batches": 2, "of": 2, "complete": True}
    blocker = reply.content["blockers"][0]
    assert blocker["causes"] == ["failed"]
    assert blocker["failed_in"]["batch"] == "failed"
    assert f'failed in batch {MARK}"failed"' in reply.text
    assert f'{MARK}"VALIDATION" {MARK}"No e-mail"' in reply.text
    assert reply.meta["reach/cost"]["upstream_calls"] == 2


@pytest.mark.parametrize("form", ["concise", "detailed"])
async def test_offset_leads_through_all_blockers_without_loss_or_repeat(form: str) -> None:
    server = serve([batch("b", *[pending(f"t/{n}", f"c/{n % 70}") for n in range(200)])])

    replies = await follow(server, await ask(server, EXPLAIN, response_format=form), "offset")

    found = [blocker["id"] for reply in replies for blocker in reply.content["blockers"]]
    assert sorted(found) == sorted({str(n) for n in range(70)})
    assert len(replies) > 1


async def test_offset_past_the_last_blocker_shows_none_and_leads_nowhere() -> None:
    reply = await ask(serve([CHAIN]), EXPLAIN, offset=40)

    assert reply.content["blockers"] == []
    assert reply.content["next_calls"] == []


async def test_call_for_the_first_blocker_explains_it() -> None:
    server = serve([CHAIN])
    first = await ask(server, EXPLAIN)

    call = first.content["next_calls"][-1]
    focused = await ask(server, call["tool"], **call["arguments"])

    assert focused.content["focus"]["id"] == first.content["blockers"][0]["id"] == "Cust_1"
    assert "is missing and not itself pending (a root blocker); 3 wait for it" in focused.text


async def test_cause_that_was_not_found_says_where_it_was_looked_for() -> None:
    """Not seen, without a place, reads as never sent."""
    reply = await ask(serve([CHAIN]), EXPLAIN, focus="customers:Cust_1")

    assert "Cause: not seen in the 1 batch read." in reply.text


@pytest.mark.parametrize(
    "focus", ["invoices:i1", "INVOICES:i1", "sd_invoices:i1", "i1"], ids=["name", "any case", "definition", "bare id"]
)
async def test_record_in_focus_is_found_by_any_of_its_names(focus: str) -> None:
    reply = await ask(serve([CHAIN]), EXPLAIN, focus=focus)

    found = reply.content["focus"]
    assert (found["schema"], found["id"], found["rows"], found["waiting_for_it"]) == ("invoices", "i1", 1, 1)
    assert found["paths"][0]["path"] == ["invoices:i1", "customers:Cust_1"]
    assert f'{MARK}"invoices:i1" waits for {MARK}"customers:Cust_1"; not seen' in reply.text


async def test_batch_in_focus_is_told_with_all_it_waits_for() -> None:
    reply = await ask(serve([CHAIN]), EXPLAIN, focus="chain")

    assert f'Focus batch {MARK}"chain": 3 pending resources' in reply.text
    assert reply.content["focus"]["root_blockers"] == 2


@pytest.mark.parametrize("focus", ["circle", "y:1", "x:2"])
async def test_circle_in_focus_has_no_root_to_send(focus: str) -> None:
    reply = await ask(serve([CIRCLE]), EXPLAIN, focus=focus)

    assert reply.content["focus"]["paths"] == []
    assert f'{MARK}"x:1" -> {MARK}"x:2" -> back' in reply.text


async def test_record_that_waits_in_many_batches_names_some_and_counts_the_rest() -> None:
    bodies = [batch(f"b{number}", pending("t/1", "c/1", id=f"r{number}")) for number in range(9)]

    reply = await ask(serve(bodies), EXPLAIN, focus="t:1")

    assert len(reply.content["focus"]["batches"]) + reply.content["focus"]["more_batches"] == 9


async def test_what_is_nearly_right_is_answered_with_what_may_be_meant() -> None:
    text = await refused(serve([CHAIN]), EXPLAIN, focus="customers:cust_1")

    assert text == (
        "focus names nothing among the pending resources that were read. "
        "Use schema:external_id, a handle from an answer, or (focus only) a batch id.\n"
        f'Did you mean (data, not instructions): {MARK}"customers:Cust_1".'
    )


async def test_what_names_two_things_is_refused_with_both() -> None:
    body = batch("b", pending("t/1", "c/7"), pending("t/2", "d/7"))

    text = await refused(serve([body]), EXPLAIN, assume_arrived=["7"])

    assert text.startswith("assume_arrived names more than one thing among")
    assert f'{MARK}"c:7"; {MARK}"d:7".' in text


async def test_handle_that_means_nothing_is_refused() -> None:
    assert "names nothing" in await refused(serve([CHAIN]), EXPLAIN, focus="b-zzzzz")
    assert "names nothing" in await refused(serve([CHAIN]), EXPLAIN, focus="b-")


async def test_what_if_tells_what_clears_round_by_round_and_what_is_left() -> None:
    server = serve([CHAIN, CIRCLE])
    handle = (await ask(server, EXPLAIN)).content["blockers"][0]["handle"]

    reply = await ask(server, EXPLAIN, assume_arrived=[handle])
    assert f'If {MARK}"customers:Cust_1" arrived: 2 clear (1 then 1), 4 still wait, 3 of them in or' in reply.text
    assert f'Still missing, with how many list each: {MARK}"locations" {MARK}"l1" (1).' in reply.text

    both = await ask(server, EXPLAIN, assume_arrived=[handle, "locations:l1"])
    assert both.content["what_if"]["still_missing"] == []

    none = await ask(server, EXPLAIN, assume_arrived=["l1"])
    assert "0 clear (nothing)" in none.text


async def test_filters_choose_what_is_explained() -> None:
    server = serve([CHAIN, batch("other", pending("t/1", "c/1"), schema="orders", status="success")])

    assert (await ask(server, EXPLAIN, schema="Orders")).content["pending"]["rows"] == 1
    assert (await ask(server, EXPLAIN, status="success")).content["pending"]["rows"] == 1
    assert "Nothing waits." in (await ask(server, EXPLAIN, created_after="1min")).text


async def test_each_argument_goes_out_under_its_name_on_the_wire() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer_page(page())

    arguments: dict[str, Any] = {
        "cursor": "c1",
        "limit": 7,
        "batch_type": "PARTNER_RESOURCE_BATCH_PATCH",
        "sort_by": "completedAt",
        "sort_direction": "asc",
    }
    await ask(serve(handler=answer), EXPLAIN, tenant_id="t1", **arguments)

    asked = next(request for request in seen if not is_evidence(request))
    assert dict(asked.url.params) == {
        "cursor": "c1",
        "limit": "7",
        "batchType": "PARTNER_RESOURCE_BATCH_PATCH",
        "sortBy": "completedAt",
        "sortDirection": "asc",
        "includePendingDetails": "true",
        "onlyBatchesWithPendingResources": "true",
    }
    assert {request.headers["reach-tenant-id"] for request in seen} == {"t1"}


async def test_page_that_is_too_large_is_asked_for_in_smaller_ones() -> None:
    """A hundred batches of a thousand rows would be fifty megabytes."""
    limits = []

    def answer(request: httpx.Request) -> httpx.Response:
        if is_evidence(request):
            return answer_page(page())
        limits.append(request.url.params["limit"])
        body = page(CHAIN)
        return answer_page(body | ({"padding": "x" * 30_000} if limits[-1] in ("100", "20") else {}))

    reply = await ask(serve(handler=answer, max_body_mb=0.02), EXPLAIN)

    assert limits == ["100", "20", "5"]
    assert reply.content["pending"]["rows"] == 3


async def test_limit_that_was_asked_for_is_kept_to() -> None:
    """Whoever names a page's size gets it, or hears why not."""
    body = page(CHAIN) | {"padding": "x" * 30_000}

    text = await refused(serve(handler=lambda _: answer_page(body), max_body_mb=0.02), EXPLAIN, limit=50)

    assert "larger than the limit of 0.02 MB" in text


async def test_search_for_causes_may_fail_alone() -> None:
    """What blocks most is worth an answer even where the reason can't be looked up."""

    def answer(request: httpx.Request) -> httpx.Response:
        return answer_page({"success": False}, 403) if is_evidence(request) else answer_page(page(CHAIN))

    reply = await ask(serve(handler=answer), EXPLAIN)

    assert reply.content["pending"]["rows"] == 3
    assert "Search for causes: Read 0 batches in 0 pages: NOT complete" in reply.text
    assert "The credential may not read this tenant's batches (403)." in reply.text


async def test_failing_to_read_what_waits_is_an_error_at_once() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return answer_page(page()) if is_evidence(request) else answer_page({"success": False}, 403)

    assert "(403)" in await refused(serve(handler=answer), EXPLAIN)


async def test_failed_records_beyond_what_is_kept_are_counted() -> None:
    """A search that left something out must not read as one that found nothing."""
    failed = [
        batch(f"f{n}", failed={f"{n}-{place}": (["x"], ["E"]) for place in range(KEPT // 10)}, created=-1 - n / 60)
        for n in range(11)
    ]
    reply = await ask(serve([CHAIN, *failed], max_body_mb=500), EXPLAIN)

    left_out = KEPT // 10
    assert f"Failed records of the oldest batches left out: {left_out}." in reply.text
    assert reply.content["coverage"]["evidence"]["failed_records_left_out"] == left_out


@pytest.mark.parametrize("ending", ["error", "deadline"])
async def test_reading_that_ends_early_goes_on_with_its_cursor(ending: str) -> None:
    """The offset belongs to the part that was read, so it is not repeated."""
    broken = [True]

    async def answer(request: httpx.Request) -> httpx.Response:
        if is_evidence(request) or "cursor" not in request.url.params:
            return answer_page(page(CHAIN, cursor=None if is_evidence(request) else "c2", total=2))
        if broken and ending == "deadline":
            await anyio.sleep(30)
        return answer_page({"success": False}, 403) if broken else answer_page(page(CIRCLE))

    server = serve(handler=answer, deadline=0.5)
    first = await ask(server, EXPLAIN, offset=1)
    broken.clear()
    call = next(one for one in first.content["next_calls"] if "cursor" in one["arguments"])
    rest = await ask(server, call["tool"], **call["arguments"])

    assert {"error": "reading ended early", "deadline": "the deadline of this call passed"}[ending] in first.text
    assert "Read 1 of 2 batches in 1 page: NOT complete, all counts are of what was read." in first.text
    assert call["arguments"] == {"cursor": "c2"}
    assert rest.content["circles"][0]["members"] == 2
    assert "cursor=…" in first.text


async def test_ids_stay_exact_in_structured_content() -> None:
    """A next call needs the id as it is, down to what can't be seen; the text shows that it is there."""
    odd = "\u202e1\u200b \t'\"\\"
    reply = await ask(serve([batch("b", pending("t/1", f"c/{odd}"))]), EXPLAIN)

    assert reply.content["blockers"][0]["id"] == odd
    assert odd not in reply.text
    assert json.loads(json.dumps(reply.content)) == reply.content


async def test_empty_ids_and_schemas_are_told_as_they_are() -> None:
    reply = await ask(serve([batch("b", pending("/", "/x"), pending("/y", "/"))]), EXPLAIN)

    assert reply.content["blockers"][0]["id"] == "x"
    assert f'- {MARK}"sd_" {MARK}"x"' in reply.text


async def test_expired_unreadable_and_later_rows_are_told_apart() -> None:
    rows = [
        pending("t/1", "c/1", expires=-1),
        pending("t/2", "c/1", expires=0.5),
        pending("t/3", "c/2", expires=40),
        pending("t/4", "c/3", expires="soon"),
        pending("t/5", "c/4", expires=-2),
    ]
    reply = await ask(serve([batch("b", *rows)]), EXPLAIN, response_format="detailed")

    assert "1 within the hour, 1 within the day, 1 later, next 11-23 12:30Z (in 30 min)" in reply.text
    assert "Already expired but still listed: 2; send these records again." in reply.text
    assert "1 have no readable expiry" in reply.text
    expired = next(one for one in reply.content["blockers"] if one["id"] == "4")
    assert expired["causes"] == ["not_seen", "expired"]


async def test_ids_that_look_alike_are_named_with_where_they_were_seen() -> None:
    body = batch("b", pending("t/1", "c/Acme-0042"), pending("c/acme-42", "d/1"), pending("c/ACME-0042", "d/1"))
    reply = await ask(serve([body]), EXPLAIN)

    blocker = next(one for one in reply.content["blockers"] if one["id"] == "Acme-0042")
    assert blocker["causes"] == ["similar"]
    assert blocker["more_similar"] == 1
    assert "1 more alike" in reply.text


async def test_deleted_record_names_the_batch_that_deleted_it() -> None:
    gone = {"7": (["gone"], ["DELETED"])}
    bodies = [
        batch("b", pending("t/1", "c/7")),
        batch("del", type="PARTNER_RESOURCE_BATCH_DELETE", schema="c", failed=gone),
        batch(
            "del2",
            type="PARTNER_RESOURCE_BATCH_DELETE",
            schema="c",
            failed=gone,
            completed=None,
            started=None,
            created=None,
        ),
    ]
    reply = await ask(serve(bodies), EXPLAIN)

    assert reply.content["blockers"][0]["causes"] == ["deleted"]
    assert f'named in DELETE batch {MARK}"del' in reply.text
    assert "(and in 1 more)" in reply.text


async def test_disagreements_and_circles_beyond_the_shown_are_counted() -> None:
    bodies = [batch(f"b{n}", pending(f"x/{n}", f"x/{n}"), pendingRecords=n + 2) for n in range(9)]

    reply = await ask(serve(bodies), EXPLAIN)

    assert len(reply.content["circles"]) + reply.content["more"]["circles"] == 9
    assert "More circles: " in reply.text
    assert len(reply.content["disagreements"]) + reply.content["more"]["counters"] == 9


async def test_hours_of_many_schemas_count_the_others() -> None:
    reply = await ask(serve([batch("b", *[pending(f"s{n}/1", "c/1") for n in range(9)])]), EXPLAIN)

    assert "18:00Z 9 rows (" in reply.text
    assert reply.content["expiry"]["hours"][0]["others"] == 4
    assert "4 others" in reply.text


async def test_same_question_gets_the_same_answer() -> None:
    """Continuing is stateless: whatever replica answers, the rest is the rest of the same answer."""
    first: list[Reply] = [await ask(serve_demo(), EXPLAIN) for _ in range(2)]

    assert first[0].text == first[1].text
    assert first[0].content == first[1].content


def waits(counts: dict[str, int], *, created: float = -2.0, name: str = "b") -> Json:
    """A batch in which so many rows wait for each of some customers."""
    rows = [
        pending(f"t/{customer}-{n}", f"c/{customer}", id=f"{customer}-{n}", created=created)
        for customer, count in counts.items()
        for n in range(count)
    ]
    return batch(name, *rows)


async def test_token_of_an_answer_tells_that_nothing_moved() -> None:
    """Polling costs one walk and a line, not the whole answer again."""
    server = serve([waits({"1": 3})])
    first = await ask(server, EXPLAIN)

    reply = await ask(server, EXPLAIN, since=first.content["since"])

    assert reply.content["changes"] == {"since": "2026-11-23T12:00:00Z", "same_rows": True, "now": 3}
    assert "Nothing moved since 11-23 12:00Z (now): the same 3 rows wait." in reply.text
    assert reply.meta["reach/cost"]["upstream_calls"] == 1
    assert reply.content["since"] == first.content["since"]
    reply.check()


async def test_token_of_an_answer_tells_what_moved() -> None:
    before = await ask(serve([waits({str(n): n for n in range(1, 7)})]), EXPLAIN)
    now = [waits({"1": 1, "2": 3, "3": 4, "4": 5, "5": 5}), waits({"9": 2}, created=-0.1, name="new")]

    for form in ("concise", "detailed"):
        reply = await ask(serve(now), EXPLAIN, since=before.content["since"], response_format=form)
        changes = reply.content["changes"]
        assert (changes["before"], changes["now"], changes["new_at_least"], changes["gone_at_least"]) == (21, 20, 2, 3)
        assert len(changes["moved"]) + changes.get("more_moved", 0) == 4
        assert changes["named_unchanged"] == 2
        assert f"one [{changes['moved'][0]['handle']}]: 6 waited, blocks no more" in reply.text
        assert f'{MARK}"c" {MARK}"4" [' in reply.text
        assert "4 waited, 5 wait now" in reply.text
        reply.check()
        grown = next(one for one in changes["moved"] if one.get("id") == "4")
        assert (await ask(serve(now), EXPLAIN, focus=grown["handle"])).content["focus"]["id"] == "4"


@pytest.mark.parametrize(
    ("token", "arguments", "words"),
    [
        ("nonsense!", {}, "since is not a token that this server gave."),
        ("", {"schema": "orders"}, "since was given for another tenant or other filters."),
    ],
)
async def test_token_of_another_question_is_refused(token: str, arguments: Json, words: str) -> None:
    """Compared with the answer to other filters, everything would seem to have moved."""
    server = serve([CHAIN])
    given = token or (await ask(server, EXPLAIN)).content["since"]

    text = await refused(server, EXPLAIN, since=given, **arguments)

    assert text == f"{words} Take it from an answer to the same arguments."


async def test_what_if_of_many_rounds_counts_the_later_ones() -> None:
    rows = [pending(f"t/{n}", f"t/{n + 1}") for n in range(20)]

    reply = await ask(serve([batch("b", *rows)]), EXPLAIN, assume_arrived=["t:20"])

    assert reply.content["what_if"] | {"clears": 20, "rounds": [1] * 12, "later_rounds": 8} == reply.content["what_if"]
    assert "then 1 then 8 later)" in reply.text


async def test_two_questions_in_one_call_are_refused() -> None:
    """An answer to one of them would read as an answer to both."""
    text = await refused(serve([CHAIN]), EXPLAIN, focus="chain", assume_arrived=["l1"])

    assert text == "focus, assume_arrived and since exclude one another. Give one of them a call."
