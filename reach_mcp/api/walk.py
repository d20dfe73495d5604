"""Following cursors to the end, within a deadline, from both ends of the list where that can't change the answer.

The next page is asked for before the present one is folded in, so that Reach works while we do. A walk that can't go
on ends with what it read, and says why: an answer about a part beats none, if it says which part.

A long list by creation time is read from its newest batch on and, at the same time, from its oldest. The two have met
when what the one has come down to is strictly older than what the other has come up to: batches of the same moment may
stand in the same order in both directions. Times that can't be read, a list that is not in order, a batch that is lost
or a total beyond what both hold prove nothing; then the walk from the newest goes on to its end, as if it were alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import anyio
import anyio.lowlevel

from reach_mcp.api.client import BatchQuery, Deadline, ReachClient
from reach_mcp.api.errors import BadRequest, BodyTooLarge, ReachError, TimedOut
from reach_mcp.api.models import Batch, Page

Stop = Literal["", "deadline", "error", "cursor_repeats", "empty_page", "enough", "page", "bound"]
"""Why a walk ended before the API's last page; empty when it did not."""

USUAL = 100
"""Batches a page that any API of this kind takes: a larger one that is refused is asked for again in less."""


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

    read_back_to: datetime | None = None
    """What is this old or older was read from the other end, so that the rest lies between it and `cursor`.

    Of the very moment itself some batches may be missing. None unless a walk from both ends broke off.
    """

    most: int = 0
    """The largest total that the API said. One that falls while reading may have moved batches past the cursor."""

    size: int = 0
    _ids: set[str] = field(default_factory=set, repr=False)

    @property
    def complete(self) -> bool:
        """Whether everything that matches was read, and could be."""
        return self.stop in ("", "enough") and not (self.malformed or self.resumed or self.disagrees)

    @property
    def disagrees(self) -> bool:
        """By the API's own total, at its largest, there are more batches than its last page was reached with."""
        return not (self.stop or self.resumed) and self.short

    @property
    def short(self) -> bool:
        """Whether fewer batches were read than the API ever said there are."""
        return self.most > self.batches + self.lost

    def add(self, page: Page) -> None:
        """Count one page in, from whichever end."""
        self.pages += 1
        self.size += page.size
        self.total = page.total if page.total is not None else self.total
        self.most = max(self.most, page.total or 0)
        self._ids.update(batch["batchId"] for batch in page.batches)
        self.batches = len(self._ids)


async def walk(
    client: ReachClient,
    query: BatchQuery,
    *,
    tenant: str | None,
    deadline: Deadline,
    fold: Callable[[Batch], None],
    enough: Callable[[Page], bool] | None = None,
    pages: int | None = None,
    on_page: Callable[[Coverage], Awaitable[None]] | None = None,
    sizes: Sequence[int] = (),
    both_ends: bool = False,
    ordered: bool = False,
) -> Coverage:
    """Read pages from `query` on until the last one, and fold each batch in.

    Ends early when `enough` says so of a page, after `pages` pages, at the deadline, or at an error; the coverage says
    which. `on_page` is awaited after each page, with what was read so far. Raises a ReachError only when nothing at all
    was read.

    `sizes` are limits to ask for where the query names none, largest first: the next is tried when an answer is too
    large, from the same cursor on. `both_ends` allows to read from the oldest batch as well; with `ordered`, what is
    read there is kept and folded last, so that batches come in the API's order.
    """
    newest_first = query.sort_by in (None, "createdAt") and query.sort_direction in (None, "desc")
    both_ends = both_ends and newest_first and query.cursor is None and enough is None and pages is None
    request = _Request(client, tenant, deadline, (query.limit,) if query.limit or not sizes else tuple(sizes))
    return await _Walk(request, query, fold, enough, pages, on_page, both_ends, ordered).run()


