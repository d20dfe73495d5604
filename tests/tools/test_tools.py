"""The three tools over a scripted API: what is asked of Reach, and what the host gets."""

from __future__ import annotations

import base64
import gc
import json
import logging
import weakref
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import httpx
import pytest

from reach_mcp.analysis.analysis import MAX_KEPT_FILTERS, ROWS_AT_ONCE
from reach_mcp.analysis.stop import AnalysisStopped
from reach_mcp.render.options import Rendered
from reach_mcp.tools import TOOLS, answers, snapshot
from reach_mcp.tools.answers import run_call
from reach_mcp.tools.arguments import GetBatchArguments, ListBatchesArguments
from reach_mcp.tools.context import CALLER, Call, Caller
from tests.builders import DELETE, NOW, NOW_SECONDS, PATCH, batch, detail, page, pending
from tests.fakes import Answer, ScriptedTransport
from tests.helpers import EXPLAIN, GET, LIST, TOKEN, api_of, ask, call, refused, serve, structured, text_of

pytestmark = pytest.mark.anyio

BATCHES = [
    batch("b1", pending("transactions:t1", "customers:c1"), pending("transactions:t2", "customers:c1")),
    batch("b2", status="failure", schema="customers", failed={"c1": (["Zip code is bad"], ["VALIDATION"])}),
    batch("b3", status="success", schema="locations"),
]


async def test_tenants_of_a_caller_are_named_up_to_a_number() -> None:
    CALLER.set(Caller(tenants=frozenset(f"t{number}" for number in range(10, 35))))

    text = await refused(serve(ScriptedTransport()), LIST, tenant_id="other")

    assert text.endswith("They are " + ", ".join(f"'t{number}'" for number in range(10, 30)) + " and 5 more.")


async def test_page_is_asked_with_the_callers_own_parameters() -> None:
    api = ScriptedTransport(page(BATCHES[0], cursor="next", total=9))

    text = await ask(
        serve(api), LIST, cursor="c0", limit=1, batch_type="patch", sort_by="startedAt", sort_direction="asc",
        include_pending_details=True, only_batches_with_pending_resources=True, tenant_id="acme",
    )  # fmt: skip

    assert api.queries == [
        {
            "cursor": "c0", "limit": "1", "batchType": "PARTNER_RESOURCE_BATCH_PATCH", "sortBy": "startedAt",
            "sortDirection": "asc", "includePendingDetails": "true", "onlyBatchesWithPendingResources": "true",
        }
    ]  # fmt: skip
    assert api.requests[0].headers["reach-tenant-id"] == "acme"
    assert '"cursor":"next"' in text


FILTERS: list[dict[str, Any]] = [
    {"batch_type": "ingest"},
    {"status": "failure"},
    {"schema": "customers"},
    {"created_after": "24h"},
    {"created_before": "2026-11-24"},
    {"only_batches_with_pending_resources": True},
]


@pytest.mark.parametrize("condition", [*FILTERS, {"scope": "all"}, {"offset": 5}], ids=str)
async def test_each_filter_reads_every_batch_in_large_pages_and_shows_as_many_rows_as_asked_for(
    condition: dict[str, Any],
) -> None:
    row = pending("transactions:t1", "customers:c1")
    many = [batch(f"b{number}", row, status="failure", schema="customers") for number in range(150)]
    api = api_of([*many, batch("other", type=DELETE, schema="locations", created=48)])

    shown = await structured(serve(api), LIST, limit=1, sort_by="startedAt", **condition)

    assert [query["limit"] for query in api.queries] == ["100", "100", "1"]
    assert all(query["includePendingDetails"] == "true" for query in api.queries[:2])
    assert not any("batchType" in query for query in api.queries)
    assert len(shown["batches"]["items"]) == 1
    assert shown["batches"]["total"] == (151 if condition.keys() & {"scope", "offset", "created_after"} else 150)


