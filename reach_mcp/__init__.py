"""MCP server that explains stuck batches of the Reach API."""

__version__ = "0.1.0"
