"""Following cursors: to the end, or as far as it goes, and what is said of what was read."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from pydantic import SecretStr

from reach_mcp.api.client import BatchQuery, Deadline, ReachClient
from reach_mcp.api.credentials import StaticToken
from reach_mcp.api.errors import Forbidden, NotJSON, ReachError, TimedOut
from reach_mcp.api.models import Batch, Page
from reach_mcp.api.walk import Coverage, walk
from tests.builders import Json, batch, page, pending

pytestmark = pytest.mark.anyio

Answer = Json | httpx.Response | Callable[[httpx.Request], Awaitable[httpx.Response]]


class Reach(httpx.MockTransport):
    """A Reach API that gives one page after the other, and notes what it was asked and what it gave, in turn."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(self._answer)
        self._answers = list(answers)
        self.asked: list[dict[str, str]] = []
        self.events: list[str] = []

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor", "start")
        self.asked.append(dict(request.url.params))
        self.events.append(f"ask {cursor}")
        answer = self._answers.pop(0)
        if callable(answer):
            found = answer(request)
            assert inspect.isawaitable(found)
            return await found
        response = answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
        return httpx.Response(response.status_code, stream=httpx.ByteStream(response.content))  # not read yet

    def fold(self, read: Batch) -> None:
        self.events.append(f"fold {read['batchId']}")


@asynccontextmanager
async def client_of(transport: httpx.AsyncBaseTransport) -> AsyncIterator[ReachClient]:
    async with ReachClient("https://reach.test", StaticToken(SecretStr("token")), transport=transport) as client:
        yield client


async def follow(
    reach: Reach,
    query: BatchQuery | None = None,
    *,
    seconds: float = 30,
    enough: Callable[[Page], bool] | None = None,
    pages: int | None = None,
) -> Coverage:
    """Walk with the API's own defaults."""
    async with client_of(reach) as client:
        return await walk(
            client,
            query or BatchQuery(),
            tenant=None,
            deadline=Deadline(seconds),
            fold=reach.fold,
            pages=pages,
            enough=enough,
        )


def told(coverage: Coverage) -> tuple[int, int, str, str | None, bool]:
    return coverage.pages, coverage.batches, coverage.stop, coverage.cursor, coverage.complete


def folded(reach: Reach) -> list[str]:
    return [event.removeprefix("fold ") for event in reach.events if event.startswith("fold")]


async def test_walk_follows_cursors_to_the_end() -> None:
    """All that matches, each batch once, with the filters repeated beside every cursor: a cursor carries none."""
    reach = Reach(
        page(batch("b1"), batch("b2"), cursor="c1", total=4),
        page(batch("b3"), cursor="c2", total=4),
        page(batch("b4"), total=4),
    )
    coverage = await follow(reach, BatchQuery(limit=2, include_pending_details=True))

    assert folded(reach) == ["b1", "b2", "b3", "b4"]
    assert reach.asked == [
        {"limit": "2", "includePendingDetails": "true"},
        {"limit": "2", "includePendingDetails": "true", "cursor": "c1"},
        {"limit": "2", "includePendingDetails": "true", "cursor": "c2"},
    ]
    assert told(coverage) == (3, 4, "", None, True)
    assert (coverage.total, coverage.repeats, coverage.error, coverage.malformed) == (4, 0, None, [])


async def test_bytes_of_all_pages_are_summed() -> None:
    """What an answer cost is part of the answer."""
    bodies = [page(batch("b1"), cursor="c1"), page(batch("b2", pending("t/1", "c/1")))]
    sizes = [len(httpx.Response(200, json=body).content) for body in bodies]

    assert (await follow(Reach(*bodies))).size == sum(sizes)


async def test_tenant_without_batches_is_read_in_one_page() -> None:
    """Nothing there is complete, too."""
    reach = Reach(page(total=0))

    assert told(await follow(reach)) == (1, 0, "", None, True)
    assert folded(reach) == []


async def test_next_page_is_asked_for_before_the_present_one_is_folded() -> None:
    """Reach works while we do; and no more than one page is held beside the present one."""
    reach = Reach(page(batch("b1"), batch("b2"), cursor="c1"), page(batch("b3"), cursor="c2"), page(batch("b4")))
    await follow(reach)

    assert reach.events == [
        "ask start",
        "ask c1",
        "fold b1",
        "fold b2",
        "ask c2",
        "fold b3",
        "fold b4",
    ]