@pytest.mark.parametrize("start", [{"cursor": "20"}, {"scope": "page"}], ids=str)
async def test_filter_of_a_page_counts_in_a_large_page_and_pages_through_it(start: dict[str, Any]) -> None:
    api = api_of([batch(f"b{number}", status="success" if number % 2 else "failure") for number in range(700)])
    server, ids = serve(api), list[str]()

    following: dict[str, Any] | None = {"status": "failure", "limit": 100, **start}
    while following is not None:
        shown = await structured(server, LIST, **following)
        ids += [one["id"] for one in shown["batches"]["items"]]
        calls = [one["arguments"] for one in shown.get("next", ()) if one["tool"] == LIST]
        following = next((one for one in calls if one.keys() & {"cursor", "offset"}), None)

    assert {query["limit"] for query in api.queries} == {"500"}
    assert ids == [f"b{number}" for number in range(int(start.get("cursor", "0")), 700, 2)]


@pytest.mark.parametrize("scope", ["page", "all"])
async def test_ages_and_deadlines_follow_the_clock_of_the_api_and_the_answer_says_so(scope: str) -> None:
    """The API is 2 hours ahead: 2 hours ago, for it, is our present."""
    found = [batch("later", pending("a:1", "b:1"), created=1), batch("earlier", pending("a:2", "b:2"), created=-1)]
    date = {"date": format_datetime(NOW + timedelta(hours=2), usegmt=True)}
    server = serve(
        ScriptedTransport(
            lambda request: httpx.Response(
                200, headers=date, json=detail(found[0]) if request.url.path.endswith("later") else page(*found)
            )
        )
    )
    server.context.client.clock = lambda: NOW_SECONDS

    listed = await call(server, LIST, created_after="2h", scope=scope)
    explained = await call(server, EXPLAIN, created_after="2h")
    one = await call(server, GET, batch_id="later")

    for result in (listed, explained, one):
        assert "as of 2026-11-23 14:00" in text_of(result).replace("As of", "as of")
        assert "clock is 2 h ahead of" in text_of(result)
        assert "clock is 2 h ahead of" in json.dumps(result.structured_content)
        assert "earlier" not in text_of(result)


async def test_cursor_has_no_use_where_every_page_is_read() -> None:
    shown = await call(serve(api_of(BATCHES)), LIST, scope="all", cursor="3")

    assert shown.structured_content is not None
    assert "cursor was ignored" in text_of(shown)
    assert "cursor was ignored" in shown.structured_content["notes"][0]


@pytest.mark.parametrize("condition", [*FILTERS, {"scope": "all", "sort_by": "completedAt"}, {"status": "success"}])
async def test_answers_are_equal_with_and_without_a_kept_snapshot(condition: dict[str, Any]) -> None:
    batches = [*BATCHES, batch("b4", pending("locations:l1", "customers:c1", expires=-1), type=PATCH, pendingRecords=0)]
    api, other = api_of(batches), api_of(batches)
    server = serve(api)

    await ask(server, EXPLAIN)
    kept = await call(server, LIST, **condition)
    read = await call(serve(other), LIST, **condition)
    fresh = await call(server, LIST, fresh=True, **condition)
    await ask(server, EXPLAIN, view="plan")

    assert len(api.requests) == 2
    assert text_of(kept) == text_of(read) == text_of(fresh)
    assert kept.structured_content == read.structured_content == fresh.structured_content


