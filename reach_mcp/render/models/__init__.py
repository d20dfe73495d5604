"""Output models: structured content is their dump, the published schemas are theirs, and the text is written from them.

A field that holds its default is not sent. Names are short because every answer repeats them; a description is given
only where the name does not say it.
"""

from reach_mcp.render.models.batches import BatchDetailReport, BatchListReport
from reach_mcp.render.models.pending import PendingReport

__all__ = ["BatchDetailReport", "BatchListReport", "PendingReport"]
