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
from functools import partial
from typing import Literal

import anyio
import anyio.lowlevel
from anyio.streams.memory import MemoryObjectSendStream

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
    run = _Walk(
        partial(client.list_batches, tenant=tenant, deadline=deadline),
        fold,
        enough,
        pages,
        on_page,
        sizes=[query.limit] if query.limit or not sizes else list(sizes),
        both_ends=both_ends and newest_first and query.cursor is None and enough is None and pages is None,
        kept=[] if ordered else None,
        front=_End(query),
        back=_End(replace(query, sort_direction="asc")),
        coverage=Coverage(resumed=query.cursor is not None),
    )
    return await run.to_the_end()


class _End:
    """One order of the list: how far its reader has come, and what was taken of what the reader handed on."""

    def __init__(self, query: BatchQuery) -> None:
        self.query = query
        self.scope = anyio.CancelScope()
        self.cursor, self.limit = query.cursor, query.limit
        """What the page was asked for by, last."""
        self.cursors = set[str | None]()
        """What every page was asked for by, since the first."""
        self.stop: Stop = ""
        self.error: ReachError | None = None
        self.page = Page(has_next=True)
        """The page that was taken last."""
        self.begin()

    def begin(self) -> None:
        """Nothing is read yet, or all of it comes again."""
        self.ids = set[str]()
        self.malformed: list[str] = []
        self.lost = 0
        self.frontier: datetime | None = None
        """When the batch was created that was read last."""
        self.sound = True
        """Every batch could be read, bore a time, and stood in the order asked for."""

    def take(self, page: Page) -> int:
        """Count one page in; how many of its batches had been read before."""
        self.page = page
        self.malformed += page.malformed
        self.lost += page.lost
        repeats = 0
        for batch in page.batches:
            repeats += batch["batchId"] in self.ids
            self.ids.add(batch["batchId"])
        created = [_created(batch) for batch in page.batches]
        times = [moment for moment in (self.frontier, *created) if moment is not None]
        in_order = times == sorted(times, reverse=self.query.sort_direction != "asc")
        self.sound = self.sound and in_order and None not in created and not page.lost
        self.frontier = times[-1] if times else None
        return repeats


_Handed = tuple[_End, Page, bool]
"""A page that a reader hands on, and whether it is the first of its end, or is so once more."""