async def test_list_of_all_batches_is_sorted_on_either_date_with_undated_batches_last() -> None:
    dated = [batch(f"b{hour}", started=hour, completed=-hour) for hour in (-3, -1, -2)]
    server = serve(api_of([batch("undated", started=None, completed=None), *dated]))

    async def listed(**order: str) -> list[str]:
        shown = await structured(server, LIST, scope="all", **order)
        return [one["id"] for one in shown["batches"]["items"]]

    assert await listed() == ["undated", "b-3", "b-1", "b-2"]
    assert await listed(sort_by="started") == ["b-1", "b-2", "b-3", "undated"]
    assert await listed(sort_by="started", sort_direction="asc") == ["b-3", "b-2", "b-1", "undated"]
    assert await listed(sort_by="completed") == ["b-3", "b-2", "b-1", "undated"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (LIST, {"limit": 1}),
        (LIST, {"cursor": "1", "limit": 1, "batch_type": "ingest", "include_pending_details": True}),
        (LIST, {"status": "partial_success", "limit": 1, "sort_by": "startedAt"}),
        (LIST, {"scope": "all", "limit": 1, "only_batches_with_pending_resources": True}),
        (GET, {"batch_id": "b1", "limit": 1}),
        (GET, {"batch_id": "b1", "include_pending_details": True, "limit": 1}),
        (EXPLAIN, {}),
        (EXPLAIN, {"view": "resources", "limit": 1, "schema": "transactions"}),
        (EXPLAIN, {"view": "blockers", "cause": "failed", "order": "frees", "limit": 1}),
        (EXPLAIN, {"focus": "transactions:t1"}),
        (EXPLAIN, {"focus": "b1", "limit": 1}),
        (EXPLAIN, {"assume_arrived": ["customers:c1"]}),
    ],
)
async def test_next_calls_work_as_they_are_printed(tool: str, arguments: dict[str, Any]) -> None:
    server = serve(api_of([*BATCHES, BATCHES[0] | {"batchId": "b5"}]))

    result = await call(server, tool, **arguments)
    following = (result.structured_content or {}).get("next", [])

    assert following or arguments.keys() & {"assume_arrived", "focus"}
    for one in following:
        again = one.get("arguments", {})
        assert json.dumps(again, separators=(",", ":")) in text_of(result)
        text = await ask(server, one["tool"], **again)
        assert not any(word in text for word in ("gnored", "no effect", "was set to")), one


async def test_identical_calls_read_once() -> None:
    api = api_of(BATCHES)
    server = serve(api)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask, server, EXPLAIN)

    assert len(api.requests) == 1


@pytest.mark.parametrize("tenant", [{}, {"tenant_id": "acme"}])
async def test_stalled_requests_of_one_caller_leave_slots_to_another(tenant: dict[str, str]) -> None:
    async def answer(request: httpx.Request) -> Answer:
        if request.url.path.endswith("stalled"):
            await anyio.sleep_forever()
        return page(*BATCHES)

    server = serve(ScriptedTransport(answer))

    async def stall() -> None:
        CALLER.set(Caller(name="alice"))
        await call(server, GET, batch_id="stalled", **tenant)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(stall)
        await anyio.wait_all_tasks_blocked()
        CALLER.set(Caller(name="bob"))
        assert "b1" in await ask(server, LIST)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("rows", "filters"), [(1, MAX_KEPT_FILTERS + 2), (ROWS_AT_ONCE + 1, 1)])
async def test_snapshot_that_is_read_again_gives_its_memory_back_at_once(rows: int, filters: int) -> None:
    server = serve(api_of([batch("b1", *(pending(f"a:{number}", "b:1") for number in range(rows)))]))
    gc.disable()
    try:
        for hours in range(filters):
            await ask(server, EXPLAIN, view=("plan", "cycles")[hours % 2], created_after=f"{hours + 24}h")
        kept = next(iter(server.context.snapshots._entries.values())).loaded.value
        snapshot = weakref.ref(kept.analysis.snapshot)
        del kept
        await ask(server, LIST, scope="all", fresh=True)
        with anyio.fail_after(30):
            while snapshot():  # a large one is dropped in a thread
                await anyio.lowlevel.checkpoint()
    finally:
        gc.enable()


async def test_snapshot_is_of_one_tenant() -> None:
    api = api_of(BATCHES)
    server = serve(api)

    await ask(server, EXPLAIN, tenant_id="acme")
    await ask(server, EXPLAIN, tenant_id="other")

    assert [request.headers["reach-tenant-id"] for request in api.requests] == ["acme", "other"]


async def test_explanation_names_record_cause_and_cost() -> None:
    result = await call(serve(api_of(BATCHES)), EXPLAIN)

    assert "customers:c1" in text_of(result)
    assert "Zip code is bad" in text_of(result)
    assert result.meta is not None
    cost = result.meta["reach/cost"]
    assert cost["requests"] == 1
    assert cost["coverage"] == {"batches": 3, "complete": True}
    assert len(json.dumps(result.meta)) < 250