async def test_each_page_is_told_of_as_it_is_read() -> None:
    """Whoever waits sees that it goes on, and how far it is."""
    reach = Reach(page(batch("b1"), cursor="c1", total=2), page(batch("b2"), total=2))
    told: list[tuple[int, int, int | None]] = []

    async def on_page(coverage: Coverage) -> None:
        told.append((coverage.pages, coverage.batches, coverage.total))

    async with client_of(reach) as client:
        await walk(client, BatchQuery(), tenant=None, deadline=Deadline(30), fold=reach.fold, on_page=on_page)

    assert told == [(1, 1, 2), (2, 2, 2)]


async def test_batch_on_two_pages_is_folded_twice_and_counted_once() -> None:
    """Batches move while a walk runs. The later reading counts, so both are handed on; coverage says that it was so."""
    reach = Reach(page(batch("b1"), batch("b2"), cursor="c1"), page(batch("b2"), batch("b3")))
    coverage = await follow(reach)

    assert folded(reach) == ["b1", "b2", "b2", "b3"]
    assert (coverage.batches, coverage.repeats, coverage.complete) == (3, 1, True)


# Paging that can't end, or does not add up


async def test_cursor_that_comes_again_ends_the_walk() -> None:
    """Otherwise it would go round for ever, or until the deadline."""
    reach = Reach(page(batch("b1"), cursor="c1"), page(batch("b2"), cursor="c2"), page(batch("b3"), cursor="c1"))

    assert told(await follow(reach)) == (3, 3, "cursor_repeats", "c1", False)
    assert folded(reach) == ["b1", "b2", "b3"]


async def test_cursor_that_leads_to_itself_ends_the_walk() -> None:
    """The cursor that the walk began with counts as given before."""
    reach = Reach(page(batch("b1"), cursor="c0"))

    assert told(await follow(reach, BatchQuery(cursor="c0"))) == (1, 1, "cursor_repeats", "c0", False)
    assert len(reach.asked) == 1


async def test_empty_page_that_promises_more_ends_the_walk() -> None:
    """A page without batches brings nobody further, however many of them follow."""
    reach = Reach(page(batch("b1"), cursor="c1"), page(cursor="c2"))

    assert told(await follow(reach)) == (2, 1, "empty_page", "c2", False)


async def test_page_of_malformed_batches_is_not_empty() -> None:
    """What can't be read is left out and named; what comes after it may be fine."""
    broken = page({"batchId": "b1"}, {"status": "success"}, cursor="c1")
    late = batch("b2", pending("t/1", "c/1"), {"id": "pr_9"})
    reach = Reach(broken, page(late))
    coverage = await follow(reach)

    assert coverage.malformed == ["b1", "batch 2 of the page", "b2: pr_9"]
    assert told(coverage) == (2, 1, "", None, False)
    assert folded(reach) == ["b2"]


async def test_more_without_a_cursor_ends_the_walk() -> None:
    """hasNextPage says that there is more, and nothing says where."""
    lost = page(batch("b1"))
    lost["data"]["pagination"] = {"hasNextPage": True}
    reach = Reach(lost)

    assert told(await follow(reach)) == (1, 1, "empty_page", None, False)
    assert len(reach.asked) == 1


@pytest.mark.parametrize(
    ("total", "disagrees"), [(3, True), (2, False), (1, False), (None, False)], ids=["more", "equal", "less", "unsaid"]
)
async def test_total_beyond_what_the_pages_held_is_a_disagreement(total: int | None, disagrees: bool) -> None:
    """The last page came, yet batches are missing: nothing may be called complete then. Fewer may have been deleted."""
    coverage = await follow(Reach(page(batch("b1"), cursor="c1"), page(batch("b2"), total=total)))

    assert (coverage.disagrees, coverage.complete) == (disagrees, not disagrees)


@pytest.mark.parametrize(("first", "disagrees"), [(3, True), (2, False)])
async def test_total_that_falls_below_what_was_read_may_hide_a_batch(first: int, disagrees: bool) -> None:
    """Where one batch goes, another may move up past the cursor: of three, one was never shown."""
    coverage = await follow(Reach(page(batch("b1"), cursor="c1", total=first), page(batch("b2"), total=1)))

    assert (coverage.disagrees, coverage.complete, coverage.total) == (disagrees, not disagrees, 1)


