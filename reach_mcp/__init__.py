"""An MCP server over Reach's batch API: what is stuck, why, what is lost first, what to send."""

__version__ = "0.1.0"