async def test_get_batch_reads_pending_details_and_lists_them_where_asked_for() -> None:
    api = ScriptedTransport(detail(BATCHES[0]), detail(BATCHES[0]))
    server = serve(api)

    brief, whole = (
        await ask(server, GET, batch_id="b1"),
        await ask(server, GET, batch_id="b1", include_pending_details=1),
    )

    assert all(query == {"includePendingDetails": "true"} for query in api.queries)
    assert "transactions:t1" not in brief
    assert "transactions:t1" in whole


@pytest.mark.parametrize("pasted", [" b1 ", "`b1`", '"b1"', 'k72"b1"', "[b1]", "reach://batches/b1"])
async def test_pasted_id_is_tried_as_it_is_and_then_bare(pasted: str) -> None:
    api = api_of(BATCHES)

    assert "b1" in await ask(serve(api), GET, batch_id=pasted)
    assert len(api.requests) == 2


@pytest.mark.parametrize("pasted", ["reach://batches/bat%3A2%3A%2F%2Fx", "bat%3A2%3A%2F%2Fx"])
async def test_id_out_of_a_link_is_decoded_last(pasted: str) -> None:
    assert "bat:2://x" in await ask(serve(api_of([batch("bat:2://x")])), GET, batch_id=pasted)
    api = api_of([batch("bat:2://x"), batch("bat%3A2%3A%2F%2Fx", schema="exact")])
    assert "exact" in await ask(serve(api), GET, batch_id=pasted)


async def test_unknown_batch_is_an_error_in_text_alone() -> None:
    api = ScriptedTransport(404)

    result = await call(serve(api), GET, batch_id="nope")

    assert result.is_error
    assert result.structured_content is None
    assert result.meta is not None
    assert result.meta["reach/error"] == "batch_not_found"


@pytest.mark.parametrize("tool", [LIST, GET, EXPLAIN])
async def test_each_form_stands_alone(tool: str) -> None:
    arguments = {"batch_id": "b1"} if tool == GET else {}

    text = await call(serve(api_of(BATCHES), answer_parts="text"), tool, **arguments)
    structured = await call(serve(api_of(BATCHES), answer_parts="structured"), tool, **arguments, unknown_thing=1)

    assert text.structured_content is None
    assert json.loads(text_of(structured)) == structured.structured_content
    assert structured.structured_content is not None
    assert structured.structured_content["notes"] == ["Ignored unknown arguments: 'unknown_thing'."]


@pytest.mark.parametrize(("parts", "published"), [("text", False), ("structured", True), ("both", True)])
async def test_output_schema_is_published_where_structured_content_is_sent(parts: str, published: bool) -> None:
    tools = await serve(api_of([]), answer_parts=parts).list_tools()

    assert [tool.output_schema is not None for tool in tools] == [published] * 3


@pytest.mark.parametrize("tool", [LIST, GET, EXPLAIN])
async def test_error_messages_can_be_left_out(tool: str) -> None:
    blamed = [batch("b0", status="failure", message="Whole batch is bad"), *BATCHES]
    arguments = {"batch_id": "b2"} if tool == GET else {}

    result = await call(serve(api_of(blamed), error_messages=False), tool, **arguments)

    shown = text_of(result) + json.dumps(result.structured_content)
    assert "is bad" not in shown
    assert "VALIDATION" in shown or tool == EXPLAIN


async def test_words_of_the_api_can_be_left_out_of_errors() -> None:
    api = ScriptedTransport(lambda _: httpx.Response(400, json={"success": False, "message": "Zip is bad"}))

    assert "Zip is bad" in await refused(serve(api), LIST)
    assert "Zip is bad" not in await refused(serve(api, error_messages=False), LIST)


@pytest.mark.parametrize("form", [TOKEN, base64.b64encode(TOKEN.encode()).decode().rstrip("="), "callers-own-token-1"])
async def test_secrets_are_removed_from_answers_and_errors(form: str) -> None:
    leaky = batch("b1", status="failure", failed={f"id {form}": ([f"Invalid token Bearer {form}"], [form])})
    error = ScriptedTransport(lambda _: httpx.Response(400, json={"success": False, "message": f"token {form}"}))

    result = await call(serve(api_of([leaky]), auth_token="callers-own-token-1"), GET, batch_id="b1")

    assert form not in text_of(result) + json.dumps(result.structured_content)
    assert form not in await refused(serve(error, auth_token="callers-own-token-1"), LIST)