class _Request:
    """Asks for pages, each as large as has been found to fit."""

    def __init__(
        self, client: ReachClient, tenant: str | None, deadline: Deadline, sizes: tuple[int | None, ...]
    ) -> None:
        self._client = client
        self._tenant = tenant
        self._deadline = deadline
        self._sizes = list(sizes)

    async def page(self, end: _End, cursor: str | None) -> Page:
        """The page at the cursor.

        One that is too large is asked for in less, from its cursor on; should Reach not take that cursor with another
        limit, from the start. Larger pages are never asked for half-way: a cursor that counts pages would skip some.
        """
        shrunk = False
        while True:
            limit = self._sizes[0]
            try:
                return await self._client.list_batches(
                    replace(end.query, cursor=cursor, limit=limit), tenant=self._tenant, deadline=self._deadline
                )
            except BodyTooLarge:
                if not self._shrink(limit):
                    raise
                shrunk = True
            except BadRequest:
                if shrunk and cursor != end.query.cursor:
                    cursor, end.again = end.query.cursor, True
                elif end.pages or limit is None or limit <= USUAL or not self._shrink(limit):
                    raise

    def _shrink(self, limit: int | None) -> bool:
        """Go on with smaller pages than this limit, if there are any; the other end may have done so meanwhile."""
        if self._sizes[0] == limit and len(self._sizes) > 1:
            del self._sizes[0]
        return self._sizes[0] != limit


@dataclass
class _End:
    """One order of the list, as far as it was read."""

    query: BatchQuery
    pages: int = 0
    ids: set[str] = field(default_factory=set)
    cursors: set[str | None] = field(default_factory=set)
    malformed: list[str] = field(default_factory=list)
    frontier: datetime | None = None
    """When the batch was created that was read last."""

    sound: bool = True
    """Every batch could be read, bore a time, and stood in the order asked for."""

    stop: Stop = ""
    last: bool = False
    """The API's last page was read."""

    again: bool = False
    """The next page is the first once more."""

    def start_again(self) -> None:
        """Forget the cursors and the order of what was read, since it comes again."""
        self.ids.clear()
        self.cursors = {self.query.cursor}
        self.frontier, self.again = None, False

    def add(self, page: Page) -> int:
        """Count one page in; how many of its batches had been read before."""
        self.pages += 1
        self.malformed += page.malformed
        self.sound = self.sound and not page.lost
        repeats = 0
        for batch in page.batches:
            repeats += batch["batchId"] in self.ids
            self.ids.add(batch["batchId"])
            self._advance(_created(batch))
        self.last = not page.has_next
        self.cursors.add(page.cursor)
        return repeats

    def _advance(self, created: datetime | None) -> None:
        if created is None:
            self.sound = False
            return
        if self.frontier is not None and created != self.frontier:
            self.sound = self.sound and (created > self.frontier) is (self.query.sort_direction == "asc")
        self.frontier = created


