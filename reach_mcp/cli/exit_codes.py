"""Exit codes of the command line, each with one meaning, and the results that lead to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reach_mcp.analysis.results import BatchSummary
    from reach_mcp.api.pagination import Coverage

OK, FINDINGS, USAGE, UNREACHABLE, CRASH, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 70, 130, 141
HELP = """Exit codes: 0 nothing waits or failed, 1 something does, 2 wrong usage or configuration, 3 Reach is
unreachable or the reading is incomplete without findings, 70 a bug."""


def needs_attention(batch: BatchSummary) -> bool:
    """True if records of the batch wait or failed. A status without counters counts as well."""
    return batch.status in ("failure", "partial_success") or any((batch.failed, batch.pending, batch.listed))


def exit_code(found: object, coverage: Coverage) -> int:
    """`found` is true where something waits or failed."""
    return FINDINGS if found else OK if coverage.complete else UNREACHABLE