@dataclass
class _Walk:
    """One walk while it runs: a reader for each end hands pages on, and what takes them says when that is enough."""

    read: Callable[[BatchQuery], Awaitable[Page]]
    fold: Callable[[Batch], None]
    enough: Callable[[Page], bool] | None
    pages: int | None
    on_page: Callable[[Coverage], Awaitable[None]] | None
    sizes: list[int | None]
    """What may be asked for, the first at present: as large as has been found to fit."""
    both_ends: bool
    kept: list[Batch] | None
    front: _End
    back: _End
    coverage: Coverage
    seen: set[str] = field(default_factory=set)

    async def to_the_end(self) -> Coverage:
        """Read the front to its end, and the back until they meet. Only one page at a time is taken, from either."""
        first = await self._ask(self.front)
        send, receive = anyio.create_memory_object_stream[_Handed]()
        with send, receive:
            async with anyio.create_task_group() as tasks:
                if self.both_ends and first.has_next and (first.total or 0) > 2 * len(first.batches):
                    tasks.start_soon(self._read, self.back, send)
                tasks.start_soon(self._read, self.front, send, first)
                async for end, page, begins in receive:
                    await _let_it_start()
                    self._take(end, page, begins)
                    if self.on_page is not None:
                        await self.on_page(self.coverage)
                    if self._met:
                        tasks.cancel_scope.cancel()
        return self._finish()

    async def _read(self, end: _End, send: MemoryObjectSendStream[_Handed], page: Page | None = None) -> None:
        """Hand on page after page; while one is folded, the next is asked for. When the front ends, the walk does."""
        with end.scope:
            try:
                page = page or await self._ask(end)
                while True:
                    begins = not end.cursors
                    end.cursors.add(end.cursor)
                    end.stop = self._stop(end, page)
                    await send.send((end, page, begins))
                    if end.stop or not page.has_next:
                        break
                    end.cursor = page.cursor
                    page = await self._ask(end)
            except ReachError as error:
                end.stop, end.error = "deadline" if isinstance(error, TimedOut) else "error", error
        if end is self.front:
            self.back.scope.cancel()
            send.close()

    async def _ask(self, end: _End) -> Page:
        """The page at an end's cursor.

        One that is too large is asked for in less, from its cursor on; should Reach not take that cursor with another
        limit, from the start. Larger pages are never asked for half-way: a cursor that counts pages would skip some.
        """
        while True:
            limit, half_way = self.sizes[0], end.cursor != end.query.cursor
            try:
                page = await self.read(replace(end.query, cursor=end.cursor, limit=limit))
            except BodyTooLarge:
                if not self._shrink(limit):
                    raise
            except BadRequest:
                if half_way and limit != end.limit:
                    end.cursor = end.query.cursor
                    end.cursors.clear()
                elif half_way or limit is None or limit <= USUAL or not self._shrink(limit):
                    raise
            else:
                end.limit = limit
                return page

    def _shrink(self, limit: int | None) -> bool:
        """Go on with smaller pages than this limit, if there are any; the other end may have done so meanwhile."""
        if self.sizes[0] == limit and len(self.sizes) > 1:
            del self.sizes[0]
        return self.sizes[0] != limit

    def _stop(self, end: _End, page: Page) -> Stop:
        """Why an end should not go on after a page that says there are more; empty when it should, or was the last."""
        if not page.has_next:
            return ""
        if self.enough is not None and self.enough(page):
            return "enough"
        if len(end.cursors) == self.pages:
            return "page" if self.pages == 1 else "bound"
        if page.cursor is None or not (page.batches or page.malformed):
            return "empty_page"
        return "cursor_repeats" if page.cursor in end.cursors else ""

    def _take(self, end: _End, page: Page, begins: bool) -> None:
        """Count and fold one page. Without a pause, so that neither is cut short."""
        if begins:
            end.begin()
        coverage = self.coverage
        coverage.pages += 1
        coverage.size += page.size
        coverage.total = coverage.total if page.total is None else page.total
        coverage.most = max(coverage.most, page.total or 0)
        coverage.repeats += end.take(page)
        coverage.lost = self.front.lost
        self.seen.update(batch["batchId"] for batch in page.batches)
        coverage.batches = len(self.seen)
        self._fold(end, page)
        if self._crossed or not self._sound:
            self.back.scope.cancel()

    def _fold(self, end: _End, page: Page) -> None:
        """Fold a page in, and keep no more of it than where it stood: the next one needs the room."""
        if end is self.back and self.kept is not None:
            self.kept += page.batches
        else:
            for batch in page.batches:
                self.fold(batch)
        page.batches = []

    @property
    def _sound(self) -> bool:
        """Whether times tell where each end stands."""
        return self.front.sound and self.back.sound

    @property
    def _crossed(self) -> bool:
        front, back = self.front.frontier, self.back.frontier
        return not self.back.page.has_next or (front is not None and back is not None and front < back)

    @property
    def _met(self) -> bool:
        """Whether nothing can lie between what the two ends have read."""
        return self._sound and self._crossed and not self.coverage.short

    def _finish(self) -> Coverage:
        """The coverage, with what the back end alone has read."""
        front, back, coverage = self.front, self.back, self.coverage
        for batch in reversed(self.kept or ()):
            if batch["batchId"] not in front.ids:
                self.fold(batch)
        coverage.malformed = list(front.malformed)
        if not self._met:
            coverage.stop, coverage.error, coverage.cursor = front.stop, front.error, front.page.cursor
        if not front.page.has_next:
            return coverage
        coverage.malformed += [name for name in back.malformed if name not in front.malformed]
        if self._sound and not self._crossed:
            coverage.read_back_to = back.frontier
        return coverage


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
