"""Output models: structured content is their dump, the published schemas are theirs, and the text is written from them.

A field that holds its default is not sent. Names are short because every answer repeats them; a description is given
only where the name does not say it.
"""

from reach_mcp.render.models.batches import (
    Batch,
    BatchCount,
    BatchDetailReport,
    BatchListReport,
    Census,
    ErrorGroup,
    Variant,
)
from reach_mcp.render.models.common import (
    Arguments,
    Call,
    Coverage,
    Head,
    Holding,
    Items,
    LeftOut,
    Resource,
    Tail,
    Time,
)
from reach_mcp.render.models.pending import (
    Blocker,
    Chains,
    Changes,
    Counter,
    Counts,
    Cycle,
    Expired,
    ExpiredBatch,
    ExpiredRecord,
    Expiry,
    Focus,
    Hour,
    LeaveOut,
    Missing,
    Moved,
    Path,
    PendingReport,
    Plan,
    Reference,
    Step,
    Tally,
    WhatIf,
    Why,
)

__all__ = [
    "Arguments", "Batch", "BatchCount", "BatchDetailReport", "BatchListReport", "Blocker", "Call", "Census", "Chains",
    "Changes", "Counter", "Counts", "Coverage", "Cycle", "ErrorGroup", "Expired", "ExpiredBatch", "ExpiredRecord",
    "Expiry", "Focus", "Head", "Holding", "Hour", "Items", "LeaveOut", "LeftOut", "Missing", "Moved", "Path",
    "PendingReport", "Plan", "Reference", "Resource", "Step", "Tail", "Tally", "Time", "Variant", "WhatIf", "Why",
]  # fmt: skip
