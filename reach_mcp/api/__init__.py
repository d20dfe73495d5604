"""The Reach API as it is: the only place that speaks HTTP to it."""

from reach_mcp.api.client import BatchQuery, ReachClient
from reach_mcp.api.errors import ReachError
from reach_mcp.api.models import Batch, Page, PendingResource

__all__ = ["Batch", "BatchQuery", "Page", "PendingResource", "ReachClient", "ReachError"]