class _Walk:
    """One walk while it runs. What it reads is counted and folded without a pause, so that neither is cut short."""

    def __init__(
        self,
        request: _Request,
        query: BatchQuery,
        fold: Callable[[Batch], None],
        enough: Callable[[Page], bool] | None,
        pages: int | None,
        on_page: Callable[[Coverage], Awaitable[None]] | None,
        both_ends: bool,
        ordered: bool,
    ) -> None:
        self._request = request
        self._fold = fold
        self._enough = enough
        self._pages = pages
        self._on_page = on_page
        self._both_ends = both_ends
        self._front = _End(query, cursors={query.cursor})
        self._back = _End(replace(query, sort_direction="asc"), cursors={None})
        self._kept: list[Batch] | None = [] if ordered else None
        self._forward, self._backward = anyio.CancelScope(), anyio.CancelScope()
        self._met = False
        self._coverage = Coverage(resumed=query.cursor is not None)

    async def run(self) -> Coverage:
        """Read the front to its end, and the back until they meet."""
        page = await self._request.page(self._front, self._front.query.cursor)
        async with anyio.create_task_group() as tasks:
            if self._both_ends and page.has_next and page.total is not None and page.total > 2 * len(page.batches):
                tasks.start_soon(self._read_back)
            with self._forward:
                await self._follow(self._front, page)
            self._backward.cancel()
        return self._finish()

    async def _read_back(self) -> None:
        with self._backward:
            try:
                page = await self._request.page(self._back, None)
            except ReachError:
                return  # the front goes on alone
            await self._follow(self._back, page)

    async def _follow(self, end: _End, page: Page) -> None:
        while True:
            stop = self._stop(page, end)
            async with anyio.create_task_group() as tasks:
                ahead = _Ahead(self._request, end, page.cursor)
                if page.has_next and not stop:
                    tasks.start_soon(ahead.run)
                    await _let_it_start()
                self._take(page, end, stop)
                if self._on_page is not None:
                    await self._on_page(self._coverage)
                if stop or not page.has_next or self._met:
                    tasks.cancel_scope.cancel()
            if stop or not page.has_next or self._met:
                return
            if ahead.page is None:
                end.stop = "deadline" if isinstance(ahead.error, TimedOut) else "error"
                if end is self._front:
                    self._coverage.error = ahead.error
                return
            if end.again:
                end.start_again()
            page = ahead.page

    def _take(self, page: Page, end: _End, stop: Stop) -> None:
        """Count and fold one page, and see whether the two ends have met."""
        coverage = self._coverage
        coverage.add(page)
        coverage.repeats += end.add(page)
        end.stop = stop
        if end is self._front:
            coverage.cursor = page.cursor
            coverage.lost += page.lost
        if end is self._back and self._kept is not None:
            self._kept += page.batches
        else:
            for batch in page.batches:
                self._fold(batch)
        if not self._back.pages:
            return
        if not (self._front.sound and self._back.sound):
            self._backward.cancel()
        elif self._have_met():
            self._met = not coverage.short
            self._backward.cancel()
            if self._met:
                self._forward.cancel()

    def _have_met(self) -> bool:
        if self._back.last:
            return True
        front, back = self._front.frontier, self._back.frontier
        return front is not None and back is not None and front < back

    def _stop(self, page: Page, end: _End) -> Stop:
        """Why an end should not go on after a page that says there are more; empty when it should, or was the last."""
        if not page.has_next:
            return ""
        if self._enough is not None and self._enough(page):
            return "enough"
        if end.pages + 1 == self._pages:
            return "page" if self._pages == 1 else "bound"
        if page.cursor is None or not (page.batches or page.malformed):
            return "empty_page"
        if page.cursor in end.cursors:
            return "cursor_repeats"
        return ""

    def _finish(self) -> Coverage:
        """The coverage, with what the back end adds to it unless the front has read all by itself."""
        front, back, coverage = self._front, self._back, self._coverage
        coverage.stop = "" if self._met else front.stop
        coverage.malformed = list(front.malformed)
        if self._met:
            coverage.cursor = None
        if front.last:
            return coverage
        coverage.malformed += [name for name in back.malformed if name not in set(front.malformed)]
        for batch in reversed(self._kept or ()):
            if batch["batchId"] not in front.ids:
                self._fold(batch)
        if front.sound and back.sound and not self._have_met():
            coverage.read_back_to = back.frontier
        return coverage


@dataclass
class _Ahead:
    """The next page, or the error in its place: raised inside a task group it would come out wrapped in a group."""

    request: _Request
    end: _End
    cursor: str | None
    page: Page | None = None
    error: ReachError | None = None

    async def run(self) -> None:
        try:
            self.page = await self.request.page(self.end, self.cursor)
        except ReachError as error:
            self.error = error


def _created(batch: Batch) -> datetime | None:
    """When the batch was created, in UTC; None where that can't be told."""
    try:
        moment = datetime.fromisoformat(batch.get("createdAt") or "")
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


async def _let_it_start() -> None:
    """Give the request time to be sent before folding takes the loop: some turns, since httpx awaits on the way."""
    for _ in range(12):
        await anyio.lowlevel.checkpoint()
