"""Read every page of `GET /api/batches`, and say how much of it was read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from reach_mcp.api.errors import BadRequest, BodyTooLarge, ReachError, Stalled, TimedOut
from reach_mcp.api.models import Page
from reach_mcp.api.query import BatchQuery

if TYPE_CHECKING:
    from reach_mcp.api.client import ReachClient
    from reach_mcp.api.deadline import Deadline

StopReason = Literal["", "deadline", "error", "cursor_repeats", "empty_page", "one_page", "page_limit"]
"""Why reading ended before the API's last page, `page_limit` also while it goes on; empty when it did not."""


DEFAULT_LIMIT = 20
"""The page size that Reach documents as its default: a limit up to it is not refused for its size."""
TURNS_BEFORE_PAGE = 12
"""Turns of the event loop after which a prefetch has begun to connect: httpx awaits that often on the way."""


@dataclass(frozen=True)
class Coverage:
    """How much was read of what there is. Without `complete`, every count is a count of what was read."""

    pages: int = 0
    batches: int = 0
    """Distinct batches read."""
    total: int | None = None
    """How many batches the API says match (its largest answer while reading); None where it does not say."""
    stop: StopReason = ""
    error: ReachError | None = None
    """What ended the reading, where something did."""
    cursor: str | None = None
    """Goes on where the reading ended."""
    started_at_cursor: bool = False
    unreadable_batches: int = 0
    unreadable_names: tuple[str, ...] = ()
    unreadable_resources: int = 0
    """Pending resources that could not be decoded; their batches are read."""
    unreadable_resource_names: tuple[str, ...] = ()
    """Batch ids with unreadable pending resources."""
    repeated: int = 0
    """Batches that came on two pages: the list moved while it was read."""
    moved: bool = False
    """Totals, ids or order changed between pages, so that a batch may have slipped through."""
    size: int = 0
    """Bytes of decoded bodies."""
    requests: int = 0
    clock_skew: float = 0.0
    """Seconds that the API's clock is ahead of ours, where it differs by more than a minute; else 0."""
    totals_changed: bool = False
    """The API gave different totals on different pages."""

    @property
    def complete(self) -> bool:
        """Whether everything that matches was read and could be decoded.

        Where the list moved while it was read, only the API's total can say so: one total on every page, and as many
        distinct batches.
        """
        lost = self.unreadable_batches or self.unreadable_resources
        return not (self.stop or self.started_at_cursor or lost or self.short or (self.moved and not self._agrees))

    @property
    def short(self) -> bool:
        """Fewer batches were read than the API says there are, though its last page was reached."""
        return not self.stop and self.total is not None and self.batches + self.unreadable_batches < self.total

    @property
    def _agrees(self) -> bool:
        return not self.totals_changed and self.batches == self.total


@dataclass
class _Tally:
    """The counts behind a Coverage, while pages are read."""

    pages: int = 0
    size: int = 0
    repeated: int = 0
    ids: set[str] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    unreadable_batches: dict[str, None] = field(default_factory=dict)
    unreadable_resources: dict[str, int] = field(default_factory=dict)
    resized: bool = False
    """The page size changed after the first page, so that a cursor may have skipped batches."""

    def add(self, page: Page, pass_ids: set[str]) -> None:
        """Count one page. `pass_ids`: the batches of the present pass over the list."""
        self.pages += 1
        self.size += page.size
        self.totals |= set() if page.total is None else {page.total}
        self.unreadable_batches.update(dict.fromkeys(page.unreadable))
        for batch in page.batches:
            self.repeated += batch.batch_id in pass_ids
            pass_ids.add(batch.batch_id)
            self.unreadable_resources.pop(batch.batch_id, None)
            if batch.unreadable_resources:
                self.unreadable_resources[batch.batch_id] = batch.unreadable_resources
        self.ids |= pass_ids


