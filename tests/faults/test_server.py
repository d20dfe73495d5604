"""The server that misbehaves does what it says: the faults that show over several pages."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from reach_mcp.api.client import BatchQuery, Deadline, ReachClient
from reach_mcp.api.credentials import StaticToken
from reach_mcp.api.models import Page
from tests.faults.site import Site

pytestmark = pytest.mark.anyio


async def pages_of(site: Site, fault: str, *, most: int = 6) -> list[Page]:
    """Page after page, by nothing but the cursor."""
    pages: list[Page] = []
    async with ReachClient(site.url(fault, times=100), StaticToken(SecretStr("t"))) as client:
        while len(pages) < most and (not pages or pages[-1].has_next):
            query = BatchQuery(cursor=pages[-1].cursor if pages else None)
            pages.append(await client.list_batches(query, tenant=None, deadline=Deadline(10)))
    return pages


def ids(pages: list[Page]) -> list[str]:
    return [" ".join(batch["batchId"] for batch in page.batches) for page in pages]


async def test_good_pages_hold_every_batch_once(site: Site) -> None:
    """What all faults are a departure from."""
    pages = await pages_of(site, "good")

    assert ids(pages) == ["b0 b1 b2", "b3 b4 b5", "b6 b7 b8", "b9"]
    assert [page.total for page in pages] == [10] * 4


async def test_cursor_loop_comes_back(site: Site) -> None:
    """The third page names the second as the next."""
    assert [page.cursor for page in await pages_of(site, "cursor-loop", most=4)] == ["one", "two", "one", "two"]


async def test_empty_pages_never_end(site: Site) -> None:
    """Each has a cursor that was not seen before."""
    pages = await pages_of(site, "empty-pages", most=4)

    assert [(len(page.batches), page.has_next, page.cursor) for page in pages] == [
        (0, True, "e1"),
        (0, True, "e2"),
        (0, True, "e3"),
        (0, True, "e4"),
    ]


async def test_drift_shows_batches_again_and_newer(site: Site) -> None:
    """Who counts rows counts 13; there were ten at the start, and three are seen twice."""
    pages = await pages_of(site, "drift")

    assert ids(pages) == ["b0 b1 b2", "b2 b3 b4", "b4 b5 b6", "b6 b7 b8", "b8 b9"]
    assert [batch["progress"].get("processedRecords") for batch in pages[1].batches] == [2, 2, 2]


async def test_vanishing_batches_are_not_all_seen(site: Site) -> None:
    """Where batches move up while a walk runs, no cursor of offsets can see them all."""
    assert ids(await pages_of(site, "vanish")) == ["b0 b1 b2", "b4 b5 b6", "b8 b9"]


async def test_duplicates_stand_on_one_page_and_on_two(site: Site) -> None:
    """Both kinds: within a page, and across the border of two."""
    assert ids(await pages_of(site, "duplicates"))[:2] == ["b0 b1 b2 b0 b1 b2", "b2 b3 b4 b5 b3 b4 b5"]


async def test_total_disagrees_with_the_pages(site: Site) -> None:
    """It says 99 to the end."""
    pages = await pages_of(site, "total")

    assert ([page.total for page in pages], len(ids(pages))) == ([99] * 4, 4)