async def test_pinned_tenant_refuses_another_one() -> None:
    server = serve(api_of(BATCHES), tenant_id="acme")

    assert "pinned to one tenant" in await refused(server, LIST, tenant_id="other")
    assert "b1" in await ask(server, LIST, tenant_id="acme")


async def test_unknown_schema_is_an_error_with_the_known_names() -> None:
    assert "transactions" in await refused(serve(api_of(BATCHES)), EXPLAIN, schema="transaction")


async def test_deadline_that_is_over_ends_a_call() -> None:
    async def stall(_: httpx.Request) -> Answer:
        await anyio.sleep_forever()
        raise AssertionError

    text = await refused(serve(ScriptedTransport(stall), deadline=0.05), EXPLAIN)

    assert "deadline" in text or "time" in text


async def test_shutdown_ends_a_running_analysis_with_its_reason() -> None:
    server = serve(api_of(BATCHES))
    server.context.stopping.set()

    assert "shutting down" in await refused(server, EXPLAIN)


async def test_record_that_an_incomplete_reading_does_not_name_may_be_in_the_rest() -> None:
    first = page(batch("b1", pending("orders:o1", "customers:c1")), cursor="next", total=2)

    text = await ask(serve(ScriptedTransport(first, *[403] * 4)), EXPLAIN, focus="orders:o2")

    assert "Incomplete: 1 of 2 batches read" in text
    assert "orders:o2 is not named by any batch that was read" in text


@pytest.mark.parametrize("view", ["summary", "counters"])
async def test_counters_without_rows_are_not_nothing(view: str) -> None:
    text = await ask(serve(api_of([batch("b1", status="success", pendingRecords=500)])), EXPLAIN, view=view)

    assert "500 pending by counter, no rows listed" in text
    assert "Nothing" not in text


async def test_failed_reading_is_not_kept() -> None:
    api = ScriptedTransport(403, page(*BATCHES))
    server = serve(api)

    await refused(server, EXPLAIN)

    assert "customers:c1" in await ask(server, EXPLAIN)


async def test_progress_names_pages_and_rows() -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def report(done: float, total: float | None = None, message: str | None = None) -> None:
        told.append((done, total, message))

    CALLER.set(Caller(report=report))
    await ask(serve(api_of(BATCHES)), EXPLAIN)

    assert told == [(3, 3, "1 page read, 2 pending resources")]


async def test_caller_that_takes_no_progress_gets_none_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "REPORT_SECONDS", 0.01)
    told: list[float] = []

    async def report(done: float, total: float | None = None, message: str | None = None) -> None:
        told.append(done)
        await anyio.sleep_forever()

    CALLER.set(Caller(report=report))
    await ask(serve(api_of([batch(f"b{number}") for number in range(150)])), EXPLAIN)

    assert told == [100]


async def test_call_that_waits_for_ever_is_cut_after_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(*_: object) -> Rendered:
        await anyio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(answers, "OVERTIME_SECONDS", 0.0)
    shown = await answers.run_call(serve(api_of([]), deadline=0.01).context, LIST, ListBatchesArguments, {}, wait)

    assert shown.is_error
    assert "did not end within the deadline" in text_of(shown)


