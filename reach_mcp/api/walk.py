"""Following cursors to the end, within a deadline.

The next page is asked for before the present one is folded in, so that Reach works while we do. A walk that can't go
on ends with what it read, and says why: an answer about a part beats none, if it says which part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import anyio
import anyio.lowlevel

from reach_mcp.api.client import BatchQuery, Deadline, ReachClient
from reach_mcp.api.errors import ReachError, TimedOut
from reach_mcp.api.models import Batch, Page

Stop = Literal["", "deadline", "error", "cursor_repeats", "empty_page", "enough", "page", "bound"]
"""Why a walk ended before the API's last page; empty when it did not."""


@dataclass
class Coverage:
    """What was read, of what there is.

    `total` is how many batches the API says match; None where it does not say. `cursor` goes on where the walk ended.
    `error` is what ended it, when something did.
    """

    pages: int = 0
    batches: int = 0
    repeats: int = 0
    total: int | None = None
    stop: Stop = ""
    cursor: str | None = None
    error: ReachError | None = None
    malformed: list[str] = field(default_factory=list)
    lost: int = 0
    resumed: bool = False
    """The walk began at a cursor: what came before is not in its counts."""

    size: int = 0
    _ids: set[str] = field(default_factory=set, repr=False)

    @property
    def complete(self) -> bool:
        """Whether everything that matches was read, and could be."""
        return self.stop in ("", "enough") and not (self.malformed or self.resumed or self.disagrees)

    @property
    def disagrees(self) -> bool:
        """The API's own total says that there are more batches than its last page was reached with."""
        return not (self.stop or self.resumed) and self.total is not None and self.total > self.batches + self.lost

    def add(self, page: Page) -> None:
        """Count one page in."""
        self.pages += 1
        self.size += page.size
        self.malformed += page.malformed
        self.lost += page.lost
        self.total = page.total if page.total is not None else self.total
        self.cursor = page.cursor
        for batch in page.batches:
            self.repeats += batch["batchId"] in self._ids
            self._ids.add(batch["batchId"])
        self.batches = len(self._ids)


async def walk(
    client: ReachClient,
    query: BatchQuery,
    *,
    tenant: str | None,
    deadline: Deadline,
    fold: Callable[[Batch], None],
    enough: Callable[[Page], bool] = lambda _page: False,
    pages: int | None = None,
    on_page: Callable[[Coverage], Awaitable[None]] | None = None,
) -> Coverage:
    """Read pages from `query` on until the last one, and fold each batch in.

    Ends early when `enough` says so of a page, after `pages` pages, at the deadline, or at an error; the coverage says
    which. `on_page` is awaited after each page, with what was read so far. Raises a ReachError only when nothing at all
    was read.
    """
    coverage = Coverage(resumed=query.cursor is not None)
    seen = {query.cursor}
    page = await client.list_batches(query, tenant=tenant, deadline=deadline)
    while True:
        coverage.add(page)
        coverage.stop = _stop(page, coverage, seen, enough, pages)
        async with anyio.create_task_group() as tasks:
            ahead = _Ahead(client, replace(query, cursor=page.cursor), tenant, deadline)
            if page.has_next and not coverage.stop:
                tasks.start_soon(ahead.run)
                await _let_it_start()
            for batch in page.batches:
                fold(batch)
            if on_page is not None:
                await on_page(coverage)
        if coverage.stop or not page.has_next:
            return coverage
        if ahead.page is None:
            coverage.error = ahead.error
            coverage.stop = "deadline" if isinstance(ahead.error, TimedOut) else "error"
            return coverage
        seen.add(page.cursor)
        page = ahead.page


def _stop(
    page: Page, coverage: Coverage, seen: set[str | None], enough: Callable[[Page], bool], pages: int | None
) -> Stop:
    """Why a walk should not go on after a page that says there are more; empty when it should, or was the last."""
    if not page.has_next:
        return ""
    if enough(page):
        return "enough"
    if coverage.pages == pages:
        return "page" if pages == 1 else "bound"
    if page.cursor is None or not (page.batches or page.malformed):
        return "empty_page"
    if page.cursor in seen:
        return "cursor_repeats"
    return ""


@dataclass
class _Ahead:
    """The next page, or the error in its place: raised inside a task group it would come out wrapped in a group."""

    client: ReachClient
    query: BatchQuery
    tenant: str | None
    deadline: Deadline
    page: Page | None = None
    error: ReachError | None = None

    async def run(self) -> None:
        try:
            self.page = await self.client.list_batches(self.query, tenant=self.tenant, deadline=self.deadline)
        except ReachError as error:
            self.error = error


async def _let_it_start() -> None:
    """Give the request time to be sent before folding takes the loop: some turns, since httpx awaits on the way."""
    for _ in range(12):
        await anyio.lowlevel.checkpoint()
