"""Reads all batches of a tenant once and keeps the result for the calls that follow."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import partial

from reach_mcp.analysis.report import Analysis
from reach_mcp.analysis.snapshot import SnapshotBuilder
from reach_mcp.api.models import Page
from reach_mcp.api.pagination import BatchReader
from reach_mcp.api.query import BatchQuery
from reach_mcp.tools.answers import without_messages
from reach_mcp.tools.arguments import ListBatchesArguments
from reach_mcp.tools.cache import Loaded
from reach_mcp.tools.context import CALLER, Call

PAGE_SIZES = (500, 100, 20, 5, 1)
"""Batches per page without pending details, some 1 kB each. Smaller where a body is too large."""

DETAILED_PAGE_SIZES = PAGE_SIZES[1:]

_KEY = secrets.token_bytes(32)
"""Keys of the cache can't be turned back into a credential."""


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


async def read_snapshot(call: Call, *, fresh: bool = False) -> KeptAnalysis:
    """All batches of the call's tenant with pending details. Raises ReachError when nothing could be read."""
    query = BatchQuery(include_pending_details=True)
    kept = await call.context.snapshots.get(_key(call), partial(_load, call, query), fresh=fresh)
    call.coverage = kept.analysis.snapshot.coverage
    return kept


async def read_page(call: Call, arguments: ListBatchesArguments, *, whole: bool) -> KeptAnalysis:
    """One page with the endpoint's own parameters, not kept. Where rows of it are left out, the page is a large one."""
    query = BatchQuery(
        cursor=arguments.cursor,
        limit=arguments.limit if whole else None,
        batch_type=arguments.batch_type,
        sort_by=arguments.sort_by if arguments.sort_by != "createdAt" else None,
        sort_direction=arguments.sort_direction if arguments.sort_direction != "desc" else None,
        include_pending_details=arguments.include_pending_details or None,
        only_batches_with_pending_resources=arguments.only_batches_with_pending_resources or None,
    )
    return (await _load(call, query, max_pages=1)).value


def _key(call: Call) -> str:
    """A key for the cache: credential and tenant."""
    parts = repr((call.context.client.credential.token(), call.tenant)).encode(errors="backslashreplace")
    return hashlib.blake2b(parts, key=_KEY).hexdigest()


async def _load(call: Call, query: BatchQuery, max_pages: int | None = None) -> Loaded[KeptAnalysis]:
    context, deadline = call.context, call.read_deadline()
    with_details = bool(query.include_pending_details)
    builder = SnapshotBuilder(with_details=with_details)
    sizes = DETAILED_PAGE_SIZES if with_details else PAGE_SIZES
    reader = BatchReader(
        context.client, query, tenant=call.tenant, deadline=deadline, page_sizes=sizes, max_pages=max_pages
    )
    read_at = context.clock()
    try:
        async for page in reader.pages():
            # One page may hold 100,000 pending resources: the event loop goes on meanwhile.
            await call.analyse(lambda _, page=page: _fold(builder, page, context.settings.error_messages))  # type: ignore[misc]
            await _report(reader, builder.rows)
    finally:
        call.spend(deadline)
    call.coverage = coverage = reader.coverage
    moment = float(int(read_at + coverage.clock_skew))
    snapshot = await call.analyse(lambda _: builder.build(coverage, moment))
    kept = KeptAnalysis(Analysis(snapshot), time.monotonic())
    return Loaded(kept, coverage.size, keep=coverage.stop != "error")


def _fold(builder: SnapshotBuilder, page: Page, messages: bool) -> None:
    for batch in page.batches:
        builder.add(batch if messages else without_messages(batch))


async def _report(reader: BatchReader, rows: int) -> None:
    """Report progress to the host that asked for it."""
    report = CALLER.get().report
    if report is not None:
        coverage = reader.coverage
        pages = f"{coverage.pages} page{'s'[: coverage.pages != 1]} read, {rows:,} pending resources"
        await report(coverage.batches, coverage.total, pages)