async def test_call_is_logged_in_one_line_with_outcome_kind_caller_and_tenant(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reach_mcp")
    CALLER.set(Caller(name="alice", request="7"))
    server = serve(ScriptedTransport(403, page(*BATCHES)))

    await refused(server, LIST, tenant_id="acme")
    await ask(server, LIST)

    facts: list[dict[str, Any]] = [record.facts for record in caplog.records if record.message == "call"]  # type: ignore[attr-defined]
    assert [(one["outcome"], one.get("error"), one["caller"], one["tenant"], one["request"]) for one in facts] == [
        ("error", "forbidden", "alice", "acme", "7"),
        ("ok", None, "alice", "default", "7"),
    ]


async def test_what_an_operator_should_see_is_logged_as_a_warning_with_the_tenant_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    CALLER.set(Caller(name="alice", tenants=frozenset({"acme", "globex"})))

    await refused(serve(ScriptedTransport()), LIST, tenant_id="initech" * 20)
    await refused(serve(ScriptedTransport(403)), LIST, tenant_id="acme")

    logged = [record for record in caplog.records if record.message == "call"]
    facts: list[dict[str, Any]] = [record.facts for record in logged]  # type: ignore[attr-defined]
    assert [record.levelname for record in logged] == ["WARNING", "WARNING"]
    assert [(one["error"], one["tenant"]) for one in facts] == [
        ("tenant_refused", ("initech" * 20)[:100]),
        ("forbidden", "acme"),
    ]


async def test_crash_is_logged_as_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reach_mcp")
    server = serve(ScriptedTransport(RuntimeError("a bug")))

    with pytest.raises(RuntimeError):
        await server.call_tool(LIST, {})

    assert caplog.records[-1].facts["outcome"] == "crash"  # type: ignore[attr-defined]


@pytest.mark.parametrize("tool", [LIST, GET, EXPLAIN])
@pytest.mark.parametrize(("response_format", "limit"), [("concise", 8_000), ("detailed", 24_000)])
async def test_both_forms_keep_to_their_bytes(tool: str, response_format: str, limit: int) -> None:
    rows = [pending(f"transactions:{number:036d}", f"customers:{number:036d}") for number in range(900)]
    failed = {f"{number:036d}": ([f"error {number} " * 9], ["V"]) for number in range(300)}
    many = [batch("b1", *rows, failed=failed), *(batch(f"{number:036d}", schema="x" * 60) for number in range(300))]
    arguments = {"batch_id": "b1"} if tool == GET else {"scope": "all"} if tool == LIST else {}

    result = await call(
        serve(api_of(many)), tool, response_format=response_format, limit=1000, strange_argument=1, **arguments
    )

    structured = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
    assert limit / 2 < max(len(text_of(result).encode()), len(structured.encode()))
    assert len(text_of(result).encode()) <= limit
    assert len(structured.encode()) <= limit


def test_tools_carry_the_words_that_people_search_by() -> None:
    words = " ".join(tool.description for tool in TOOLS.values()).lower()

    for word in ("pending", "blocked", "stuck", "waiting", "missing dependency", "unresolved reference",
                 "failed ingest", "partial_success", "expired", "which records to resend"):  # fmt: skip
        assert word in words
    assert all(tool.title.startswith("Reach") and tool.description.startswith("Reach") for tool in TOOLS.values())


async def test_analysis_that_has_no_time_left_is_an_error_that_names_the_setting() -> None:
    async def work(_: Call, __: GetBatchArguments) -> Rendered:
        raise AnalysisStopped

    result = await run_call(serve(api_of([])).context, GET, GetBatchArguments, {"batch_id": "b1"}, work)

    assert "REACH_MCP_DEADLINE" in text_of(result)


async def test_meta_has_the_request_id_of_reach_and_the_wait_that_it_asks_for() -> None:
    body = page(*BATCHES)
    api = ScriptedTransport(
        lambda request: httpx.Response(
            429 if "cursor" in request.url.params else 200,
            headers={"x-request-id": "req-7", "retry-after": "600"},
            json=body,
        )
    )
    server = serve(api)

    answered, limited = await call(server, LIST), await call(server, LIST, cursor="c")

    assert answered.meta is not None
    assert answered.meta["reach/cost"]["request_id"] == "req-7"
    assert limited.meta is not None
    assert limited.meta["reach/retry_after"] == 600


@pytest.mark.parametrize(("status", "wait"), [(500, 60), (403, None)])
async def test_an_error_that_may_pass_says_when_to_ask_again(status: int, wait: int | None) -> None:
    found = await call(serve(ScriptedTransport(lambda _: status), deadline=0.1), LIST)

    assert found.is_error
    assert found.meta is not None
    assert found.meta.get("reach/retry_after") == wait
