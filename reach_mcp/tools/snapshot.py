"""Reads all batches of a tenant once and keeps the result for the calls that follow."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, fields
from functools import partial

import anyio

from reach_mcp.analysis.analysis import ROWS_AT_ONCE
from reach_mcp.analysis.report import Analysis
from reach_mcp.analysis.snapshot import SnapshotBuilder
from reach_mcp.api.models import Page
from reach_mcp.api.pagination import BatchReader
from reach_mcp.api.query import BatchQuery
from reach_mcp.tools.arguments import ListBatchesArguments
from reach_mcp.tools.cache import Loaded
from reach_mcp.tools.context import CALLER, Call
from reach_mcp.tools.shared_cache import BROKEN, MAX_GROWTH, Reading, SharedCache, pack_page

PAGE_SIZES = (500, 100, 20, 5, 1)
"""Batches per page without pending details, some 1 kB each. Smaller where a body is too large."""

DETAILED_PAGE_SIZES = PAGE_SIZES[1:]

ALL_BATCHES = BatchQuery(include_pending_details=True)

REPORT_SECONDS = 1.0
"""A caller that does not take its progress by then gets none: others wait for the same reading."""
WAITING_SHARE = 0.5
"""Part of a call's time for which it waits for a reading of another replica, before it reads for itself."""


@dataclass(frozen=True)
class KeptAnalysis:
    """One reading of a tenant with what has been worked out from it. Work on it under its lock."""

    analysis: Analysis
    read: float
    """Monotonic time of the reading."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self.read

    def __del__(self) -> None:
        """Give the memory back when neither the cache nor a call refers to it; off the event loop where it is much."""
        if len(self.analysis.snapshot.rows) > ROWS_AT_ONCE:
            threading.Thread(target=self.analysis.close, daemon=True).start()
        else:
            self.analysis.close()


async def read_snapshot(call: Call, *, fresh: bool = False) -> KeptAnalysis:
    """All batches of the call's tenant with pending details. Raises ReachError when nothing could be read."""
    key = (call.client.credential.token(), call.tenant)
    shared = call.context.shared
    load = partial(read, call, ALL_BATCHES) if shared is None else partial(_read_shared, call, shared, fresh=fresh)
    kept = await call.context.snapshots.get(key, load, fresh=fresh)
    call.coverage = kept.analysis.snapshot.coverage
    return kept


async def _read_shared(call: Call, shared: SharedCache, *, fresh: bool) -> Loaded[KeptAnalysis]:
    """The reading that another replica stored, unless it has to be fresh, else one of our own, stored for others."""
    settings, token = call.context.settings, call.client.credential.token()
    names = shared.names(settings.api_url, token, call.tenant, settings.error_messages)
    if fresh:
        return await _read_and_store(call, shared, names)

    async def accept(value: bytes) -> Loaded[KeptAnalysis] | None:
        return await call.analyse(lambda _: _open_value(shared, names, value, call.context.clock()))

    async with shared.turn(names, accept, wait=call.deadline.left() * WAITING_SHARE) as found:
        return await _read_and_store(call, shared, names) if found is None else found


async def _read_and_store(call: Call, shared: SharedCache, names: list[str]) -> Loaded[KeptAnalysis]:
    pages: list[bytes] = []
    loaded = await read(call, ALL_BATCHES, pages=pages)
    snapshot = loaded.value.analysis.snapshot
    reading = Reading(names[0], call.context.clock(), snapshot.read_at, snapshot.coverage, pages)
    await shared.store(names, await call.analyse(lambda _: shared.seal(reading)))
    return loaded


def _open_value(shared: SharedCache, names: list[str], value: bytes, now: float) -> Loaded[KeptAnalysis] | None:
    """The analysis of a stored reading, None where the value is no such reading."""
    reading = shared.unseal(names, value, now)
    if reading is None:
        return None
    builder = SnapshotBuilder()
    try:
        for batch in reading.batches(shared.max_bytes * MAX_GROWTH):
            builder.add(batch)
    except BROKEN:
        return None
    age = max(0.0, now - reading.stored)
    kept = KeptAnalysis(Analysis(builder.build(reading.coverage, reading.moment)), time.monotonic() - age)
    return Loaded(kept, reading.coverage.size, age=age)


async def read_page(call: Call, arguments: ListBatchesArguments, *, whole: bool) -> KeptAnalysis:
    """One page with the endpoint's own parameters, not kept. Where rows of it are left out, the page is a large one."""
    given = arguments.model_dump(include={each.name for each in fields(BatchQuery)}, exclude_defaults=True)
    query = BatchQuery(**given | {"limit": arguments.limit if whole else None})
    return (await read(call, query, max_pages=1)).value


async def read(
    call: Call, query: BatchQuery, max_pages: int | None = None, pages: list[bytes] | None = None
) -> Loaded[KeptAnalysis]:
    """Read the batches that match, and report progress to the host that asked for it. Raises ReachError.

    Each page is added to `pages` too, packed.
    """
    context, deadline, report = call.context, call.read_deadline(), CALLER.get().report
    with_details = bool(query.include_pending_details)
    builder = SnapshotBuilder(with_details=with_details)
    sizes = DETAILED_PAGE_SIZES if with_details else PAGE_SIZES
    reader = BatchReader(
        call.client, query, tenant=call.tenant, deadline=deadline, page_sizes=sizes, max_pages=max_pages
    )

    def fold(page: Page) -> None:
        for batch in page.batches:
            builder.add(call.censor(batch))
        if pages is not None:
            pages.append(pack_page(page.batches))

    read_at = context.clock()
    try:
        async for page in reader.pages():
            # One page may hold 100,000 pending resources: the event loop goes on meanwhile.
            await call.analyse(lambda _, page=page: fold(page), read=page.size)  # type: ignore[misc]
            if report is not None:
                done = f"{reader.coverage.pages} page{'s'[: reader.coverage.pages != 1]} read"
                rows = f"{builder.rows:,} pending resources"
                with anyio.move_on_after(REPORT_SECONDS) as sent:
                    await report(reader.coverage.batches, reader.coverage.total, f"{done}, {rows}")
                report = None if sent.cancelled_caught else report
    finally:
        call.spend(deadline)
    call.coverage = coverage = reader.coverage
    moment = float(int(read_at + coverage.clock_skew))
    snapshot = await call.analyse(lambda _: builder.build(coverage, moment), read=coverage.size)
    return Loaded(KeptAnalysis(Analysis(snapshot), time.monotonic()), coverage.size, keep=coverage.stop != "error")
