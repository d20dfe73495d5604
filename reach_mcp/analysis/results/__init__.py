"""Results of the analysis: frozen dataclasses that rendering, the command line and reports read.

Times are Unix seconds; None where the API gave none or an unreadable one. Every list that can be long is a `Section`.
"""

from reach_mcp.analysis.results.batches import BatchDetail, BatchListing, BatchSummary, Census, ErrorGroup, FilterReport
from reach_mcp.analysis.results.common import (
    ACTION_OF,
    Action,
    ActionTally,
    Cause,
    CauseFinding,
    ExpiredIn,
    FailedBatch,
    Failure,
    Lookalike,
    MatchedBy,
    Order,
    Record,
    RunningBatch,
    Section,
    View,
)
from reach_mcp.analysis.results.explanation import Changes, Explanation, Focus, FocusKind, MovedBlocker, Path, WhatIf
from reach_mcp.analysis.results.pending import (
    Blocker,
    Chains,
    CounterDifference,
    Counts,
    Cycle,
    Expired,
    ExpiredRecord,
    Expiry,
    ExpiryHour,
    Holder,
    Plan,
    PlanStep,
    UploadOrder,
    WaitingResource,
)