async def test_total_is_the_last_that_was_said() -> None:
    """Batches come while a walk runs, and not every page need say how many."""
    reach = Reach(page(batch("b1"), cursor="c1", total=2), page(batch("b2"), cursor="c2", total=3), page(batch("b3")))

    assert (await follow(reach)).total == 3


async def test_malformed_batch_is_no_disagreement() -> None:
    """It was there, and is named: it isn't missing as well."""
    coverage = await follow(Reach(page(batch("b1"), {"batchId": "b2"}, total=2)))

    assert (coverage.disagrees, coverage.complete) == (False, False)


# Walks that end early by intention


async def test_walk_ends_where_it_has_enough() -> None:
    """A filter of time needs no page beyond its beginning: that is all that matches, so it is complete."""
    reach = Reach(page(batch("b1"), cursor="c1", total=9), page(batch("b2"), cursor="c2", total=9))
    coverage = await follow(reach, enough=lambda read: read.batches[0]["batchId"] == "b2")

    assert told(coverage) == (2, 2, "enough", "c2", True)
    assert folded(reach) == ["b1", "b2"]
    assert [asked.get("cursor") for asked in reach.asked] == [None, "c1"]


async def test_last_page_is_the_last_whatever_is_enough() -> None:
    """Nothing is left out where nothing is left."""
    assert told(await follow(Reach(page(batch("b1"))), enough=lambda _: True)) == (1, 1, "", None, True)


@pytest.mark.parametrize(("pages", "stop"), [(1, "page"), (2, "bound")])
async def test_walk_ends_after_so_many_pages(pages: int, stop: str) -> None:
    """One page was asked for, or a bound was set: either way the cursor goes on, and nothing more is fetched."""
    reach = Reach(page(batch("b1"), cursor="c1"), page(batch("b2"), cursor="c2"))

    assert told(await follow(reach, pages=pages)) == (pages, pages, stop, f"c{pages}", False)
    assert len(reach.asked) == pages


async def test_bound_that_is_just_reached_is_none() -> None:
    """The last page came within it."""
    reach = Reach(page(batch("b1"), cursor="c1"), page(batch("b2")))

    assert told(await follow(reach, pages=2)) == (2, 2, "", None, True)


# Walks that end early against all intention


async def test_error_in_the_middle_leaves_what_was_read() -> None:
    """Forty pages are not thrown away for the forty-first; the cursor is the one to try again."""
    reach = Reach(page(batch("b1"), cursor="c1"), httpx.Response(403, json={"success": False, "message": "no"}))
    coverage = await follow(reach)

    assert told(coverage) == (1, 1, "error", "c1", False)
    assert isinstance(coverage.error, Forbidden)
    assert coverage.error.quotes == ("no",)
    assert folded(reach) == ["b1"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [(httpx.Response(403), Forbidden), (httpx.Response(200, html="<p>Sign in</p>"), NotJSON)],
)
async def test_error_on_the_first_page_is_raised(answer: httpx.Response, error: type[ReachError]) -> None:
    """Nothing was read: an answer about nothing would look like a tenant without batches."""
    reach = Reach(answer)
    with pytest.raises(error):
        await follow(reach)

    assert folded(reach) == []


async def slow(_: httpx.Request) -> httpx.Response:
    await anyio.sleep_forever()
    raise AssertionError("for ever is over")


async def test_deadline_in_the_middle_leaves_what_was_read() -> None:
    """The caller gets an answer in time, about a part, with the cursor to go on from."""
    reach = Reach(page(batch("b1"), cursor="c1"), page(batch("b2"), cursor="c2"), slow)
    coverage = await follow(reach, seconds=0.2)

    assert told(coverage) == (2, 2, "deadline", "c2", False)
    assert isinstance(coverage.error, TimedOut)
    assert folded(reach) == ["b1", "b2"]


async def test_deadline_on_the_first_page_is_raised() -> None:
    """Nothing was read in time."""
    with pytest.raises(TimedOut):
        await follow(Reach(slow), seconds=0.02)


async def test_error_of_folding_is_an_error_of_ours() -> None:
    """What our own code gets wrong surfaces; it is no part of what Reach said."""
    reach = Reach(page(batch("b1")))

    def fold(_: Batch) -> None:
        raise ZeroDivisionError

    async with client_of(reach) as client:
        with pytest.raises(ExceptionGroup) as raised:
            await walk(client, BatchQuery(), tenant=None, deadline=Deadline(30), fold=fold)
    assert raised.group_contains(ZeroDivisionError)