class BatchReader:
    """Reads page after page; the next page is requested before the present one is handed out.

    `page_sizes` are the limits to ask for where the query names none, largest first. The next one is tried when an
    answer is too large, refused as invalid, or does not come, from the same cursor on. If Reach refuses that cursor
    with another limit, reading starts again at the first page: batches then come twice.
    """

    def __init__(
        self,
        client: ReachClient,
        query: BatchQuery,
        *,
        tenant: str | None,
        deadline: Deadline,
        page_sizes: Sequence[int] = (),
        max_pages: int | None = None,
    ) -> None:
        self._client = client
        self._query = query
        self._tenant = tenant
        self._deadline = deadline
        self._sizes: list[int | None] = [query.limit] if query.limit or not page_sizes else list(page_sizes)
        self._max_pages = max_pages
        self._tally = _Tally()
        self._pass_ids: set[str] = set()
        self._cursor = query.cursor
        """Asks for the next page."""
        self._size_before: int | None = None
        """Limit of the page before, once there was one."""
        self._cursors: set[str | None] = set()
        self._ended = False
        self._stop: StopReason = ""
        self._error: ReachError | None = None

    @property
    def coverage(self) -> Coverage:
        """How much was read so far; valid at any time."""
        tally, deadline = self._tally, self._deadline
        changed = len(tally.totals) > 1
        return Coverage(
            pages=tally.pages,
            batches=len(tally.ids),
            total=max(tally.totals, default=None),
            stop=self._stop or self._reason_so_far(),
            error=self._error,
            cursor=self._cursor if self._stop or not self._ended else None,
            started_at_cursor=self._query.cursor is not None,
            unreadable_batches=len(tally.unreadable_batches),
            unreadable_names=tuple(tally.unreadable_batches),
            unreadable_resources=sum(tally.unreadable_resources.values()),
            unreadable_resource_names=tuple(tally.unreadable_resources),
            repeated=tally.repeated,
            moved=changed or tally.resized or tally.repeated > 0,
            size=tally.size,
            requests=deadline.requests,
            clock_skew=deadline.clock_skew,
            totals_changed=changed,
        )

    async def pages(self) -> AsyncGenerator[Page, None]:
        """The pages in the API's order; `coverage` says why they end.

        Raises ReachError only when nothing was read. Leave it early by way of `contextlib.aclosing`, so that the
        prefetched request ends as well.
        """
        page = await self._fetch()
        while True:
            following = self._follow(page)
            self._tally.add(page, self._pass_ids)
            if following is None:
                self._ended = True
                yield page
                return
            try:
                for _ in range(TURNS_BEFORE_PAGE):
                    await asyncio.sleep(0)
                yield page
                page = await following
            except ReachError as error:
                self._stop = "deadline" if isinstance(error, TimedOut) or self._deadline.expired else "error"
                self._error = error
                return
            finally:
                following.cancel()

    def _follow(self, page: Page) -> asyncio.Task[Page] | None:
        """Request the page after this one; None if there is none to ask for."""
        self._cursors.add(self._cursor)
        self._stop = self._reason_to_stop(page)
        if page.has_next:
            self._cursor = page.cursor
        if self._stop or not page.has_next:
            return None
        task = asyncio.create_task(self._fetch())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # retrieved: asyncio logs nothing
        return task

    def _reason_so_far(self) -> StopReason:
        """The reason why pages are left over that nobody asked for yet."""
        if self._ended:
            return ""
        return "deadline" if self._deadline.expired else "page_limit"

    def _reason_to_stop(self, page: Page) -> StopReason:
        if not page.has_next:
            return ""
        if self._tally.pages + 1 == self._max_pages:
            return "one_page" if self._max_pages == 1 else "page_limit"
        if page.cursor is None or not (page.batches or page.unreadable):
            return "empty_page"
        return "cursor_repeats" if page.cursor in self._cursors else ""

    async def _fetch(self) -> Page:
        """The page at the cursor, in smaller pages where the answer is too large."""
        while True:
            size, first = self._sizes[0], self._cursor == self._query.cursor
            query = replace(self._query, cursor=self._cursor, limit=size)
            try:
                page = await self._client.list_batches(query, tenant=self._tenant, deadline=self._deadline)
            except (BodyTooLarge, Stalled):
                if not self._shrink():
                    raise
            except BadRequest:
                if not first and size != self._size_before:
                    self._start_again()
                elif not first or (size or 0) <= DEFAULT_LIMIT or not self._shrink():
                    raise
            else:
                self._tally.resized |= not first and size != self._size_before
                self._size_before = size
                return page

    def _shrink(self) -> bool:
        """Go on with the next smaller page size; False if there is none."""
        if len(self._sizes) == 1:
            return False
        del self._sizes[0]
        return True

    def _start_again(self) -> None:
        """Forget the pages read: their cursors are of another page size."""
        self._cursor = self._query.cursor
        self._cursors.clear()
        self._pass_ids = set()
