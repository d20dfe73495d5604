"""BatchReader: follows cursors, prefetches, ends with a reason, and says "complete" only where that is certain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reach_mcp.api.auth import Credential
from reach_mcp.api.client import ReachClient
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import BadRequest, BodyTooLarge
from reach_mcp.api.pagination import BatchReader, Coverage
from reach_mcp.api.query import BatchQuery
from tests.builders import Json, batch, page, pending
from tests.fakes import Answer, Handler, ScriptedTransport

pytestmark = pytest.mark.anyio


@dataclass
class Reading:
    """One reading of a scripted API."""

    ids: list[str] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    queries: list[dict[str, str]] = field(default_factory=list)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """(cursor, limit) of each request."""
        return [(query.get("cursor", ""), query.get("limit", "")) for query in self.queries]


async def read(
    *script: Answer | Handler,
    query: BatchQuery | None = None,
    sizes: Sequence[int] = (),
    max_pages: int | None = None,
    seconds: float = 30,
) -> Reading:
    transport, reading = ScriptedTransport(*script), Reading()
    token = Credential(lambda: "a-token")
    async with ReachClient("https://reach.test", token, transport=transport, max_body=20_000) as client:
        reader = BatchReader(
            client,
            query or BatchQuery(),
            tenant=None,
            deadline=Deadline(seconds),
            page_sizes=sizes,
            max_pages=max_pages,
        )
        async for each in reader.pages():
            reading.ids += [one.batch_id for one in each.batches]
    reading.coverage, reading.queries = reader.coverage, transport.queries
    return reading


def items(*ids: str) -> list[Json]:
    return [batch(one) for one in ids]


def numbered(count: int) -> list[str]:
    return [f"b{number}" for number in range(count)]


def api_of(
    ids: Sequence[str],
    *,
    size: int = 2,
    total: int | None = 0,
    large: Callable[[httpx.QueryParams], bool] | None = None,
) -> Callable[[httpx.Request], Answer]:
    """A Reach API whose cursors are offsets. `total` is added to the true one; None: not said."""

    def answer(request: httpx.Request) -> Answer:
        params = request.url.params
        start = int(params.get("cursor", "0"))
        end = start + int(params.get("limit", size))
        said = None if total is None else len(ids) + total
        body = page(*items(*ids[start:end]), cursor=str(end) if end < len(ids) else None, total=said)
        return body | {"padding": "x" * 30_000} if large is not None and large(params) else body

    return answer


# To the end


async def test_cursors_are_followed_to_the_end() -> None:
    reading = await read(api_of(numbered(5)), query=BatchQuery(batch_type="PARTNER_RESOURCE_BATCH_PATCH"))
    coverage = reading.coverage
    assert reading.ids == numbered(5)
    assert [query.get("cursor") for query in reading.queries] == [None, "2", "4", None]
    assert {query["batchType"] for query in reading.queries} == {"PARTNER_RESOURCE_BATCH_PATCH"}
    assert (coverage.pages, coverage.batches, coverage.total) == (3, 5, 5)
    assert (coverage.complete, coverage.stop, coverage.cursor, coverage.moved) == (True, "", None, False)
    assert reading.queries[-1] == {"limit": "1", "batchType": "PARTNER_RESOURCE_BATCH_PATCH"}
    assert coverage.size > 1_000


async def test_the_next_page_is_requested_while_the_present_one_is_worked_on() -> None:
    transport = ScriptedTransport(api_of(numbered(6)))
    async with ReachClient("https://reach.test", Credential(lambda: "a-token"), transport=transport) as client:
        reader = BatchReader(client, BatchQuery(), tenant=None, deadline=Deadline(30))
        assert not reader.coverage.complete
        seen = []
        async for _ in reader.pages():
            await anyio.wait_all_tasks_blocked()
            seen.append((len(transport.requests), reader.coverage.complete, reader.coverage.stop))
    assert seen == [(2, False, "page_limit"), (3, False, "page_limit"), (4, True, "")]


async def test_a_reader_that_is_left_early_cancels_its_request_and_is_incomplete() -> None:
    async def answer(request: httpx.Request) -> Answer:
        if "cursor" in request.url.params:
            await anyio.sleep_forever()
        return page(*items("b1"), cursor="2")

    async with ReachClient(
        "https://reach.test", Credential(lambda: "a-token"), transport=ScriptedTransport(answer)
    ) as client:
        reader = BatchReader(client, BatchQuery(), tenant=None, deadline=Deadline(30))
        async with aclosing(reader.pages()) as pages:
            async for _ in pages:
                break
    assert (reader.coverage.complete, reader.coverage.stop, reader.coverage.cursor) == (False, "page_limit", "2")


# Ends before the last page


async def test_unreadable_rows_are_counted_once_per_batch() -> None:
    broken = batch("b1", pending("t:1", "c:1")) | {"pendingResources": [{}, {}]}
    coverage = (await read(page(broken, cursor="x"), page(broken))).coverage
    assert (coverage.unreadable_resources, coverage.unreadable_resource_names) == (2, ("b1",))
    assert not coverage.complete


@pytest.mark.parametrize(("max_pages", "stop"), [(1, "one_page"), (2, "page_limit"), (3, ""), (4, "")])
async def test_a_page_limit_ends_the_reading(max_pages: int, stop: str) -> None:
    reading = await read(api_of(numbered(5)), max_pages=max_pages)
    assert (reading.coverage.stop, len(reading.queries)) == (stop, max_pages if stop else 4)
    assert reading.coverage.cursor == (str(2 * max_pages) if stop else None)


# Lists that move


@pytest.mark.parametrize(
    ("pages", "totals", "complete"),
    [
        (["a b", "c"], [3, 3], True),
        (["a b", "c"], [None, None], True),
        (["a b", "c"], [4, 4], False),  # short
        (["a b", "b c"], [3, 4], False),  # one came: it is on no page
        (["a b", "c d"], [5, 4], False),  # one went: another may have slipped through
        (["a b", "b c"], [3, 3], True),  # one came twice, and there are three
        (["a b", "b c"], [None, None], False),
        (["a a b", "c"], [3, 3], True),
        (["a b", "b"], [3, 3], False),
    ],
)
async def test_a_list_that_moves_is_complete_only_where_total_and_ids_agree(
    pages: list[str], totals: list[int | None], complete: bool
) -> None:
    first, second = (items(*ids.split()) for ids in pages)
    script = [page(*first, cursor="x", total=totals[0]), page(*second, total=totals[1]), page(*first[:1])]
    coverage = (await read(*script)).coverage
    assert coverage.complete == complete
    changed = None not in totals and totals[0] != totals[1]
    twice = len(set(" ".join(pages).split())) < len(" ".join(pages).split())
    assert (coverage.moved, coverage.totals_changed, coverage.repeated) == (changed or twice, changed, int(twice))


@pytest.mark.parametrize(
    ("again", "stop"),
    [
        (page(*items("b0"), cursor="1", total=3), ""),
        (page(*items("b0"), cursor="1"), ""),
        (page(*items("new"), cursor="1", total=3), "changed"),  # for one of the first page that went
        (page(*items("b0"), cursor="1", total=4), "changed"),
        (page(total=0), "changed"),
        (403, "unchecked"),
    ],
)
async def test_a_reading_of_several_pages_is_complete_only_where_the_list_stood_still(again: Answer, stop: str) -> None:
    pages = [page(*items("b0", "b1"), cursor="2", total=3), page(*items("b2"), total=3)]
    coverage = (await read(*pages, again)).coverage
    assert (coverage.stop, coverage.complete, coverage.moved) == (stop, not stop, stop == "changed")
    assert (coverage.batches, coverage.error is not None) == (3, stop == "unchecked")


async def test_a_batch_that_takes_the_place_of_another_between_two_pages_is_noticed() -> None:
    live = numbered(5)

    def answer(request: httpx.Request) -> Answer:
        body = api_of(list(live))(request)
        if "cursor" not in request.url.params:
            live[:] = ["new", *live[1:]]
        return body

    coverage = (await read(answer)).coverage
    assert (coverage.batches, coverage.total, coverage.stop) == (5, 5, "changed")


@given(st.data())
def test_complete_means_that_no_batch_that_was_always_there_is_lacking(data: st.DataObject) -> None:
    ids = numbered(data.draw(st.integers(2, 8)))
    always, live = set(ids), list(ids)

    def answer(request: httpx.Request) -> Answer:
        body = api_of(list(live), size=2)(request)
        for _ in range(data.draw(st.integers(0, 2))):
            if data.draw(st.booleans()) and live:
                always.discard(live.pop(data.draw(st.integers(0, len(live) - 1))))
            else:
                live.insert(0, f"new{len(live)}-{data.draw(st.integers(0, 99))}")
        return body

    reading: list[Reading] = []

    async def run() -> None:
        reading.append(await read(answer))

    anyio.run(run)
    lacking = always - set(reading[0].ids)
    assert not (reading[0].coverage.complete and lacking)


# Page sizes


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones_from_the_same_cursor() -> None:
    def large(params: httpx.QueryParams) -> bool:
        return params.get("cursor") == "4" and params["limit"] != "1"

    reading = await read(api_of(numbered(6), large=large), sizes=[4, 2, 1])
    assert reading.asked == [("", "4"), ("4", "4"), ("4", "2"), ("4", "1"), ("5", "1"), ("", "1")]
    assert (reading.ids, reading.coverage.complete, reading.coverage.moved) == (numbered(6), True, True)
    with pytest.raises(BodyTooLarge):
        await read(api_of(numbered(6), large=lambda _: True), sizes=[4, 2])


async def test_a_page_size_that_is_refused_or_stalls_gives_way_to_a_smaller_one() -> None:
    def refuse(request: httpx.Request) -> Answer:
        return 400 if request.url.params["limit"] == "50" else api_of(numbered(3))(request)

    for script in ([refuse], [httpx.ReadTimeout("silent"), page(*items("b0", "b1", "b2"))]):
        reading = await read(*script, sizes=[50, 5])
        assert (reading.asked, reading.ids) == ([("", "50"), ("", "5")], numbered(3))
    with pytest.raises(BadRequest):
        await read(400, 400, sizes=[50, 5])
    refused = await read(page(*items("b0"), cursor="x"), 400, sizes=[50, 5])
    assert (refused.coverage.stop, len(refused.queries)) == ("error", 2)
