"""Exit codes of the command line, each with one meaning, and the results that lead to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reach_mcp.analysis.results import BatchDetail, BatchListing, BatchSummary, Explanation
    from reach_mcp.api.pagination import Coverage

OK, FINDINGS, USAGE, UNREACHABLE, CRASH, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 70, 130, 141
HELP = """Exit codes: 0 nothing waits or failed, 1 something does, 2 wrong usage or configuration, 3 Reach is
unreachable or the reading is incomplete without findings, 70 a bug."""


def needs_attention(batch: BatchSummary) -> bool:
    """True if records of the batch wait or failed. A status without counters counts as well."""
    return batch.status in ("failure", "partial_success") or any((batch.failed, batch.pending, batch.listed))


def code_of_explanation(explanation: Explanation) -> int:
    counts = explanation.counts
    found = counts.pending or counts.expired or counts.unreadable_resources or counts.batches_with_counter_but_no_rows
    return _code(bool(found), explanation.coverage)


def code_of_listing(listing: BatchListing, batches: list[BatchSummary]) -> int:
    """`batches` are all that matched, shown or not."""
    return _code(any(map(needs_attention, batches)), listing.coverage)


def code_of_detail(detail: BatchDetail) -> int:
    return FINDINGS if needs_attention(detail.batch) or detail.pending or detail.expired else OK


def _code(found: bool, coverage: Coverage) -> int:
    if found:
        return FINDINGS
    return OK if coverage.complete else UNREACHABLE
